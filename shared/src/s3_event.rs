//! What S3 says happened, straight from a bucket or through EventBridge.
//!
//! Only the fields that are used are read, and those must be there; AWS may add others. What a function needs to know
//! of a new object beyond its name, it says itself: [`Created::details`].
//! Shapes: S3 user guide, "Event message structure" and "EventBridge event message structure".

use crate::failure::Excerpt;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

/// The event structure's major version that this reads. AWS raises it only for changes that break readers.
const MAJOR_VERSION: &str = "2";

/// An object's key as S3 has it, decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// A key that is not encoded.
    pub fn plain(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// A key as it stands in a notification: form-encoded, a space is `+`. Decoded once: a key may hold `%41`.
    fn decode(encoded: &str) -> Option<Self> {
        let spaced = encoded.replace('+', " ");
        Some(Self(percent_decode_str(&spaced).decode_utf8().ok()?.into_owned()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one record of a notification says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// There is a new object, or a new version of one.
    Created(Created),
    /// Nothing that calls for reading an object.
    Other(Other),
}

/// A new object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: ObjectKey,
    object: Value,
    /// Where `object` stands in the event.
    path: String,
}

impl Created {
    /// The members of the event's `object` that a function needs. S3 itself writes `versionId`, `eTag`, `size` and
    /// `sequencer`, EventBridge `version-id`, `etag`, `size` and `sequencer`.
    ///
    /// # Errors
    /// A member is missing or of another type.
    pub fn details<T: DeserializeOwned>(&self) -> Result<T, Unusable> {
        fields(&self.object, &self.path)
    }
}

/// What calls for reading no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Other {
    /// S3 checks a notification when it is set up.
    #[error("S3's test of the notifications of bucket {}", Excerpt(.bucket))]
    TestEvent {
        /// The bucket.
        bucket: String,
    },
    /// An object, or a version of one, is gone.
    #[error("{} was deleted from {}", Excerpt(.key.as_str()), Excerpt(.bucket))]
    Deleted {
        /// The bucket.
        bucket: String,
        /// The key.
        key: ObjectKey,
    },
    /// Restored, tagged, expired, …
    #[error("{} is not the upload of an object", Excerpt(.event))]
    OtherEvent {
        /// S3's name of the event.
        event: String,
    },
}

/// What cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// AWS changed the event structure.
    #[error(
        "event version {} of S3 is not {MAJOR_VERSION}.x, which this function reads: update Greenlight, then send the event again",
        Excerpt(.version)
    )]
    UnknownVersion {
        /// As the event has it.
        version: String,
    },
    /// The key's bytes are no UTF-8.
    #[error(
        "key {:?} in bucket {} is not UTF-8 after decoding: upload under a plain name",
        Excerpt(.key), Excerpt(.bucket)
    )]
    KeyNotText {
        /// The bucket.
        bucket: String,
        /// As the event has it.
        key: String,
    },
    /// Another service's record.
    #[error("not an S3 notification: {path} comes from {}, not from aws:s3", Excerpt(.source_name))]
    OtherSource {
        /// Where in the event, as a JSON path.
        path: String,
        /// The service, as the event has it.
        source_name: String,
    },
    /// None of the known shapes.
    #[error("not an S3 notification: {} at {path}", Excerpt(.detail))]
    Unrecognised {
        /// Where in the event, as a JSON path.
        path: String,
        /// What is wrong there.
        detail: String,
    },
}

/// The records of a notification, in its order. A bad record says so and leaves the others alone.
///
/// # Errors
/// When the payload is no notification of S3 at all.
pub fn read(payload: &Value) -> Result<Vec<Result<Notice, Unusable>>, Unusable> {
    if let Some(records) = payload.get("Records").and_then(Value::as_array) {
        return Ok(records.iter().enumerate().map(|(index, record)| straight(record, index)).collect());
    }
    if payload.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        let test_event = fields(payload, "$");
        return Ok(vec![test_event.map(|TestEvent { bucket }| Notice::Other(Other::TestEvent { bucket }))]);
    }
    if payload.get("source").and_then(Value::as_str) == Some("aws.s3") {
        return Ok(vec![bridged(payload)]);
    }
    let detail = "it has neither Records nor the source aws.s3".to_owned();
    Err(Unusable::Unrecognised { path: "$".to_owned(), detail })
}

