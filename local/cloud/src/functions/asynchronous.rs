//! How AWS repeats failed events, and where it puts those that failed for good.
//!
//! Source: Lambda developer guide, "Asynchronous invocation": one minute before the second attempt, two minutes
//! before the third; "Capturing records of Lambda asynchronous invocations" for the record.

use super::FunctionAnswer;
use crate::aws;
use crate::clock;
use crate::queues::Queues;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// AWS's pauses before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];

/// The pauses before each repetition, on a clock that runs `speed` times as fast.
pub(crate) fn retry_pauses(retries: u32, speed: u32) -> Vec<Duration> {
    PAUSES.iter().take(retries as usize).map(|pause| *pause / speed.max(1)).collect()
}

/// Sends failed events to SQS.
#[derive(Debug, Clone)]
pub struct Queue {
    queues: Queues,
    speed: u32,
}

impl Queue {
    /// Among these queues; `speed` divides AWS's pauses.
    pub fn new(queues: Queues, speed: u32) -> Self {
        Self { queues, speed }
    }

    pub(super) fn speed(&self) -> u32 {
        self.speed
    }

    /// Puts a failed event into the queue with this ARN.
    pub(super) async fn send(
        &self,
        queue: &str,
        function: &str,
        payload: &Bytes,
        answer: &FunctionAnswer,
        attempts: usize,
    ) {
        let parse = |bytes: &Bytes| serde_json::from_slice(bytes).unwrap_or(Value::Null);
        let record = json!({
            "version": "1.0",
            "timestamp": clock::now().to_string(),
            "requestContext": {
                "functionArn": format!("arn:aws:lambda:{}:{}:function:{function}:$LATEST", aws::REGION, aws::ACCOUNT),
                "condition": "RetriesExhausted",
                "approximateInvokeCount": attempts,
            },
            "requestPayload": parse(payload),
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "responsePayload": parse(&answer.payload),
        });
        if let Err(error) = self.queues.send(queue, &record.to_string()).await {
            tracing::error!(%error, queue, function, "a failed event could not be queued");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_aws_divided_by_speed() {
        assert_eq!(retry_pauses(2, 10), [Duration::from_secs(6), Duration::from_secs(12)]);
        assert_eq!(retry_pauses(1, 1), [Duration::from_mins(1)]);
        assert!(retry_pauses(0, 1).is_empty());
    }
}
