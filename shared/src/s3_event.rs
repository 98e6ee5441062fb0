//! What S3 says happened, straight from a bucket or through EventBridge.
//!
//! Only the fields that are used are read, and those must be there; AWS may add others. What a function needs to know
//! of a new object beyond its name, it says itself: [`Created::details`].
//! Shapes: S3 user guide, "Event message structure" and "EventBridge event message structure".

use crate::failure::{Excerpt, KeyExcerpt};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

/// The event structure's major version that this reads. AWS raises it only for changes that break readers.
const MAJOR_VERSION: &str = "2";

/// Records of one event that are read. S3 sends one, and whoever puts more into an event sends few; the work that one
/// event asks for must end within the function's time.
pub const MOST_RECORDS: usize = 100;

/// Bytes of a key, and of any other text that describes an object. Keys and versions have at most as many (S3 user
/// guide, "Naming Amazon S3 objects" and "How S3 Versioning works"). The SDK panics on some that are far longer.
pub const MOST_BYTES: usize = 1024;

/// The kinds of S3's events: what stands before the colon of `eventName` (S3 user guide, "Supported event types").
const KINDS: [&str; 10] = [
    "ObjectCreated",
    "ObjectRemoved",
    "ObjectRestore",
    "ReducedRedundancyLostObject",
    "Replication",
    "LifecycleExpiration",
    "LifecycleTransition",
    "IntelligentTiering",
    "ObjectTagging",
    "ObjectAcl",
];

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

/// For messages: control characters are escaped. To name the object to S3, use [`ObjectKey::as_str`].
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        KeyExcerpt(&self.0).fmt(f)
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
    #[error("{key} was deleted from {}", Excerpt(.bucket))]
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
        KeyExcerpt(.key), Excerpt(.bucket)
    )]
    KeyNotText {
        /// The bucket.
        bucket: String,
        /// As the event has it.
        key: String,
    },
    /// No object's key.
    #[error("a key in bucket {} is blank, and S3 cannot be asked for it: upload under a plain name", Excerpt(.bucket))]
    KeyBlank {
        /// The bucket.
        bucket: String,
    },
    /// Longer than S3 makes it.
    #[error(
        "{path} in bucket {} has {bytes} bytes, S3 allows {MOST_BYTES}: the event was damaged, send it again as S3 wrote it",
        Excerpt(.bucket)
    )]
    TooLong {
        /// The bucket.
        bucket: String,
        /// Where in the event, as a JSON path.
        path: String,
        /// How long it is.
        bytes: usize,
    },
    /// Forged, or put together from too many.
    #[error(
        "the event has {count} records, and only the first {MOST_RECORDS} were handled: S3 sends one, send the others again in smaller events"
    )]
    TooMany {
        /// The records of the event, those that were handled included.
        count: usize,
    },
    /// It may be an upload.
    #[error("{path} is an event {:?}, which S3 is not known to send: check what sends it", Excerpt(.event))]
    UnknownEvent {
        /// Where in the event, as a JSON path.
        path: String,
        /// As the event has it.
        event: String,
    },
    /// Another service's record.
    #[error("{path} comes from {}, not from aws:s3", Excerpt(.source_name))]
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

impl Unusable {
    /// The bucket, where it could be read.
    pub fn bucket(&self) -> Option<&str> {
        match self {
            Self::KeyNotText { bucket, .. } | Self::KeyBlank { bucket } | Self::TooLong { bucket, .. } => {
                Some(bucket)
            }
            Self::UnknownVersion { .. }
            | Self::TooMany { .. }
            | Self::UnknownEvent { .. }
            | Self::OtherSource { .. }
            | Self::Unrecognised { .. } => None,
        }
    }
}

