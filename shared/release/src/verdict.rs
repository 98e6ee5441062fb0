//! How a release ended, and the words by which whoever uploaded it hears that.

use crate::ReleaseNumber;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The word on the uploaded object's tag, which a workflow waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictWord {
    /// Inspected, and about to open or open already.
    Accepted,
    /// Good, and behind a release that has traffic already.
    Waiting,
    /// A newer one took its place before it had traffic.
    Superseded,
    /// It will not be released, or was taken back.
    Rejected,
    /// It carries all traffic, or did until the next one.
    Live,
}

impl VerdictWord {
    const ALL: [Self; 5] = [Self::Accepted, Self::Waiting, Self::Superseded, Self::Rejected, Self::Live];

    /// The word on a tag, if it is one of ours.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// Whether it says how a release ended. The others say that it has not.
    pub fn is_final(self) -> bool {
        match self {
            Self::Superseded | Self::Rejected | Self::Live => true,
            Self::Accepted | Self::Waiting => false,
        }
    }

    /// As it is written on the tag.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Waiting => "waiting",
            Self::Superseded => "superseded",
            Self::Rejected => "rejected",
            Self::Live => "live",
        }
    }
}

impl fmt::Display for VerdictWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a release ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// It carries traffic, or did until the next one.
    Live,
    /// It was taken back or never got so far.
    Rejected {
        /// Why, in a sentence.
        reason: String,
    },
    /// A newer one took its place before it had weight.
    Superseded {
        /// The newer one.
        by: ReleaseNumber,
    },
}

impl Verdict {
    /// The word on the uploaded object's tag.
    pub fn word(&self) -> VerdictWord {
        match self {
            Self::Live => VerdictWord::Live,
            Self::Rejected { .. } => VerdictWord::Rejected,
            Self::Superseded { .. } => VerdictWord::Superseded,
        }
    }

    /// The sentence on the uploaded object's tag.
    pub fn reason(&self) -> String {
        match self {
            Self::Live => "carries all traffic".to_owned(),
            Self::Rejected { reason } => reason.clone(),
            Self::Superseded { by } => format!("superseded by {by}"),
        }
    }
}
