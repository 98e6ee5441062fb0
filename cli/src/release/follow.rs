//! What has changed since the last look, and whether that is the end. Knows no clock and no S3.

use super::summary::Open;
use release::VerdictWord;
use serde::Serialize;

/// What a look has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The tags of the object.
    pub(crate) told: Option<(VerdictWord, String)>,
    /// The release, if it is the one under way.
    pub(crate) open: Option<Open>,
    /// Until when it waits for the end of a freeze, if it does.
    pub(crate) frozen_until: Option<String>,
}

/// Where a release stands, as it is said once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// `unseen` before any verdict.
    pub(crate) verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) weight: Option<u8>,
    pub(crate) reason: String,
}

impl Step {
    /// For people.
    pub(crate) fn in_words(&self) -> String {
        let Self { verdict, phase, weight, reason } = self;
        let phase = phase.as_ref().map_or(String::new(), |phase| format!(", {phase}"));
        let weight = weight.map_or(String::new(), |weight| format!(" at {weight} %"));
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        format!("{verdict}{phase}{weight}{reason}")
    }
}

/// How a release ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Live,
    Rejected,
    Superseded,
}

/// Tells news from what was said before.
#[derive(Debug, Default)]
pub(crate) struct Follow {
    said: Option<Step>,
}

impl Follow {
    /// What is new, and how it ended if it has. An upload counts as seen from its first verdict on.
    pub(crate) fn look(&mut self, seen: &Seen) -> (Option<Step>, Option<Ended>) {
        let ended = seen.told.as_ref().and_then(|(word, _)| match word {
            VerdictWord::Live => Some(Ended::Live),
            VerdictWord::Rejected => Some(Ended::Rejected),
            VerdictWord::Superseded => Some(Ended::Superseded),
            VerdictWord::Accepted | VerdictWord::Waiting => None,
        });
        // A summary may be older than the verdict.
        let open = seen.open.as_ref().filter(|_| ended.is_none());
        let frozen = seen.frozen_until.as_ref().filter(|_| open.is_none() && ended.is_none());
        let step = Step {
            verdict: seen.told.as_ref().map_or("unseen", |(word, _)| word.as_str()).to_owned(),
            phase: open.map(|open| one_line(&open.phase)),
            weight: open.map(|open| open.weight),
            reason: match (open, frozen, &seen.told) {
                (Some(open), ..) if open.paused => "paused by an operator".to_owned(),
                (Some(Open { says: Some(says), .. }), ..) => one_line(says),
                (_, Some(until), told) => {
                    let reason = told.as_ref().map(|(_, reason)| format!("{reason}; ")).unwrap_or_default();
                    one_line(&format!("{reason}an operator lets no release open until {until}"))
                }
                (_, None, Some((_, reason))) => one_line(reason),
                (_, None, None) => String::new(),
            },
        };
        if self.said.as_ref() == Some(&step) {
            return (None, ended);
        }
        self.said = Some(step.clone());
        (Some(step), ended)
    }

    /// The last that was said.
    pub(crate) fn last(&self) -> Option<&Step> {
        self.said.as_ref()
    }

    /// Whether any verdict was seen.
    pub(crate) fn was_seen(&self) -> bool {
        self.said.as_ref().is_some_and(|step| step.verdict != "unseen")
    }
}

/// Characters of a sentence that are said.
const LONGEST: usize = 1_000;

/// A line of a workflow's log that begins with `::` is a command.
fn one_line(text: &str) -> String {
    text.chars().take(LONGEST).map(|one| if one.is_control() { ' ' } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(word: VerdictWord, reason: &str) -> Seen {
        Seen { told: Some((word, reason.to_owned())), ..Seen::default() }
    }

    fn shifting(weight: u8) -> Seen {
        let says = (weight == 30).then(|| "green failed 0 of 44".to_owned());
        let open = Open { phase: "shifting".into(), weight, paused: weight == 50, says };
        Seen { open: Some(open), ..told(VerdictWord::Accepted, "release 42 opens") }
    }

    #[test]
    fn a_release_is_told_step_by_step_and_each_step_once() {
        let mut follow = Follow::default();
        let seen = [
            Seen::default(),
            told(VerdictWord::Accepted, "release 42 opens"),
            shifting(10),
            shifting(10),
            shifting(30),
            shifting(30),
            shifting(50),
            Seen { told: Some((VerdictWord::Live, "carries all traffic".into())), ..shifting(50) },
        ];
        let looks: Vec<_> = seen.iter().map(|seen| follow.look(seen)).collect();
        let said: Vec<_> = looks.iter().filter_map(|(step, _)| step.as_ref()).map(Step::in_words).collect();
        let expected = [
            "unseen",
            "accepted: release 42 opens",
            "accepted, shifting at 10 %: release 42 opens",
            "accepted, shifting at 30 %: green failed 0 of 44",
            "accepted, shifting at 50 %: paused by an operator",
            "live: carries all traffic",
        ];
        assert_eq!(said, expected);
        assert_eq!(looks.iter().filter_map(|(_, ended)| *ended).collect::<Vec<_>>(), [Ended::Live]);
    }

    #[test]
    fn a_release_that_waits_for_the_end_of_a_freeze_says_so_until_it_has_a_verdict() {
        let frozen = |seen| Seen { frozen_until: Some("2026-12-27T06:00:00Z".to_owned()), ..seen };
        let said = |seen| Follow::default().look(&seen).0.unwrap().in_words();
        assert_eq!(
            said(frozen(told(VerdictWord::Waiting, "release 42 waits"))),
            "waiting: release 42 waits; an operator lets no release open until 2026-12-27T06:00:00Z"
        );
        assert_eq!(said(frozen(told(VerdictWord::Superseded, "by 43"))), "superseded: by 43");
        assert_eq!(said(frozen(shifting(10))), "accepted, shifting at 10 %: release 42 opens");
    }

    #[test]
    fn every_verdict_but_the_first_two_is_an_end() {
        let cases = [
            (VerdictWord::Accepted, None),
            (VerdictWord::Waiting, None),
            (VerdictWord::Rejected, Some(Ended::Rejected)),
            (VerdictWord::Superseded, Some(Ended::Superseded)),
            (VerdictWord::Live, Some(Ended::Live)),
        ];
        for (word, expected) in cases {
            assert_eq!(Follow::default().look(&told(word, "")).1, expected, "{word}");
        }
    }
}
