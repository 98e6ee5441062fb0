//! The table of scenarios.

use super::stage::Stage;
use super::{
    calls, deployments, events, functions, gates, instances, ledgers, operators, previews, resources, rules,
    weights,
};
use crate::releases::ToldVerdict;
use anyhow::Result;
use cloud::{Function, Places};
use futures::future::BoxFuture;

/// Something that goes wrong.
pub(super) struct Scenario {
    /// What `--only` names.
    pub(super) name: &'static str,
    /// What happens, for people.
    pub(super) happens: &'static str,
    /// The policy it is played under.
    pub(super) setting: Setting,
    /// Why this machine cannot play it, if it cannot.
    pub(super) lacks: Option<Lacks>,
    /// How its release may end.
    pub(super) ends: &'static [&'static str],
    /// Lets it happen and answers how its release ended, if there was one.
    pub(super) play: for<'a> fn(&'a mut Stage<'_>) -> BoxFuture<'a, Result<Option<ToldVerdict>>>,
}

/// Answers why this machine cannot play a scenario; nothing where it can.
type Lacks = fn(&Stage<'_>) -> Result<Option<String>>;

/// The policy that a cloud is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// No rollback after success.
    Releasing,
    /// A success may be rolled back.
    AfterSuccess,
    /// A gate must say yes.
    Gated,
}

impl Setting {
    pub(super) const ALL: [Self; 3] = [Self::Releasing, Self::AfterSuccess, Self::Gated];

    /// Times that make seconds out of minutes. An alarm notices after 4 to 8 s, within the canary.
    pub(super) fn parameters(self) -> [(&'static str, &'static str); 12] {
        let (window, gate) = match self {
            Self::Releasing => ("0", "none"),
            Self::AfterSuccess => ("60s", "none"),
            Self::Gated => ("0", gates::GATE),
        };
        [
            ("Strategy", "canary:20%:10s"),
            ("Bake", "4s"),
            ("InstallDeadline", "60s"),
            ("Drain", "2s"),
            ("UnhealthyGrace", "4s"),
            ("UnknownLimit", "15s"),
            ("SilenceLimit", "20s"),
            ("LookInterval", "1s"),
            ("HealAfter", "6s"),
            ("RollbackWindow", window),
            ("Gate", gate),
            ("GateDeadline", "30s"),
        ]
    }

    /// Functions that are none of the stack's.
    pub(super) fn functions(self, places: &Places) -> Vec<Function> {
        match self {
            Self::Releasing | Self::AfterSuccess => Vec::new(),
            Self::Gated => vec![gates::function(places)],
        }
    }
}

const LIVE: &[&str] = &["live"];
const REJECTED: &[&str] = &["rejected"];
/// What broke may be held against the release; it may as well go live at its second attempt.
const EITHER: &[&str] = &["live", "rejected"];

const fn releasing(
    name: &'static str,
    happens: &'static str,
    ends: &'static [&'static str],
    play: for<'a> fn(&'a mut Stage<'_>) -> BoxFuture<'a, Result<Option<ToldVerdict>>>,
) -> Scenario {
    Scenario { name, happens, setting: Setting::Releasing, lacks: None, ends, play }
}

const fn after_success(
    name: &'static str,
    happens: &'static str,
    ends: &'static [&'static str],
    play: for<'a> fn(&'a mut Stage<'_>) -> BoxFuture<'a, Result<Option<ToldVerdict>>>,
) -> Scenario {
    Scenario { name, happens, setting: Setting::AfterSuccess, lacks: None, ends, play }
}

const fn gated(
    name: &'static str,
    happens: &'static str,
    ends: &'static [&'static str],
    play: for<'a> fn(&'a mut Stage<'_>) -> BoxFuture<'a, Result<Option<ToldVerdict>>>,
) -> Scenario {
    Scenario { name, happens, setting: Setting::Gated, lacks: None, ends, play }
}

