//! Reading what a hook reports. Whoever may ask may write anything here, so it is believed whole or not at all.

use super::{Count, MinuteCount, Report, minute_of};
use crate::{InstanceId, Open};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Requests of one colour in one minute at most: a million a second is more than an instance's nginx can take.
const MOST: u64 = 60_000_000;

/// Why a report is not believed. The question that brought it is answered all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It has another shape.
    #[error("it is no list of minutes with the counts of both colours, as docs/hook-protocol.md shows")]
    Shape,
    /// More minutes than a report has.
    #[error("it has {0} minutes, and a report has at most {most}", most = Report::MINUTES)]
    Long(usize),
    /// A minute stands twice, or before an older one.
    #[error("minute {0} does not come after the one before it")]
    Order(i64),
    /// Counts that no instance can have.
    #[error(
        "minute {0} has counts that cannot be: more failed or open requests than came, or more than {MOST}"
    )]
    Absurd(i64),
    /// None of the release's instances.
    #[error("its instance is none of those that the release was installed on")]
    Foreign,
}

impl Report {
    /// Reads the member `counts` of a question.
    ///
    /// # Errors
    /// Anything that no kit reports.
    pub fn read(instance: InstanceId, counts: &Value) -> Result<Self, ReportError> {
        let list = counts.as_array().ok_or(ReportError::Shape)?;
        if list.len() > usize::from(Self::MINUTES) {
            return Err(ReportError::Long(list.len()));
        }
        let minutes: Vec<MinuteCount> = list
            .iter()
            .map(MinuteCount::deserialize)
            .collect::<Result<_, _>>()
            .map_err(|_| ReportError::Shape)?;
        for (before, minute) in minutes.iter().zip(minutes.iter().skip(1)) {
            if minute.minute <= before.minute {
                return Err(ReportError::Order(minute.minute));
            }
        }
        match minutes.iter().find(|minute| !minute.blue.can_be() || !minute.green.can_be()) {
            Some(absurd) => Err(ReportError::Absurd(absurd.minute)),
            None => Ok(Self { instance, minutes }),
        }
    }

    /// What of it belongs to this release. Minutes before it opened and minutes of the future are left out: clocks
    /// differ by less than one.
    ///
    /// # Errors
    /// When the release stands on other instances.
    pub fn of_release(mut self, open: &Open, now: Timestamp) -> Result<Self, ReportError> {
        if !open.targets.is_empty() && !open.targets.contains(&self.instance) {
            return Err(ReportError::Foreign);
        }
        let possible = minute_of(open.opened_at)..=minute_of(now) + 1;
        self.minutes.retain(|counted| possible.contains(&counted.minute));
        Ok(self)
    }
}

