//! What was measured of one version, and what is asked of all of them.

use serde::Serialize;

/// One version that failed every request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) requests_per_minute: u32,
    /// What decided when its visitors came.
    pub(crate) seed: u64,
    /// From its first failed request to the last one that was sent before its rule was gone.
    pub(crate) first_bad_to_last_bad_s: f64,
    /// How many it failed until then.
    pub(crate) requests_failed: u64,
    /// From the rule's end to the last request that the version still answered: the load balancer's own delay.
    pub(crate) load_balancer_s: f64,
    /// Whether the counts took it back, and no alarm.
    pub(crate) by_counts: bool,
}

/// How soon such a version must be back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) requests_per_minute: u32,
    seconds: f64,
    failed: u64,
}

/// Those of the rates that are played unless others are asked for.
pub(crate) const GOALS: [Goal; 3] = [
    Goal { requests_per_minute: 3_000, seconds: 20.0, failed: 50 },
    Goal { requests_per_minute: 60, seconds: 90.0, failed: 25 },
    Goal { requests_per_minute: 3, seconds: 720.0, failed: 12 },
];

impl Goal {
    fn is_met_by(&self, row: &Row) -> bool {
        row.by_counts && row.first_bad_to_last_bad_s <= self.seconds && row.requests_failed <= self.failed
    }
}

/// What became of a rate that was played so often, in a line, and whether nine in ten versions met its goal. A rate without a
/// goal meets it.
pub(crate) fn sum_up(requests_per_minute: u32, rows: &[Row], played: u64) -> (String, bool) {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.requests_per_minute == requests_per_minute).collect();
    let median_and_most = |of: &dyn Fn(&Row) -> f64| {
        let mut values: Vec<f64> = rows.iter().map(|row| of(row)).collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        (at(values.len().saturating_sub(1) / 2), at(values.len().saturating_sub(1)))
    };
    let (seconds, longest) = median_and_most(&|row| row.first_bad_to_last_bad_s);
    #[expect(clippy::cast_precision_loss, reason = "a handful of requests")]
    let (failed, most) = median_and_most(&|row| row.requests_failed as f64);
    let (delay, longest_delay) = median_and_most(&|row| row.load_balancer_s);
    let goal = GOALS.iter().find(|goal| goal.requests_per_minute == requests_per_minute);
    let met = goal.map(|goal| rows.iter().map(|row| u64::from(goal.is_met_by(row))).sum::<u64>());
    let says = met.map_or_else(String::new, |met| format!("; {met} of {played} as asked"));
    let line = format!(
        "{requests_per_minute} a minute: back after {seconds:.1} s in the median, {longest:.1} at most, {failed:.0} failed in the \
         median, {most:.0} at most; the load balancer's own delay, left out: {delay:.1} s, {longest_delay:.1} at most{says}"
    );
    (line, met.is_none_or(|met| met * 10 >= played * 9))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seed: u64, first_bad_to_last_bad_s: f64, requests_failed: u64, by_counts: bool) -> Row {
        let load_balancer_s = 0.5;
        Row {
            requests_per_minute: 60,
            seed,
            first_bad_to_last_bad_s,
            requests_failed,
            load_balancer_s,
            by_counts,
        }
    }

    #[test]
    fn nine_in_ten_must_be_back_in_time_by_their_counts_and_at_the_cost_that_is_allowed() {
        let good = |seed| row(seed, 40.0, 9, true);
        let with = |bad: &[Row]| {
            let good = (0..18).map(good);
            sum_up(60, &good.chain(bad.iter().cloned()).collect::<Vec<_>>(), 20)
        };
        let late = row(18, 90.1, 9, true);
        assert!(with(&[late.clone(), row(19, 40.0, 26, true)]).1, "18 of 20");
        let last_but_one = sum_up(60, &(0..17).map(good).collect::<Vec<_>>(), 20);
        assert!(!last_but_one.1, "three were never judged");
        assert!(!sum_up(60, &[row(1, 40.0, 9, false)], 1).1, "an alarm was faster");
        assert_eq!(
            with(&[late, good(19)]).0,
            "60 a minute: back after 40.0 s in the median, 90.1 at most, 9 failed in the median, 9 at most; the load \
             balancer's own delay, left out: 0.5 s, 0.5 at most; 19 of 20 as asked"
        );
        assert!(sum_up(7, &[], 0).1, "nothing is asked of this rate");
    }
}
