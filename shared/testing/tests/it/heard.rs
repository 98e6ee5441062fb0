//! What each hook hears in each phase: one that hears "failed" takes its colour down, and one that hears "succeeded" lets
//! CodeDeploy call the release a success.

use jiff::{SignedDuration, Timestamp};
use release::{
    Answer, Asker, Colour, DeploymentId, InstanceId, Ledger, LifecycleEvent, Question, ReleaseNumber,
    Routing, Rules, Stranger, Verdict, Weights, answer, wait_for_newer,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const EVENTS: [&str; 3] = ["BeforeInstall", "ApplicationStart", "ValidateService"];

fn ledgers() -> Vec<(String, Ledger)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../release/tests/ledgers/schema-3");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: std::path::PathBuf| {
        let ledger = Ledger::from_json(&std::fs::read(&file).unwrap()).unwrap();
        (file.file_stem().unwrap().to_string_lossy().into_owned(), ledger)
    };
    files.into_iter().map(read).collect()
}

fn question(ledger: &Ledger, event: &str) -> Question {
    let own = ledger.open.as_ref().and_then(|open| open.deployment.clone());
    Question {
        service: None,
        deployment_id: own.unwrap_or(DeploymentId("d-none".to_owned())),
        deployment_group_id: String::new(),
        lifecycle_event: LifecycleEvent::from(event.to_owned()),
        instance_id: InstanceId("i-1".to_owned()),
    }
}

fn askers() -> Vec<(&'static str, Asker)> {
    let stranger =
        |colour, share| Asker::Stranger(Stranger { reason: "it is none of ours".to_owned(), colour, share });
    vec![
        ("the open release", Asker::Open),
        ("one that is live", Asker::Past(Verdict::Live)),
        ("a rejected one", Asker::Past(Verdict::Rejected { reason: "it failed".to_owned() })),
        ("a superseded one", Asker::Past(Verdict::Superseded { by: ReleaseNumber(9) })),
        ("a reinstallation that has ended well", Asker::Left(ReleaseNumber(2))),
        ("the service", Asker::Service),
        ("a stranger on green, 0 %", stranger(Some(Colour::Green), Some(0))),
        ("a stranger on blue, 7 %", stranger(Some(Colour::Blue), Some(7))),
        ("a stranger on green", stranger(Some(Colour::Green), None)),
        ("a stranger", stranger(None, None)),
    ]
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Wait { retry_after_seconds: _, phase, weight, reason } => {
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("waits ({phase}, {weight} %){reason}")
        }
        Answer::Succeeded => "succeeded".to_owned(),
        Answer::Failed { reason, leave_running } => {
            format!("failed{}: {reason}", if *leave_running { ", leaves it running" } else { "" })
        }
        Answer::Install { colour, port, release, stands_by } => {
            format!(
                "installs {release} on {colour} ({port}){}",
                if *stands_by { ", to stand by" } else { "" }
            )
        }
        Answer::Migrate { migrate } => {
            if *migrate { "migrates" } else { "has nothing to migrate" }.to_owned()
        }
    }
}

/// The moment from which the drain of the ledger's idle colour, or of its candidate, counts.
fn drains_from(ledger: &Ledger) -> Timestamp {
    let opened = ledger.open.as_ref().map(|open| open.since);
    let since = ledger.live.as_ref().map(|live| live.since);
    ledger.emptied_at.or(opened).or(since).unwrap()
}

