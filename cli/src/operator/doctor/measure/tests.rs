//! What is seen, and what it says of each belief.

use super::*;
use crate::operator::doctor::{Alias, Canary, Group};
use jiff::Timestamp;
use release::{Colour, InstanceId, Ledger, PerColour, Routing, Rules, ServiceName, TargetHealth, Weights};
use std::collections::{BTreeMap, BTreeSet};

/// A service at rest, whose last release ended long ago.
const LEDGER: &[u8] =
    include_bytes!("../../../../../shared/release/tests/ledgers/schema-2/idle-with-a-previous-release.json");
const SHIFTING: &[u8] = include_bytes!("../../../../../shared/release/tests/ledgers/schema-2/shifting.json");

const DOCUMENT: &str = include_str!("../../../../../docs/assumptions.md");

fn ledger(document: &[u8]) -> Ledger {
    Ledger::from_json(document).unwrap()
}

fn ids(names: &[&str]) -> BTreeSet<InstanceId> {
    names.iter().map(|name| InstanceId((*name).to_owned())).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Minute 100 begins then.
const HUNDRED: i64 = 6000;

/// A service at rest, with two instances.
fn service() -> ServiceLook {
    let ledger = ledger(LEDGER);
    let live = ledger.live.as_ref().unwrap().colour;
    let health = || Ok(ids(&["i-1", "i-2"]).into_iter().map(|id| (id, TargetHealth::Healthy)).collect());
    ServiceLook {
        ledger: Ok(Some(ledger)),
        minutes: Ok(BTreeMap::new()),
        rules: Ok(Rules { base: Routing::Divides(Weights::all_on(live)), release: None, preview: None }),
        health: PerColour { blue: health(), green: health() },
        group: Ok(Group {
            name: "shop.backend".to_owned(),
            desired: 2,
            in_service: ids(&["i-1", "i-2"]),
            suspended: Vec::new(),
        }),
    }
}

fn look(second: i64, service: ServiceLook) -> Look {
    Look { at: at(second), services: [(ServiceName::new("backend").unwrap(), service)].into() }
}

/// Two looks at the service, ten seconds apart, and nothing that AWS has kept.
fn quiet() -> Seen {
    let why = || "nobody asked".to_owned();
    Seen {
        known: Ok(()),
        looks: vec![look(HUNDRED, service()), look(HUNDRED + 10, service())],
        expressions: Ok(Vec::new()),
        transitions: Ok(Vec::new()),
        conditions: Ok(Vec::new()),
        deployments: Ok(Vec::new()),
        boots: Ok(BTreeMap::new()),
        versions: Ok(Versions { aliases: Vec::new(), others: BTreeMap::new() }),
        account: Err(why()),
        starts: Ok(BTreeMap::new()),
        uploads: Ok(Vec::new()),
        clocks: Ok(Vec::new()),
        endpoint: Ok(Some("http://127.0.0.1".to_owned())),
        firewall_logs: Ok(None),
    }
}

/// What is said of the belief of this kind.
fn said(kind: &str, seen: &Seen) -> Measurement {
    measured(seen).into_iter().find(|one| one.kind == kind).unwrap()
}

fn verdict(kind: &str, seen: &Seen) -> (Verdict, usize) {
    let Measurement { verdict, samples, .. } = said(kind, seen);
    (verdict, samples)
}

/// Looks that see so many requests of minute 100, each so many seconds after that minute's end; none before.
fn minutes(looks: &[(i64, u64)]) -> Seen {
    let mut seen = quiet();
    seen.looks = looks
        .iter()
        .map(|(second, requests)| {
            let mut service = service();
            service.minutes = Ok(match requests {
                0 => BTreeMap::new(),
                requests => [(100, *requests)].into(),
            });
            look(HUNDRED + 60 + second, service)
        })
        .collect();
    seen
}

#[test]
fn a_minute_is_late_when_a_look_finds_it_absent_after_its_time_or_growing_after_that() {
    let so = |looks: &[(i64, u64)]| verdict("metric_late", &minutes(looks));
    assert_eq!(so(&[(60, 0), (70, 5), (80, 9), (90, 9)]), (Verdict::AsAssumed, 1));
    assert_eq!(so(&[(150, 0), (160, 5)]), (Verdict::AsAssumed, 1), "it may have come right after the look");
    assert_eq!(so(&[(151, 0), (161, 5)]), (Verdict::Otherwise, 1));
    assert_eq!(so(&[(60, 0), (70, 5), (180, 5), (190, 9)]), (Verdict::AsAssumed, 1));
    assert_eq!(so(&[(60, 0), (70, 5), (181, 5), (191, 9)]), (Verdict::Otherwise, 1));
    // One that was there at the first look came at some time before it.
    assert_eq!(so(&[(60, 5), (70, 5)]), (Verdict::NotSeen, 0));
    let says = said("metric_late", &minutes(&[(60, 0), (70, 5), (80, 9)])).seen;
    assert_eq!(says, "there 70 to 70 s after their end, and the last that one grew was 80 s after its end");
    let says = said("metric_late", &minutes(&[(-30, 0), (-20, 5)])).seen;
    assert_eq!(says, "there before they had ended, and none grew later than that");
}

#[test]
fn targets_without_weight_are_unused_only_where_no_release_is_open_and_the_instance_is_in_service() {
    let idle = ledger(LEDGER).live.unwrap().colour.other();
    let with = |change: &dyn Fn(&mut ServiceLook)| {
        let mut seen = quiet();
        for look in &mut seen.looks {
            look.services.values_mut().for_each(change);
        }
        verdict("weight_zero_unused", &seen)
    };
    let unused = |service: &mut ServiceLook, colour: Colour| {
        let health = match colour {
            Colour::Blue => &mut service.health.blue,
            Colour::Green => &mut service.health.green,
        };
        health.as_mut().unwrap().insert(InstanceId("i-1".to_owned()), TargetHealth::Gone);
    };
    assert_eq!(with(&|_| ()), (Verdict::AsAssumed, 2));
    assert_eq!(with(&|service| unused(service, idle)), (Verdict::Otherwise, 2));
    assert_eq!(with(&|service| unused(service, idle.other())), (Verdict::AsAssumed, 2));
    assert_eq!(
        with(&|service| {
            unused(service, idle);
            service.group.as_mut().unwrap().in_service = ids(&["i-2"]);
        }),
        (Verdict::AsAssumed, 2)
    );
    assert_eq!(with(&|service| service.ledger = Ok(Some(ledger(SHIFTING)))), (Verdict::NotSeen, 0));
    let drifted = |service: &mut ServiceLook| {
        service.rules.as_mut().unwrap().base = Routing::Divides(Weights::all_on(idle));
    };
    assert_eq!(with(&drifted), (Verdict::NotSeen, 0), "somebody has moved the weights");
}

#[test]
fn an_answer_that_leaves_an_instance_out_counts_while_the_instance_stays_in_service() {
    let mut seen = quiet();
    assert_eq!(verdict("target_left_out", &seen), (Verdict::AsAssumed, 2));
    let last = seen.looks[1].services.values_mut().next().unwrap();
    last.health.blue.as_mut().unwrap().remove(&InstanceId("i-2".to_owned()));
    assert_eq!(verdict("target_left_out", &seen), (Verdict::Otherwise, 2));
    assert!(said("target_left_out", &seen).seen.contains("i-2"));
    // It was not there at the look before: it joins.
    let first = seen.looks[0].services.values_mut().next().unwrap();
    first.group.as_mut().unwrap().in_service = ids(&["i-1"]);
    assert_eq!(verdict("target_left_out", &seen), (Verdict::AsAssumed, 2));
    // Before its first release a service is quiet; while one is open it is not.
    for (document, expected) in [(None, (Verdict::AsAssumed, 2)), (Some(SHIFTING), (Verdict::NotSeen, 0))] {
        for service in seen.looks.iter_mut().flat_map(|look| look.services.values_mut()) {
            service.ledger = Ok(document.map(ledger));
        }
        assert_eq!(verdict("target_left_out", &seen), expected);
    }
    seen.looks.truncate(1);
    assert_eq!(verdict("target_left_out", &seen), (Verdict::NotSeen, 0));
}

#[test]
fn instances_without_a_revision_are_those_of_a_service_without_a_release() {
    let mut seen = quiet();
    assert_eq!(verdict("without_revision", &seen), (Verdict::NotSeen, 0));
    for service in seen.looks.iter_mut().flat_map(|look| look.services.values_mut()) {
        service.ledger = Ok(None);
    }
    assert_eq!(verdict("without_revision", &seen), (Verdict::AsAssumed, 2));
    for service in seen.looks.iter_mut().flat_map(|look| look.services.values_mut()) {
        service.group.as_mut().unwrap().in_service.clear();
    }
    assert_eq!(verdict("without_revision", &seen), (Verdict::NotSeen, 0));
}

#[test]
fn processes_are_looked_at_in_the_minute_after_a_release() {
    let ended = ledger(LEDGER).releases.last().unwrap().closed_at.as_second();
    let so = |since: i64, suspended: &[&str]| {
        let mut service = service();
        service.group.as_mut().unwrap().suspended = suspended.iter().map(|name| (*name).to_owned()).collect();
        let mut seen = quiet();
        seen.looks = vec![look(ended + since, service)];
        verdict("processes_resumed", &seen)
    };
    assert_eq!(so(60, &[]), (Verdict::AsAssumed, 1));
    assert_eq!(so(60, &["Terminate"]), (Verdict::NotSeen, 0), "they still may be");
    assert_eq!(so(61, &["Terminate"]), (Verdict::Otherwise, 1));
    assert_eq!(so(61, &[]), (Verdict::NotSeen, 0), "nobody saw how soon");
}

/// A kind, how something is seen of it, and what that says.
type Case = (&'static str, fn(&mut Seen), Verdict);

fn expression(seen: &mut Seen, empty: usize, without_value: usize) {
    let alarm = "shop.backend-green-errors".to_owned();
    seen.expressions = Ok(vec![Expression { alarm, empty, minutes: 9, without_value }]);
}

fn transition(seen: &mut Seen, seconds: i64) {
    seen.transitions = Ok(vec![Transition { alarm: "shop.backend-green-errors".to_owned(), seconds }]);
}

fn made(seen: &mut Seen, creator: &str, has_description: bool, has_succeeded: bool) {
    let ours = Made {
        id: "d-1".to_owned(),
        creator: "user".to_owned(),
        has_description: true,
        has_succeeded: false,
    };
    let other = Made { id: "d-2".to_owned(), creator: creator.to_owned(), has_description, has_succeeded };
    seen.deployments = Ok(vec![ours, other]);
}

fn boot(seen: &mut Seen, boot: Boot) {
    seen.boots =
        Ok([(InstanceId("i-1".to_owned()), Boot::Ready), (InstanceId("i-2".to_owned()), boot)].into());
}

fn version(seen: &mut Seen, other: Option<&str>, canary: Option<Canary>) {
    let alias = Alias { name: "operators", version: "7".to_owned(), canary };
    let others = other.into_iter().map(str::to_owned).collect();
    seen.versions = Ok(Versions { aliases: vec![alias], others: [("operators", others)].into() });
}

fn upload(seen: &mut Seen, seconds: i64, often: usize) {
    let told = |number: usize| Told {
        key: format!("releases/backend/{number}-a.zip"),
        seconds,
        times: if number < often { 3 } else { 2 },
    };
    seen.uploads = Ok((0..10).map(told).collect());
}

fn clocks(seen: &mut Seen, behind: &[i64]) {
    let clock = |behind: &i64| Clock { environment: format!("lifecycle {behind}"), behind: *behind };
    seen.clocks = Ok(behind.iter().map(clock).collect());
}

fn started(seen: &mut Seen, took: u64) {
    seen.starts = Ok([("alarm".to_owned(), vec![1, took])].into());
}

/// At each number and on its other side.
const CASES: [Case; 44] = {
    use Verdict::{AsAssumed, NotSeen, Otherwise};
    [
        ("empty_metric", |_| (), NotSeen),
        ("empty_metric", |seen| expression(seen, 0, 1), NotSeen),
        ("empty_metric", |seen| expression(seen, 1, 0), AsAssumed),
        ("empty_metric", |seen| expression(seen, 1, 1), Otherwise),
        ("alarm_late", |_| (), NotSeen),
        ("alarm_late", |seen| transition(seen, 210), AsAssumed),
        ("alarm_late", |seen| transition(seen, 211), Otherwise),
        ("condition_members", |_| (), NotSeen),
        (
            "condition_members",
            |seen| seen.conditions = Ok(vec![Condition { rule: "arn:rule".to_owned(), others: Vec::new() }]),
            AsAssumed,
        ),
        (
            "condition_members",
            |seen| {
                let others = vec!["RegexValues"];
                seen.conditions = Ok(vec![Condition { rule: "arn:rule".to_owned(), others }]);
            },
            Otherwise,
        ),
        ("creator_told", |seen| made(seen, "autoscaling", false, false), AsAssumed),
        ("creator_told", |seen| made(seen, "user", true, false), NotSeen),
        ("creator_told", |seen| made(seen, "user", false, false), NotSeen),
        (
            "creator_told",
            |seen| {
                made(seen, "user", false, false);
                let launch = Made {
                    creator: "autoscaling".to_owned(),
                    ..seen.deployments.as_ref().unwrap()[0].clone()
                };
                seen.deployments.as_mut().unwrap().push(launch);
            },
            NotSeen,
        ),
        ("creator_told", |seen| made(seen, "CloudFormation", false, false), Otherwise),
        ("role_assumed", |seen| made(seen, "user", true, false), NotSeen),
        ("role_assumed", |seen| made(seen, "user", true, true), AsAssumed),
        ("boot_succeeds", |_| (), NotSeen),
        ("boot_succeeds", |seen| boot(seen, Boot::Silent), AsAssumed),
        ("boot_succeeds", |seen| boot(seen, Boot::Failed), Otherwise),
        ("version_follows", |_| (), NotSeen),
        ("version_follows", |seen| version(seen, None, None), AsAssumed),
        ("version_follows", |seen| version(seen, Some("GREENLIGHT_BAKE"), None), Otherwise),
        (
            "version_follows",
            |seen| {
                let canary = Canary { version: "8".to_owned(), percent: 10, published_at: None };
                version(seen, Some("GREENLIGHT_BAKE"), Some(canary));
            },
            NotSeen,
        ),
        ("executions", |seen| seen.account = Ok(Account { executions: 10, throttles: 0 }), AsAssumed),
        ("executions", |seen| seen.account = Ok(Account { executions: 9, throttles: 0 }), Otherwise),
        ("executions", |seen| seen.account = Ok(Account { executions: 1000, throttles: 1 }), Otherwise),
        ("executions", |_| (), NotSeen),
        ("start_slow", |_| (), NotSeen),
        ("start_slow", |seen| started(seen, 500), AsAssumed),
        ("start_slow", |seen| started(seen, 501), Otherwise),
        ("event_late", |_| (), NotSeen),
        ("event_late", |seen| upload(seen, 60, 1), AsAssumed),
        ("event_late", |seen| upload(seen, 61, 1), Otherwise),
        ("event_late", |seen| upload(seen, 60, 2), Otherwise),
        ("clocks_apart", |seen| clocks(seen, &[500]), NotSeen),
        ("clocks_apart", |seen| clocks(seen, &[-15_000, 5000]), AsAssumed),
        ("clocks_apart", |seen| clocks(seen, &[-15_000, 5001]), Otherwise),
        ("no_value_left_out", |_| (), NotSeen),
        ("no_value_left_out", |seen| seen.endpoint = Ok(None), AsAssumed),
        ("no_value_left_out", |seen| seen.endpoint = Ok(Some(String::new())), Otherwise),
        ("firewall_log_late", |seen| seen.firewall_logs = Ok(Some(Vec::new())), NotSeen),
        ("firewall_log_late", |seen| seen.firewall_logs = Ok(Some(vec![20, 360])), AsAssumed),
        ("firewall_log_late", |seen| seen.firewall_logs = Ok(Some(vec![361])), Otherwise),
    ]
};

#[test]
fn what_aws_has_kept_is_held_against_the_number_that_is_assumed() {
    for (number, (kind, see, expected)) in CASES.into_iter().enumerate() {
        let mut seen = quiet();
        see(&mut seen);
        let measurement = said(kind, &seen);
        assert_eq!(measurement.verdict, expected, "case {number}: {measurement:?}");
        assert_eq!(measurement.samples == 0, expected == Verdict::NotSeen, "case {number}: {measurement:?}");
    }
}

#[test]
fn what_cannot_be_looked_at_is_not_seen_and_names_the_right_that_is_missing() {
    let denied = || "AccessDenied".to_owned();
    let mut seen = quiet();
    for service in seen.looks.iter_mut().flat_map(|look| look.services.values_mut()) {
        *service = ServiceLook {
            ledger: Err(denied()),
            minutes: Err(denied()),
            rules: Err(denied()),
            health: PerColour { blue: Err(denied()), green: Err(denied()) },
            group: Err(denied()),
        };
    }
    let Seen { looks, .. } = seen;
    let seen = Seen {
        known: Ok(()),
        looks,
        expressions: Err(denied()),
        transitions: Err(denied()),
        conditions: Err(denied()),
        deployments: Err(denied()),
        boots: Err(denied()),
        versions: Err(denied()),
        account: Err(denied()),
        starts: Err(denied()),
        uploads: Err(denied()),
        clocks: Err(denied()),
        endpoint: Err(denied()),
        firewall_logs: Err(denied()),
    };
    for (measurement, belief) in measured(&seen).iter().zip(&BELIEFS) {
        assert_eq!(measurement.verdict, Verdict::NotSeen, "{measurement:?}");
        let says = format!("it could not be looked at: AccessDenied. Looking needs {}", belief.right);
        assert_eq!(measurement.seen, says, "{}", measurement.kind);
    }
    let unknown = Seen { known: Err(denied()), looks: Vec::new(), ..seen };
    assert!(measured(&unknown).iter().all(|one| one.seen.contains("AccessDenied")));
}

/// Heading and text of each belief of the document.
fn document() -> Vec<(&'static str, &'static str)> {
    let sections = DOCUMENT.split("\n### ").skip(1);
    sections.map(|section| section.split_once('\n').unwrap()).collect()
}

#[test]
fn each_belief_is_measured_by_this_command_or_by_one_that_stands_beside_it() {
    let mut named = Vec::new();
    for (heading, text) in document() {
        let text = text.split("\n## ").next().unwrap();
        let mark = "`greenlight doctor --measure` sees it as `";
        if let Some((_, kind)) = text.split_once(mark) {
            named.push((kind.split_once('`').unwrap().0, heading));
        }
        let commands = text.split_once("**Measure**");
        assert!(commands.is_some_and(|(_, how)| how.contains('`') || how.contains(": run ")), "{heading}");
    }
    assert_eq!(named, BELIEFS.iter().map(|one| (one.kind, one.heading)).collect::<Vec<_>>());
    assert!(document().len() > 35, "{}", document().len());
}

#[test]
fn a_watch_has_a_look_at_each_end_and_an_end() {
    assert_eq!((looks(Duration::from_secs(10)), looks(Duration::from_secs(60))), (2, 7));
    for (text, is_one) in [("10s", true), ("9s", false), ("1h", true), ("61m", false), ("soon", false)] {
        assert_eq!(a_watch(text).is_ok(), is_one, "{text}");
    }
}

#[test]
fn a_measurement_is_a_paragraph_and_the_last_line_counts_them() {
    let mut seen = quiet();
    seen.account = Ok(Account { executions: 10, throttles: 3 });
    seen.endpoint = Ok(None);
    let measured = measured(&seen);
    let text = in_words(&measured);
    insta::assert_snapshot!(text);
    let json = in_json("shop", Duration::from_secs(60), &measured);
    assert_eq!((&json["stack"], &json["watchedSeconds"]), (&json!("shop"), &json!(60)));
    let executions =
        json["measurements"].as_array().unwrap().iter().find(|one| one["kind"] == "executions").unwrap();
    assert_eq!((&executions["verdict"], &executions["samples"]), (&json!("otherwise"), &json!(1)));
}
