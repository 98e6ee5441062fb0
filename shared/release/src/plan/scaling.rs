//! Auto Scaling processes that stay suspended although no deployment is open.

use super::{Planning, schedule::since};
use crate::{Action, Drift, Ledger, Reason, ScalingProcess};
use jiff::Timestamp;
use std::time::Duration;

/// CodeDeploy resumes the processes itself when a deployment ends. Until this time has passed, Greenlight does not
/// interfere.
const GRACE: Duration = Duration::from_secs(60);

/// For so long after a release it is looked at, so that a tick between releases stays cheap.
const LOOKED_AT_FOR: Duration = Duration::from_secs(15 * 60);

/// Whether a release, a drill or a reinstallation has ended just so long ago that CodeDeploy should have resumed everything.
pub(crate) fn is_looked_at(ledger: &Ledger, now: Timestamp) -> bool {
    let drilled = ledger.drilled.as_ref().map(|drilled| drilled.closed_at);
    let reinstalled = ledger.reinstalled.as_ref().map(|reinstalled| reinstalled.closed_at);
    let ended = ledger.releases.last().map(|past| past.closed_at).max(drilled).max(reinstalled);
    let ended = ended.map(|ended| since(ended, now));
    ledger.open.is_none() && ended.is_some_and(|ago| (GRACE..LOOKED_AT_FOR).contains(&ago))
}

impl Planning<'_> {
    /// Says which processes stay suspended, and resumes them where the policy says so. Only the four that
    /// `CreateDeployment` suspends: what else is suspended was suspended by hand.
    pub(super) fn look_for_suspended_processes(&mut self) {
        let Some(suspended) = self.seen.suspended.known().filter(|suspended| !suspended.is_empty()) else {
            return;
        };
        let processes = suspended.iter().map(|process| process.name().to_owned()).collect();
        self.because(Reason::ScalingSuspended { processes });
        if self.policy.drift == Drift::Repair {
            self.forward.push(Action::ResumeProcesses { processes: suspended.clone() });
        }
    }
}

impl ScalingProcess {
    /// The process with this name of Auto Scaling's, if it is one of the four.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|process| process.name() == name)
    }
}
