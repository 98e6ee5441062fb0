//! The stack's rule that challenges, with the sets that `waf-logs` writes, before a load balancer. On a whole local cloud
//! it is never seen: a challenge needs HTTPS, and so a certificate.

use super::*;
use jiff::ToSpan as _;
use load_balancer::{Admission, FixedResponse, ListenerAction, LoadBalancer, Routing};
use offenders::address::Address;
use offenders::classify::{Hit, Kinds};
use offenders::configuration::Configuration;
use offenders::decide::decide;
use offenders::entries::{Family, MOST_ENTRIES, challenged, entries};
use offenders::judge::step_at;
use offenders::state::State;
use offenders::tally::{Room, Tally};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const TEMPLATE: &str = include_str!("../../../../../template.yaml");

/// The ARN that stands for each of the stack's sets.
fn arn(set: &str) -> String {
    format!("arn:aws:wafv2:eu-west-1:123456789012:regional/ipset/{set}/1")
}

/// A rule of the template's web ACL, as WAF's API describes it.
fn rule_of_the_stack(name: &str) -> Value {
    let begin = TEMPLATE.find(&format!("- Name: {name}\n")).unwrap();
    let (before, rest) = TEMPLATE.split_at(begin);
    let indent = before.rsplit('\n').next().unwrap().len();
    // To the next line that is no further in.
    let lines = rest.lines().enumerate();
    let own = lines.take_while(|(n, line)| *n == 0 || line.len() - line.trim_start().len() > indent);
    let text: Vec<String> = own
        .map(|(n, line)| {
            if n == 0 {
                line.replacen('-', " ", 1)
            } else {
                line.split_at(indent.min(line.len())).1.to_owned()
            }
        })
        .map(|line| match line.split_once("!GetAtt ") {
            Some((before, set)) => {
                let (set, after) = set.split_once(".Arn").unwrap();
                format!("{}\"{}\"{after}", before.replace("Arn:", "ARN:"), arn(set))
            }
            None => line,
        })
        .collect();
    with_blobs(serde_saphyr::from_str(&text.join("\n")).unwrap())
}

/// CloudFormation takes text where WAF's API has a blob.
fn with_blobs(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| match value {
                Value::String(text) if name == "SearchString" => (name, json!(STANDARD.encode(text))),
                value => (name, with_blobs(value)),
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => items.into_iter().map(with_blobs).collect(),
        other => other,
    }
}

const SUSPECT: &str = "198.51.100.7";
const OFFICE: &str = "198.51.100.20";

/// An hour in which twelve try credentials, one has just begun to, and an office logs in.
fn decided() -> State {
    let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
    let begin = step_at(now.checked_sub(1.hour()).unwrap());
    let mut tally = Tally::new(Room::of(1_000), begin);
    let mut mark = 0;
    let mut add = |client: &str, kinds: Kinds, count: u32, from: u32| {
        for n in 0..count {
            mark += 1;
            let client = Address::parse(client.as_bytes()).unwrap();
            let step = begin + from + n * (720 - from) / count;
            tally.hit(step, &Hit { client, kinds, path: None, mark });
        }
    };
    for n in 0..12 {
        add(&format!("192.0.2.{n}"), Kinds::REFUSED, 8, 0);
    }
    add(SUSPECT, Kinds::REFUSED, 2, 700);
    add(OFFICE, Kinds::REFUSED, 9, 0);
    add(OFFICE, Kinds::SUCCESS.and(Kinds::ACCEPTED), 30, 0);
    decide(&tally, &State::default(), &Configuration::default(), now).state
}

/// What the load balancer answers: the status, and whether WAF asks for a token.
async fn answer(at: SocketAddr, client: &str, request: &str, headers: &str) -> (u16, bool) {
    let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: shop.test\r\nx-client: {client}\r\n{headers}connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    (
        text.split(' ').nth(1).unwrap().parse().unwrap(),
        text.to_lowercase().contains("x-amzn-waf-action: challenge"),
    )
}

#[tokio::test]
async fn who_is_suspected_in_a_campaign_is_challenged_where_browsers_log_in_and_nobody_else_is() {
    let state = decided();
    let networks =
        |found: offenders::entries::Entries| Arc::new(found.wanted.into_iter().collect::<Networks>());
    let blocked = |family| networks(entries(&state, &Configuration::default(), family, MOST_ENTRIES));
    let suspected = |family| networks(challenged(&state, family, MOST_ENTRIES));
    let sets = Sets::from([
        (arn("BlockedIpv4Set"), blocked(Family::V4)),
        (arn("BlockedIpv6Set"), blocked(Family::V6)),
        (arn("ChallengedIpv4Set"), suspected(Family::V4)),
        (arn("ChallengedIpv6Set"), suspected(Family::V6)),
    ]);
    let rules = ["greenlight-blocked", "greenlight-challenged"].map(rule_of_the_stack);
    let described =
        json!({ "Name": "shop", "ARN": "arn:acl", "DefaultAction": { "Allow": {} }, "Rules": rules });
    let acl = WebAcl::new(&described, &sets).unwrap();
    assert_eq!(acl.rules.len(), 2, "the data plane knows both rules");
    let rates = Mutex::new(Rates::default());
    let balancer = LoadBalancer::new()
        .client_address(|_, headers| headers["x-client"].to_str().unwrap().parse().unwrap())
        .judge(move |facts| {
            let request = Request::of(facts);
            Admission::from(acl.judge(&request, &mut rates.lock().unwrap(), 1).outcome)
        });
    let handle = balancer.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let action = ListenerAction::FixedResponse(FixedResponse::new(200));
    let hosts = vec!["shop.test".to_owned()];
    handle.set_routing(&Routing::new(vec![load_balancer::Rule {
        priority: 1,
        hosts,
        headers: Vec::new(),
        action,
    }]));

    let at = handle.address();
    let (passed, refused, asked) = ((200, false), (403, false), (202, true));
    for (client, request, headers, expected) in [
        (SUSPECT, "POST /login", "", asked),
        (SUSPECT, "PUT /shop/Sign-In.json/", "", asked),
        (SUSPECT, "GET /cart", "accept: text/html\r\n", asked),
        // What is no page, and what programs use.
        (SUSPECT, "GET /api/items/7", "accept: application/json\r\n", passed),
        (SUSPECT, "POST /oauth/token", "", passed),
        (SUSPECT, "POST /login", "sec-fetch-site: same-site\r\n", passed),
        (OFFICE, "POST /login", "", passed),
        ("203.0.113.9", "POST /login", "", passed),
        ("192.0.2.3", "POST /login", "", refused),
    ] {
        assert_eq!(answer(at, client, request, headers).await, expected, "{client} {request} {headers}");
    }
}
