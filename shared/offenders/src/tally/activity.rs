//! What is known of one client: a tally hands it out, a partial result stores it, a judge reads it.

use super::OFFENCES;

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

/// One odd path: hash, first and last step in which it was asked for.
pub type OddPath = (u32, u32, u32);

/// All that is known of one client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// Requests.
    pub requests: Records,
    /// Offences: blocked, credentials, challenged, knocks.
    pub offences: [Records; OFFENCES.len()],
    /// Odd paths, at most [`MOST_PATHS`](crate::MOST_PATHS).
    pub paths: Vec<OddPath>,
}

impl Activity {
    fn steps(&self) -> impl Iterator<Item = u32> {
        self.requests.iter().chain(self.offences.iter().flatten()).map(|&(step, _)| step)
    }

    /// First and last step in which the client did anything.
    pub fn span(&self) -> Option<(u32, u32)> {
        Some((self.steps().min()?, self.steps().max()?))
    }
}
