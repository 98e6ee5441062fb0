//! Every sample event of `events/waf-logs` is understood, or refused with a reason.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use greenlight::failure::chain;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use waf_logs::event::{self, Named, Trigger};
use waf_logs::ports::LogObject;
use waf_logs::testing::{Call, Fault};

use crate::shop::{Shop, gzip, object_of, queue, requests};

fn sample(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/waf-logs").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn described(name: &str) -> String {
    let objects = |named: Named| {
        named
            .objects
            .iter()
            .map(|object| match object {
                Ok(object) => object.key.rsplit('/').next().unwrap(),
                Err(_) => "refused",
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    match event::read(sample(name)) {
        Ok(Trigger::Queue(messages)) => {
            let each = messages.into_iter().map(|message| objects(message.named));
            format!("queue: {}", each.collect::<Vec<_>>().join(" | "))
        }
        Ok(Trigger::Objects(found)) => format!("objects: {}", objects(found)),
        Ok(Trigger::Subscription(_)) => "subscription".to_owned(),
        Ok(Trigger::Tick) => "tick".to_owned(),
        Ok(Trigger::Command(command)) => format!("command {}", command["command"]),
        Err(failure) => format!("refused: {failure}"),
    }
}

#[test]
fn every_sample_event_is_understood_or_refused_with_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/waf-logs");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let all: Vec<String> = names.iter().map(|name| format!("{name}: {}", described(name))).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn a_bad_message_is_sent_back_and_stops_no_other() {
    let shop = Shop::new("");
    let good = shop.world.put_log("good", object_of(&requests("198.51.100.1", 5, 0, 60)));
    let bad = shop.world.put_log("bad", b"\x1f\x8bnot really".to_vec());
    let mut gone = good.clone();
    gone.key = "gone".to_owned();
    let other = shop.world.put_log("other kind", b"PK\x03\x04".to_vec());
    let text = shop.world.put_log("a text", b"{\"hello\":\"world\"}\n".to_vec());
    let last = shop.world.put_log("a+key with spaces", object_of(&requests("198.51.100.2", 5, 0, 60)));
    let mut payload = queue(&[bad, good, gone, other, text]);
    let encoded = queue(&[LogObject { key: "a%2Bkey with spaces".to_owned(), ..last }]);
    let records = payload["Records"].as_array_mut().unwrap();
    records.extend(encoded["Records"].as_array().unwrap().iter().cloned());
    let answer = shop.invoke(payload).await.unwrap();
    let failed: Vec<&str> = answer["batchItemFailures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["itemIdentifier"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["bad", "gone", "other kind", "a text"]);
    assert_eq!(shop.pass().await["clients"], 2);
}

#[tokio::test]
async fn a_panic_over_one_object_takes_no_other_of_its_batch() {
    let shop = Shop::new("");
    let objects: Vec<LogObject> = (1..4)
        .map(|n| {
            shop.world.put_log(&n.to_string(), object_of(&requests(&format!("198.51.100.{n}"), 5, 0, 60)))
        })
        .collect();
    shop.world.skip(Call::Open);
    shop.world.fail(Call::Open, Fault::Panic);
    let answer = shop.invoke(queue(&objects)).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "2" }] }));
    assert_eq!(shop.pass().await["clients"], 2);
}

#[tokio::test]
async fn a_name_longer_than_s3_allows_fails_its_own_message_only() {
    let shop = Shop::new("");
    let good = shop.world.put_log("good", object_of(&requests("198.51.100.1", 5, 0, 60)));
    let forged = LogObject { key: "x".repeat(70_000), ..good.clone() };
    let answer = shop.invoke(queue(&[forged, good])).await.unwrap();
    let failed = answer["batchItemFailures"].as_array().unwrap();
    assert_eq!((failed.len(), shop.pass().await["clients"].as_u64()), (1, Some(1)));
}

#[test]
fn what_is_skipped_is_told_and_what_is_no_text_is_refused() {
    let read = |name: Value| {
        let record = json!({"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name,
            "s3": {"bucket": {"name": "logs"}, "object": {"key": "a.gz"}}});
        let Trigger::Objects(named) = event::read(json!({ "Records": [record] })).unwrap() else { panic!() };
        (named.objects.iter().filter(|object| object.is_err()).count(), named.skipped)
    };
    for odd in [Value::Null, json!(7), json!(["ObjectCreated:Put"])] {
        assert_eq!(read(odd.clone()), (1, vec![]), "{odd}");
    }
    assert_eq!(read(json!("")), (1, vec![]));
    // MinIO writes the prefix, and means a new object.
    assert_eq!(read(json!("s3:ObjectCreated:Put")), (0, vec![]));
    let restored = "ObjectRestore:Completed is not the upload of an object".to_owned();
    assert_eq!(read(json!("ObjectRestore:Completed")), (0, vec![restored]));
    for data in [Value::Null, json!(7), json!({})] {
        let refused = event::read(json!({ "awslogs": { "data": data } })).unwrap_err().to_string();
        assert!(refused.starts_with("awslogs has no data that is a text"), "{refused}");
    }
}

