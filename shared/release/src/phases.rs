//! What each phase is, what it waits for, and which commands do what in it, for somebody on call.

use crate::Command;

/// A phase, explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExplainedPhase {
    /// As `status` and the log say it.
    pub word: &'static str,
    /// How things are then.
    pub means: &'static str,
    /// What must come for it to end well.
    pub waits_for: &'static str,
    /// Which phase is next then.
    pub next: &'static str,
    commands: [Option<&'static str>; COMMANDS.len()],
}

/// The commands that may mean something in one phase and nothing in another, in the order of a table.
pub const COMMANDS: [Command; 8] = [
    Command::Pause,
    Command::Resume,
    Command::Promote,
    Command::Abort,
    Command::Rollback,
    Command::Retry,
    Command::Drill,
    Command::Preview,
];

const HOLDS_THE_NEXT: Option<&str> = Some("the next release gets no weight until `resume`");
const PREVIEWED: Option<&str> =
    Some("before its first weight, whoever sends the preview's header reaches it, and the weight waits");
const ENDS_ONE: Option<&str> = Some("ends a preview; where none stands, a pause");
const ENDS_A_PAUSE: Option<&str> = Some("ends a pause");

/// Every phase, in the order of a release's way.
pub const PHASES: &[ExplainedPhase] = &[
    ExplainedPhase {
        word: "idle",
        means: "No release is open. All traffic is on the live colour.",
        waits_for: "A bundle, a `rollback`, a `drill`, or within RollbackWindow an alarm of the live colour or too many bad minutes.",
        next: "installing; baking for a rollback to a version that still runs",
        commands: [
            HOLDS_THE_NEXT,
            ENDS_A_PAUSE,
            None,
            None,
            Some("the previous release takes all traffic again, if one is known"),
            Some("the last release is tried once more, if it was rejected"),
            Some("plays the way back with the live version, without users"),
            None,
        ],
    },
    ExplainedPhase {
        word: "installing",
        means: "The bundle is being installed on the candidate colour, which has no traffic.",
        waits_for: "Every instance to stand in ValidateService and to be healthy in the candidate's target group, within InstallDeadline.",
        next: "shifting; baking with AllAtOnce; promoting for the first release of a service; drilling for a drill; leaving for what it has replaced",
        commands: [
            Some("it gets no weight until `resume`"),
            ENDS_ONE,
            None,
            Some("gives it up before it had traffic"),
            None,
            None,
            None,
            Some(
                "once every instance of it is healthy, whoever sends the preview's header reaches it, and the first weight waits",
            ),
        ],
    },
    ExplainedPhase {
        word: "shifting",
        means: "The candidate has a part of the traffic, or is about to get its first.",
        waits_for: "The time of the step, or what the counts prove, by evidence the bake too, and proof that the next raise is safe. With a gate its yes, before the first weight; with a preview its end.",
        next: "the next step; after the last, baking",
        commands: [
            Some("the weight stays until `resume`; alarms still take it back"),
            ENDS_ONE,
            Some("skips the remaining steps and the bake; every raise must still be proven safe"),
            Some("all traffic returns to the live colour"),
            None,
            None,
            None,
            PREVIEWED,
        ],
    },
    ExplainedPhase {
        word: "baking",
        means: "The candidate has all the traffic, and the previous version still runs beside it.",
        waits_for: "The bake time. With a gate its yes. A rollback waits only until its traffic is proven to have moved.",
        next: "promoting",
        commands: [
            Some("a release waits before its success until `resume`; alarms still take it back"),
            ENDS_ONE,
            Some("skips the rest of the bake; of a rollback it means nothing"),
            Some("all traffic returns to the live colour"),
            None,
            None,
            None,
            PREVIEWED,
        ],
    },
    ExplainedPhase {
        word: "promoting",
        means: "Success is written. The hooks hear it, CodeDeploy has to agree, then the base rule moves.",
        waits_for: "CodeDeploy to say Succeeded, and the base rule to be read back on the candidate.",
        next: "idle, and the candidate is live; settling after a rollback",
        commands: [
            HOLDS_THE_NEXT,
            ENDS_A_PAUSE,
            None,
            Some("gives it up, unless CodeDeploy has agreed: then it goes live, and `rollback` is next"),
            None,
            None,
            None,
            None,
        ],
    },
    ExplainedPhase {
        word: "returning",
        means: "The release is taken back. Its rule goes first, so that the live colour has all traffic within a second or two.",
        waits_for: "Its rule to be gone, its deployment to stop, and the candidate to drain.",
        next: "idle, and the release is rejected; installing for one more attempt; settling if CodeDeploy had succeeded",
        commands: [HOLDS_THE_NEXT, ENDS_A_PAUSE, None, Some("it is so already"), None, None, None, None],
    },
    ExplainedPhase {
        word: "settling",
        means: "The live revision is deployed once more, without traffic, so that new instances boot with it.",
        waits_for: "CodeDeploy to say Succeeded. A newer bundle ends it: that does better what settling is for.",
        next: "idle",
        commands: [
            HOLDS_THE_NEXT,
            ENDS_A_PAUSE,
            None,
            Some(
                "gives it up: until a release succeeds, new instances may boot another version than the live one",
            ),
            None,
            None,
            None,
            None,
        ],
    },
    ExplainedPhase {
        word: "drilling",
        means: "A drill is installed, without traffic, and an alarm of its colour is set.",
        waits_for: "The alarm to be obeyed, within 60 s. A bundle ends the drill.",
        next: "returning",
        commands: [
            HOLDS_THE_NEXT,
            ENDS_A_PAUSE,
            None,
            Some("gives the drill up; it never had traffic"),
            Some(
                "gives the drill up, also while it is installing or returning, and begins when it has ended",
            ),
            None,
            Some("it is so already"),
            None,
        ],
    },
    ExplainedPhase {
        word: "leaving",
        means: "After a drill the previous version is installed again and healthy, without traffic. Its hooks hear that they leave it running.",
        waits_for: "Its deployment to end as failed, which keeps new instances on the live version, and its targets to be seen healthy after that. A bundle ends it.",
        next: "returning",
        commands: [
            HOLDS_THE_NEXT,
            ENDS_A_PAUSE,
            None,
            Some("gives it up: a rollback then takes an installation"),
            Some("begins when it has ended, and takes seconds if the previous version stands by then"),
            None,
            Some("it is so already"),
            None,
        ],
    },
];

impl ExplainedPhase {
    /// What each command does in it; `None`: it means nothing, changes nothing, and says so.
    pub fn commands(&self) -> impl Iterator<Item = (Command, Option<&'static str>)> {
        COMMANDS.into_iter().zip(self.commands)
    }
}