impl Count {
    fn can_be(self) -> bool {
        let Self { arrived, failed, open, total } = self;
        // A kit that does not tell them apart leaves the total 0.
        let came = if total == 0 { arrived } else { total };
        came <= MOST && arrived <= came && failed.checked_add(open).is_some_and(|known| known <= arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Counted;
    use jiff::ToSpan;
    use proptest::prelude::*;
    use serde_json::json;
    use std::time::Duration;

    fn read(counts: &Value) -> Result<Report, ReportError> {
        Report::read(InstanceId("i-1".to_owned()), counts)
    }

    fn minute(minute: i64, green: &Value) -> Value {
        json!({"minute": minute, "blue": {"arrived": 0, "failed": 0, "open": 0}, "green": green})
    }

    fn open(targets: &[&str]) -> Open {
        serde_json::from_value(json!({
            "purpose": "release", "colour": "green", "strategy": "AllAtOnce", "bake": "1m",
            "upload": {"number": 2, "commit": "0a1b2c3", "received_at": "2026-01-01T00:00:00Z", "revision":
                {"bucket": "b", "key": "k", "version": "v", "etag": "e"}},
            "attempt": 1, "first_attempt": 1, "deployment": null, "refused": null, "rule": null,
            "targets": targets, "phase": "installing", "since": "2026-01-01T00:00:30Z",
            "opened_at": "2026-01-01T00:01:30Z", "request": null, "rolls_back": null,
        }))
        .unwrap()
    }

    #[test]
    fn a_report_is_read_and_what_a_newer_kit_adds_is_left_alone() {
        let counts = json!([
            {"minute": 7, "blue": {"arrived": 41, "failed": 1, "open": 2, "total": 57, "slow": 3},
             "green": {"arrived": 18, "failed": 18, "open": 0}, "zone": "a"},
        ]);
        let report = read(&counts).unwrap();
        assert_eq!(report.minutes[0].blue, Count { arrived: 41, failed: 1, open: 2, total: 57 });
        assert_eq!(report.minutes[0].green, Count { arrived: 18, failed: 18, open: 0, total: 0 });
        assert_eq!(read(&json!([])).unwrap().minutes, []);
    }

    #[test]
    fn a_report_that_cannot_be_is_refused_as_a_whole() {
        let count = json!({"arrived": 1, "failed": 0, "open": 0});
        let cases = [
            (json!("many"), ReportError::Shape),
            (json!({"minute": 1}), ReportError::Shape),
            (json!([7]), ReportError::Shape),
            (json!([{"minute": 1, "blue": count}]), ReportError::Shape),
            (json!([minute(1, &json!({"arrived": -1, "failed": 0, "open": 0}))]), ReportError::Shape),
            (json!([minute(1, &json!({"arrived": 1.5, "failed": 0, "open": 0}))]), ReportError::Shape),
            (json!([minute(1, &json!({"arrived": "1", "failed": 0, "open": 0}))]), ReportError::Shape),
            (json!(vec![minute(1, &count); 1_000]), ReportError::Long(1_000)),
            (json!([minute(1, &count), minute(1, &count)]), ReportError::Order(1)),
            (json!([minute(2, &count), minute(1, &count)]), ReportError::Order(1)),
            (json!([minute(1, &json!({"arrived": 1, "failed": 2, "open": 0}))]), ReportError::Absurd(1)),
            (json!([minute(1, &json!({"arrived": 2, "failed": 1, "open": 2}))]), ReportError::Absurd(1)),
            (
                json!([minute(1, &json!({"arrived": 2, "failed": 0, "open": 0, "total": 1}))]),
                ReportError::Absurd(1),
            ),
            (
                json!([minute(1, &json!({"arrived": 60_000_001, "failed": 0, "open": 0}))]),
                ReportError::Absurd(1),
            ),
            (
                json!([minute(1, &json!({"arrived": 9, "failed": u64::MAX, "open": 2}))]),
                ReportError::Absurd(1),
            ),
        ];
        for (counts, error) in cases {
            assert_eq!(read(&counts), Err(error), "{counts}");
        }
    }

    #[test]
    fn only_minutes_and_instances_of_the_release_belong_to_it() {
        let now: Timestamp = "2026-01-01T00:03:10Z".parse().unwrap();
        let first = now.as_second() / 60 - 3;
        let counts: Vec<_> = (first..first + 6)
            .skip(1)
            .map(|number| minute(number, &json!({"arrived": 1, "failed": 0, "open": 0})))
            .collect();
        let report = read(&json!(counts)).unwrap();
        let kept = report.clone().of_release(&open(&[]), now).unwrap();
        let kept: Vec<i64> = kept.minutes.iter().map(|minute| minute.minute - first).collect();
        assert_eq!(kept, [1, 2, 3, 4], "opened in minute 1, and it is minute 3");
        assert!(report.clone().of_release(&open(&["i-2", "i-1"]), now).is_ok());
        assert_eq!(report.of_release(&open(&["i-2"]), now), Err(ReportError::Foreign));
    }

    #[test]
    fn a_pass_looks_for_the_sake_of_an_instance_that_was_not_heard_for_fifteen_seconds() {
        let (one, other) = (InstanceId("i-1".to_owned()), InstanceId("i-2".to_owned()));
        let opened: Timestamp = "2026-01-01T00:01:30Z".parse().unwrap();
        let after = |seconds: i64| opened.checked_add(seconds.seconds()).unwrap();
        let mut open = open(&["i-1", "i-2"]);
        let mut counted = Counted::default();
        counted.take_report(&Report { instance: one.clone(), minutes: Vec::new() }, opened);
        open.counted = Some(Box::new(counted));
        let looks = Duration::from_secs(5);
        assert!(open.needs_report(&other, looks, opened));
        let closely = Duration::from_secs(1);
        assert!(!open.needs_report(&one, closely, after(2)) && open.needs_report(&one, closely, after(3)));
        assert!(!open.needs_report(&one, looks, after(14)) && open.needs_report(&one, looks, after(15)));
        assert!(
            !open.needs_report(&InstanceId("i-3".to_owned()), looks, after(60)),
            "it is none of the release's"
        );
        open.targets = (0..11).map(|n| InstanceId(format!("i-{n}"))).collect();
        assert!(!open.needs_report(&other, looks, after(60)), "of so many, none is kept");
    }

    proptest! {
        #[test]
        fn what_is_believed_can_be(
            arrived in 0..9_u64, failed in 0..9_u64, open in 0..9_u64, total in 0..9_u64, number: i64
        ) {
            let counts = json!([minute(number, &json!({"arrived": arrived, "failed": failed, "open": open, "total": total}))]);
            if let Ok(report) = read(&counts) {
                let count = report.minutes[0].green;
                prop_assert!(count.failed + count.open <= count.arrived);
                prop_assert!(count.arrived <= MOST && count.total <= MOST);
            }
        }
    }
}
