//! Passes and commands over time.

use offenders::entries::Family;
use serde_json::{Value, json};
use waf_logs::keys;
use waf_logs::testing::{Call, Fault};

use crate::shop::{Request, Shop, request, requests};

const STRICT: &str = "detectors: {rate: {max_retry: 100, find_time: 60s}}";

/// An offence of this client, beginning now.
async fn offend(shop: &Shop, ip: &str) {
    let now = shop.pass_start();
    shop.deliver(&format!("{ip} at {now}"), &requests(ip, 150, now, 50)).await;
    shop.world.pass_time(60);
}

fn until(shop: &Shop) -> i64 {
    let state = shop.state();
    let ban = state.bans.values().next().unwrap();
    ban.until.unwrap().as_second() - ban.since.as_second()
}

#[tokio::test]
async fn a_ban_ends_by_the_clock_without_any_log() {
    let shop = Shop::new(STRICT);
    offend(&shop, "198.51.100.1").await;
    shop.pass().await;
    shop.world.pass_time(3599);
    shop.pass().await;
    assert_eq!(shop.v4().len(), 1);
    shop.world.pass_time(1);
    assert_eq!(shop.pass().await["released"], 1);
    assert_eq!(shop.v4(), [""; 0]);
    assert!(shop.world.messages().last().unwrap().0.contains("1 released"));
}

const TWENTY_BLOCKED: &str = "detectors: {blocked: {max_retry: 20, find_time: 10m}}";

fn blocked(count: i64, from: i64, seconds: i64) -> Vec<Request> {
    let requests = requests("198.51.100.1", count, from, seconds).into_iter();
    requests.map(|request| request.blocked("sqli", "/search")).collect()
}

#[tokio::test]
async fn records_that_firehose_delivers_twice_count_once() {
    let shop = Shop::new(TWENTY_BLOCKED);
    let first = blocked(12, 0, 200);
    shop.deliver("a", &first).await;
    shop.deliver("the same again", &first).await;
    shop.pass().await;
    shop.deliver("and a part, with the next", &first[5..]).await;
    assert_eq!(shop.pass().await["blocked"], 0);
    shop.deliver("eight more", &blocked(8, 201, 90)).await;
    assert_eq!(shop.pass().await["blocked"], 1);
    assert_eq!(shop.state().bans.values().next().unwrap().findings[0].count, 20);
}

#[tokio::test]
async fn who_sends_the_same_id_with_every_request_is_counted_all_the_same() {
    let shop = Shop::new(TWENTY_BLOCKED);
    let burst: Vec<Request> =
        (0..40).map(|n| request(1000 + n / 20, "198.51.100.1").blocked("sqli", "/search")).collect();
    shop.deliver("a", &burst).await;
    assert_eq!(shop.pass().await["blocked"], 1);
    assert_eq!(shop.state().bans.values().next().unwrap().findings[0].count, 40);
}

#[tokio::test]
async fn what_the_application_answered_decides_and_a_request_in_both_logs_counts_once() {
    let shop = Shop::new("");
    let office = requests("198.51.100.20", 400, 0, 200);
    let log: Vec<Request> = office.into_iter().map(|request| request.login("/login")).collect();
    let attacker = requests("198.51.100.1", 60, 0, 200);
    let refused: Vec<Request> = attacker.into_iter().map(|request| request.login("/login")).collect();
    shop.deliver("waf", &[log.clone(), refused.clone()].concat()).await;
    let without = shop.pass().await;
    assert_eq!((&without["blocked"], &without["sees_answers"]), (&json!(0), &json!(false)));
    // One in four mistypes in the office.
    let answered = |log: &[Request], status: fn(usize) -> u16| -> Vec<(Request, u16)> {
        log.iter().cloned().enumerate().map(|(n, request)| (request, status(n))).collect()
    };
    let mut answers = answered(&log, |n| if n % 4 == 0 { 401 } else { 200 });
    answers.extend(answered(&refused, |_| 401));
    shop.deliver_answers("answers", &answers).await;
    let with = shop.pass().await;
    assert_eq!((&with["blocked"], &with["sees_answers"]), (&json!(1), &json!(true)));
    assert_eq!(shop.v4(), ["198.51.100.1/32"]);
    let listed = shop.invoke(json!({ "command": "blocked" })).await.unwrap();
    let summary = listed["blocked"][0]["summary"].as_str().unwrap().to_owned();
    assert!(summary.contains("brute force 60 in 10m (threshold 50)"), "{summary}");
    let evidence = listed["blocked"][0]["evidence"]["samples"].as_array().unwrap();
    assert!(evidence.iter().any(|sample| sample["rule"] == "answered 401"), "{evidence:?}");
}