/// The records of a notification, in its order. A bad record says so and leaves the others alone. Of more than
/// [`MOST_RECORDS`] the first are read, and [`Unusable::TooMany`] stands for the others.
///
/// # Errors
/// When the payload is no notification of S3 at all.
pub fn read(payload: &Value) -> Result<Vec<Result<Notice, Unusable>>, Unusable> {
    if let Some(records) = payload.get("Records").and_then(Value::as_array) {
        let read = records.iter().take(MOST_RECORDS).enumerate();
        let mut notices: Vec<_> = read.map(|(index, record)| straight(record, index)).collect();
        if records.len() > MOST_RECORDS {
            notices.push(Err(Unusable::TooMany { count: records.len() }));
        }
        return Ok(notices);
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
    // SNS writes it with a capital.
    let source = record.get("eventSource").or_else(|| record.get("EventSource")).and_then(Value::as_str);
    if let Some(source) = source.filter(|source| *source != "aws:s3") {
        return Err(Unusable::OtherSource { path: at, source_name: source.to_owned() });
    }
    let Head { event_version, event_name } = fields(record, &at)?;
    if event_version.split('.').next() != Some(MAJOR_VERSION) {
        return Err(Unusable::UnknownVersion { version: event_version });
    }
    // Some that speak S3's API keep the prefix with which S3 is told what to send.
    let event = event_name.strip_prefix("s3:").unwrap_or(&event_name);
    let kind = event.split(':').next().unwrap_or(event);
    if !KINDS.contains(&kind) {
        return Err(Unusable::UnknownEvent { path: format!("{at}.eventName"), event: event_name });
    }
    let Straight { s3: Place { bucket: Bucket { name: bucket }, object } } = fields(record, &at)?;
    let path = format!("{at}.s3.object");
    let encoded = key_of(&object, &path)?;
    let Some(key) = ObjectKey::decode(&encoded) else {
        return Err(Unusable::KeyNotText { bucket, key: encoded });
    };
    within_limits(&bucket, &key, &object, &path)?;
    Ok(match kind {
        "ObjectCreated" => Notice::Created(Created { bucket, key, object, path }),
        "ObjectRemoved" => Notice::Other(Other::Deleted { bucket, key }),
        _ => Notice::Other(Other::OtherEvent { event: event_name }),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kind {
    detail_type: String,
}

/// EventBridge's shape; its keys are not encoded.
fn bridged(event: &Value) -> Result<Notice, Unusable> {
    let Kind { detail_type: kind } = fields(event, "$")?;
    // S3 user guide, "Using EventBridge": all of S3's own begin so. CloudTrail sends others with S3 as their source.
    if !kind.starts_with("Object ") {
        return Err(Unusable::UnknownEvent { path: "detail-type".to_owned(), event: kind });
    }
    let Bridged { detail: Place { bucket: Bucket { name: bucket }, object } } = fields(event, "$")?;
    let path = "detail.object".to_owned();
    let key = ObjectKey(key_of(&object, &path)?);
    within_limits(&bucket, &key, &object, &path)?;
    Ok(match kind.as_str() {
        "Object Created" => Notice::Created(Created { bucket, key, object, path }),
        "Object Deleted" => Notice::Other(Other::Deleted { bucket, key }),
        _ => Notice::Other(Other::OtherEvent { event: kind }),
    })
}

fn key_of(object: &Value, path: &str) -> Result<String, Unusable> {
    fields(object, path).map(|Object { key }| key)
}

/// Every text that describes the object goes into calls of S3.
fn within_limits(bucket: &str, key: &ObjectKey, object: &Value, path: &str) -> Result<(), Unusable> {
    if key.as_str().trim().is_empty() {
        return Err(Unusable::KeyBlank { bucket: bucket.to_owned() });
    }
    let others = object.as_object().into_iter().flatten();
    let others = others.filter_map(|(name, text)| Some((name.as_str(), text.as_str()?.len())));
    let mut lengths = others.filter(|(name, _)| *name != "key").chain([("key", key.as_str().len())]);
    match lengths.find(|(_, bytes)| *bytes > MOST_BYTES) {
        None => Ok(()),
        Some((name, bytes)) => Err(Unusable::TooLong {
            bucket: bucket.to_owned(),
            path: format!("{path}.{}", Excerpt(name)),
            bytes,
        }),
    }
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
            record("ObjectCreated:Put", &long),
            json!(long),
        ];
        for notice in read(&json!({ "Records": records })).unwrap() {
            assert!(line(&notice).len() < 2_000, "{} bytes", line(&notice).len());
            assert!(!line(&notice).contains(&"x".repeat(1_025)), "{}", line(&notice));
        }
    }

    #[test]
    fn what_is_longer_than_s3_allows_is_refused_and_the_next_record_is_read() {
        let longest = "ü".repeat(MOST_BYTES / 2);
        let mut by_version = record("ObjectCreated:Put", "a");
        by_version["s3"]["object"]["versionId"] = json!("v".repeat(70_000));
        let records = [
            record("ObjectCreated:Put", &"x".repeat(70_000)),
            record("ObjectCreated:Put", &"%C3%BC".repeat(11_000)),
            by_version,
            record("ObjectCreated:Put", "+"),
            record("ObjectCreated:Put", &longest),
            record("ObjectCreated:Put", &"%C3%BC".repeat(MOST_BYTES / 2)),
        ];
        let lines: Vec<String> = read(&json!({ "Records": records })).unwrap().iter().map(line).collect();
        let created = format!("created {longest} in logs");
        let damaged = "S3 allows 1024: the event was damaged, send it again as S3 wrote it";
        assert_eq!(
            lines,
            [
                format!("Records[0].s3.object.key in bucket logs has 70000 bytes, {damaged}"),
                format!("Records[1].s3.object.key in bucket logs has 22000 bytes, {damaged}"),
                format!("Records[2].s3.object.versionId in bucket logs has 70000 bytes, {damaged}"),
                "a key in bucket logs is blank, and S3 cannot be asked for it: upload under a plain name"
                    .to_owned(),
                created.clone(),
                created,
            ]
        );
        let mut through_eventbridge = read(&bridged("Object Created", &"x".repeat(1_025))).unwrap();
        assert!(matches!(through_eventbridge.remove(0), Err(Unusable::TooLong { bytes: 1_025, .. })));
    }

    #[test]
    fn of_an_event_with_very_many_records_the_first_are_read_and_the_others_are_not_lost_in_silence() {
        let mut records = vec![record("ObjectCreated:Put", "a"); MOST_RECORDS];
        assert_eq!(read(&json!({ "Records": records })).unwrap().len(), MOST_RECORDS);
        records.resize(200_000, json!({}));
        let notices = read(&json!({ "Records": records })).unwrap();
        assert_eq!(notices.len(), MOST_RECORDS + 1);
        assert!(notices[..MOST_RECORDS].iter().all(Result::is_ok));
        assert_eq!(notices[MOST_RECORDS], Err(Unusable::TooMany { count: 200_000 }));
    }

    #[test]
    fn an_event_that_s3_is_not_known_to_send_is_no_event_without_meaning() {
        let records = ["s3:ObjectCreated:Put", "ObjectPut", "", "LifecycleExpiration:Delete"]
            .map(|event| record(event, "a"));
        let lines: Vec<String> = read(&json!({ "Records": records })).unwrap().iter().map(line).collect();
        let unknown = "which S3 is not known to send: check what sends it";
        assert_eq!(
            lines,
            [
                "created a in logs".to_owned(),
                format!("Records[1].eventName is an event \"ObjectPut\", {unknown}"),
                format!("Records[2].eventName is an event \"\", {unknown}"),
                "LifecycleExpiration:Delete is not the upload of an object".to_owned(),
            ]
        );
        let by_cloudtrail = json!({
            "source": "aws.s3", "detail-type": "AWS API Call via CloudTrail", "detail": { "eventName": "PutObject" },
        });
        assert_eq!(
            line(&read(&by_cloudtrail).unwrap()[0]),
            format!("detail-type is an event \"AWS API Call via CloudTrail\", {unknown}")
        );
    }

    #[test]
    fn another_services_record_is_known_by_its_source_however_it_is_spelt() {
        let foreign = [
            json!({ "eventSource": "aws:kinesis", "eventVersion": "1.0" }),
            json!({ "EventSource": "aws:sns", "EventVersion": "1.0" }),
        ];
        let lines: Vec<String> = read(&json!({ "Records": foreign })).unwrap().iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "Records[0] comes from aws:kinesis, not from aws:s3",
                "Records[1] comes from aws:sns, not from aws:s3"
            ]
        );
    }
}
