//! What is said about an uploaded object: a word and a sentence, on its tags and in the log.
//!
//! Pure.

use crate::event::ObjectKey;
use crate::key::KeyFault;
use appspec::finding::Finding;
use greenlight::failure::KeyExcerpt;
use release::{Offer, ReleaseNumber, VerdictWord};
use std::borrow::Borrow;
use std::fmt;

/// Why an object will not be released, for the person who uploaded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The key breaks a rule.
    Key(KeyFault),
    /// The bundle would fail on an instance; at least one fault.
    Bundle(Vec<Finding>),
}

impl Rejection {
    /// The stable word for logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Bundle(findings) => findings.first().map_or("bundle", |finding| finding.code.as_str()),
        }
    }
}

impl fmt::Display for Rejection {
    /// The first fault and how many more there are; a tag holds no more. The log has them all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(fault) => fault.fmt(f),
            Self::Bundle(faults) => match faults.as_slice() {
                [] => f.write_str("the bundle has faults"),
                [fault] => fault.fmt(f),
                [fault, more @ ..] => write!(f, "1 of {} faults: {fault}", more.len() + 1),
            },
        }
    }
}

/// A verdict as it stands on an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldVerdict {
    /// One word.
    pub word: VerdictWord,
    /// One sentence.
    pub reason: String,
}

impl ToldVerdict {
    fn new(word: VerdictWord, reason: impl fmt::Display) -> Self {
        Self { word, reason: reason.to_string() }
    }

    /// For an object that will not be released.
    pub fn rejected(rejection: &Rejection) -> Self {
        Self::new(VerdictWord::Rejected, rejection)
    }

    /// For a bundle that is good and about to be offered.
    pub fn accepted(number: ReleaseNumber) -> Self {
        Self::new(VerdictWord::Accepted, format_args!("release {number} was inspected and is taken on"))
    }

    /// For a bundle that was offered.
    pub fn offered(number: ReleaseNumber, offer: &Offer) -> Self {
        match offer {
            Offer::Opens => Self::accepted(number),
            Offer::Supersedes { open } => Self::new(
                VerdictWord::Accepted,
                format_args!("release {number} takes the place of {open}, which has no traffic yet"),
            ),
            Offer::Waits { open } => {
                Self::new(VerdictWord::Waiting, format_args!("release {number} waits for {open} to end"))
            }
            Offer::Known { word, reason } => Self::new(*word, reason),
            Offer::Refused(refusal) => Self::new(refusal.verdict(), refusal),
        }
    }
}

/// Findings of one bundle that the log names at most; the others are counted.
const MOST_LINES: usize = 20;

/// The findings about a bundle, one a line, as one event of the log.
pub fn listing(key: &ObjectKey, outcome: &str, findings: &[impl Borrow<Finding>]) -> String {
    let heading = format!("{key} {outcome}: {} findings", findings.len());
    let named =
        findings.iter().take(MOST_LINES).map(|finding| KeyExcerpt(&finding.borrow().to_string()).to_string());
    let more = findings
        .len()
        .checked_sub(MOST_LINES)
        .filter(|more| *more > 0)
        .map(|more| format!("and {more} more"));
    [heading].into_iter().chain(named).chain(more).collect::<Vec<_>>().join("\n- ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use appspec::finding::{Code, shown};
    use greenlight::tag_value::legal_tag_value;
    use release::Refusal;

    fn encrypted(entry: &str) -> Finding {
        Finding::new(
            Code::Encrypted,
            format!("entry {} is encrypted", shown(entry)),
            "pack it without encryption",
        )
    }

    #[test]
    fn verdicts_are_sentences_that_fit_a_tag() {
        let number = ReleaseNumber(142);
        let open = ReleaseNumber(141);
        let one = Finding::new(
            Code::NoAppSpec,
            "there is no appspec.yml at the root, but there is deploy/appspec.yaml",
            "rename or move it",
        );
        let long = encrypted(&"deep/".repeat(80));
        let verdicts = [
            ToldVerdict::accepted(number),
            ToldVerdict::offered(number, &Offer::Opens),
            ToldVerdict::offered(number, &Offer::Supersedes { open }),
            ToldVerdict::offered(number, &Offer::Waits { open }),
            ToldVerdict::offered(
                number,
                &Offer::Known {
                    word: VerdictWord::Live,
                    reason: "release 142 carries all traffic".to_owned(),
                },
            ),
            ToldVerdict::offered(
                number,
                &Offer::Refused(Refusal::OlderThanLive { number, live: ReleaseNumber(150) }),
            ),
            ToldVerdict::rejected(&Rejection::Key(KeyFault::NotZip)),
            ToldVerdict::rejected(&Rejection::Bundle(vec![one.clone()])),
            ToldVerdict::rejected(&Rejection::Bundle(vec![one, long.clone()])),
            ToldVerdict::rejected(&Rejection::Bundle(vec![long])),
        ];
        let tags: Vec<String> = verdicts
            .iter()
            .map(|verdict| format!("{}: {}", verdict.word, legal_tag_value(&verdict.reason)))
            .collect();
        assert!(tags.iter().all(|tag| tag.len() < 300));
        insta::assert_snapshot!(tags.join("\n"));
    }

    #[test]
    fn a_listing_is_bounded_and_counts_what_it_leaves_out() {
        let long = encrypted(&"x".repeat(60_000));
        let text = listing(&ObjectKey::plain("a.zip"), "was rejected", &vec![long; 5_000]);
        assert!(text.len() < 25_000, "{} bytes", text.len());
        assert!(text.starts_with("a.zip was rejected: 5000 findings\n- "));
        assert!(text.ends_with("\n- and 4980 more"));
    }
}
