//! What an instance's kit asks of both colours, because the bundle's `smoke.txt` names it: one right after the other, and a coin
//! says which is first. So what befalls the service meanwhile falls on each with the same chance, whoever else asks.

use super::Counted;
use super::odds::Row;
use crate::{Colour, InstanceId, SmokeReport};
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
    /// The chance of each to be the candidate's, in percent.
    pub(super) const PERCENT: u8 = 50;

    pub(super) fn is_empty(&self) -> bool {
        self.by_instance.is_empty()
    }

    /// Takes what an instance tells with every question, until it has asked again: a pair counts once. What it had asked when it
    /// was first heard was before the first weight.
    pub(crate) fn take(&mut self, report: &SmokeReport, candidate: Colour) {
        let is_known = self.by_instance.contains_key(&report.instance);
        if !is_known && self.by_instance.len() >= Counted::INSTANCES {
            return;
        }
        let told = report.smoked.iter().map(|smoked| smoked.asked.unwrap_or(0)).collect();
        let before = self.by_instance.insert(report.instance.clone(), told);
        let before = before.unwrap_or_default();
        for (smoked, before) in report.smoked.iter().zip(before) {
            if smoked.asked.is_some_and(|asked| asked > before) {
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
