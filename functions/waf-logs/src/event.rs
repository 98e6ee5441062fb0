//! What an invocation asks for. Shapes are told apart by their documented marks, never by trying until one fits.
//!
//! S3's notifications are read by [`greenlight::s3_event`]. SQS and CloudWatch Logs: Lambda developer guide.

use greenlight::failure::{Class, Excerpt, Failure};
use greenlight::s3_event::{self, Created, Notice};
use serde::Deserialize;
use serde_json::Value;

use crate::ports::{LogObject, PortResult};

/// What an invocation asks for.
#[derive(Debug)]
pub enum Trigger {
    /// Messages of a queue, to be answered one by one.
    Queue(Vec<Message>),
    /// Objects, straight from S3.
    Objects(Named),
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
    /// What it names.
    pub named: Named,
}

/// What a notification of S3 names.
#[derive(Debug, Default)]
pub struct Named {
    /// New objects, and what names none although it should.
    pub objects: Vec<PortResult<LogObject>>,
    /// What is no new log, for people: deletions, folders, S3's test event, events that are not known.
    pub skipped: Vec<String>,
}

/// Reads an invocation's payload.
///
/// # Errors
/// Permanent: nothing that this function knows.
pub fn read(payload: Value) -> PortResult<Trigger> {
    if let Some(awslogs) = payload.get("awslogs") {
        let data = text(awslogs, "data").ok_or_else(|| unknown("awslogs has no data that is a text"))?;
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
    let named = parsed(body, "the message's body is no JSON").and_then(|body| match text(&body, "Message") {
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
    let mut named =
        named.unwrap_or_else(|failure| Named { objects: vec![Err(failure)], skipped: Vec::new() });
    named.objects = named.objects.into_iter().map(|object| object.map_err(of_message)).collect();
    Message { id, named }
}

fn parsed(text: &str, wrong: &str) -> PortResult<Value> {
    serde_json::from_str(text).map_err(|error| unknown(wrong).caused_by(error))
}

fn unknown(what: &str) -> Failure {
    Failure::new(Class::Permanent, format!("{what}; see events/waf-logs for the shapes that are known"))
}

/// What an S3 notification names.
fn objects(notification: &Value) -> PortResult<Named> {
    let notices = s3_event::read(notification).map_err(|foreign| {
        unknown("the event has neither Records, awslogs, a command nor a schedule's mark").caused_by(foreign)
    })?;
    let mut named = Named::default();
    for notice in notices {
        match notice {
            // Folders are no logs.
            Ok(Notice::Created(created)) if created.key.as_str().ends_with('/') => {
                named.skipped.push(format!("{:?} is a folder", Excerpt(created.key.as_str())));
            }
            Ok(Notice::Created(created)) if created.key.as_str().ends_with(TEST_FILE) => {
                named.skipped.push(format!(
                    "{:?} is the file with which a load balancer tries the bucket",
                    Excerpt(created.key.as_str())
                ));
            }
            Ok(Notice::Created(created)) => named.objects.push(log_object(created).map_err(unusable)),
            Ok(Notice::Other(other)) => named.skipped.push(other.to_string()),
            Err(bad) => named.objects.push(Err(unusable(bad))),
        }
    }
    Ok(named)
}

/// What Elastic Load Balancing writes once when access logs are switched on.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>
const TEST_FILE: &str = "/ELBAccessLogTestFile";

fn unusable(unusable: s3_event::Unusable) -> Failure {
    unknown("a record names no object").caused_by(unusable)
}

/// What is needed of an object beyond its name, as S3 and as EventBridge spell it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(alias = "version-id")]
    version_id: Option<String>,
}

fn log_object(created: Created) -> Result<LogObject, s3_event::Unusable> {
    let Details { version_id: version } = created.details()?;
    let Created { bucket, key, .. } = created;
    Ok(LogObject { bucket, key: key.into(), version })
}
