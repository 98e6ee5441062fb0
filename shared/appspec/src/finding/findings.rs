//! A list of findings that a bundle cannot make long.

use super::{Agent, Code, Finding, Severity};
use std::collections::BTreeMap;

/// Everything that was found, at most [`Findings::MOST_OF_A_KIND`] of each code; the others are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    listed: Vec<Finding>,
    counts: BTreeMap<Code, usize>,
}

impl Findings {
    /// Findings of one code that are kept.
    pub const MOST_OF_A_KIND: usize = 100;

    /// Adds a finding, or counts it where there are enough of its kind.
    pub fn push(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.code).or_default();
        *count = count.saturating_add(1);
        if *count <= Self::MOST_OF_A_KIND {
            self.listed.push(finding);
        }
    }

    /// The same for a finding that is worth making only if it is kept.
    pub fn push_with(&mut self, code: Code, finding: impl FnOnce() -> Finding) {
        match self.counts.get_mut(&code) {
            Some(count) if *count >= Self::MOST_OF_A_KIND => *count = count.saturating_add(1),
            _ => self.push(finding()),
        }
    }

    /// Adds a finding if the same is not there already.
    pub fn push_once(&mut self, finding: Finding) {
        if !self.listed.contains(&finding) {
            self.push(finding);
        }
    }

    /// Adds all of another list, and how many it has left out.
    pub fn append(&mut self, other: Self) {
        let left_out: Vec<_> = other.left_out().collect();
        self.extend(other.listed);
        for (code, more) in left_out {
            *self.counts.entry(code).or_default() += more;
        }
    }

    /// The bundle first, then file by file and from top to bottom.
    pub fn sort(&mut self) {
        self.listed.sort_by(|a, b| (&a.file, a.position, a.code).cmp(&(&b.file, b.position, b.code)));
    }

    /// Those that are kept.
    pub fn listed(&self) -> &[Finding] {
        &self.listed
    }

    /// How many of a code were found and not kept.
    pub fn left_out(&self) -> impl Iterator<Item = (Code, usize)> {
        let more = |(code, count): (&Code, &usize)| Some((*code, count.checked_sub(Self::MOST_OF_A_KIND)?));
        self.counts.iter().filter_map(more).filter(|(_, more)| *more > 0)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Those of a severity, for the agent that the instances run.
    pub fn of_severity(&self, severity: Severity, agent: Agent) -> impl Iterator<Item = &Finding> {
        self.listed.iter().filter(move |finding| finding.severity(agent) == severity)
    }

    /// Whether a deployment by this agent would fail.
    pub fn refuse(&self, agent: Agent) -> bool {
        self.of_severity(Severity::Error, agent).next().is_some()
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown_keys(count: usize) -> Findings {
        let mut findings = Findings::default();
        findings.extend((0..count).map(|n| Finding::new(Code::UnknownKey, format!("key {n}"), "remove it")));
        findings
    }

    #[test]
    fn a_hundred_of_a_kind_are_kept_and_the_others_counted() {
        let mut findings = unknown_keys(17_619);
        findings.push(Finding::new(Code::Empty, "it is empty", "fill it"));
        assert_eq!(findings.listed().len(), 101);
        assert_eq!(findings.left_out().collect::<Vec<_>>(), [(Code::UnknownKey, 17_519)]);
    }

    #[test]
    fn two_lists_count_together() {
        let mut findings = unknown_keys(60);
        findings.append(unknown_keys(150));
        assert_eq!(findings.listed().len(), 100);
        assert_eq!(findings.left_out().collect::<Vec<_>>(), [(Code::UnknownKey, 110)]);
    }

    #[test]
    fn the_agent_that_runs_makes_an_error_of_it() {
        let finding = Finding::new(Code::Empty, "it is empty", "fill it");
        let only_two = finding.clone().fails(super::super::Fails::With(Agent::Two));
        assert_eq!(finding.severity(Agent::Two), Severity::Error);
        assert_eq!(only_two.severity(Agent::One), Severity::Warning);
        assert_eq!(only_two.severity(Agent::Two), Severity::Error);
    }
}
