//! What the page of all services is told of who is kept out.

use page::Firewall;
use serde_json::{Value, json};
use waf_logs::keys;
use waf_logs::testing::{Call, Fault};

use crate::shop::{Shop, requests};

const STRICT: &str = "detectors: {rate: {max_retry: 100, find_time: 60s}}";

fn told(shop: &Shop) -> Option<Value> {
    let document = shop.world.document(keys::BLOCKED);
    // The page reads what is written here.
    assert!(!matches!(Firewall::read(document.as_deref()), Firewall::Failed(_)), "{document:?}");
    document.map(|document| serde_json::from_slice(&document).unwrap())
}

async fn offend(shop: &Shop, ip: &str) {
    let now = shop.pass_start();
    shop.deliver(&format!("{ip} at {now}"), &requests(ip, 150, now, 50)).await;
    shop.world.pass_time(60);
}

#[tokio::test]
async fn how_many_are_blocked_for_what_is_told_when_it_changes_and_names_no_address() {
    let shop = Shop::new(STRICT);
    shop.pass().await;
    assert_eq!(told(&shop), None, "nobody was ever kept out");
    offend(&shop, "198.51.100.1").await;
    shop.pass().await;
    let first = told(&shop).unwrap();
    assert_eq!((&first["blocked"], &first["mode"]), (&json!({"request rate": 1}), &json!("block")));
    assert!(!first.to_string().contains("198.51"), "{first}");
    shop.world.pass_time(60);
    shop.pass().await;
    assert_eq!(told(&shop).unwrap(), first, "nothing has changed");
    shop.invoke(json!({"command": "block", "network": "203.0.113.9"})).await.unwrap();
    assert_eq!(told(&shop).unwrap()["blocked"], json!({"blocked by hand": 1, "request rate": 1}));
    shop.world.pass_time(4000);
    shop.pass().await;
    assert_eq!(told(&shop).unwrap()["blocked"], json!({"blocked by hand": 1}));
}

/// Where nothing is blocked, no set tells that somebody would be.
#[tokio::test]
async fn whom_an_operator_blocks_is_told_in_count_mode_too() {
    let shop = Shop::new("mode: count");
    shop.invoke(json!({"command": "block", "network": "203.0.113.9"})).await.unwrap();
    let first = told(&shop).unwrap();
    assert_eq!((&first["blocked"], &first["mode"]), (&json!({"blocked by hand": 1}), &json!("count")));
}

/// Each write of a pass fails in turn. One of them is this one, and then the client is blocked all the same.
#[tokio::test]
async fn what_cannot_be_told_fails_no_pass() {
    let mut untold = 0;
    for written in 0..8 {
        let shop = Shop::new(STRICT);
        offend(&shop, "198.51.100.1").await;
        for _ in 0..written {
            shop.world.skip(Call::Write);
        }
        shop.world.fail(Call::Write, Fault::Before);
        let passed = shop.invoke(json!({ "detail-type": "Scheduled Event", "source": "aws.events" })).await;
        if passed.is_ok() && told(&shop).is_none() {
            untold += 1;
            assert_eq!(shop.v4().len(), 1);
        }
    }
    assert_ne!(untold, 0, "none of the writes was this one");
}
