//! The way back without the ledger, by rules, alarms and CodeDeploy alone.
//!
//! Returning all weight to the live colour is always allowed, so it must not depend on the state bucket. A later pass,
//! which can read the ledger, finds what was done and records that the release was taken back.

use super::{Ended, Failed, Given, Next, Records};
use crate::plan::{Action, Outcome};
use crate::{
    AlarmState, Colour, Deployment, DeploymentId, PerColour, Purpose, ReleaseRule, RuleArn, RuleOwner, Rules,
    Weights,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The alarms of both colours.
pub(super) type Alarms = PerColour<BTreeMap<String, AlarmState>>;

/// How many healthy targets each colour has, where that can be read.
pub(super) type Healthy = PerColour<Option<usize>>;

/// What was done without the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "way_back", rename_all = "snake_case")]
pub enum WayBack {
    /// No rule gives a candidate any weight, or none of its alarms fires.
    NotNeeded,
    /// An alarm fires, and nothing says which colour is the candidate.
    NoCandidate {
        /// The alarm that fires.
        alarm: String,
    },
    /// The release's rule gives the candidate nothing any more.
    Taken {
        /// The colour that lost its weight.
        candidate: Colour,
        /// Its alarm that fires.
        alarm: String,
        /// The rule that gave it weight.
        rule: RuleArn,
        /// What was done to the rule, as the decision log names it.
        by: &'static str,
        /// The release's deployment that was stopped, if one was active.
        stopped: Option<DeploymentId>,
        /// Why the deployment could not be stopped. It changes no weight; a later pass stops it.
        not_stopped: Option<String>,
    },
}

/// What is decided without the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WithoutLedger {
    /// See [`WayBack::NotNeeded`].
    NotNeeded,
    /// See [`WayBack::NoCandidate`].
    NoCandidate {
        /// The alarm that fires.
        alarm: String,
    },
    /// The candidate loses its weight.
    Take(Box<Taking>),
}

/// A way back that is decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Taking {
    /// The colour that loses its weight.
    pub candidate: Colour,
    /// Its alarm that fires.
    pub alarm: String,
    /// The rule that gives it weight.
    pub rule: RuleArn,
    /// What takes it.
    pub action: Action,
    /// The release's deployment, if one is active.
    pub stop: Option<DeploymentId>,
}

/// Which candidate is taken back: the one that the rule was made for, as its tags say. Where an older version made the rule
/// it is the colour that the open deployment installs on. A rollback has no deployment, and CodeDeploy may be unreadable
/// too: then the live colour is the one to which the base rule gives everything, if it can carry that. The base rule alone
/// may lie, because behind a release's rule nobody sees that it has drifted.
pub(super) fn decide(
    rules: &Rules,
    owner: Option<&RuleOwner>,
    alarms: &Alarms,
    healthy: &Healthy,
    active: Option<&Deployment>,
) -> WithoutLedger {
    let Some(rule) = &rules.release else { return WithoutLedger::NotNeeded };
    let installs = active.and_then(|active| Some((active, candidate_of(active)?)));
    let can_carry = |colour: Colour| {
        // What cannot be read speaks against nobody: the candidate's alarm fires.
        match (*healthy.of(colour), *healthy.of(colour.other())) {
            (Some(0), _) => false,
            (Some(ours), Some(others)) => ours >= others,
            (None, _) | (_, None) => true,
        }
    };
    let is_live = |colour: Colour| rules.base.are_all_on(colour) && can_carry(colour);
    let by_base = || Colour::BOTH.into_iter().find(|colour| is_live(colour.other()));
    let tagged = owner.and_then(|owner| owner.candidate);
    let Some(candidate) = tagged.or(installs.map(|(_, candidate)| candidate)).or_else(by_base) else {
        let has_weight = |colour: &Colour| rule.weights.gives(*colour);
        let firing = Colour::BOTH.into_iter().filter(has_weight).find_map(|colour| firing(alarms, colour));
        return firing.map_or(WithoutLedger::NotNeeded, |alarm| WithoutLedger::NoCandidate { alarm });
    };
    // The base rule moves only after CodeDeploy agrees: what went live is rolled back, which needs the ledger.
    let went_live = rules.base.are_all_on(candidate) && installs.is_none();
    let has_weight = rule.weights.gives(candidate) && !went_live;
    let Some(alarm) = firing(alarms, candidate).filter(|_| has_weight) else {
        return WithoutLedger::NotNeeded;
    };
    WithoutLedger::Take(Box::new(Taking {
        candidate,
        alarm,
        rule: rule.arn.clone(),
        action: take_weight(rules, rule, candidate.other()),
        stop: installs.filter(|(_, installed)| *installed == candidate).map(|(active, _)| active.id.clone()),
    }))
}