/// Fifteen who try credentials and do nothing else.
fn campaign() -> Vec<(Request, u16)> {
    let tries = (0..15).flat_map(|n| requests(&format!("198.51.{n}.1"), 25, 0, 280));
    tries.map(|request| (request.login("/login"), 401)).collect()
}

#[tokio::test]
async fn many_who_only_fail_are_announced_as_one_campaign() {
    let shop = Shop::new("");
    shop.deliver_answers("answers", &campaign()).await;
    assert_eq!(shop.pass().await["blocked"], 15);
    let (subject, text) = shop.world.messages().remove(0);
    assert!(subject.contains("15 ADDRESSES TRY CREDENTIALS"), "{subject}");
    assert!(text.contains("of 15 clients that used credentials"), "{text}");
    shop.world.pass_time(60);
    shop.pass().await;
    assert_eq!(shop.world.messages().len(), 1, "it is news once");
}

#[tokio::test]
async fn in_a_campaign_who_has_failed_is_challenged_and_only_who_goes_on_is_blocked() {
    let shop = Shop::that_challenges("");
    let mut answers = campaign();
    for client in ["203.0.113.7", "2001:db8::7"] {
        let twice = requests(client, 2, 200, 30);
        answers.extend(twice.into_iter().map(|request| (request.login("/login"), 401)));
    }
    shop.deliver_answers("answers", &answers).await;
    let passed = shop.pass().await;
    assert_eq!((&passed["blocked"], &passed["challenged"]), (&json!(15), &json!(2)));
    assert_eq!(shop.challenged(), ["203.0.113.7/32", "2001:db8::/64"]);
    assert_eq!(shop.v4().len(), 15);
    assert!(shop.world.messages()[0].1.contains("is challenged by WAF meanwhile"));
    let listed = shop.invoke(json!({ "command": "blocked" })).await.unwrap();
    assert_eq!(listed["challenged"], json!(["203.0.113.7/32", "2001:db8::/64"]));

    // An operator lifts one of them, somebody else's entry stays, and the other is over after an hour.
    shop.invoke(json!({ "command": "unblock", "network": "203.0.113.7" })).await.unwrap();
    assert_eq!(shop.challenged(), ["2001:db8::/64"]);
    shop.world.pass_time(3700);
    shop.pass().await;
    assert!(shop.challenged().is_empty());
    shop.world.pass_time(240);
    shop.pass().await;
    assert!(shop.state().ours_challenged.is_empty());
}

#[tokio::test]
async fn nobody_is_challenged_where_nobody_is_blocked_or_the_web_acl_does_not() {
    for shop in [Shop::that_challenges("mode: count"), Shop::new("")] {
        let mut answers = campaign();
        let twice = requests("203.0.113.7", 2, 200, 30);
        answers.extend(twice.into_iter().map(|request| (request.login("/login"), 401)));
        shop.deliver_answers("answers", &answers).await;
        let passed = shop.pass().await;
        assert_eq!((&passed["bans"], &passed["challenged"]), (&json!(15), &json!(0)));
        assert!(shop.challenged().is_empty());
        assert!(shop.world.messages()[0].1.contains("Nobody is challenged meanwhile"));
    }
}

#[tokio::test]
async fn one_record_of_another_day_hides_no_offender() {
    for days in [-20_000, -3, 3, 20_000] {
        let shop = Shop::new(STRICT);
        let mut log = vec![request(days * 86_400_000, "198.51.100.9")];
        log.extend(requests("198.51.100.1", 150, 0, 50));
        shop.deliver("a", &log).await;
        assert_eq!(shop.pass().await["blocked"], 1, "{days} days");
    }
}

