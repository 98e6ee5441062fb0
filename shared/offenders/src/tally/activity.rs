//! What is known of one client: a tally hands it out, a partial result stores it, a judge reads it.

use super::OFFENCES;
use crate::classify::{KeptPath, PathKind};

/// A request kept as evidence. No query string, no header, no body: those hold secrets of innocent people too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Sample {
    /// When, milliseconds since 1970.
    #[serde(rename = "at_ms")]
    pub timestamp: i64,
    /// HTTP method.
    pub method: String,
    /// Path as sent, at most 120 bytes.
    pub path: String,
    /// The rule that ended the evaluation.
    pub rule: String,
    /// What WAF did.
    pub action: String,
}

/// Records of one kind, each by its step since 1970 and its mark, in order, none twice.
pub type Records = Vec<(u32, u16)>;

/// Successes by minute: its first step since 1970 and how many, in order.
pub type Successes = Vec<(u32, u32)>;

/// A path, first and last step in which it was asked for.
pub type PathTimes = (KeptPath, u32, u32);

/// All that is known of one client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// Requests.
    pub requests: Records,
    /// Blocked, credentials, knocks, refused, accepted, verified: in the order of `OFFENCES`.
    pub offences: [Records; OFFENCES.len()],
    /// Paths, at most [`MOST_PATHS`](crate::MOST_PATHS).
    pub paths: Vec<PathTimes>,
    /// What the application answered with success.
    pub successes: Successes,
}

impl Activity {
    /// Requests that a rule of the web ACL blocked.
    pub fn blocked(&self) -> &Records {
        &self.offences[0]
    }

    /// Requests to places where credentials are tried, by WAF's log.
    pub fn credentials(&self) -> &Records {
        &self.offences[1]
    }

    /// Requests that our own rule blocked.
    pub fn knocks(&self) -> &Records {
        &self.offences[2]
    }

    /// Credentials that the application refused.
    pub fn refused(&self) -> &Records {
        &self.offences[3]
    }

    /// Credentials that it accepted.
    pub fn accepted(&self) -> &Records {
        &self.offences[4]
    }

    /// The last step in which a CAPTCHA or a challenge was met and not answered.
    pub fn last_challenge(&self) -> Option<u32> {
        let challenged = self.paths.iter().filter(|(path, ..)| path.kind() == PathKind::Challenged);
        challenged.map(|&(_, _, last)| last).max()
    }

    /// Whether a path is kept for the reason that it names.
    pub(crate) fn has(&self, path: KeptPath) -> bool {
        self.paths.iter().any(|&(kept, ..)| kept == path)
    }

    /// Whether AWS has verified who this is.
    pub fn is_verified(&self) -> bool {
        !self.offences[5].is_empty()
    }

    /// Whether the application answered it at all, as far as is kept.
    pub fn is_answered(&self) -> bool {
        !(self.successes.is_empty() && self.refused().is_empty() && self.accepted().is_empty())
            || self.paths.iter().any(|(path, ..)| path.kind() == PathKind::Missing)
    }

    fn steps(&self) -> impl Iterator<Item = u32> {
        let records = self.requests.iter().chain(self.offences.iter().flatten()).map(|&(step, _)| step);
        records.chain(self.successes.iter().map(|&(minute, _)| minute))
    }

    /// First and last step in which the client did anything.
    pub fn span(&self) -> Option<(u32, u32)> {
        let steps = || self.steps().chain(self.paths.iter().flat_map(|&(_, first, last)| [first, last]));
        Some((steps().min()?, steps().max()?))
    }

    /// Adds what another client did, as if both were one.
    pub fn absorb(&mut self, other: &Self) {
        self.requests.extend(&other.requests);
        for (own, others) in self.offences.iter_mut().zip(&other.offences) {
            own.extend(others);
        }
        self.paths.extend(&other.paths);
        self.successes.extend(&other.successes);
    }

    /// Puts everything in order after [`Activity::absorb`].
    pub fn sort(&mut self) {
        self.requests.sort_unstable();
        self.offences.iter_mut().for_each(|records| records.sort_unstable());
        self.successes.sort_unstable();
        self.paths.sort_unstable();
        self.paths.dedup_by(|next, one| {
            let is_same = next.0 == one.0;
            if is_same {
                one.2 = one.2.max(next.2);
            }
            is_same
        });
    }
}
