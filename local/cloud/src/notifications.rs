//! S3's notifications: which function or queue hears of an object, and the record it hears.
//!
//! Source: S3 user guide, "Event message structure" and "Configuring event notifications using object key name filtering".

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// One notification of a bucket's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The bucket that notifies.
    pub bucket: String,
    /// The configuration's id, which the record carries.
    pub id: String,
    /// Who hears.
    pub destination: Destination,
    /// Such as `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    /// What the key must begin with.
    pub prefix: String,
    /// What the key must end with.
    pub suffix: String,
}

/// Who hears of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The function with this ARN.
    Function(String),
    /// Whoever reads the queue with this ARN.
    Queue(String),
}

impl Notification {
    /// Whether the destination wants to hear of `event` (such as `s3:ObjectCreated:Put`) on `key`.
    pub fn wants(&self, bucket: &str, event: &str, key: &str) -> bool {
        self.bucket == bucket
            && key.starts_with(&self.prefix)
            && key.ends_with(&self.suffix)
            && self.events.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(family) => event.starts_with(family),
                None => wanted == event,
            })
    }
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectEvent {
    /// Such as `s3:ObjectCreated:Put`.
    pub name: String,
    /// The bucket.
    pub bucket: String,
    /// The key as it is, not encoded.
    pub key: String,
    /// In a versioned bucket, the version that came or went.
    pub version_id: Option<String>,
    /// Size in bytes; none for a deletion.
    pub size: Option<i64>,
    /// Without quotes; none for a deletion.
    pub etag: Option<String>,
    /// Orders the events of one key: larger is later.
    pub sequencer: u64,
    /// RFC 3339 with milliseconds.
    pub time: String,
    /// The region of the bucket.
    pub region: String,
    /// The access key that did it.
    pub principal: String,
    /// The request that did it.
    pub request_id: String,
}

/// `application/x-www-form-urlencoded`, but `/` stays.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

/// The key as a record carries it.
pub(crate) fn encoded_key(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string().replace(' ', "+")
}

/// What the destination gets.
pub(crate) fn event(notification: &Notification, event: &ObjectEvent) -> Value {
    let mut object =
        json!({ "key": encoded_key(&event.key), "sequencer": format!("{:018X}", event.sequencer) });
    let fields = [
        ("size", event.size.map(Value::from)),
        ("eTag", event.etag.clone().map(Value::from)),
        ("versionId", event.version_id.clone().map(Value::from)),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    let name = event.name.strip_prefix("s3:").unwrap_or(&event.name);
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": event.region,
        "eventTime": event.time,
        "eventName": name,
        "userIdentity": { "principalId": format!("AWS:{}", event.principal) },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": { "x-amz-request-id": event.request_id, "x-amz-id-2": event.request_id },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": notification.id,
            "bucket": {
                "name": event.bucket,
                "ownerIdentity": { "principalId": "LOCALOWNER" },
                "arn": format!("arn:aws:s3:::{}", event.bucket),
            },
            "object": object,
        },
    }] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification() -> Notification {
        Notification {
            bucket: "artifacts".to_owned(),
            id: "uploads".to_owned(),
            destination: Destination::Function(
                "arn:aws:lambda:eu-west-1:123456789012:function:upload".to_owned(),
            ),
            events: vec!["s3:ObjectCreated:*".to_owned()],
            prefix: "releases/".to_owned(),
            suffix: String::new(),
        }
    }

    #[test]
    fn a_notification_wants_its_events_and_keys_only() {
        let notification = notification();
        assert!(notification.wants("artifacts", "s3:ObjectCreated:Put", "releases/a.zip"));
        assert!(notification.wants(
            "artifacts",
            "s3:ObjectCreated:CompleteMultipartUpload",
            "releases/a.zip"
        ));
        assert!(!notification.wants("artifacts", "s3:ObjectRemoved:Delete", "releases/a.zip"));
        assert!(!notification.wants("artifacts", "s3:ObjectCreated:Put", "other/a.zip"));
        assert!(!notification.wants("state", "s3:ObjectCreated:Put", "releases/a.zip"));
    }

    #[test]
    fn keys_are_form_encoded_with_their_slashes() {
        assert_eq!(encoded_key("releases/front end/1-ü+.zip"), "releases/front+end/1-%C3%BC%2B.zip");
    }

    #[test]
    fn a_record_has_aws_shape() {
        let happened = ObjectEvent {
            name: "s3:ObjectCreated:Put".to_owned(),
            bucket: "artifacts".to_owned(),
            key: "releases/backend/7-abc.zip".to_owned(),
            version_id: Some("v1".to_owned()),
            size: Some(12),
            etag: Some("e".to_owned()),
            sequencer: 255,
            time: "2026-01-02T03:04:05.678Z".to_owned(),
            region: "eu-west-1".to_owned(),
            principal: "AKIA".to_owned(),
            request_id: "r".to_owned(),
        };
        let event = event(&notification(), &happened);
        let record = &event["Records"][0];
        assert_eq!(record["eventName"], "ObjectCreated:Put");
        assert_eq!(record["s3"]["object"]["versionId"], "v1");
        assert_eq!(record["s3"]["object"]["sequencer"], "0000000000000000FF");
        assert_eq!(record["s3"]["bucket"]["arn"], "arn:aws:s3:::artifacts");

        let deleted = ObjectEvent { size: None, etag: None, version_id: None, ..happened };
        let object = super::event(&notification(), &deleted)["Records"][0]["s3"]["object"].clone();
        assert_eq!(object.as_object().unwrap().keys().collect::<Vec<_>>(), ["key", "sequencer"]);
    }
}
