//! What an instance's kit asks of both colours, because the bundle's `smoke.txt` names it: one right after the other, and a coin
//! says which is first. So what befalls the service meanwhile falls on each with the same chance, whoever else asks.

use super::Counted;
use super::odds::Row;
use crate::{Colour, InstanceId, SmokeReport, Smoked};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All pairs since the first weight. They may convict a candidate, and acquit none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Pairs {
    /// How many there were.
    pub asked: u64,
    /// In how many the candidate did not answer as the bundle says.
    pub candidate_failed: u64,
    /// In how many live did not.
    pub live_failed: u64,
    /// How often each instance had asked each of its paths, in their order.
    pub by_instance: BTreeMap<InstanceId, Vec<u32>>,
}

impl Pairs {
    /// The largest share of the candidate with which they count: a colour that carries more than the other may be slow for it, and no
    /// coin covers that.
    pub(crate) const LARGEST: f64 = 0.5;

    /// The chance of each to be the candidate's, in percent.
    pub(super) const PERCENT: u8 = 50;

    pub(super) fn is_empty(&self) -> bool {
        self.by_instance.is_empty()
    }

    /// Takes what an instance tells with every question, until it has asked again: a pair counts once, however late a question
    /// comes. What it had asked when it was first heard was before the first weight. While they do not count it is only remembered
    /// that they were asked.
    pub(crate) fn take(&mut self, report: &SmokeReport, candidate: Colour, count: bool) {
        let is_known = self.by_instance.contains_key(&report.instance);
        if !is_known && self.by_instance.len() >= Counted::INSTANCES {
            return;
        }
        let before = self.by_instance.remove(&report.instance).unwrap_or_default();
        let most = |(path, smoked): (usize, &Smoked)| {
            smoked.asked.unwrap_or(0).max(before.get(path).copied().unwrap_or(0))
        };
        let told = report.smoked.iter().enumerate().map(most).collect();
        self.by_instance.insert(report.instance.clone(), told);
        for (smoked, before) in report.smoked.iter().zip(before) {
            if count && smoked.asked.is_some_and(|asked| asked > before) {
                let fails = |colour: Colour| u64::from(!smoked.answers.of(colour).fine);
                self.asked = self.asked.saturating_add(1);
                self.candidate_failed = self.candidate_failed.saturating_add(fails(candidate));
                self.live_failed = self.live_failed.saturating_add(fails(candidate.other()));
            }
        }
    }

    /// All of them as one row, if there were any.
    pub(super) fn row(&self) -> Option<Row> {
        let half = f64::from(Self::PERCENT) / 100.0;
        (self.asked > 0).then_some(Row {
            lowest: half,
            highest: half,
            requests: self.asked.saturating_mul(2),
            candidate: self.asked,
            candidate_failed: self.candidate_failed,
            live_failed: self.live_failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PerColour, SmokeAnswer};

    fn tells(asked: &[u32]) -> SmokeReport {
        let of = |status| SmokeAnswer { status, fine: status == 200 };
        let smoked = |asked: &u32| Smoked {
            path: "/checkout".to_owned(),
            asked: Some(*asked),
            answers: PerColour { blue: of(200), green: of(500) },
        };
        SmokeReport { instance: InstanceId("i-1".to_owned()), smoked: asked.iter().map(smoked).collect() }
    }

    #[test]
    fn a_pair_counts_once_however_late_a_question_comes_and_however_often_it_is_told() {
        let mut pairs = Pairs::default();
        for asked in [[5, 5], [6, 5], [6, 6], [5, 5], [6, 6], [6, 6]] {
            pairs.take(&tells(&asked), Colour::Green, true);
        }
        assert_eq!((pairs.asked, pairs.candidate_failed, pairs.live_failed), (2, 2, 0));
    }

    #[test]
    fn what_was_asked_while_pairs_did_not_count_never_does() {
        let mut pairs = Pairs::default();
        for (asked, count) in [(1, false), (2, false), (2, true), (3, true)] {
            pairs.take(&tells(&[asked]), Colour::Green, count);
        }
        assert_eq!(pairs.asked, 1);
    }
}
