//! The sixteen cases in which other readers of WAF logs were seen to lose blocks, or to block the wrong ones.

use crate::shop::{Request, Shop, gzip, queue, request, requests};
use offenders::entries::Family;
use serde_json::json;
use waf_logs::keys;
use waf_logs::testing::{Call, Fault};

const PER_MINUTE: &str = "detectors: {rate: {max_retry: 100, find_time: 60s}}";

fn spread(n: i64) -> String {
    format!("{}.{}.{}.7", 11 + n / 65536, n / 256 % 256, n % 256)
}

#[tokio::test]
async fn p1_one_offender_more_than_a_set_holds_costs_one_block_not_all() {
    for (offenders, left_out) in [(10_000, 0), (10_001, 1)] {
        let shop = Shop::new("detectors: {rate: {max_retry: 2, find_time: 60s}}");
        let flood: Vec<Request> =
            (0..offenders).flat_map(|n| requests(&spread(n), if n == 77 { 3 } else { 2 }, 0, 10)).collect();
        shop.deliver("a", &flood).await;
        let passed = shop.pass().await;
        assert_eq!(passed["left_out"], left_out);
        assert_eq!(shop.v4().len(), 10_000);
        assert!(shop.v4().contains(&format!("{}/32", spread(77))), "the worst stays");
        let told = shop.world.messages();
        assert_eq!(told[0].0.contains("SET FULL"), left_out > 0, "{}", told[0].0);
    }
}

#[tokio::test]
async fn p1_a_full_set_forms_networks_of_neighbours_before_it_leaves_anybody_out() {
    let shop = Shop::new("detectors: {rate: {max_retry: 2, find_time: 60s}}");
    let mut flood: Vec<Request> = (0..9_999).flat_map(|n| requests(&spread(n), 2, 0, 10)).collect();
    for last in 1..=3 {
        flood.extend(requests(&format!("203.0.113.{last}"), 2, 0, 10));
    }
    shop.deliver("a", &flood).await;
    assert_eq!(shop.pass().await["left_out"], 0);
    assert_eq!(shop.v4().len(), 10_000);
    assert!(shop.v4().contains(&"203.0.113.0/30".to_owned()));
}

#[tokio::test]
async fn p2_an_unrelated_object_takes_no_block_away() {
    let shop = Shop::new(
        "detectors: {rate: {max_retry: 100, find_time: 60s}, blocked: {max_retry: 20, find_time: 60s}}",
    );
    let mut log: Vec<Request> = requests("198.51.100.1", 150, 0, 60);
    for client in 2..=6 {
        log.extend(
            requests(&format!("198.51.100.{client}"), 25, 0, 60)
                .into_iter()
                .map(|r| r.blocked("sqli", "/search")),
        );
    }
    shop.deliver("a", &log).await;
    shop.pass().await;
    assert_eq!(shop.v4().len(), 6);
    for minute in 1..5 {
        shop.deliver(&format!("unrelated {minute}"), &requests("203.0.113.5", 3, minute * 60, 30)).await;
        shop.world.pass_time(60);
        shop.pass().await;
        assert_eq!(shop.v4().len(), 6);
    }
}

#[tokio::test]
async fn p3_a_window_spans_objects_and_minutes() {
    for (from, seconds, cut) in [(0, 59, 75), (30, 59, 75), (0, 58, 1)] {
        let shop = Shop::new(PER_MINUTE);
        let all = requests("198.51.100.1", 150, from, seconds);
        let (first, second) = all.split_at(cut);
        shop.deliver("a", first).await;
        shop.pass().await;
        assert_eq!(shop.v4(), [""; 0]);
        shop.deliver("b", second).await;
        shop.pass().await;
        assert_eq!(shop.v4(), ["198.51.100.1/32"], "{from} {seconds} {cut}");
    }
}

