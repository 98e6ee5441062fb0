//! What others do, in the configuration of their own documented samples, minute by minute and without any delay of metrics,
//! which favours them. Every version is compared on the same traffic; no client, no burst.
//!
//! Flagger 1.44 (`scheduler.go`, `prometheus.go`; docs, "canary analysis"): each minute at least 99 % of the candidate's
//! requests are good, or a check has failed; no requests are a failed check; five of them roll back; from 10 % in steps of
//! 10 to 50. Argo Rollouts (docs, "analysis"): ten measurements in ten minutes at 10 %, each at least 95 %; no requests are
//! a failed measurement; more than three fail the release. Kayenta (`NetflixACAJudge.scala`, `MannWhitney.scala`): thirty
//! minutes' failure rates of the candidate at 10 % against those of a fresh baseline of the same size, Mann-Whitney with 98 %
//! confidence and a tolerance of a quarter; half of the metrics without data fail. Alarm: Greenlight's own errors alarm
//! and `Canary10Percent5Minutes`: 5 % of at least 20 requests a minute; it stays on in the bake.

use crate::random::Random;

/// How a release ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Whether it was taken back.
    pub back: bool,
    /// After how many minutes.
    pub minutes: f64,
    /// Requests that failed on the candidate, until five minutes after it went on.
    pub failed: u64,
}

/// Traffic of which the candidate gets a part.
#[derive(Debug)]
pub struct Minutes<'a> {
    /// Where chance comes from.
    pub random: &'a mut Random,
    /// Requests a minute.
    pub rate: f64,
    /// The part of its requests that live fails.
    pub live_fails: f64,
    /// The part of its requests that the candidate fails.
    pub candidate_fails: f64,
    /// Failures of the candidate so far.
    pub failed: u64,
}

/// Minutes for which the candidate has all traffic after it went on.
pub const BAKE: u32 = 5;

impl Minutes<'_> {
    /// Requests in a minute by a part of the traffic, and how many failed.
    fn of(&mut self, share: f64, fails: f64) -> (u64, u64) {
        let (mut at, mut requests, mut failed) = (0.0, 0, 0);
        loop {
            at += self.random.pause(self.rate * share);
            if at >= 1.0 {
                return (requests, failed);
            }
            requests += 1;
            failed += u64::from(self.random.often(fails));
        }
    }

    fn candidate(&mut self, share: f64) -> (u64, u64) {
        let minute = self.of(share, self.candidate_fails);
        self.failed += minute.1;
        minute
    }

    fn back(&self, minutes: u32) -> Ended {
        Ended { back: true, minutes: f64::from(minutes), failed: self.failed }
    }

    fn on(&mut self, minutes: u32) -> Ended {
        for _ in 0..BAKE {
            self.candidate(1.0);
        }
        Ended { back: false, minutes: f64::from(minutes), failed: self.failed }
    }
}

fn good((requests, failed): (u64, u64)) -> Option<f64> {
    (requests > 0).then(|| 1.0 - real(failed) / real(requests))
}

#[expect(clippy::cast_precision_loss, reason = "requests of a minute")]
fn real(count: u64) -> f64 {
    count as f64
}

/// Greenlight's errors alarm.
///
/// A minute's numbers are whole two minutes after its end, and the alarm looks at a minute then.
pub fn alarm(minutes: &mut Minutes<'_>) -> Ended {
    const LATE: u32 = 2;
    let is_bad = |(requests, failed): (u64, u64)| requests >= 20 && real(failed) >= 0.05 * real(requests);
    let mut fires_at = None;
    for minute in 1..=5 + BAKE {
        let share = if minute <= 5 { 0.1 } else { 1.0 };
        if is_bad(minutes.candidate(share)) && fires_at.is_none() {
            fires_at = Some(minute + LATE);
        }
        if fires_at.is_some_and(|at| at <= minute) {
            return minutes.back(minute);
        }
    }
    Ended { back: false, minutes: 5.0, failed: minutes.failed }
}

/// Flagger.
pub fn flagger(minutes: &mut Minutes<'_>) -> Ended {
    let (mut weight, mut failed_checks) = (10, 0);
    for minute in 1.. {
        if good(minutes.candidate(f64::from(weight) / 100.0)).is_none_or(|good| good < 0.99) {
            failed_checks += 1;
            if failed_checks >= 5 {
                return minutes.back(minute);
            }
        } else if weight == 50 {
            return minutes.on(minute);
        } else {
            weight += 10;
        }
    }
    minutes.on(0)
}

/// Argo Rollouts.
pub fn argo(minutes: &mut Minutes<'_>) -> Ended {
    let mut failed_measurements = 0;
    for minute in 1..=10 {
        if good(minutes.candidate(0.1)).is_none_or(|good| good < 0.95) {
            failed_measurements += 1;
            if failed_measurements > 3 {
                return minutes.back(minute);
            }
        }
    }
    minutes.on(10)
}

/// Kayenta.
pub fn kayenta(minutes: &mut Minutes<'_>) -> Ended {
    let (mut candidate, mut baseline) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        candidate.extend(good(minutes.candidate(0.1)).map(|good| 1.0 - good));
        let live_fails = minutes.live_fails;
        baseline.extend(good(minutes.of(0.1, live_fails)).map(|good| 1.0 - good));
    }
    if candidate.is_empty() || baseline.is_empty() || is_high(&candidate, &baseline) {
        return minutes.back(30);
    }
    minutes.on(30)
}

/// Whether the lower end of the difference's confidence interval is above a quarter of its estimate.
fn is_high(candidate: &[f64], baseline: &[f64]) -> bool {
    const QUANTILE: f64 = 2.326;
    const TOLERANCE: f64 = 0.25;
    let mut differences: Vec<f64> =
        candidate.iter().flat_map(|one| baseline.iter().map(move |other| one - other)).collect();
    differences.sort_by(f64::total_cmp);
    let (m, n) = (real(candidate.len() as u64), real(baseline.len() as u64));
    let from_the_end = m * n / 2.0 - QUANTILE * (m * n * (m + n + 1.0) / 12.0).sqrt();
    if from_the_end < 1.0 {
        return false;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index, at least 1")]
    let lower = differences.get(from_the_end as usize - 1).copied().unwrap_or(0.0);
    let estimate = differences.get(differences.len() / 2).copied().unwrap_or(0.0);
    lower > TOLERANCE * estimate.abs()
}
