//! What decisions say that was not said before.

use crate::sentences::{sentence, tone};
use crate::{Decision, Placed, Tone};
use jiff::Timestamp;
use release::{Reason, ReleaseNumber};
use std::collections::BTreeMap;

/// A reason of a decision, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When the decision's pass began to look.
    pub at: Timestamp,
    /// Of which service.
    pub service: String,
    /// The release that it is about, if one was or is open.
    pub release: Option<ReleaseNumber>,
    /// How it is meant.
    pub tone: Tone,
    /// The reason's word, as in the log.
    pub word: &'static str,
    /// What was decided, in a sentence.
    pub text: String,
}

/// What each service's last decision said, so that nothing is told twice.
#[derive(Debug, Default)]
pub struct News(BTreeMap<String, Vec<Said>>);

/// What makes two reasons say the same: not the seconds that are left.
type Said = (&'static str, Option<Placed>, Option<u64>);

impl News {
    /// What a decision says that the one before it did not. Decisions are given in the order of their passes.
    pub fn of(&mut self, decision: &Decision) -> Vec<Told> {
        let said = |reason: &Reason| (reason.word(), decision.open, decision.weight);
        let now: Vec<Said> = decision.why.iter().map(said).collect();
        let before = self.0.insert(decision.service.clone(), now).unwrap_or_default();
        let is_news =
            |reason: &&Reason| !matches!(reason, Reason::NothingToDo) && !before.contains(&said(reason));
        decision.why.iter().filter(is_news).map(|reason| told(reason, decision)).collect()
    }
}

fn told(reason: &Reason, decision: &Decision) -> Told {
    Told {
        at: decision.at,
        service: decision.service.clone(),
        release: decision.open.or(decision.found).map(|release| release.number),
        tone: tone(reason),
        word: reason.word(),
        text: sentence(reason, decision),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decision records of a release that went live and of one that was taken back, as the functions wrote them.
    const RECORDS: &str = include_str!("../records/story.jsonl");

    /// What is told of these lines, in the order in which it happened.
    fn news(lines: &[&str]) -> Vec<String> {
        let mut decided: Vec<_> = lines.iter().filter_map(|line| Decision::read(line).unwrap()).collect();
        decided.sort_by_key(|decision| decision.at);
        let mut news = News::default();
        let told = decided.iter().flat_map(|decision| news.of(decision));
        told.map(|told| format!("{} {}", told.at, told.text)).collect()
    }

    #[test]
    fn a_story_is_told_in_sentences() {
        insta::assert_snapshot!(news(&RECORDS.lines().collect::<Vec<_>>()).join("\n"));
    }

    #[test]
    fn a_decision_is_told_when_it_says_something_new() {
        let line = record("waits_for_time");
        let fewer_seconds = line.replace(r#"\"seconds\":12"#, r#"\"seconds\":2"#);
        assert_eq!(news(&[&line]).len(), 1);
        assert_eq!(news(&[&line, &fewer_seconds]).len(), 1);
        let another_release = line.replace(r#"\"number\":4"#, r#"\"number\":5"#);
        assert_eq!(news(&[&line, &another_release]).len(), 2);
        assert_eq!(news(&["START RequestId: 1", r#"{"message":"hello"}"#]).len(), 0);
    }

    #[test]
    fn a_decision_that_came_too_late_is_not_told() {
        let line = record("returns");
        let late = line.replace(r#"[\"commit\",null]"#, r#"[\"commit\",\"somebody else was first\"]"#);
        assert_ne!(late, line);
        assert_eq!(news(&[&late]), Vec::<String>::new());
        let done_before = late.replace(r#"[[\"commit"#, r#"[[\"delete_release_rule\",null],[\"commit"#);
        assert_eq!(news(&[&done_before]).len(), 1);
    }

    #[test]
    fn a_decision_record_of_another_form_is_an_error() {
        let line = record("raises").replace("observation", "seen");
        assert!(Decision::read(&line).is_err());
    }

    /// The first stored decision with this reason.
    fn record(word: &str) -> String {
        let records = include_str!("../records/reasons.jsonl");
        records.lines().find(|line| line.contains(&format!(r#"\"reason\":\"{word}\""#))).unwrap().to_owned()
    }
}