#[tokio::test]
async fn p4_a_network_that_uses_an_address_for_each_request_is_one_client() {
    let shop = Shop::new(PER_MINUTE);
    let rotating: Vec<Request> = (0..5000)
        .map(|n| request(n * 12, &format!("2001:db8:1:2:{:x}:0:{:x}:1", n + 1, n * 7 % 999)))
        .collect();
    shop.deliver("a", &rotating).await;
    shop.pass().await;
    assert_eq!(shop.v6(), ["2001:db8:1:2::/64"]);
    assert_eq!(shop.state().bans.len(), 1);
}

#[tokio::test]
async fn p4_two_spellings_of_an_address_are_one_client() {
    let shop = Shop::new(&format!("clients: {{ipv6_prefix: 128}}\n{PER_MINUTE}"));
    let mut log = requests("2001:db8::1", 60, 0, 60);
    log.extend(requests("2001:0DB8:0:0:0:0:0:1", 60, 0, 60));
    shop.deliver("a", &log).await;
    shop.pass().await;
    assert_eq!(shop.v6(), ["2001:db8::1/128"]);
}

#[tokio::test]
async fn p5_any_number_of_broken_lines_costs_only_those_lines() {
    let shop = Shop::new(PER_MINUTE);
    let mut text: String = "garbage {\n{\"timestamp\":\n\u{0}\n[]\n{}\nnull\n".repeat(50);
    for request in requests("198.51.100.1", 150, 0, 60) {
        text.push_str(&request.line());
        text.push_str("\n}}}\n");
    }
    let object = shop.world.put_log("a", gzip(&text));
    assert_eq!(shop.invoke(queue(&[object])).await.unwrap(), json!({ "batchItemFailures": [] }));
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.1/32"]);
}

#[tokio::test]
async fn p6_overlapping_invocations_lose_no_block() {
    let shop = Shop::new(PER_MINUTE);
    let one = shop.world.put_log("a", crate::shop::object_of(&requests("198.51.100.1", 150, 0, 60)));
    let two = shop.world.put_log("b", crate::shop::object_of(&requests("198.51.100.2", 150, 0, 60)));
    let (one, two) = (queue(&[one]), queue(&[two]));
    let (a, b) = tokio::join!(shop.invoke(one), shop.invoke(two));
    assert!(a.is_ok() && b.is_ok());
    // The other pass commits between this one's reading and its commit.
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.1/32", "198.51.100.2/32"]);
    shop.deliver("c", &requests("198.51.100.3", 150, 60, 60)).await;
    shop.world.fail(Call::Write, Fault::After);
    shop.world.fail(Call::Write, Fault::SomebodyWrites);
    let tick = json!({ "detail-type": "Scheduled Event" });
    drop(shop.invoke(tick).await);
    shop.world.heal();
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.1/32", "198.51.100.2/32", "198.51.100.3/32"]);
}

#[tokio::test]
async fn p7_what_somebody_else_put_into_the_set_stays() {
    let shop = Shop::new(PER_MINUTE);
    shop.world.change_set(Family::V4, |entries| entries.push("192.0.2.0/24".to_owned()));
    shop.world.change_set(Family::V6, |entries| entries.push("2001:0db8:00ff::/48".to_owned()));
    shop.deliver("a", &requests("198.51.100.1", 150, 0, 60)).await;
    shop.pass().await;
    assert_eq!(shop.v4(), ["192.0.2.0/24", "198.51.100.1/32"]);
    shop.world.change_set(Family::V4, |entries| entries.push("203.0.113.77/32".to_owned()));
    shop.world.pass_time(4000);
    shop.pass().await;
    assert_eq!(shop.v4(), ["192.0.2.0/24", "203.0.113.77/32"]);
    assert_eq!(shop.v6(), ["2001:0db8:00ff::/48"]);
    assert!(
        shop.world.updates().iter().all(|(set, _)| set.family == Family::V4),
        "nothing to change in the other"
    );
}

