//! What S3 says happened, straight from a bucket or through EventBridge.
//!
//! Only the fields that are used are read, and those must be there; AWS may add others. The types of
//! `aws_lambda_events` would reject the test event that S3 sends after a notification is set up and leave
//! keys encoded; a test shows both.
//! Shapes: S3 user guide, "Event message structure" and "EventBridge event message structure".

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

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A new version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: ObjectKey,
    /// S3's version of the object.
    pub version_id: String,
    /// S3's `ETag` of that version, without quotation marks; no MD5 after a multipart upload.
    pub etag: String,
    /// Bytes, as the event has it.
    pub size: u64,
    /// Orders the events of one key, if S3 gave it. Logged only: order comes from the number in the key.
    pub sequencer: Option<String>,
}

/// An event that asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// S3 checks a notification when it is set up.
    #[error("S3's test of the notifications of bucket {bucket}")]
    TestEvent {
        /// The bucket.
        bucket: String,
    },
    /// A notification with nothing in it.
    #[error("a notification without records")]
    Empty,
    /// Deleting a bundle takes no release back.
    #[error("{key} was deleted from {bucket}: what runs stays as it is")]
    Deleted {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// Restored, tagged, expired, …
    #[error("{event} is not the upload of an object")]
    OtherEvent {
        /// S3's name of the event.
        event: String,
    },
}

/// An event that cannot be acted on. The handler returns it as an error, so that Lambda keeps it in the on-failure
/// queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Without versions nothing pins the bytes of a release.
    #[error(
        "object {key} in bucket {bucket} has no version, so a release cannot be pinned to its bytes: enable versioning on the bucket and upload again"
    )]
    NotVersioned {
        /// The bucket.
        bucket: String,
        /// The key.
        key: ObjectKey,
    },
    /// AWS changed the event structure.
    #[error(
        "event version {version} of S3 is not 2.x, which this function reads: update Greenlight, then send the event again"
    )]
    UnknownVersion {
        /// As the event has it.
        version: String,
    },
    /// The key's bytes are no UTF-8.
    #[error("key {key:?} in bucket {bucket} is not UTF-8 after decoding: upload under a plain name")]
    KeyNotText {
        /// The bucket.
        bucket: String,
        /// As the event has it.
        key: String,
    },
    /// Neither of the two shapes.
    #[error("not an S3 notification: {detail} at {path}; see events/upload for the shapes that are known")]
    Unrecognised {
        /// Where in the event, as a JSON path.
        path: String,
        /// What is wrong there.
        detail: String,
    },
}

/// What one record of an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A new object version to judge.
    Uploaded(Uploaded),
    /// Nothing.
    Ignored(Ignored),
    /// It cannot be told.
    Unusable(Unusable),
}

/// The records of an event, in its order. A bad record says so and leaves the others alone.
pub fn read(payload: &Value) -> Vec<Record> {
    if let Some(records) = payload.get("Records").and_then(Value::as_array) {
        if records.is_empty() {
            return vec![Record::Ignored(Ignored::Empty)];
        }
        return records.iter().enumerate().map(|(index, record)| read_record(record, index)).collect();
    }
    let record = if payload.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        fields(payload, "").map(|TestEvent { bucket }| Record::Ignored(Ignored::TestEvent { bucket }))
    } else if payload.get("source").and_then(Value::as_str) == Some("aws.s3") {
        fields(payload, "").map(read_bridged)
    } else {
        let detail = "it has neither Records nor the source aws.s3".to_owned();
        Err(Unusable::Unrecognised { path: "$".to_owned(), detail })
    };
    vec![record.unwrap_or_else(Record::Unusable)]
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
    s3: StraightBody,
}

