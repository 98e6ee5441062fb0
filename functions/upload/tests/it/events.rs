//! Every sample in `events/upload`, and what is made of it.

use serde_json::{Value, json};
use std::path::Path;
use upload::event::{UploadNotice, read};

fn line(record: &UploadNotice) -> String {
    match record {
        UploadNotice::Uploaded(uploaded) => format!(
            "uploaded: {} in {}, version {}, ETag {}, {} bytes, sequencer {}",
            uploaded.key,
            uploaded.bucket,
            uploaded.version_id,
            uploaded.etag,
            uploaded.size,
            uploaded.sequencer.as_deref().unwrap_or("none")
        ),
        UploadNotice::Ignored(reason) => format!("ignored: {reason}"),
        UploadNotice::Unusable(reason) => format!("unusable: {reason}"),
    }
}

fn samples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/upload");
    let mut samples: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect();
    samples.sort_by(|(one, _), (other, _)| one.cmp(other));
    samples
}

#[test]
fn every_sample_has_its_meaning() {
    let mut said = Vec::new();
    for (name, payload) in samples() {
        said.push(name);
        said.extend(read(&payload).iter().map(|record| format!("  {}", line(record))));
    }
    insta::assert_snapshot!(said.join("\n"));
}

fn record(change: impl Fn(&mut Value)) -> Value {
    let mut record = json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": "artifacts"},
            "object": {"key": "releases/backend/1-abcdef0.zip", "size": 5, "eTag": "e", "versionId": "v", "sequencer": "00"},
        },
    });
    change(&mut record);
    record
}

#[test]
fn a_bad_record_is_pointed_at_and_leaves_the_others_alone() {
    let payload = json!({"Records": [
        record(|_| ()),
        record(|record| record["s3"]["object"]["size"] = json!("five")),
        record(|record| { record["s3"].as_object_mut().unwrap().remove("bucket"); }),
        record(|record| { record["s3"]["object"].as_object_mut().unwrap().remove("eTag"); }),
        record(|record| record["s3"]["object"]["versionId"] = json!("null")),
        record(|record| record["s3"]["object"]["key"] = json!("releases/%ff")),
        record(|record| record["eventVersion"] = json!("3.0")),
        record(|record| record["eventName"] = json!("ObjectTagging:Put")),
        json!(7),
        record(|record| record["eventVersion"] = json!("2.9")),
    ]});
    let said: Vec<String> = read(&payload).iter().map(line).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn keys_are_decoded_once_and_only_where_they_are_encoded() {
    let key = |payload: &Value| match read(payload).remove(0) {
        UploadNotice::Uploaded(uploaded) => uploaded.key.as_str().to_owned(),
        other => panic!("{other:?}"),
    };
    for (encoded, plain) in [
        ("a+b.zip", "a b.zip"),
        ("a%2Bb.zip", "a+b.zip"),
        ("a%2541.zip", "a%41.zip"),
        ("%C3%A9.zip", "é.zip"),
        ("100%.zip", "100%.zip"),
    ] {
        let straight = json!({"Records": [record(|record| record["s3"]["object"]["key"] = json!(encoded))]});
        assert_eq!(key(&straight), plain);
        let bridged = json!({
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": "b"}, "object": {"key": encoded, "size": 1, "etag": "e", "version-id": "v"}},
        });
        assert_eq!(key(&bridged), encoded);
    }
}

/// Why this crate has event types of its own.
#[test]
fn the_types_of_aws_lambda_events_would_not_do() {
    use aws_lambda_events::event::s3::S3Event;
    let sample = |name: &str| samples().into_iter().find(|(found, _)| found == name).unwrap().1;
    let test_event = serde_json::from_value::<S3Event>(sample("s3-test-event.json"));
    assert!(test_event.is_err(), "S3's test event is rejected, and would be retried and kept as a failure");
    let mut encoded: S3Event = serde_json::from_value(sample("s3-key-encoded.json")).unwrap();
    let object = encoded.records.remove(0).s3.object;
    assert!(object.key.unwrap().contains(['%', '+']));
    assert_eq!(object.url_decoded_key, None, "the decoded key is left empty");
}
