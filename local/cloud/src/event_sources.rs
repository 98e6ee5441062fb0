//! Lambda's event source mappings: a queue's messages reach their function in batches, and stay in the queue until it
//! has dealt with them. Now and then one comes once more all the same.
//!
//! Source: Lambda developer guide, "Using Lambda with Amazon SQS" and "Handling errors for an SQS event source"; SQS
//! developer guide, "At-least-once delivery": the copy of a message may outlive its deletion.

use crate::aws;
use crate::chance::Chance;
use crate::functions::{FunctionAnswer, Functions, NotInvoked};
use crate::queues::{Message, Queues};
use crate::stack::{EventSource, function_name};
use anyhow::Result;
use bytes::Bytes;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks into an empty queue.
const LOOK: Duration = Duration::from_millis(500);

/// The copy of one message in so many outlives its first deletion. AWS calls the occasion rare.
const TWICE: u64 = 16;

/// Reads the queue without end, one batch after another. As many of these run side by side as the source allows.
/// The time for which a message is hidden passes `speed` times as fast as on AWS, so that a failed one soon returns.
pub(crate) async fn poll(
    source: EventSource,
    queues: Queues,
    functions: Arc<Functions>,
    speed: u32,
    chance: Chance,
) -> Infallible {
    loop {
        match batch(&source, &queues, &functions, speed, chance).await {
            Ok(0) => tokio::time::sleep(LOOK).await,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(queue = source.queue, error = %format!("{error:#}"), "a queue could not be read");
                tokio::time::sleep(LOOK * 10).await;
            }
        }
    }
}

/// One batch; how many messages it had.
async fn batch(
    source: &EventSource,
    queues: &Queues,
    functions: &Arc<Functions>,
    speed: u32,
    chance: Chance,
) -> Result<usize> {
    let hidden = queues.visibility_timeout(&source.queue).await? / speed.max(1);
    let messages = queues.receive(&source.queue, source.batch_size, hidden).await?;
    if messages.is_empty() {
        return Ok(0);
    }
    let payload = Bytes::from(event(&source.queue, &messages).to_string());
    let answer = match functions.invoke(function_name(&source.function), payload).await {
        // They come again when the time is over for which they are hidden.
        Err(NotInvoked::TooManyExecutions) => return Ok(0),
        invoked => invoked?,
    };
    let done = done(&messages, &answer, source.reports_failures);
    if done.len() < messages.len() {
        tracing::info!(
            queue = source.queue,
            failed = messages.len() - done.len(),
            answer = %String::from_utf8_lossy(&answer.payload),
            "messages stay in the queue and come again"
        );
    }
    for message in done.into_iter().filter(|message| !comes_again(message, chance)) {
        queues.delete(&source.queue, message).await?;
    }
    Ok(messages.len())
}

/// Whether a message comes once more although the function has dealt with it.
fn comes_again(message: &Message, chance: Chance) -> bool {
    let received = message.described.pointer("/Attributes/ApproximateReceiveCount");
    received.and_then(Value::as_str) == Some("1") && chance.is_one_in(TWICE, &message.id)
}

/// The event that the function is invoked with.
fn event(queue: &str, messages: &[Message]) -> Value {
    let records = messages.iter().map(|Message { id, receipt, described }| {
        json!({
            "messageId": id,
            "receiptHandle": receipt,
            "body": described["Body"],
            "attributes": described.get("Attributes").cloned().unwrap_or_else(|| json!({})),
            "messageAttributes": {},
            "md5OfBody": described["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": queue,
            "awsRegion": aws::REGION,
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// The messages that the function has dealt with. An answer that names a message which is not in the batch, or none
/// at all, fails the whole batch.
fn done<'a>(messages: &'a [Message], answer: &FunctionAnswer, reports_failures: bool) -> Vec<&'a Message> {
    if answer.failed {
        return Vec::new();
    }
    let answered: Value = serde_json::from_slice(&answer.payload).unwrap_or(Value::Null);
    let failures = match answered.get("batchItemFailures") {
        Some(Value::Array(failures)) if reports_failures => failures.as_slice(),
        Some(other) if reports_failures && !other.is_null() => return Vec::new(),
        _ => &[],
    };
    let failed: Vec<&str> = failures
        .iter()
        .map(|failure| failure.get("itemIdentifier").and_then(Value::as_str).unwrap_or_default())
        .collect();
    if failed.iter().any(|id| messages.iter().all(|message| message.id != *id)) {
        return Vec::new();
    }
    messages.iter().filter(|message| !failed.contains(&message.id.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> Vec<Message> {
        let message = |id: &str| Message {
            id: id.to_owned(),
            receipt: format!("receipt-{id}"),
            described: json!({ "Body": format!("body of {id}"), "Attributes": { "ApproximateReceiveCount": "1" } }),
        };
        ["a", "b", "c"].map(message).into()
    }

    fn deleted(answer: &str, failed: bool, reports_failures: bool) -> String {
        let answer = FunctionAnswer { payload: Bytes::from(answer.to_owned()), failed };
        done(&messages(), &answer, reports_failures).iter().map(|message| message.id.as_str()).collect()
    }

    #[test]
    fn only_the_messages_that_failed_come_again() {
        assert_eq!(deleted(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#, false, true), "ac");
        for everything_went_well in
            [r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#, "{}", "null", ""]
        {
            assert_eq!(deleted(everything_went_well, false, true), "abc", "{everything_went_well}");
        }
    }

    #[test]
    fn an_answer_that_makes_no_sense_fails_the_whole_batch() {
        for answer in [
            r#"{"batchItemFailures":[{"itemIdentifier":"x"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"id":"a"}]}"#,
            r#"{"batchItemFailures":"a"}"#,
        ] {
            assert_eq!(deleted(answer, false, true), "", "{answer}");
        }
        assert_eq!(deleted(r#"{"errorType":"Oops","errorMessage":"bad"}"#, true, true), "");
    }

    #[test]
    fn without_reports_a_batch_succeeds_or_fails_as_a_whole() {
        assert_eq!(deleted(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#, false, false), "abc");
        assert_eq!(deleted("null", true, false), "");
    }

    #[test]
    fn some_messages_come_once_more_and_only_once() {
        let message = |id: u32, received: &str| Message {
            id: id.to_string(),
            receipt: String::new(),
            described: json!({ "Attributes": { "ApproximateReceiveCount": received } }),
        };
        let again =
            |received: &str| (0..1600).filter(|id| comes_again(&message(*id, received), Chance(1))).count();
        assert!((60..140).contains(&again("1")), "{} of 1600", again("1"));
        assert_eq!(again("2"), 0);
    }

    #[test]
    fn an_event_has_the_messages_with_their_ids() {
        let event = event("arn:aws:sqs:eu-west-1:123456789012:logs", &messages());
        let record = &event["Records"][1];
        assert_eq!(record["messageId"], "b");
        assert_eq!(record["body"], "body of b");
        assert_eq!(record["eventSource"], "aws:sqs");
        assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    }
}
