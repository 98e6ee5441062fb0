//! What an invocation asks for. Shapes are told apart by their documented marks, never by trying until one fits.
//!
//! S3's notifications are read by [`greenlight::s3_event`]. SQS and CloudWatch Logs: Lambda developer guide.

use greenlight::failure::{Class, Excerpt, Failure};
use greenlight::s3_event::{self, Created, Notice};
use serde::Deserialize;
use serde_json::Value;

use crate::ports::{Answer, LogObject};

/// What an invocation asks for.
#[derive(Debug)]
pub enum Trigger {
    /// Messages of a queue, to be answered one by one.
    Queue(Vec<Message>),
    /// Objects, straight from S3.
    Objects(Vec<Answer<LogObject>>),
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
    /// The objects that it names, and what of it names none although it should.
    pub objects: Vec<Answer<LogObject>>,
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
    let objects =
        parsed(body, "the message's body is no JSON").and_then(|body| match text(&body, "Message") {
            // S3 to SNS to SQS wraps the notification once more.
            Some(inner) if text(&body, "Type") == Some("Notification") => {
                objects(&parsed(inner, "the notification's message is no JSON")?)
            }
            _ => objects(&body),
        });
    let of_message = |failure| {
        Failure::new(Class::Permanent, format!("message {} was not understood", Excerpt(&id)))
            .caused_by(failure)
    };
    let objects = objects.unwrap_or_else(|failure| vec![Err(failure)]);
    let objects = objects.into_iter().map(|object| object.map_err(of_message)).collect();
    Message { id, objects }
}

fn parsed(text: &str, wrong: &str) -> Answer<Value> {
    serde_json::from_str(text).map_err(|error| unknown(wrong).caused_by(error))
}

fn unknown(what: &str) -> Failure {
    Failure::new(Class::Permanent, format!("{what}; see events/waf-logs for the shapes that are known"))
}

/// The new objects that an S3 notification names. Deletions and S3's test event name none.
fn objects(notification: &Value) -> Answer<Vec<Answer<LogObject>>> {
    let notices = s3_event::read(notification).map_err(|foreign| {
        unknown("the event has neither Records, awslogs, a command nor a schedule's mark").caused_by(foreign)
    })?;
    Ok(notices
        .into_iter()
        .filter_map(|notice| notice.and_then(log_object).transpose())
        .map(readable)
        .collect())
}

fn readable(object: Result<LogObject, s3_event::Unusable>) -> Answer<LogObject> {
    object.map_err(|unusable| unknown("a record names no object").caused_by(unusable))
}

/// What is needed of an object beyond its name, as S3 and as EventBridge spell it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(alias = "version-id")]
    version_id: Option<String>,
}

fn log_object(notice: Notice) -> Result<Option<LogObject>, s3_event::Unusable> {
    let Notice::Created(created) = notice else { return Ok(None) };
    let Details { version_id: version } = created.details()?;
    let Created { bucket, key, .. } = created;
    // Folders are no logs.
    let is_log = !key.as_str().ends_with('/');
    Ok(is_log.then(|| LogObject { bucket, key: key.into(), version }))
}
