//! What came of the scenarios, for people and as `target/chaos/tally.json`.

use super::excuse::{Excuse, Losses};
use super::scenarios::Scenario;
use crate::releases::ToldVerdict;
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use visitors::{Counts, Log};

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct PlayedScenario {
    name: &'static str,
    happens: &'static str,
    /// Nothing went otherwise than it had to.
    passed: bool,
    /// At rest on one live colour, and all agree.
    #[serde(rename = "at_rest")]
    pub(super) rests: bool,
    /// How its release ended.
    verdict: Option<String>,
    reason: Option<String>,
    requests: u64,
    per_second: f64,
    /// Requests that got no answer although a healthy colour was there.
    lost: u64,
    /// Requests that the data plane itself must lose, and why.
    lost_by_the_data_plane: u64,
    data_plane: Vec<String>,
    /// Answers that said 5xx: what a bad release gives its visitors until it is taken back.
    errors: u64,
    seconds: f64,
    /// What went otherwise than it had to.
    faults: Vec<String>,
}

impl PlayedScenario {
    pub(super) fn judged(
        scenario: &Scenario,
        verdict: Option<ToldVerdict>,
        mut faults: Vec<String>,
        rests: bool,
        (log, host): (&Log, &str),
        excuses: &[Excuse],
        took: Duration,
    ) -> Self {
        let counts = Counts::of(log).total();
        let Losses { needless: lost, by_the_data_plane, first } = Losses::of(log, host, excuses);
        if let Some(first) = first {
            faults.push(format!("{lost} requests were lost although a healthy colour was there, {first}"));
        }
        Self {
            name: scenario.name,
            happens: scenario.happens,
            passed: faults.is_empty(),
            rests,
            reason: verdict.as_ref().map(|verdict| verdict.reason.clone()),
            verdict: verdict.map(|verdict| verdict.word),
            requests: counts.all(),
            per_second: tenth(log.per_second()),
            lost,
            lost_by_the_data_plane: by_the_data_plane,
            data_plane: excuses.iter().map(|excuse| excuse.why.clone()).collect(),
            errors: counts.errors,
            seconds: tenth(took.as_secs_f64()),
            faults,
        }
    }

    /// For the screen.
    pub(super) fn line(&self) -> String {
        let Self { name, requests, lost, lost_by_the_data_plane, seconds, .. } = self;
        let passed = if self.passed { "passed" } else { "FAILED" };
        let verdict = self.verdict.as_deref().unwrap_or("-");
        let mut line = format!(
            "{passed}  {name:<26} release {verdict:<10} {requests:>6} requests, {lost} lost, {lost_by_the_data_plane:>3} by the data plane, {seconds:>5.1} s"
        );
        for fault in &self.faults {
            line.push_str("\n                  ");
            line.push_str(fault);
        }
        line
    }
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Tally {
    pub(super) passed: bool,
    /// Requests a second that were asked for.
    rate: u32,
    scenarios: Vec<PlayedScenario>,
    /// What this machine cannot play, and why.
    skipped: BTreeMap<&'static str, String>,
}

impl Tally {
    pub(super) fn new(
        rate: u32,
        scenarios: Vec<PlayedScenario>,
        skipped: BTreeMap<&'static str, String>,
    ) -> Self {
        Self { passed: scenarios.iter().all(|one| one.passed), rate, scenarios, skipped }
    }

    /// For the screen.
    pub(super) fn lines(&self) -> Vec<String> {
        let all = self.scenarios.len();
        let passed = self.scenarios.iter().filter(|one| one.passed).count();
        let sum = |what: fn(&PlayedScenario) -> u64| self.scenarios.iter().map(what).sum::<u64>();
        let mut lines: Vec<String> = self.scenarios.iter().map(PlayedScenario::line).collect();
        lines.extend(self.skipped.iter().map(|(name, why)| format!("skipped {name:<26} {why}")));
        let (requests, lost) = (sum(|one| one.requests), sum(|one| one.lost));
        lines.push(format!("{passed} of {all} scenarios passed; {requests} requests, {lost} lost where a healthy colour was there"));
        let unavoidable = sum(|one| one.lost_by_the_data_plane);
        if unavoidable > 0 {
            lines.push(format!(
                "{unavoidable} requests were on their way to an instance that died, or found none: no load balancer can save these"
            ));
        }
        lines
    }

    pub(super) fn write(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        std::fs::write(file, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }
}
