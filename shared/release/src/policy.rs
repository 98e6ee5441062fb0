//! What the people who run a service decided beforehand.

use crate::Strategy;
use crate::evidence::AtMax;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use std::time::Duration;

/// The rules a release runs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Policy {
    /// How weight moves.
    pub strategy: Strategy,
    /// Time at full weight before success.
    #[serde(with = "duration")]
    pub bake: Duration,
    /// How long an installation may take before the release is given up. Default 15 min.
    #[serde(with = "duration")]
    pub install_deadline: Duration,
    /// How long a colour keeps serving after it lost its weight, because a changed rule answers before
    /// the load balancer has moved (503s for up to two minutes: argo-rollouts #4595). Default 60 s.
    #[serde(with = "duration", alias = "hold")]
    pub drain: Duration,
    /// How long candidate targets may be unhealthy before traffic goes back. Default 30 s.
    #[serde(with = "duration")]
    pub unhealthy_grace: Duration,
    /// How long facts may be unreadable, with weight on the candidate, before traffic goes back. Default 3 min.
    #[serde(with = "duration")]
    pub unknown_limit: Duration,
    /// At most one pass per service reads AWS in this interval, but for what must not wait
    /// ([`Open::looks_again_after`], [`Open::needs_report`]); other questions are answered from the ledger. Default 5 s.
    ///
    /// [`Open::looks_again_after`]: crate::Open::looks_again_after
    /// [`Open::needs_report`]: crate::Open::needs_report
    #[serde(with = "duration")]
    pub look_interval: Duration,
    /// How long no hook may ask, with weight on the candidate, before traffic goes back; 0 never. Default 3 min.
    #[serde(with = "duration")]
    pub silence_limit: Duration,
    /// How long after success an alarm on the live colour, or its bad minutes, roll back to the previous one; 0 never. Default 30 min.
    #[serde(with = "duration")]
    pub rollback_window: Duration,
    /// How long an instance may be unhealthy on the live colour before it is replaced, and the pause between two
    /// replacements; 0 never. Default 5 min.
    #[serde(with = "duration")]
    pub heal_after: Duration,
    /// What Greenlight does about weights and suspended processes that no release explains.
    pub drift: Drift,
    /// How many requests a bad version may fail: what must be proven, and how large a first share is. Default 10.
    #[serde(default = "usual_harm")]
    pub harm: u64,
    /// What a release by evidence does that has proven nothing when its time is over. Default: it goes on.
    #[serde(default)]
    pub at_max: AtMax,
    /// How long the gate of a release that opens may take to say yes before the first weight, and again before its success; 0 no
    /// release has a gate. Default 2 min where there is one.
    #[serde(with = "duration", default)]
    pub gate: Duration,
    /// Whether it is what somebody decided. Where a setting is wrong a default stands in for it: that carries open releases
    /// on, and back, and no release opens by it.
    #[serde(default = "usually")]
    pub is_sound: bool,
}

fn usually() -> bool {
    true
}

fn usual_harm() -> u64 {
    Policy::USUAL_HARM
}

/// What Greenlight does about a state of AWS that neither the ledger nor CodeDeploy explains: a change by an operator,
/// a stack update, processes that CodeDeploy failed to resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drift {
    /// It is said in every decision record and left as it is.
    Report,
    /// It is repaired where that is proven safe, else reported. The default, because a stack update that writes the
    /// template's weights would otherwise leave users on the idle colour until an operator looks.
    Repair,
}

/// A text that is neither `report` nor `repair`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither report nor repair")]
pub struct DriftError(pub String);

impl FromStr for Drift {
    type Err = DriftError;

    fn from_str(text: &str) -> Result<Self, DriftError> {
        match text {
            "report" => Ok(Self::Report),
            "repair" => Ok(Self::Repair),
            other => Err(DriftError(other.to_owned())),
        }
    }
}

impl Policy {
    /// So many failed requests are allowed where nobody has said how many.
    pub const USUAL_HARM: u64 = 10;

    /// How long the kit's last hook waits to hear how its release ended (`instance/hooks/validate_service.sh`), a minute
    /// less than the 3,600 s that CodeDeploy lets one event take (codedeploy user guide, limits).
    pub const HOOK_TIMEOUT: Duration = Duration::from_secs(3540);

    /// How long a release by this policy takes at most when nothing goes wrong.
    pub fn longest_release(&self) -> Duration {
        self.longest(self.strategy, self.bake)
    }

    /// How long a release with this strategy and bake takes at most when nothing goes wrong. Once it may have to wait for
    /// the proof of a raise as long as that is waited for, and twice for its gate.
    pub fn longest(&self, strategy: Strategy, bake: Duration) -> Duration {
        self.install_deadline + strategy.total() + self.unknown_limit + bake + self.gate * 2
    }

    /// Whether a release fits into the time-out of a hook.
    pub fn fits_a_hook(&self) -> bool {
        self.longest_release() <= Self::HOOK_TIMEOUT
    }
}