/// All of them, in the order they are played.
pub(super) const SCENARIOS: &[Scenario] = &[
    releasing(
        "lifecycle-killed",
        "the lifecycle function is killed four times a second while a good release shifts",
        LIVE,
        |stage| Box::pin(functions::lifecycle_is_killed(stage)),
    ),
    releasing(
        "every-function-killed",
        "every function is killed once a second while a bad release is taken back",
        REJECTED,
        |stage| Box::pin(functions::all_are_killed(stage)),
    ),
    releasing(
        "executions-exhausted",
        "other functions take every execution of the account while a bad release shifts, then all but one",
        REJECTED,
        |stage| Box::pin(functions::executions_are_exhausted(stage)),
    ),
    releasing(
        "throttled",
        "AWS throttles everything the functions ask, in bursts, while a good release shifts",
        LIVE,
        |stage| Box::pin(calls::throttled(stage)),
    ),
    releasing("timed-out", "reads and writes of the shift get no answer at all", EITHER, |stage| {
        Box::pin(calls::timed_out(stage))
    }),
    releasing("answer-lost", "each kind of write is carried out and its answer lost", LIVE, |stage| {
        Box::pin(calls::answers_are_lost(stage))
    }),
    releasing(
        "state-bucket-readonly",
        "the state bucket refuses writes for a while in the middle of a good shift",
        LIVE,
        |stage| Box::pin(calls::state_bucket_refuses_writes(stage)),
    ),
    releasing(
        "state-bucket-closed",
        "the state bucket refuses reads and writes while a bad release has to be taken back",
        REJECTED,
        |stage| Box::pin(calls::state_bucket_is_closed(stage)),
    ),
    releasing(
        "uploads-twice-reversed",
        "S3 tells of two uploads twice, the later one first",
        LIVE,
        |stage| Box::pin(events::uploads_come_twice_and_reversed(stage)),
    ),
    releasing("codedeploy-events-lost", "not one of CodeDeploy's events arrives", LIVE, |stage| {
        Box::pin(events::codedeploy_says_nothing(stage))
    }),
    releasing(
        "metrics-late",
        "metrics come four minutes late while a bad release shifts",
        REJECTED,
        |stage| Box::pin(events::metrics_are_late(stage)),
    ),
    releasing(
        "node-moves-late",
        "a node of the load balancer moves a minute late: a bad release is taken back, and a good one shifts",
        LIVE,
        |stage| Box::pin(weights::a_node_moves_late(stage)),
    ),
    releasing(
        "anothers-deployment",
        "a deployment that somebody has created by hand is in the way when a release is pushed",
        LIVE,
        |stage| Box::pin(deployments::anothers_is_in_the_way(stage)),
    ),
    releasing("two-alarms", "both alarms of the candidate fire at once", REJECTED, |stage| {
        Box::pin(events::two_alarms_fire(stage))
    }),
    releasing(
        "instance-dies-installing",
        "an instance is gone while the release is installed",
        LIVE,
        |stage| Box::pin(instances::dies_while(stage, "installing")),
    ),
    releasing("instance-dies-shifting", "an instance is gone while traffic shifts", LIVE, |stage| {
        Box::pin(instances::dies_while(stage, "shifting"))
    }),
    releasing("instance-dies-baking", "an instance is gone while the release bakes", LIVE, |stage| {
        Box::pin(instances::dies_while(stage, "baking"))
    }),
    releasing(
        "nginx-killed",
        "nginx is killed on one instance while traffic shifts, and nobody starts it again",
        LIVE,
        |stage| Box::pin(instances::nginx_is_killed(stage)),
    ),
    releasing("instance-joins", "Auto Scaling adds an instance while traffic shifts", LIVE, |stage| {
        Box::pin(instances::one_joins(stage))
    }),
    releasing(
        "instance-ails",
        "an instance stays unhealthy on the live colour, with no release open",
        LIVE,
        |stage| Box::pin(instances::one_ails(stage)),
    ),
    releasing(
        "instance-reboots",
        "an instance is switched off and on, with no release open",
        LIVE,
        |stage| Box::pin(instances::one_reboots(stage)),
    ),
    releasing(
        "all-instances-reboot",
        "all instances of a service are switched off and on, with no release open",
        LIVE,
        |stage| Box::pin(instances::all_reboot(stage)),
    ),
    Scenario {
        lacks: Some(resources::no_disk),
        ..releasing(
            "disk-full",
            "the disk of an instance is full when a release is pushed, and nearly full when the next one is",
            LIVE,
            |stage| Box::pin(resources::disk_is_full(stage)),
        )
    },
    Scenario {
        lacks: Some(resources::no_memory),
        ..releasing(
            "memory-eaten",
            "a candidate eats all memory of its instances from its first request on",
            REJECTED,
            |stage| Box::pin(resources::memory_is_eaten(stage)),
        )
    },
    releasing(
        "weights-reset-shifting",
        "somebody gives blue all weight of the base rule by hand while a bad release shifts",
        REJECTED,
        |stage| Box::pin(weights::reset_while_shifting(stage)),
    ),
    releasing(
        "weights-reset-at-rest",
        "somebody gives blue all weight of the base rule by hand, with no release open",
        LIVE,
        |stage| Box::pin(weights::reset_at_rest(stage)),
    ),
    releasing(
        "weights-reset-before-push",
        "somebody gives blue all weight of the base rule by hand, and a release is pushed in the same moment",
        LIVE,
        |stage| Box::pin(weights::reset_before_push(stage)),
    ),
    releasing(
        "hosts-changed",
        "a stack update gives the service a second host name while a bad release shifts",
        REJECTED,
        |stage| Box::pin(rules::hosts_change_while_shifting(stage)),
    ),
    releasing(
        "listener-full",
        "the load balancer takes no rule more, when a release is pushed and until it is refused",
        REJECTED,
        |stage| Box::pin(rules::listener_is_full(stage)),
    ),
    releasing(
        "state-bucket-restored",
        "the state bucket is restored to what it was before the release that bakes",
        LIVE,
        |stage| Box::pin(ledgers::restored_from_yesterday(stage)),
    ),
    releasing("drill", "an operator holds a drill, and rolls back afterwards", LIVE, |stage| {
        Box::pin(operators::a_drill_is_held(stage))
    }),
    releasing(
        "previewed",
        "somebody looks at a good candidate by a preview before it has traffic, then lets it go on",
        LIVE,
        |stage| Box::pin(previews::somebody_looks(stage)),
    ),
    after_success(
        "instance-dies-after-success",
        "an instance is gone right after the success of a release",
        LIVE,
        |stage| Box::pin(instances::dies_after_success(stage)),
    ),
    after_success(
        "pause-forgotten",
        "somebody has paused releases and forgotten it, and what is live turns bad",
        REJECTED,
        |stage| Box::pin(operators::pause_is_forgotten(stage)),
    ),
    after_success("bad-after-success", "a release turns bad right after its success", REJECTED, |stage| {
        Box::pin(events::turns_bad_after_success(stage))
    }),
    gated("gate-says-no", "the gate says no to the first weight of a good release", REJECTED, |stage| {
        Box::pin(gates::says_no(stage))
    }),
    gated("gate-is-silent", "the gate runs into its own time-out each time it is asked", REJECTED, |stage| {
        Box::pin(gates::is_silent(stage))
    }),
    gated("gate-says-yes", "the gate says yes twice", LIVE, |stage| Box::pin(gates::says_yes(stage))),
    gated(
        "gate-changes-its-mind",
        "the gate says yes to the first weight and no to the success, when the release has all traffic",
        REJECTED,
        |stage| Box::pin(gates::changes_its_mind(stage)),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_every_setting_is_played() {
        let names: BTreeSet<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        assert!(Setting::ALL.iter().all(|setting| SCENARIOS.iter().any(|one| one.setting == *setting)));
    }
}