/// Who asks in which event hears what in which ledgers of every phase: within the drain and after it, from an instance that is
/// healthy and from one that is not.
#[test]
fn every_hook_hears_what_its_phase_allows() {
    let (mut table, policy) = (String::new(), super::story::policy("AllAtOnce"));
    let ledgers = ledgers();
    for (who, asker) in askers() {
        for event in EVENTS {
            let mut by_answer: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for (name, ledger) in &ledgers {
                let hears = |seconds, healthy| {
                    let now = drains_from(ledger).checked_add(SignedDuration::from_secs(seconds)).unwrap();
                    told(&answer(ledger, &policy, now, &question(ledger, event), &asker, healthy))
                };
                let mut all = hears(30, Some(true));
                assert_eq!(
                    all,
                    hears(59, Some(true)),
                    "{who}, {event}, {name}: a second before the drain is over"
                );
                assert_eq!(hears(30, Some(false)), hears(30, None), "what is not known is not healthy");
                for (when, other) in [
                    ("after the drain", hears(60, Some(true))),
                    ("where it is not healthy", hears(30, Some(false))),
                ] {
                    if !all.starts_with(&other) {
                        write!(all, "\n    {when}: {other}").unwrap();
                    }
                }
                by_answer.entry(all).or_default().push(name);
            }
            writeln!(table, "{who} in {event}").unwrap();
            for (answer, names) in by_answer {
                writeln!(table, "  {answer}\n      <- {}", names.join(", ")).unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// Whose health is read before the answer: of what settles or boots, in the colour that it is on.
#[test]
fn health_is_read_where_it_decides_and_nowhere_else() {
    for (name, ledger) in ledgers() {
        let needs = |asker: &Asker| asker.needs_health(&ledger);
        let settles = (name == "settling").then(|| ledger.open.as_ref().unwrap().colour);
        assert_eq!(needs(&Asker::Open), settles, "{name}");
        assert_eq!(needs(&Asker::Service), ledger.live.as_ref().map(|live| live.colour), "{name}");
        assert_eq!(needs(&Asker::Past(Verdict::Live)), None);
    }
    let stranger = |colour| Asker::Stranger(Stranger { reason: String::new(), colour, share: None });
    for colour in Colour::BOTH {
        assert_eq!(stranger(Some(colour)).needs_rules(), Some(colour));
    }
    for asker in [stranger(None), Asker::Open, Asker::Service, Asker::Past(Verdict::Live)] {
        assert_eq!(asker.needs_rules(), None, "{asker:?}");
    }
}

/// As much as either rule gives it, rounded up: who has a thousandth of the traffic is not told that it has none.
#[test]
fn a_stranger_hears_the_most_that_the_rules_may_give_its_colour() {
    let divides = |blue, green| Routing::from(Weights::new(blue, green).unwrap());
    let rule = |weights| release::ReleaseRule { arn: release::RuleArn("rule/1".to_owned()), weights };
    for (base, release, share) in [
        (divides(100, 0), None, 0),
        (divides(999, 1), None, 1),
        (divides(50, 50), None, 50),
        (divides(100, 0), Some(divides(90, 10)), 10),
        (divides(60, 40), Some(divides(100, 0)), 40),
        (divides(0, 100), Some(divides(75, 25)), 100),
    ] {
        let stranger = Stranger { reason: String::new(), colour: Some(Colour::Green), share: None };
        let rules = Rules { base, release: release.map(rule), preview: None };
        let Asker::Stranger(seen) = Asker::Stranger(stranger).seen(&rules) else { panic!() };
        assert_eq!(seen.share, Some(share), "{rules:?}");
    }
}

#[test]
fn an_event_is_known_by_its_name_and_one_that_the_kit_does_not_ask_in_keeps_its_own() {
    for name in EVENTS.into_iter().chain(["AfterInstall"]) {
        let event = LifecycleEvent::from(name.to_owned());
        assert_eq!((event.name(), event.to_string().as_str()), (name, name));
        assert_eq!(matches!(event, LifecycleEvent::Other(_)), name == "AfterInstall");
    }
}

/// A look interval of less than a second is told as one: no hook asks without a pause.
#[test]
fn who_waits_asks_again_after_the_look_interval_and_never_at_once() {
    let seconds = |milliseconds| {
        let look_interval = std::time::Duration::from_millis(milliseconds);
        let policy = release::Policy { look_interval, ..super::story::policy("AllAtOnce") };
        match wait_for_newer(&policy) {
            Answer::Wait { retry_after_seconds, weight: 100, .. } => retry_after_seconds,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([0, 200, 5_000].map(seconds), [1, 1, 5]);
}
