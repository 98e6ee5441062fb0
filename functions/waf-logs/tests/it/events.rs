//! Every sample event of `events/waf-logs` is understood, or refused with a reason.

use std::path::Path;

use serde_json::{Value, json};
use waf_logs::event::{self, Trigger};

use crate::shop::{Shop, object_of, queue, requests};

fn sample(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/waf-logs").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn described(name: &str) -> String {
    let objects = |objects: Vec<waf_logs::ports::LogObject>| {
        objects
            .iter()
            .map(|object| object.key.rsplit('/').next().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    match event::read(sample(name)) {
        Ok(Trigger::Queue(messages)) => {
            let each =
                messages.into_iter().map(|message| message.objects.map_or("refused".to_owned(), objects));
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
    let encoded = queue(&[waf_logs::ports::LogObject { key: "a%2Bkey with spaces".to_owned(), ..last }]);
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
async fn objects_straight_from_s3_are_all_tried_before_the_invocation_fails() {
    let shop = Shop::new("");
    let good = shop.world.put_log("good", object_of(&requests("198.51.100.1", 5, 0, 60)));
    let record = |key: &str| {
        json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": good.bucket}, "object": {"key": key}}})
    };
    assert!(shop.invoke(json!({ "Records": [record("gone"), record("good")] })).await.is_err());
    assert_eq!(shop.pass().await["clients"], 1);
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