#[tokio::test]
async fn a_returning_client_is_blocked_twice_as_long_up_to_the_most_and_forgotten_in_the_end() {
    let shop = Shop::new(&format!("{STRICT}\nban: {{time: 1h, max: 5h, forget: 2d}}"));
    let mut lengths = Vec::new();
    for _ in 0..4 {
        offend(&shop, "198.51.100.1").await;
        shop.pass().await;
        lengths.push(until(&shop));
        shop.world.pass_time(lengths.last().unwrap() + 60);
        shop.pass().await;
        assert_eq!(shop.state().bans.len(), 0);
    }
    assert_eq!(lengths, [3600, 7200, 14400, 18000]);
    shop.world.pass_time(2 * 86400);
    shop.pass().await;
    assert_eq!(shop.state().past.len(), 0);
    offend(&shop, "198.51.100.1").await;
    shop.pass().await;
    assert_eq!(until(&shop), 3600);
}

#[tokio::test]
async fn what_happens_before_a_block_takes_hold_is_no_second_offence() {
    let shop = Shop::new(&format!("{STRICT}\nban: {{time: 30s, max: 1h}}"));
    offend(&shop, "198.51.100.1").await;
    shop.pass().await;
    // Logged before the block was everywhere, arrives after.
    let now = shop.pass_start();
    shop.deliver("late", &requests("198.51.100.1", 150, now - 20, 15)).await;
    shop.world.pass_time(31);
    shop.pass().await;
    shop.world.pass_time(60);
    shop.pass().await;
    assert_eq!(shop.state().bans.len(), 0);
    assert_eq!(shop.world.messages().len(), 2, "one block, one release: {:?}", shop.world.messages());
}

#[tokio::test]
async fn who_goes_on_knocking_stays_blocked() {
    let shop = Shop::new(&format!("{STRICT}\nban: {{time: 10m}}"));
    offend(&shop, "198.51.100.1").await;
    shop.pass().await;
    for n in 0..5 {
        shop.world.pass_time(240);
        let now = shop.pass_start();
        let knocks: Vec<Request> = requests("198.51.100.1", 60, now - 200, 190)
            .into_iter()
            .map(|r| r.blocked("greenlight-blocked", "/"))
            .collect();
        shop.deliver(&format!("knocks {n}"), &knocks).await;
        shop.pass().await;
        assert_eq!(shop.v4(), ["198.51.100.1/32"], "after {n}");
    }
    assert_eq!(shop.state().bans.values().next().unwrap().times_before, 0);
    shop.world.pass_time(700);
    shop.pass().await;
    assert_eq!(shop.v4(), [""; 0]);
}

#[tokio::test]
async fn blocks_of_our_own_rule_alone_never_start_a_ban() {
    let shop = Shop::new("");
    let knocks: Vec<Request> = requests("198.51.100.1", 5000, 0, 290)
        .into_iter()
        .map(|r| r.blocked("greenlight-blocked", "/.env"))
        .collect();
    shop.deliver("a", &knocks).await;
    assert_eq!(shop.pass().await["blocked"], 0);
}

#[tokio::test]
async fn many_bad_neighbours_become_one_network_that_spares_who_is_allowed() {
    let shop = Shop::new(&format!("{STRICT}\nallow: [203.0.113.40/32, 2001:db8:1:2:3::/80]"));
    let mut log: Vec<Request> =
        (0..10).flat_map(|n| requests(&format!("203.0.113.{n}"), 101, 0, 50)).collect();
    log.extend((32..41).flat_map(|n| requests(&format!("203.0.113.{n}"), 101, 0, 50)));
    log.extend((0..9).flat_map(|n| requests(&format!("2001:db8:7:{n}::{n}"), 101, 0, 50)));
    log.extend(requests("2001:db8:1:2::1", 101, 0, 50));
    shop.deliver("a", &log).await;
    shop.pass().await;
    assert_eq!(shop.v4(), ["203.0.113.0/28", "203.0.113.32/29"]);
    assert_eq!(shop.v6(), ["2001:db8:7::/60"]);
    assert!(shop.world.messages()[0].1.contains("10 neighbours are blocked as the network 203.0.113.0/28"));
}