#[tokio::test]
async fn p7_an_entry_that_we_want_too_stays_somebody_elses() {
    let shop = Shop::new(PER_MINUTE);
    shop.world.change_set(Family::V4, |entries| entries.push("198.51.100.1/32".to_owned()));
    shop.deliver("a", &requests("198.51.100.1", 150, 0, 60)).await;
    shop.pass().await;
    shop.world.pass_time(4000);
    shop.pass().await;
    assert_eq!(shop.state().bans.len(), 0, "our ban has ended");
    assert_eq!(shop.v4(), ["198.51.100.1/32"]);
}

#[tokio::test]
async fn p8_the_operators_configuration_is_never_written_and_always_obeyed() {
    let shop = Shop::new("detectors: {rate: {max_retry: 300, find_time: 60s}}");
    let edited = b"# our own\nbrake: {percent: 100}\ndetectors: {rate: {max_retry: 100, find_time: 1m}}\n";
    shop.world.put_document(keys::CONFIGURATION, edited);
    shop.deliver("a", &requests("198.51.100.1", 150, 0, 60)).await;
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.1/32"]);
    assert_eq!(shop.world.document(keys::CONFIGURATION).unwrap(), edited);
}

#[tokio::test]
async fn p9_records_without_a_line_feed_between_them_all_count() {
    for per_line in [1, 5, 150] {
        let shop = Shop::new(PER_MINUTE);
        let mut text = String::new();
        for (n, request) in requests("198.51.100.1", 150, 0, 60).iter().enumerate() {
            text.push_str(&request.line());
            if n % per_line == per_line - 1 {
                text.push('\n');
            }
        }
        let object = shop.world.put_log("a", gzip(&text));
        shop.invoke(queue(&[object])).await.unwrap();
        shop.pass().await;
        assert_eq!(shop.v4(), ["198.51.100.1/32"], "{per_line} on a line");
    }
}

#[tokio::test]
async fn p10_a_threshold_is_for_the_find_time_it_stands_beside() {
    let shop = Shop::new("detectors: {rate: {max_retry: 250, find_time: 5m}}");
    shop.deliver("a", &requests("198.51.100.1", 300, 0, 299)).await;
    shop.deliver("b", &requests("198.51.100.2", 240, 0, 299)).await;
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.1/32"]);
}

#[tokio::test]
async fn p11_a_proxy_is_never_blocked_for_its_users() {
    let shop = Shop::new(&format!(
        "clients: {{forwarding_header: x-forwarded-for, trusted_proxies: [10.0.0.0/8]}}\n{PER_MINUTE}"
    ));
    let mut log = Vec::new();
    for n in 0..200 {
        let mut one = request(n * 200, "10.0.0.1");
        one.forwarded = Some(format!("203.0.113.{}, 10.0.0.9", n + 1));
        log.push(one);
        // Its own claim stands on the left; what the proxies saw stands on the right.
        let mut bad = request(n * 200, "10.0.0.1");
        bad.forwarded = Some("192.0.2.1, 198.51.100.66:4711, 10.0.0.9".to_owned());
        log.push(bad);
        let mut nobody = request(n * 200, "10.0.0.1");
        nobody.forwarded = (n % 2 == 0).then(|| "unknown".to_owned());
        log.push(nobody);
        // Nobody believes a stranger's header.
        let mut liar = request(n * 200, "198.51.100.99");
        liar.forwarded = Some(format!("192.0.2.{}", n % 200));
        log.push(liar);
    }
    shop.deliver("a", &log).await;
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.66/32", "198.51.100.99/32"]);
}

#[tokio::test]
async fn p12_every_way_to_write_a_path_counts_as_that_path() {
    let shop = Shop::new(
        "detectors: {brute_force: {max_retry: 20, find_time: 60s}, credentials: {paths: [/Account/Login/]}}",
    );
    let ways = [
        "/account/login",
        "/Account/Login",
        "/account//login/",
        "/%61ccount/login",
        "/x/../account/./login",
        "/account/login;a=1",
    ];
    let refused = |request: Request| (request, 401);
    let mut answers: Vec<(Request, u16)> = requests("198.51.100.1", 24, 0, 50)
        .into_iter()
        .zip(ways.iter().cycle())
        .map(|(request, way)| refused(request.login(way)))
        .collect();
    answers.extend(requests("198.51.100.2", 24, 0, 50).into_iter().map(|mut request| {
        request.path = "/account/login".to_owned();
        refused(request)
    }));
    shop.deliver_answers("a", &answers).await;
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.1/32"]);
}