#[derive(Deserialize)]
struct StraightBody {
    bucket: Bucket,
    object: StraightObject,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StraightObject {
    key: String,
    version_id: Option<String>,
    e_tag: Option<String>,
    size: Option<u64>,
    sequencer: Option<String>,
}

fn read_record(record: &Value, index: usize) -> Record {
    let at = format!("Records[{index}]");
    read_straight(record, &at).unwrap_or_else(Record::Unusable)
}

fn read_straight(record: &Value, at: &str) -> Result<Record, Unusable> {
    let Head { event_version, event_name } = fields(record, at)?;
    if event_version.split('.').next() != Some(MAJOR_VERSION) {
        return Err(Unusable::UnknownVersion { version: event_version });
    }
    let Straight { s3: StraightBody { bucket: Bucket { name: bucket }, object } } = fields(record, at)?;
    let Some(key) = ObjectKey::decode(&object.key) else {
        return Err(Unusable::KeyNotText { bucket, key: object.key });
    };
    if event_name.starts_with("ObjectRemoved:") {
        return Ok(Record::Ignored(Ignored::Deleted { bucket, key: key.0 }));
    }
    if !event_name.starts_with("ObjectCreated:") {
        return Ok(Record::Ignored(Ignored::OtherEvent { event: event_name }));
    }
    let place = format!("{at}.s3.object");
    uploaded(bucket, key, object.version_id, object.e_tag, object.size, object.sequencer, &place, "eTag")
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Bridged {
    detail_type: String,
    detail: BridgedDetail,
}

#[derive(Deserialize)]
struct BridgedDetail {
    bucket: Bucket,
    object: BridgedObject,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BridgedObject {
    key: String,
    version_id: Option<String>,
    etag: Option<String>,
    size: Option<u64>,
    sequencer: Option<String>,
}

/// EventBridge's shape; its keys are not encoded.
fn read_bridged(event: Bridged) -> Record {
    let Bridged { detail_type, detail: BridgedDetail { bucket: Bucket { name: bucket }, object } } = event;
    match detail_type.as_str() {
        "Object Created" => {
            let key = ObjectKey::plain(object.key);
            uploaded(
                bucket,
                key,
                object.version_id,
                object.etag,
                object.size,
                object.sequencer,
                "detail.object",
                "etag",
            )
            .unwrap_or_else(Record::Unusable)
        }
        "Object Deleted" => Record::Ignored(Ignored::Deleted { bucket, key: object.key }),
        _ => Record::Ignored(Ignored::OtherEvent { event: detail_type }),
    }
}

#[expect(clippy::too_many_arguments, reason = "the fields of both shapes, which differ only in their names")]
fn uploaded(
    bucket: String,
    key: ObjectKey,
    version_id: Option<String>,
    etag: Option<String>,
    size: Option<u64>,
    sequencer: Option<String>,
    place: &str,
    etag_name: &str,
) -> Result<Record, Unusable> {
    // With versioning suspended S3 calls the version "null", and the next upload replaces its bytes.
    let Some(version_id) = version_id.filter(|version| !version.is_empty() && version != "null") else {
        return Err(Unusable::NotVersioned { bucket, key });
    };
    let missing = |name: &str| Unusable::Unrecognised {
        path: format!("{place}.{name}"),
        detail: format!("the upload of an object without {name}"),
    };
    let etag = etag.ok_or_else(|| missing(etag_name))?.trim_matches('"').to_owned();
    let size = size.ok_or_else(|| missing("size"))?;
    Ok(Record::Uploaded(Uploaded { bucket, key, version_id, etag, size, sequencer }))
}

/// The fields of a shape, or where they are missing.
fn fields<T: DeserializeOwned>(value: &Value, at: &str) -> Result<T, Unusable> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = match (at, error.path().to_string().as_str()) {
            ("", ".") => "$".to_owned(),
            ("", path) => path.to_owned(),
            (at, ".") => at.to_owned(),
            (at, path) => format!("{at}.{path}"),
        };
        Unusable::Unrecognised { path, detail: error.into_inner().to_string() }
    })
}