/// A notification with so many records of an object that came back from Glacier, which is no new log.
fn restored(count: usize) -> Value {
    let record = json!({"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectRestore:Completed",
        "s3": {"bucket": {"name": "logs"}, "object": {"key": "a.gz"}}});
    json!({ "Records": vec![record; count] })
}

#[tokio::test]
async fn what_is_no_new_log_is_a_warning_and_after_the_twentieth_the_others_are_counted() {
    let shop = Shop::new("");
    let straight = shop.warnings_of(restored(23)).await;
    let skipped = "skipped, because it is no new log: ObjectRestore:Completed is not the upload of an object";
    assert!(straight[..20].iter().all(|record| record["message"] == skipped), "{straight:#?}");
    let [rest] = &straight[20..] else { panic!("{straight:#?}") };
    let counted = "further records were skipped, because they are no new logs";
    assert_eq!((&rest["message"], &rest["more"]), (&json!(counted), &json!(3)));

    let message = json!({"messageId": "1", "eventSource": "aws:sqs", "body": restored(20).to_string()});
    let queued = shop.warnings_of(json!({ "Records": [message] })).await;
    assert_eq!(queued.iter().map(|record| &record["message"]).collect::<Vec<_>>(), vec![skipped; 20]);
    assert_eq!(shop.warnings_of(restored(0)).await, Vec::<Value>::new());
}

fn subscription(text: &str) -> Value {
    json!({ "awslogs": { "data": BASE64.encode(gzip(text)) } })
}

#[tokio::test]
async fn a_subscription_without_any_record_of_waf_is_refused_with_what_was_found() {
    let lambda = json!({"messageType": "DATA_MESSAGE", "logEvents": [
        {"id": "1", "timestamp": 1, "message": "START RequestId: 4711 Version: $LATEST"}]});
    for (text, found) in [
        (lambda.to_string(), "none of the 1 messages of the CloudWatch Logs subscription"),
        ("{\"a\":1}\n".repeat(300_000), "none of the 300000 messages"),
        (String::new(), "it is empty"),
        (json!({"messageType": "DATA_MESSAGE", "logEvents": []}).to_string(), "it is empty"),
    ] {
        let failure = Shop::new("").invoke(subscription(&text)).await.unwrap_err();
        let told = chain(&failure);
        assert!(told.contains(found) && told.len() < 1000 && !told.contains("4711"), "{told}");
    }
    let told = chain(&Shop::new("").invoke(json!({"awslogs": {"data": "*"}})).await.unwrap_err());
    assert!(told.contains("awslogs.data is no base64") && told.contains("offset 0"), "{told}");
    let bomb = Shop::new("").invoke(subscription(&"{\"a\":1}\n".repeat(20_000_000))).await.unwrap_err();
    assert!(chain(&bomb).contains("inflates to more than"), "{}", chain(&bomb));
}

#[tokio::test]
async fn no_answer_grows_with_what_came_in() {
    let long = "x".repeat(1_000_000);
    for event in [
        json!({ "command": long }),
        json!({ "command": "block", "network": long }),
        json!({ "command": "block", "network": "198.51.100.7", "time": long }),
        json!({ "command": "blocked", "after": long }),
        json!({ "command": "block", "network": "198.51.100.7", "note": long }),
        json!({ "command": "block", long.clone(): 1 }),
        json!({ "Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": long}, "object": {"key": "a"}}}] }),
    ] {
        let told = chain(&Shop::new("").invoke(event).await.unwrap_err());
        assert!(told.len() < 2000, "{} bytes", told.len());
    }
}

#[tokio::test]
async fn objects_straight_from_s3_are_all_tried_before_the_invocation_fails() {
    let shop = Shop::new("");
    let good = shop.world.put_log("good", object_of(&requests("198.51.100.1", 5, 0, 60)));
    let record = |key: &str| {
        json!({"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": good.bucket}, "object": {"key": key}}})
    };
    assert!(shop.invoke(json!({ "Records": [record("gone"), record("good")] })).await.is_err());
    assert_eq!(shop.pass().await["clients"], 1);
}

