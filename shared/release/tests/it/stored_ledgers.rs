//! Ledgers that were stored by this version and by others, one of every phase in each format.
//!
//! `tests/ledgers/schema-N` holds what the version with schema N wrote, byte for byte. A file of an older folder and the
//! file of the same name in the newest one are the same ledger.

use release::{Ledger, LedgerError, NewerSchema, Raised, Request};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const NEWEST: &str = "schema-3";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ledgers").join(name)
}

/// The names of a folder's files, in order.
fn names(of: &str) -> Vec<String> {
    let files = std::fs::read_dir(folder(of)).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn bytes(of: &str, name: &str) -> Vec<u8> {
    std::fs::read(folder(of).join(name)).unwrap()
}

fn read(of: &str, name: &str) -> Ledger {
    Ledger::from_json(&bytes(of, name)).unwrap_or_else(|error| panic!("{of}/{name}: {error}"))
}

fn document(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// What this version stores of a ledger.
fn written(ledger: &Ledger) -> Value {
    document(&serde_json::to_vec(ledger).unwrap())
}

#[test]
fn every_phase_of_every_format_is_read_and_written_in_the_newest() {
    for of in ["schema-0", "schema-1", "schema-2", NEWEST] {
        assert!(!names(of).is_empty(), "{of}");
        for name in names(of) {
            let ledger = read(of, &name);
            assert!(name.starts_with(ledger.phase()), "{of}/{name} is {}", ledger.phase());
            let again = written(&ledger);
            assert_eq!(again["schema"], 3, "{of}/{name}");
            assert_eq!(Ledger::from_json(again.to_string().as_bytes()).unwrap(), ledger, "{of}/{name}");
        }
    }
    for phase in ["idle", "installing", "shifting", "baking", "promoting", "returning", "settling"] {
        assert!(names("schema-1").iter().any(|name| name.starts_with(phase)), "no file for {phase}");
    }
}

#[test]
fn an_older_format_says_the_same_in_the_newest() {
    for older in ["schema-1", "schema-2"] {
        assert_eq!(names(older), names(NEWEST));
        for name in names(older) {
            assert_eq!(written(&read(older, &name)), document(&bytes(NEWEST, &name)), "{older}/{name}");
        }
    }
}

#[test]
fn what_the_first_format_said_of_a_release_is_said_in_its_phase() {
    let open = |name: &str| read("schema-1", name).open.unwrap();
    let trial = |name: &str| open(name).phase.trial().unwrap().clone();
    assert_eq!(trial("shifting-before-the-first-weight.json").raised, Raised::NotYet);
    assert_eq!(trial("shifting.json").raised, Raised::Decided);
    let trouble = trial("shifting-in-trouble-paused-one-waits.json");
    assert!(trouble.unhealthy_since.is_some() && trouble.unknown_since.is_none(), "{trouble:?}");
    assert_eq!(open("baking-in-a-hurry.json").request, Some(Request::Hurry));
    assert_eq!(open("baking.json").request, None);
    assert!(open("returning-for-an-alarm.json").had_weight());
    assert!(open("baking-a-rollback.json").rolls_back.is_some());
    // A raise that had not arrived, and a release that was to be given up: by hand, for no story stops there.
    let mut document = document(&bytes("schema-1", "shifting.json"));
    document["open"]["raise_lost"] = json!(true);
    document["open"]["hurry"] = json!(true);
    document["open"]["abort"] = json!(true);
    let open = Ledger::from_json(document.to_string().as_bytes()).unwrap().open.unwrap();
    assert_eq!(open.phase.trial().unwrap().raised, Raised::Missing);
    assert_eq!(open.request, Some(Request::Abort), "what is given up is not hurried");
}

#[test]
fn a_ledger_without_a_number_is_of_the_first_format_as_is_one_with_a_lower_number() {
    let without = document(&bytes("schema-1", "shifting.json"));
    for number in [0, 1] {
        let mut numbered = without.clone();
        numbered["schema"] = json!(number);
        let read = Ledger::from_json(numbered.to_string().as_bytes()).unwrap();
        assert_eq!(read, self::read("schema-1", "shifting.json"));
    }
}

/// Puts a member that this version does not know into an object and everything below it, but for values that are one
/// word with what belongs to it.
fn extend(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                if !["cause", "verdict", "rolls_back"].contains(&name.as_str()) {
                    extend(member);
                }
            }
            members.insert("of_a_later_version".to_owned(), json!({ "seconds": [1, 2.5, null, "three"] }));
        }
        Value::Array(items) => items.iter_mut().for_each(extend),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn what_this_version_does_not_know_survives_a_write_wherever_it_stands() {
    for name in names(NEWEST) {
        let mut extended = document(&bytes(NEWEST, &name));
        extend(&mut extended);
        let ledger = Ledger::from_json(extended.to_string().as_bytes()).unwrap();
        assert_eq!(written(&ledger), extended, "{name}");
        assert_eq!(ledger, read(NEWEST, &name), "what is not known decides nothing: {name}");
    }
}

#[test]
fn what_stood_beside_the_first_format_survives_the_move_to_the_newest() {
    let mut extended = document(&bytes("schema-1", "shifting.json"));
    extended["beside"] = json!(1);
    extended["open"]["beside"] = json!(2);
    extended["live"]["revision"]["beside"] = json!(3);
    let again = written(&Ledger::from_json(extended.to_string().as_bytes()).unwrap());
    assert_eq!(again["beside"], 1);
    assert_eq!(again["open"]["beside"], 2);
    assert_eq!(again["live"]["upload"]["revision"]["beside"], 3);
}

#[test]
fn what_only_a_newer_version_reads_is_told_apart_from_what_is_no_ledger() {
    let mut newer = document(&bytes(NEWEST, "shifting.json"));
    newer["schema"] = json!(4);
    newer["open"] = json!("in a way that nobody knows yet");
    let error = Ledger::from_json(newer.to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, LedgerError::Newer(NewerSchema { found: 4, known: 3 })), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the ledger was written by a newer version of Greenlight (schema 4; this version reads up to 3): \
         nothing is written and no release goes on, a candidate whose alarm fires still loses its traffic; \
         deploy the newer version of Greenlight again"
    );
}

#[test]
fn what_is_no_ledger_is_refused_with_the_place_that_is_wrong() {
    let place = |text: &str| match Ledger::from_json(text.as_bytes()).unwrap_err() {
        LedgerError::Malformed { path, .. } => path,
        other @ LedgerError::Newer(_) => panic!("{other}"),
    };
    assert_eq!(place("[]"), "the whole");
    assert_eq!(place(r#"{"schema": "two"}"#), "schema");
    assert_eq!(place(r#"{"service": "Backend"}"#), "service");
    let mut wrong: Map<String, Value> = serde_json::from_slice(&bytes("schema-1", "shifting.json")).unwrap();
    wrong["live"]["colour"] = json!("red");
    assert_eq!(place(&json!(wrong).to_string()), "live.colour");
    let mut wrong: Map<String, Value> = serde_json::from_slice(&bytes("schema-1", "shifting.json")).unwrap();
    wrong["open"]["had_weight"] = json!("perhaps");
    assert_eq!(place(&json!(wrong).to_string()), "open");
}