#[tokio::test]
async fn p13_a_client_that_is_no_address_is_counted_and_passed_over() {
    let shop = Shop::new(PER_MINUTE);
    let mut log = requests("-", 500, 0, 60);
    log.extend(requests("X.X.X.X", 500, 0, 60));
    log.extend(requests("198.51.100.1", 150, 0, 60));
    shop.deliver("a", &log).await;
    let passed = shop.pass().await;
    assert_eq!((passed["clients"].as_u64(), passed["blocked"].as_u64()), (Some(1), Some(1)));
}

#[tokio::test]
async fn p14_every_block_has_its_evidence() {
    let shop =
        Shop::new("detectors: {scan: {max_retry: 3, find_time: 5m}, blocked: {max_retry: 8, find_time: 5m}}");
    let log: Vec<Request> =
        ["/.env", "/.git/config", "/wp-login.php", "/a.bak", "/b", "/c", "/d", "/e", "/f"]
            .iter()
            .enumerate()
            .map(|(n, path)| {
                let at = i64::try_from(n).unwrap() * 10_000;
                if n < 8 {
                    request(at, "198.51.100.1").blocked("no-probes", path)
                } else {
                    request(at, "198.51.100.1")
                }
            })
            .collect();
    shop.deliver("a", &log).await;
    shop.pass().await;
    let answer = shop.invoke(json!({ "command": "blocked" })).await.unwrap();
    assert_eq!(answer["total"], 1);
    insta::assert_json_snapshot!(answer["blocked"][0]);
}

#[tokio::test]
async fn p15_an_object_delivered_twice_counts_once() {
    let shop = Shop::new(PER_MINUTE);
    let log = requests("198.51.100.1", 60, 0, 50);
    shop.deliver("a", &log).await;
    shop.deliver("a", &log).await;
    shop.pass().await;
    shop.world.pass_time(30);
    shop.deliver("a", &log).await;
    shop.pass().await;
    assert_eq!(shop.v4(), [""; 0]);
    let partials = shop.world.documents().iter().filter(|key| key.starts_with(keys::PARTIALS)).count();
    assert_eq!(partials, 1);
}

#[tokio::test]
async fn p16_a_stale_lock_token_means_reading_and_merging_again() {
    let shop = Shop::new(PER_MINUTE);
    shop.deliver("a", &requests("198.51.100.1", 150, 0, 60)).await;
    shop.world.fail(Call::ReplaceSet, Fault::SomebodyAdds("192.0.2.1/32"));
    shop.world.fail(Call::ReplaceSet, Fault::SomebodyAdds("192.0.2.2/32"));
    let passed = shop.pass().await;
    assert_eq!(passed["sets_changed"], 1);
    assert_eq!(shop.v4(), ["192.0.2.1/32", "192.0.2.2/32", "198.51.100.1/32"]);
    assert!(shop.world.pauses().len() >= 2, "WAF takes one change a second");
}

#[tokio::test]
async fn p16_a_set_that_cannot_be_written_fails_the_pass_and_the_next_one_makes_up_for_it() {
    let shop = Shop::new(PER_MINUTE);
    shop.deliver("a", &requests("198.51.100.1", 150, 0, 60)).await;
    for fault in [Fault::Before, Fault::After] {
        shop.world.fail(Call::ReplaceSet, fault);
        assert!(shop.invoke(json!({ "detail-type": "Scheduled Event" })).await.is_err());
    }
    shop.world.pass_time(60);
    shop.pass().await;
    assert_eq!(shop.v4(), ["198.51.100.1/32"]);
    shop.world.pass_time(4000);
    shop.pass().await;
    assert_eq!(shop.v4(), [""; 0], "the entry whose answer was lost was still known as ours");
}