/// The colour that a release installs on.
fn candidate_of(active: &Deployment) -> Option<Colour> {
    let description = active.description.as_ref()?;
    (description.purpose == Purpose::Release).then_some(description.colour)
}

fn firing(alarms: &Alarms, colour: Colour) -> Option<String> {
    let firing = alarms.of(colour).iter().find(|(_, state)| **state == AlarmState::Firing);
    firing.map(|(name, _)| name.clone())
}

/// Deleting the release's rule uncovers the base rule: it goes only where that one is on the live colour.
fn take_weight(rules: &Rules, rule: &ReleaseRule, live: Colour) -> Action {
    let rule = rule.arn.clone();
    if rules.base.are_all_on(live) {
        Action::DeleteReleaseRule { rule }
    } else {
        Action::SetReleaseWeights { rule, weights: Weights::all_on(live) }
    }
}

/// What is seen without the ledger.
#[derive(Debug)]
pub struct SeenWithoutLedger<F> {
    /// Both rules.
    pub rules: Result<Rules, F>,
    /// The release that owns the release's rule, by its tags.
    pub owner: Result<Option<RuleOwner>, F>,
    /// The alarms of both colours.
    pub alarms: Result<Alarms, F>,
    /// How many healthy targets each colour has, where that can be read.
    pub healthy: Healthy,
    /// The deployment of the service's group that may still change instances.
    pub active: Result<Option<Deployment>, F>,
}

/// Waits for rules, alarms, health and the active deployment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LookWithoutLedger<F> {
    failure: F,
}

/// Waits for the answer to one of the way back's calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TakeBack<F> {
    failure: F,
    taking: Box<Taking>,
    /// Why the deployment that is to be stopped is not known.
    not_stopped: Option<String>,
    action: Action,
}

impl<F: Failed> LookWithoutLedger<F> {
    /// The ledger could not be read.
    pub(super) fn because(failure: F) -> Self {
        Self { failure }
    }

    /// The answer: everything that was seen. An alarm or a rule that cannot be read decides nothing: without the ledger
    /// nothing else names the rule that would have to go.
    pub fn answered<R: Records<Failure = F>>(
        self,
        seen: SeenWithoutLedger<F>,
        given: &Given<'_, R>,
    ) -> Next<F> {
        let failure = self.failure;
        let SeenWithoutLedger { rules, owner, alarms, healthy, active } = seen;
        let (mut rules, alarms) = match (rules, alarms) {
            (Ok(rules), Ok(alarms)) => (rules, alarms),
            (Err(why), _) | (_, Err(why)) => {
                return Next::Ended(Ended::WithoutLedger { failure, way_back: Err(why) });
            }
        };
        // Somebody else's rule at the reserved priority is left alone. Tags that cannot be read keep no way back.
        rules.release.take_if(|_| matches!(owner, Ok(None)));
        let owner = owner.as_ref().ok().and_then(Option::as_ref);
        let deployment = active.as_ref().ok().and_then(Option::as_ref);
        let way_back = match (given.decisions.without_ledger)(&rules, owner, &alarms, &healthy, deployment) {
            WithoutLedger::NotNeeded => WayBack::NotNeeded,
            WithoutLedger::NoCandidate { alarm } => WayBack::NoCandidate { alarm },
            WithoutLedger::Take(taking) => {
                let not_stopped = active.err().map(|failure| failure.told());
                let action = taking.action.clone();
                return Next::TakeBack(TakeBack { failure, taking, not_stopped, action });
            }
        };
        Next::Ended(Ended::WithoutLedger { failure, way_back: Ok(way_back) })
    }
}

impl<F: Failed> TakeBack<F> {
    /// What is to be done.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// The answer: what came of it, or why it is not known to be done. A repeat is safe.
    pub fn answered(self, answer: Result<Outcome, F>) -> Next<F> {
        let Self { failure, taking, not_stopped, action } = self;
        let stops = matches!(action, Action::StopDeployment { .. });
        match (answer, &taking.stop) {
            (Err(why), _) if !stops => Next::Ended(Ended::WithoutLedger { failure, way_back: Err(why) }),
            (Ok(_), Some(id)) if !stops => {
                let action = Action::StopDeployment { id: id.clone() };
                Next::TakeBack(Self { failure, taking, not_stopped, action })
            }
            (answer, _) => {
                let not_stopped = answer.err().map(|failure| failure.told()).or(not_stopped);
                let Taking { candidate, alarm, rule, action, stop } = *taking;
                let stopped = stop.filter(|_| not_stopped.is_none());
                let by = action.word();
                let way_back = Ok(WayBack::Taken { candidate, alarm, rule, by, stopped, not_stopped });
                Next::Ended(Ended::WithoutLedger { failure, way_back })
            }
        }
    }
}
