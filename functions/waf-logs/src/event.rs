//! What an invocation asks for. Shapes are told apart by their documented marks, never by trying until one fits.
//!
//! S3 notifications: S3 user guide, "Event message structure". SQS and CloudWatch Logs: Lambda developer guide.

use greenlight::failure::{Class, Failure};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::ports::{Answer, LogObject};

/// What an invocation asks for.
#[derive(Debug)]
pub enum Trigger {
    /// Messages of a queue, each with the objects it names, to be answered one by one.
    Queue(Vec<Message>),
    /// Objects, straight from S3.
    Objects(Vec<LogObject>),
    /// Records of a CloudWatch Logs subscription: base64 of gzip of JSON.
    Subscription(String),
    /// The schedule's tick.
    Tick,
    /// An operator's command.
    Command(Value),
}

/// One message of the queue.
#[derive(Debug)]
pub struct Message {
    /// For the answer when it fails.
    pub id: String,
    /// What it asks for.
    pub objects: Answer<Vec<LogObject>>,
}

/// Reads an invocation's payload.
///
/// # Errors
/// Permanent: nothing that this function knows.
pub fn read(payload: Value) -> Answer<Trigger> {
    if let Some(data) = payload.pointer("/awslogs/data").and_then(Value::as_str) {
        return Ok(Trigger::Subscription(data.to_owned()));
    }
    if payload.get("command").is_some() {
        return Ok(Trigger::Command(payload));
    }
    if text(&payload, "detail-type") == Some("Scheduled Event") {
        return Ok(Trigger::Tick);
    }
    let records = payload.get("Records").and_then(Value::as_array);
    // Any of them: one odd message must not make the others unreadable.
    let is_queue = records
        .is_some_and(|records| records.iter().any(|record| text(record, "eventSource") == Some("aws:sqs")));
    match records {
        Some(records) if is_queue => Ok(Trigger::Queue(records.iter().map(message).collect())),
        _ => Ok(Trigger::Objects(objects(&payload)?)),
    }
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

fn message(record: &Value) -> Message {
    let id = text(record, "messageId").unwrap_or_default().to_owned();
    let body = text(record, "body").unwrap_or_default();
    let objects = serde_json::from_str(body)
        .map_err(|error| unknown("the message's body is no JSON").caused_by(error))
        .and_then(|body: Value| match text(&body, "Message") {
            // S3 to SNS to SQS wraps the notification once more.
            Some(inner) if text(&body, "Type") == Some("Notification") => serde_json::from_str(inner)
                .map_err(|error| unknown("the notification's message is no JSON").caused_by(error))
                .and_then(|inner: Value| objects(&inner)),
            _ => objects(&body),
        });
    Message { id, objects }
}

fn unknown(what: &str) -> Failure {
    Failure::new(Class::Permanent, format!("{what}; see events/waf-logs for the shapes that are known"))
}

/// The new objects that an S3 notification names. Deletions and S3's test event name none.
fn objects(notification: &Value) -> Answer<Vec<LogObject>> {
    if text(notification, "Event") == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    if text(notification, "source") == Some("aws.s3") {
        // EventBridge: one object, its key as it is.
        if text(notification, "detail-type") != Some("Object Created") {
            return Ok(Vec::new());
        }
        let part = |pointer| notification.pointer(pointer).and_then(Value::as_str);
        let object = part("/detail/bucket/name").zip(part("/detail/object/key"));
        let (bucket, key) = object.ok_or_else(|| unknown("S3's event names no bucket and key"))?;
        let version = part("/detail/object/version-id").map(str::to_owned);
        return Ok(keep(bucket, key.to_owned(), version).into_iter().collect());
    }
    let Some(records) = notification.get("Records").and_then(Value::as_array) else {
        return Err(unknown("the event has neither Records, awslogs, a command nor a schedule's mark"));
    };
    let mut objects = Vec::new();
    for record in records {
        if text(record, "eventSource") != Some("aws:s3") {
            return Err(unknown("a record is not from S3"));
        }
        if !text(record, "eventName").is_some_and(|name| name.starts_with("ObjectCreated:")) {
            continue;
        }
        let part = |pointer| record.pointer(pointer).and_then(Value::as_str);
        let object = part("/s3/bucket/name").zip(part("/s3/object/key"));
        let (bucket, key) = object.ok_or_else(|| unknown("a record names no bucket and key"))?;
        let spaced = key.replace('+', " ");
        let key = percent_decode_str(&spaced)
            .decode_utf8()
            .map_err(|error| unknown("a key is not UTF-8 after decoding").caused_by(error))?;
        objects.extend(keep(bucket, key.into_owned(), part("/s3/object/versionId").map(str::to_owned)));
    }
    Ok(objects)
}

/// Folders are no logs.
fn keep(bucket: &str, key: String, version: Option<String>) -> Option<LogObject> {
    (!key.ends_with('/')).then(|| LogObject { bucket: bucket.to_owned(), key, version })
}
