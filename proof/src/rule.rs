//! The rules by name, and in words.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What must hold in every reachable state. The first seven are the design's, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A colour's weight is raised only when it was proven healthy in that pass.
    RaisedOnlyWhenHealthy,
    /// One release is open, and an attempt that has a deployment gets no second one.
    OneDeployment,
    /// Without further input the service comes to rest on one healthy colour.
    ComesToRest,
    /// A rejected release never gets weight again without an explicit retry.
    RejectedStaysOut,
    /// An older release never replaces a newer one by itself.
    NewerStays,
    /// Once the way back was taken, the candidate of that attempt never has weight again.
    NoWeightAfterReturn,
    /// When idle, the live colour is CodeDeploy's last successful revision and has the rule's weights.
    IdleAgrees,
    /// Nothing is done forward or said to a hook before it is written.
    WrittenFirst,
    /// The base rule moves only after CodeDeploy agrees.
    BaseMovesLast,
    /// A colour goes down only when it has had no weight for the drain.
    #[serde(alias = "down_after_hold")]
    DownAfterDrain,
    /// A pass that was overtaken leaves the rule of the open release alone.
    RuleStays,
    /// A good upload that is left alone goes live.
    GoodGoesLive,
    /// A pass that sees the alarm of a candidate with weight takes that weight.
    AlarmReturns,
    /// An alarm of what went live is answered by a rollback where that is safe.
    AlarmRollsBack,
    /// A rollback that was asked for is begun.
    AskedIsDone,
    /// What was accepted ends in exactly one verdict.
    OneVerdict,
    /// The last verdict is the one that is told.
    LastIsTold,
    /// While paused nothing is raised.
    PauseHolds,
    /// Each weight is held for its step, and the last one for the bake.
    StepHeld,
    /// A candidate that nobody can see loses its weight in time.
    BlindReturns,
    /// By evidence nothing goes on before it is proven or its time is over.
    ProvenFirst,
    /// A pass that sees a candidate fail what the live colour answers takes its weight.
    WorseReturns,
    /// No weight, and no success, before the gate has said yes to it.
    GateFirst,
    /// A drill has no weight, and begins only where no way back needs the version that it replaces.
    DrillIsHarmless,
    /// A pass that sees what a drill's alarm did takes the drill back.
    DrillIsObeyed,
    /// No release gets or has weight while a preview's rule stands.
    PreviewFirst,
    /// A pass that takes a release back has its preview's rule deleted.
    PreviewGoes,
    /// The deployment of a reinstallation never succeeds: new instances would boot it.
    NeverSucceeds,
    /// The previous version is believed to stand by again only where it was seen to run on.
    StandsBySeen,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 29] = [
        Self::RaisedOnlyWhenHealthy,
        Self::OneDeployment,
        Self::ComesToRest,
        Self::RejectedStaysOut,
        Self::NewerStays,
        Self::NoWeightAfterReturn,
        Self::IdleAgrees,
        Self::WrittenFirst,
        Self::BaseMovesLast,
        Self::DownAfterDrain,
        Self::RuleStays,
        Self::GoodGoesLive,
        Self::AlarmReturns,
        Self::AlarmRollsBack,
        Self::AskedIsDone,
        Self::OneVerdict,
        Self::LastIsTold,
        Self::PauseHolds,
        Self::StepHeld,
        Self::BlindReturns,
        Self::ProvenFirst,
        Self::WorseReturns,
        Self::GateFirst,
        Self::DrillIsHarmless,
        Self::DrillIsObeyed,
        Self::PreviewFirst,
        Self::PreviewGoes,
        Self::NeverSucceeds,
        Self::StandsBySeen,
    ];

    /// Whether it is judged only when a state is left alone.
    pub fn is_of_rest(self) -> bool {
        matches!(self, Self::ComesToRest | Self::GoodGoesLive | Self::LastIsTold | Self::BlindReturns)
    }

    /// The rule in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::RaisedOnlyWhenHealthy => {
                "a colour's weight is raised only when it was proven healthy in that pass"
            }
            Self::OneDeployment => "an attempt that has a deployment gets no second one",
            Self::ComesToRest => "without further input the service comes to rest on one healthy colour",
            Self::RejectedStaysOut => "a rejected release never gets weight without an explicit retry",
            Self::NewerStays => "an older release never replaces a newer one by itself",
            Self::NoWeightAfterReturn => {
                "after the way back the candidate of that attempt never has weight again"
            }
            Self::IdleAgrees => "when idle, ledger, CodeDeploy and the base rule agree",
            Self::WrittenFirst => "nothing is done forward or said before it is written",
            Self::BaseMovesLast => "the base rule moves only after CodeDeploy agrees",
            Self::DownAfterDrain => "a colour goes down only after the drain",
            Self::RuleStays => "a pass that was overtaken leaves the rule of the open release alone",
            Self::GoodGoesLive => "a good upload that is left alone goes live",
            Self::AlarmReturns => "a pass that sees the alarm of a candidate with weight takes that weight",
            Self::AlarmRollsBack => "an alarm of what went live is answered by a rollback where that is safe",
            Self::AskedIsDone => "a rollback that was asked for is begun",
            Self::OneVerdict => "what was accepted ends in exactly one verdict",
            Self::LastIsTold => "the last verdict is the one that is told",
            Self::PauseHolds => "while paused nothing is raised",
            Self::BlindReturns => "a candidate that nobody can see loses its weight in time",
            Self::ProvenFirst => "by evidence nothing goes on before it is proven or its time is over",
            Self::DrillIsHarmless => {
                "a drill has no weight, and begins only where no way back needs its colour"
            }
            Self::DrillIsObeyed => "a pass that sees what a drill's alarm did takes the drill back",
            Self::NeverSucceeds => "the deployment of a reinstallation never succeeds",
            Self::StandsBySeen => "the previous version stands by again only where it was seen to run on",
            Self::GateFirst => "no weight and no success before the gate has said yes to it",
            Self::PreviewFirst => "no release gets or has weight while a preview's rule stands",
            Self::PreviewGoes => "a pass that takes a release back has its preview's rule deleted",
            Self::WorseReturns => "a pass that sees a candidate fail what live answers takes its weight",
            Self::StepHeld => "each weight is held for its step, and the last one for the bake",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}