#[tokio::test]
async fn the_allow_list_wins_whenever_it_is_written() {
    let shop = Shop::new(STRICT);
    offend(&shop, "198.51.100.1").await;
    shop.pass().await;
    assert_eq!(shop.v4().len(), 1);
    shop.configure(&format!("{STRICT}\nallow: [198.51.100.0/24]"));
    shop.pass().await;
    assert_eq!(shop.v4(), [""; 0]);
    offend(&shop, "198.51.100.1").await;
    assert_eq!(shop.pass().await["blocked"], 0);
}

#[tokio::test]
async fn in_count_mode_everything_is_decided_and_nobody_blocked() {
    let shop = Shop::new(&format!("mode: count\n{STRICT}"));
    shop.world.change_set(Family::V4, |entries| entries.push("192.0.2.1/32".to_owned()));
    offend(&shop, "198.51.100.1").await;
    let passed = shop.pass().await;
    assert_eq!((passed["blocked"].as_u64(), passed["mode"].as_str()), (Some(1), Some("count")));
    assert_eq!(shop.v4(), ["192.0.2.1/32"]);
    assert!(shop.world.messages()[0].0.contains("1 would be blocked"), "{:?}", shop.world.messages());
    shop.configure(STRICT);
    shop.pass().await;
    assert_eq!(shop.v4(), ["192.0.2.1/32", "198.51.100.1/32"]);
    shop.configure(&format!("mode: count\n{STRICT}"));
    shop.pass().await;
    assert_eq!(shop.v4(), ["192.0.2.1/32"]);
}

#[tokio::test]
async fn the_brake_holds_asks_once_and_goes_on_when_told() {
    let shop = Shop::new(&format!("brake: {{percent: 10, at_least: 5}}\n{STRICT}"));
    let mut log: Vec<Request> = (0..30).flat_map(|n| requests(&format!("10.{n}.1.1"), 3, 0, 50)).collect();
    log.extend((0..6).flat_map(|n| requests(&format!("198.{n}.100.1"), 101 + n, 0, 50)));
    shop.deliver("a", &log).await;
    for _ in 0..3 {
        let passed = shop.pass().await;
        assert_eq!((passed["is_held"].as_bool(), passed["blocked"].as_u64()), (Some(true), Some(0)));
    }
    assert_eq!(shop.world.messages().len(), 1);
    assert!(shop.world.messages()[0].1.contains("198.5.100.1/32"), "{}", shop.world.messages()[0].1);
    assert_eq!(shop.v4(), [""; 0]);
    let answer = shop.invoke(json!({ "command": "confirm" })).await.unwrap();
    assert_eq!(answer["pass"]["blocked"], 6);
    assert_eq!(shop.v4().len(), 6);
    assert!(shop.invoke(json!({ "command": "confirm" })).await.is_err(), "nothing is held any more");
}

#[tokio::test]
async fn a_bad_configuration_is_complained_about_once_and_the_last_good_one_stays() {
    let shop = Shop::new(STRICT);
    shop.pass().await;
    for bad in [
        "detectors: {rate: {max_retry: 0, find_time: 1s}}",
        "detektors: {}",
        "allow: [300.1.1.1/8]",
        "{{",
        "allow: [0.0.0.0/0]",
    ] {
        let told = shop.world.messages().len();
        shop.world.put_document(keys::CONFIGURATION, bad.as_bytes());
        shop.pass().await;
        shop.pass().await;
        assert_eq!(shop.world.messages().len(), told + 1, "{bad}");
        assert!(shop.world.messages()[told].0.contains("configuration refused"));
    }
    offend(&shop, "198.51.100.1").await;
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.1/32"]);
}

#[tokio::test]
async fn a_pass_with_nothing_to_do_writes_nothing() {
    let shop = Shop::new(STRICT);
    offend(&shop, "198.51.100.1").await;
    shop.pass().await;
    let (state, updates) = (shop.world.document(keys::STATE), shop.world.updates().len());
    for _ in 0..5 {
        shop.pass().await;
    }
    assert_eq!(shop.world.document(keys::STATE), state);
    assert_eq!(shop.world.updates().len(), updates);
    let windows = shop.world.documents().iter().filter(|key| key.starts_with(keys::WINDOWS)).count();
    assert_eq!(windows, 1, "an old window is deleted");
}

