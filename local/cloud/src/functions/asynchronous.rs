//! How AWS hands events to functions: at least once, again after a failure, again and again while no execution is
//! free, and where it puts those that failed for good.
//!
//! Source: Lambda developer guide, "Asynchronous invocation": one minute before the second attempt, two minutes
//! before the third; after a throttling error pauses that grow from a second to five minutes, for six hours; an event
//! may come more than once. "Capturing records of Lambda asynchronous invocations" for the record.

use super::FunctionAnswer;
use crate::aws;
use crate::chance::Chance;
use crate::clock;
use crate::queues::Queues;
use bytes::Bytes;
use serde_json::{Value, json};
use std::ops::RangeInclusive;
use std::time::Duration;

/// AWS's pauses before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];

/// The longest pause between two attempts to find a free execution.
const LONGEST: Duration = Duration::from_mins(5);

/// How old an event becomes that finds no free execution.
const AGE: Duration = Duration::from_hours(6);

/// One event in so many comes twice. AWS says that it happens, not how often.
const TWICE: u64 = 16;

/// How much later the second one comes.
const LATER: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(1);

/// Why an event is given up.
#[derive(Debug, Clone, Copy)]
pub(super) enum GivenUp<'a> {
    /// The function failed each time; what it answered last.
    RetriesExhausted(&'a FunctionAnswer),
    /// No execution was free for six hours.
    EventAgeExceeded,
}

/// When events come, once more or again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    speed: u32,
    chance: Chance,
}

/// Where events go that failed for good.
#[derive(Debug, Clone)]
pub(crate) struct Failures(Queues);

impl Pace {
    /// `speed` divides AWS's times, `chance` decides which events come twice.
    pub(crate) fn new(speed: u32, chance: Chance) -> Self {
        Self { speed: speed.max(1), chance }
    }

    /// How fast AWS's clocks run.
    pub(super) fn speed(self) -> u32 {
        self.speed
    }

    /// The pauses before each repetition after a failure.
    pub(super) fn pauses(self, retries: u32) -> Vec<Duration> {
        PAUSES.iter().take(retries as usize).map(|pause| *pause / self.speed).collect()
    }

    /// The pause after so many attempts that found no free execution.
    pub(super) fn throttled_pause(self, attempts: u32) -> Duration {
        Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(attempts)).min(LONGEST) / self.speed
    }

    /// Whether an event that came so long ago is given up.
    pub(super) fn is_too_old(self, age: Duration) -> bool {
        age > AGE / self.speed
    }

    /// How much later this event comes once more, if it does.
    pub(super) fn comes_again_after(self, event: u64) -> Option<Duration> {
        let again = self.chance.is_one_in(TWICE, ("event", event));
        again.then(|| self.chance.within(&LATER, event) / self.speed)
    }
}

impl Failures {
    /// Into one of these queues.
    pub(crate) fn new(queues: Queues) -> Self {
        Self(queues)
    }

    /// Puts a failed event into the queue with this ARN.
    pub(super) async fn send(
        &self,
        queue: &str,
        function: &str,
        payload: &Bytes,
        why: GivenUp<'_>,
        attempts: u32,
    ) {
        let parse = |bytes: &Bytes| serde_json::from_slice(bytes).unwrap_or(Value::Null);
        let condition = match why {
            GivenUp::RetriesExhausted(_) => "RetriesExhausted",
            GivenUp::EventAgeExceeded => "EventAgeExceeded",
        };
        let mut record = json!({
            "version": "1.0",
            "timestamp": clock::now().to_string(),
            "requestContext": {
                "functionArn": format!("arn:aws:lambda:{}:{}:function:{function}:$LATEST", aws::REGION, aws::ACCOUNT),
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": parse(payload),
        });
        if let GivenUp::RetriesExhausted(answer) = why {
            record["responseContext"] =
                json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" });
            record["responsePayload"] = parse(&answer.payload);
        }
        if let Err(error) = self.0.send(queue, &record.to_string()).await {
            tracing::error!(%error, queue, function, "a failed event could not be queued");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(speed: u32) -> Pace {
        Pace::new(speed, Chance(1))
    }

    #[test]
    fn pauses_are_aws_divided_by_speed() {
        assert_eq!(pace(10).pauses(2), [Duration::from_secs(6), Duration::from_secs(12)]);
        assert_eq!(pace(1).pauses(1), [Duration::from_mins(1)]);
        assert!(pace(1).pauses(0).is_empty());
    }

    #[test]
    fn an_event_that_finds_no_free_execution_is_tried_for_six_hours_at_growing_pauses() {
        let pauses = [0, 1, 5, 9, 40].map(|attempts| pace(1).throttled_pause(attempts).as_secs());
        assert_eq!(pauses, [1, 2, 32, 300, 300]);
        assert_eq!(pace(20).throttled_pause(9), Duration::from_secs(15));
        assert!(
            !pace(60).is_too_old(Duration::from_secs(359)) && pace(60).is_too_old(Duration::from_secs(361))
        );
    }

    #[test]
    fn some_events_come_twice_within_a_minute() {
        let again: Vec<_> = (0..1600).filter_map(|event| pace(60).comes_again_after(event)).collect();
        assert!((60..140).contains(&again.len()), "{} of 1600", again.len());
        assert!(again.iter().all(|later| *later <= Duration::from_secs(1)), "{again:?}");
    }
}