#[derive(Deserialize)]
struct TestEvent {
    #[serde(rename = "Bucket")]
    bucket: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a record of an S3 notification")]
struct Head {
    event_version: String,
    event_name: String,
}

#[derive(Deserialize)]
struct Straight {
    s3: Place,
}

#[derive(Deserialize)]
struct Bridged {
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: Place,
}

/// Both shapes name bucket and object alike.
#[derive(Deserialize)]
struct Place {
    bucket: Bucket,
    object: Value,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

/// S3's own shape; its keys are encoded.
fn straight(record: &Value, index: usize) -> Result<Notice, Unusable> {
    let at = format!("Records[{index}]");
    if let Some(source) = record.get("eventSource").and_then(Value::as_str)
        && source != "aws:s3"
    {
        return Err(Unusable::OtherSource { path: at, source_name: source.to_owned() });
    }
    let Head { event_version, event_name } = fields(record, &at)?;
    if event_version.split('.').next() != Some(MAJOR_VERSION) {
        return Err(Unusable::UnknownVersion { version: event_version });
    }
    let Straight { s3: Place { bucket: Bucket { name: bucket }, object } } = fields(record, &at)?;
    let path = format!("{at}.s3.object");
    let Object { key: encoded } = fields(&object, &path)?;
    let Some(key) = ObjectKey::decode(&encoded) else {
        return Err(Unusable::KeyNotText { bucket, key: encoded });
    };
    Ok(if event_name.starts_with("ObjectCreated:") {
        Notice::Created(Created { bucket, key, object, path })
    } else if event_name.starts_with("ObjectRemoved:") {
        Notice::Other(Other::Deleted { bucket, key })
    } else {
        Notice::Other(Other::OtherEvent { event: event_name })
    })
}

/// EventBridge's shape; its keys are not encoded.
fn bridged(event: &Value) -> Result<Notice, Unusable> {
    let Bridged { detail_type, detail: Place { bucket: Bucket { name: bucket }, object } } =
        fields(event, "$")?;
    let path = "detail.object".to_owned();
    let key = fields(&object, &path).map(|Object { key }| ObjectKey(key));
    Ok(match detail_type.as_str() {
        "Object Created" => Notice::Created(Created { bucket, key: key?, object, path }),
        "Object Deleted" => Notice::Other(Other::Deleted { bucket, key: key? }),
        _ => Notice::Other(Other::OtherEvent { event: detail_type }),
    })
}

/// The fields of a shape, or where they are missing.
fn fields<T: DeserializeOwned>(value: &Value, at: &str) -> Result<T, Unusable> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = match (at, error.path().to_string().as_str()) {
            (at, ".") => at.to_owned(),
            ("$", path) => path.to_owned(),
            (at, path) => format!("{at}.{path}"),
        };
        Unusable::Unrecognised { path, detail: error.into_inner().to_string() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::chain;
    use serde_json::json;

    fn record(event: &str, key: &str) -> Value {
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": event,
            "s3": { "bucket": { "name": "logs" }, "object": { "key": key, "size": 5 } },
        })
    }

    fn bridged(detail_type: &str, key: &str) -> Value {
        let detail = json!({ "bucket": { "name": "logs" }, "object": { "key": key, "size": 5 } });
        json!({ "source": "aws.s3", "detail-type": detail_type, "detail": detail })
    }

    fn line(notice: &Result<Notice, Unusable>) -> String {
        match notice {
            Ok(Notice::Created(created)) => format!("created {} in {}", created.key, created.bucket),
            Ok(Notice::Other(other)) => other.to_string(),
            Err(unusable) => chain(unusable),
        }
    }

    #[test]
    fn both_shapes_say_the_same_and_only_one_encodes_keys() {
        for (event, detail_type) in
            [("ObjectCreated:Put", "Object Created"), ("ObjectRemoved:Delete", "Object Deleted")]
        {
            let straight = read(&json!({ "Records": [record(event, "a+b%2Bc.gz")] })).unwrap();
            let through_eventbridge = read(&bridged(detail_type, "a b+c.gz")).unwrap();
            assert_eq!(line(&straight[0]), line(&through_eventbridge[0]));
        }
    }

    #[test]
    fn a_bad_record_takes_no_other_with_it() {
        let foreign = json!({ "eventSource": "aws:sqs", "body": "{}" });
        let mut newer = record("ObjectCreated:Put", "b");
        newer["eventVersion"] = json!("3.0");
        let nameless = json!({ "eventVersion": "2.1", "eventSource": "aws:s3", "s3": {} });
        let records = [
            record("ObjectCreated:Put", "a"),
            foreign,
            newer,
            nameless,
            record("ObjectCreated:Put", "%ff"),
            record("ObjectRestore:Completed", "c"),
            record("ObjectCreated:Copy", "d"),
        ];
        let lines: Vec<String> = read(&json!({ "Records": records })).unwrap().iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn details_are_asked_for_by_name_and_pointed_at() {
        #[derive(Debug, Deserialize)]
        struct Details {
            size: u64,
        }
        #[derive(Debug, Deserialize)]
        struct More {
            #[serde(rename = "versionId", alias = "version-id")]
            _version: String,
        }
        for payload in
            [json!({ "Records": [record("ObjectCreated:Put", "a")] }), bridged("Object Created", "a")]
        {
            let Ok(Notice::Created(created)) = read(&payload).unwrap().remove(0) else { panic!("{payload}") };
            assert_eq!(created.details::<Details>().unwrap().size, 5);
            let missing = created.details::<More>().unwrap_err().to_string();
            assert!(
                missing.contains("missing field `versionId` at") && missing.ends_with(".object"),
                "{missing}"
            );
        }
    }

    #[test]
    fn no_message_grows_with_the_event() {
        let long = "x".repeat(1_000_000);
        let mut by_version = record("ObjectCreated:Put", "a");
        by_version["eventVersion"] = json!(long);
        let mut by_type = record("ObjectCreated:Put", "a");
        by_type["s3"]["bucket"]["name"] = json!([long]);
        let mut by_bucket = record("ObjectRemoved:Delete", "a");
        by_bucket["s3"]["bucket"]["name"] = json!(long);
        let mut by_source = record("ObjectCreated:Put", "a");
        by_source["eventSource"] = json!(long);
        let records = [
            by_version,
            by_type,
            by_bucket,
            by_source,
            record(&long, "a"),
            record("ObjectCreated:Put", &format!("{long}%ff")),
            json!(long),
        ];
        for notice in read(&json!({ "Records": records })).unwrap() {
            assert!(line(&notice).len() < 1_000, "{} bytes", line(&notice).len());
        }
    }
}
