//! Who is told to run the bundle's `migrate`.

use crate::pass::policy;
use jiff::Timestamp;
use release::{Answer, Asker, Ledger, Open, Policy, Question, answer, choose_migrator};
use std::path::Path;

fn ledger(name: &str) -> Ledger {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ledgers/schema-3").join(name);
    Ledger::from_json(&std::fs::read(file).unwrap()).unwrap()
}

/// What an instance hears, and the ledger after it.
fn asks(ledger: Ledger, instance: &str, policy: &Policy) -> (Ledger, Answer) {
    let deployment = ledger.open.as_ref().unwrap().deployment.as_ref().map_or("d-1", |id| &id.0);
    let question: Question = serde_json::from_value(serde_json::json!({
        "deploymentId": deployment, "lifecycleEvent": "ApplicationStart", "instanceId": instance,
    }))
    .unwrap();
    let ledger = choose_migrator(ledger, &question);
    let heard = answer(&ledger, policy, Timestamp::UNIX_EPOCH, &question, &Asker::Open, None);
    (ledger, heard)
}

#[test]
fn the_first_that_asks_is_told_and_every_other_one_is_not() {
    let policy = policy();
    let (ledger, first) = asks(ledger("installing.json"), "i-1", &policy);
    let (ledger, other) = asks(ledger, "i-2", &policy);
    let (ledger, again) = asks(ledger, "i-1", &policy);
    let told = |migrate| Answer::Migrate { migrate };
    assert_eq!([first, other, again], [told(true), told(false), told(true)]);
    let stored = serde_json::to_value(&ledger).unwrap();
    assert_eq!(stored["open"]["migrates"], "i-1");
    assert_eq!(serde_json::from_value::<Ledger>(stored).unwrap(), ledger);
}

#[test]
fn what_ran_before_is_not_migrated_and_a_release_that_has_traffic_is_refused() {
    let policy = policy();
    let nothing = Answer::Migrate { migrate: false };
    assert_eq!(asks(ledger("settling.json"), "i-1", &policy).1, nothing);
    let question: Question = serde_json::from_value(serde_json::json!({
        "deploymentId": "d-of-auto-scaling", "lifecycleEvent": "ApplicationStart", "instanceId": "i-9",
    }))
    .unwrap();
    let live = ledger("installing.json");
    let heard = answer(&live, &policy, Timestamp::UNIX_EPOCH, &question, &Asker::Service, None);
    assert_eq!(heard, nothing, "a new instance");
    let back = |mut ledger: Ledger| {
        ledger.open.as_mut().unwrap().rolls_back = Some(release::RollbackCause::Operator);
        ledger
    };
    let (after, heard) = asks(back(ledger("installing.json")), "i-1", &policy);
    assert_eq!((heard, after), (nothing, back(ledger("installing.json"))));
    for late in ["shifting.json", "baking.json", "returning-for-an-alarm.json"] {
        let (after, heard) = asks(ledger(late), "i-1", &policy);
        assert!(matches!(heard, Answer::Failed { .. }), "{late}: {heard:?}");
        assert_eq!(after, ledger(late));
    }
}

#[test]
fn nobody_is_told_before_the_ledger_names_the_deployment() {
    let policy = policy();
    let mut opening = ledger("installing.json");
    let deployment = opening.open.as_mut().and_then(|open: &mut Open| open.deployment.take());
    let question: Question = serde_json::from_value(serde_json::json!({
        "deploymentId": deployment, "lifecycleEvent": "ApplicationStart", "instanceId": "i-1",
    }))
    .unwrap();
    let ledger = choose_migrator(opening.clone(), &question);
    assert_eq!(ledger, opening);
    let heard = answer(&ledger, &policy, Timestamp::UNIX_EPOCH, &question, &Asker::Open, None);
    assert!(matches!(heard, Answer::Wait { weight: 0, .. }), "{heard:?}");
}