#[tokio::test]
async fn what_names_no_object_is_answered_without_asking_aws() {
    let shop = Shop::new("");
    shop.world.fail(Call::Read, Fault::Before);
    assert_eq!(shop.invoke(sample("s3-test-event.json")).await.unwrap(), Value::Null);
}

#[tokio::test]
async fn a_subscription_counts_once_however_often_it_is_delivered() {
    let shop = Shop::new("detectors: {blocked: {max_retry: 3, find_time: 60s}}");
    for name in ["subscription.json", "subscription-control.json", "subscription.json"] {
        shop.invoke(sample(name)).await.unwrap();
    }
    let passed = shop.pass().await;
    assert_eq!((passed["merged"].as_u64(), passed["blocked"].as_u64()), (Some(1), Some(1)));
    assert_eq!(shop.state().bans.values().next().unwrap().findings[0].count, 3);
    assert!(shop.invoke(json!({ "awslogs": { "data": "H4sI!!" } })).await.is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        Just(json!("{\"Records\":[{\"eventSource\":\"aws:s3\"}]}")),
        Just(json!("%ff%00+")),
        Just(json!([{ "Records": [{}] }])),
    ]
}

/// Puts `other` in the place of some value in `value`: each index goes one level down.
fn put(value: &mut Value, way: &[Index], other: &Value) {
    let children: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    match way.split_first() {
        Some((index, rest)) if !children.is_empty() => {
            let at = index.index(children.len());
            put(children.into_iter().nth(at).unwrap(), rest, other);
        }
        _ => *value = other.clone(),
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_changed_event_is_understood_or_refused_and_never_more(
        name in prop::sample::select(vec![
            "queue.json", "queue-mixed.json", "s3.json", "s3-test-event.json", "schedule.json", "subscription.json",
            "command-block.json", "command-blocked.json", "command-allow.json",
        ]),
        changes in prop::collection::vec((prop::collection::vec(any::<Index>(), 1..8), any_json()), 1..4),
    ) {
        let mut event = sample(name);
        for (way, other) in &changes {
            put(&mut event, way, other);
        }
        let ids: Vec<Value> = event["Records"].as_array().into_iter().flatten()
            .map(|record| json!(record["messageId"].as_str().unwrap_or_default())).collect();
        let answer = run(Shop::new("").invoke(event));
        for failed in answer.iter().filter_map(|answer| answer["batchItemFailures"].as_array()).flatten() {
            prop_assert!(ids.contains(&failed["itemIdentifier"]), "{failed} of {ids:?}");
        }
    }

    #[test]
    fn a_changed_message_stops_no_other(
        changes in prop::collection::vec((prop::collection::vec(any::<Index>(), 1..4), any_json()), 1..4),
        in_body in any::<bool>(),
    ) {
        let shop = Shop::new("");
        let good = shop.world.put_log("good", object_of(&requests("198.51.100.1", 5, 0, 60)));
        let mut event = queue(&[good]);
        let mut odd = sample("queue.json")["Records"][0].clone();
        for (way, other) in &changes {
            if in_body {
                let mut body: Value = serde_json::from_str(odd["body"].as_str().unwrap()).unwrap();
                put(&mut body, way, other);
                odd["body"] = json!(body.to_string());
            } else {
                put(&mut odd, way, other);
            }
        }
        event["Records"].as_array_mut().unwrap().insert(0, odd);
        let answer = run(shop.invoke(event)).unwrap();
        let failed = json!({ "itemIdentifier": "good" });
        prop_assert!(!answer["batchItemFailures"].as_array().unwrap().contains(&failed), "{answer}");
        prop_assert_eq!(run(shop.pass())["clients"].as_u64(), Some(1));
    }

    #[test]
    fn a_damaged_subscription_is_refused_or_counted(
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..6),
        cut in any::<Index>(),
        base64_too in any::<bool>(),
    ) {
        let data = sample("subscription.json")["awslogs"]["data"].as_str().unwrap().to_owned();
        let mut bytes = if base64_too { data.into_bytes() } else { BASE64.decode(data).unwrap() };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let data = if base64_too { String::from_utf8_lossy(&bytes).into_owned() } else { BASE64.encode(bytes) };
        let shop = Shop::new("");
        drop(run(shop.invoke(json!({ "awslogs": { "data": data } }))));
        run(shop.pass());
    }
}