#[tokio::test]
async fn each_set_is_changed_at_most_once_a_pass_and_not_within_the_same_second() {
    let shop = Shop::new(STRICT);
    let mut log: Vec<Request> =
        (0..5).flat_map(|n| requests(&format!("198.{n}.100.1"), 101, 0, 50)).collect();
    log.extend(requests("2001:db8::1", 101, 0, 50));
    shop.deliver("a", &log).await;
    assert_eq!(shop.pass().await["sets_changed"], 2);
    let families: Vec<Family> = shop.world.updates().into_iter().map(|(set, _)| set.family).collect();
    assert_eq!(families, [Family::V4, Family::V6]);
    assert_eq!(shop.world.pauses().len(), 1);
    assert_eq!(shop.world.messages().len(), 1, "one message for all of it");
}

#[tokio::test]
async fn a_fault_at_any_call_loses_nothing_and_blocks_nobody_else() {
    for call in [Call::Open, Call::Read, Call::Write, Call::ReadSet, Call::ReplaceSet, Call::Publish] {
        for fault in [Fault::Before, Fault::After] {
            for nth in 0..5 {
                let shop = Shop::new(STRICT);
                shop.world.change_set(Family::V4, |entries| entries.push("192.0.2.1/32".to_owned()));
                for _ in 0..nth {
                    // Let some calls of the kind through first.
                    shop.world.skip(call);
                }
                shop.world.fail(call, fault.clone());
                let object =
                    shop.world.put_log("a", crate::shop::object_of(&requests("198.51.100.1", 150, 0, 50)));
                let tick = json!({ "detail-type": "Scheduled Event" });
                for _ in 0..3 {
                    // What fails is delivered again, as Lambda and SQS do.
                    drop(shop.invoke(crate::shop::queue(std::slice::from_ref(&object))).await);
                    drop(shop.invoke(tick.clone()).await);
                    shop.world.pass_time(60);
                }
                shop.world.heal();
                assert_eq!(shop.v4(), ["192.0.2.1/32", "198.51.100.1/32"], "{call:?} {fault:?} {nth}");
                assert_eq!(
                    shop.state().bans.values().next().unwrap().findings[0].count,
                    150,
                    "{call:?} {fault:?} {nth}"
                );
                shop.world.pass_time(4000);
                shop.pass().await;
                shop.pass().await;
                assert_eq!(shop.v4(), ["192.0.2.1/32"], "{call:?} {fault:?} {nth}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_topic_did_not_take_is_told_by_the_next_pass_once_and_in_order() {
    let shop = Shop::new(STRICT);
    shop.world.fail(Call::Publish, Fault::Before);
    offend(&shop, "198.51.100.1").await;
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.1/32"], "the block does not wait for the telling");
    assert_eq!((shop.world.messages().len(), shop.state().untold.len()), (0, 1));
    offend(&shop, "198.51.100.2").await;
    shop.pass().await;
    shop.pass().await;
    let told: Vec<String> = shop.world.messages().into_iter().map(|(_, text)| text).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("198.51.100.1/32") && told[1].contains("198.51.100.2/32"), "{told:?}");
    assert_eq!(shop.state().untold, []);
}

#[tokio::test]
async fn nobody_is_told_of_a_block_before_it_stands() {
    let shop = Shop::new(STRICT);
    shop.world.fail(Call::ReplaceSet, Fault::Before);
    offend(&shop, "198.51.100.1").await;
    assert!(shop.invoke(json!({ "detail-type": "Scheduled Event" })).await.is_err());
    assert_eq!(shop.world.messages(), []);
    shop.pass().await;
    assert_eq!(shop.world.messages().len(), 1);
    assert_eq!(shop.v4(), ["198.51.100.1/32"]);
}

#[tokio::test]
async fn a_topic_that_takes_nothing_for_long_does_not_fill_the_state() {
    let shop = Shop::new(STRICT);
    for n in 0..25 {
        shop.world.fail(Call::Publish, Fault::Before);
        offend(&shop, &format!("198.51.100.{n}")).await;
        shop.pass().await;
    }
    assert_eq!(shop.state().untold.len(), 20);
    shop.pass().await;
    let told = shop.world.messages();
    assert_eq!(told.len(), 20);
    assert!(told[19].1.contains("198.51.100.24/32"), "the newest is kept");
}

#[tokio::test]
async fn a_pass_that_is_behind_leaves_the_set_to_the_one_that_decided_since() {
    let shop = Shop::new(STRICT);
    shop.world.fail(Call::ReplaceSet, Fault::SomebodyLiftsAll);
    offend(&shop, "198.51.100.1").await;
    assert_eq!(shop.pass().await["sets_changed"], 0);
    assert_eq!(shop.v4(), [""; 0], "what the other pass lifted stays lifted");
}

#[tokio::test]
async fn challenges_that_are_never_solved_are_an_offence() {
    let shop = Shop::new("");
    let log: Vec<Request> = (0..25)
        .map(|n| {
            let mut one = request(n * 2000, "198.51.100.1");
            one.path = format!("/products/{n}");
            (one.action, one.rule) = (if n % 2 == 0 { "CHALLENGE" } else { "CAPTCHA" }, "challenge-bots");
            one
        })
        .collect();
    shop.deliver("a", &log).await;
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.1/32"]);
}

#[tokio::test]
async fn redacted_logs_are_judged_by_what_is_left() {
    let shop = Shop::new(
        "detectors: {blocked: {max_retry: 50, find_time: 60s}, scan: {max_retry: 2, find_time: 60s}}",
    );
    let log: Vec<Request> =
        (0..49).map(|n| request(n * 1000, "198.51.100.1").blocked("sqli", "REDACTED")).collect();
    shop.deliver("a", &log).await;
    assert_eq!(shop.pass().await["blocked"], 0, "forty-nine times nothing known is not two paths");
}

#[tokio::test]
async fn an_operator_blocks_lifts_and_allows() {
    let shop = Shop::new(STRICT);
    let command = async |text: Value| shop.invoke(text).await;
    command(json!({"command": "block", "network": "203.0.113.0/28", "time": "4h", "note": "ticket 12"}))
        .await
        .unwrap();
    assert_eq!(shop.v4(), ["203.0.113.0/28"]);
    assert!(command(json!({"command": "block", "network": "203.0.0.0/8"})).await.is_err());
    assert!(command(json!({"command": "block", "network": "everybody"})).await.is_err());
    assert!(command(json!({"command": "unblock", "network": "198.51.100.9"})).await.is_err());
    offend(&shop, "198.51.100.1").await;
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.1/32", "203.0.113.0/28"]);
    command(json!({"command": "unblock", "network": "198.51.100.1"})).await.unwrap();
    shop.pass().await;
    assert_eq!(shop.v4(), ["203.0.113.0/28"], "what is in the window does not count again");
    command(json!({"command": "allow", "network": "203.0.113.5", "note": "our office"})).await.unwrap();
    assert_eq!(shop.v4(), [""; 0]);
    assert!(command(json!({"command": "block", "network": "203.0.113.0/24"})).await.is_err());
    command(json!({"command": "disallow", "network": "203.0.113.5"})).await.unwrap();
    command(json!({"command": "block", "network": "2001:db8:5:6:7::8"})).await.unwrap();
    assert_eq!(shop.v6(), ["2001:db8:5:6::/64"]);
    let listed = command(json!({"command": "blocked", "network": "2001:db8:5:6::9"})).await.unwrap();
    assert_eq!(listed["blocked"].as_array().unwrap().len(), 1);
    shop.world.pass_time(400 * 86400);
    shop.pass().await;
    assert_eq!(shop.v6().len(), 1, "no time means until unblocked");
}

#[tokio::test]
async fn a_time_that_is_over_at_once_is_refused_with_what_would_do() {
    let shop = Shop::new(STRICT);
    for command in ["block", "allow"] {
        let request = json!({"command": command, "network": "203.0.113.0/28", "time": "500ms"});
        let refused = greenlight::failure::chain(&shop.invoke(request).await.unwrap_err());
        assert!(refused.contains("500ms is too short; give a time of at least 1s"), "{refused}");
    }
    assert_eq!(shop.v4(), [""; 0]);
}
