//! Reading what a hook reports. Whoever may ask may write anything here, so it is believed whole or not at all.

use super::{Count, MinuteCount, Report};
use crate::{InstanceId, Open};
use jiff::{Timestamp, ToSpan};
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
        if list.len() > Self::MINUTES {
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
        let minute = |time: Timestamp| time.as_second().div_euclid(60);
        let newest = now.checked_add(1.minute()).map_or(i64::MAX, minute);
        self.minutes.retain(|counted| (minute(open.opened_at)..=newest).contains(&counted.minute));
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
