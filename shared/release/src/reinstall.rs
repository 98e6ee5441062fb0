//! A reinstallation: what a drill has replaced is installed again.
//!
//! The previous revision is deployed once more onto the idle colour, by a deployment that never succeeds. When every instance
//! of it is healthy the hooks hear that it failed and that they leave it running. So CodeDeploy's last successful revision,
//! which new instances boot, stays the live one, and the previous version stands by again.

use crate::stored::UnknownFields;
use crate::{DeploymentId, Open, ReleaseNumber, ReturnCause};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far the end of a reinstallation is, once the hooks hear that they leave it running.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Leaving {
    /// When its deployment was first seen to have ended. A hook of an older kit takes its colour down all the same, which the
    /// load balancer shows a moment after that.
    pub ended_at: Option<Timestamp>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// How the last reinstallation ended. Like the drill before it, it is no release.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reinstalled {
    /// The release that was live before the live one.
    pub number: ReleaseNumber,
    /// The number of its attempt, which no other deployment of that release may have.
    pub attempt: u32,
    /// Its deployment, if it got one.
    pub deployment: Option<DeploymentId>,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it ended.
    pub closed_at: Timestamp,
    /// Why the release does not stand by. `None`: it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

impl Reinstalled {
    /// What an ended reinstallation leaves.
    pub(crate) fn of(open: &Open, cause: &ReturnCause, now: Timestamp) -> Self {
        Self {
            number: open.upload.number,
            attempt: open.attempt,
            deployment: open.deployment.clone(),
            opened_at: open.opened_at,
            closed_at: now,
            why_not: (*cause != ReturnCause::StandsBy).then(|| cause.to_string()),
            unknown_fields: UnknownFields::default(),
        }
    }
}

/// In a sentence.
impl fmt::Display for Reinstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match &self.why_not {
            None => write!(
                f,
                "release {number} stands by again: a rollback to it takes seconds, while it has as many healthy instances as the live one"
            ),
            Some(why) => write!(
                f,
                "release {number} does not stand by, and a rollback to it takes an installation: {why}"
            ),
        }
    }
}

/// What a hook says that leaves its version running.
pub(crate) fn left_running(number: ReleaseNumber) -> String {
    format!(
        "release {number} stands by again and is left running; its deployment ends as failed on purpose, so that new instances boot the live release"
    )
}
