//! What is exactly at a limit.

use release::{
    Colour, Freeze, GateAnswer, InstanceId, Ledger, Offer, ReleaseNumber, SmokeReport, Summary,
    UnknownFields, Upload, Weights, accept_freeze, accept_upload,
};
use serde_json::json;
use std::path::Path;

/// A ledger as it is stored (tests/ledgers).
pub(crate) fn ledger(name: &str) -> Ledger {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/ledgers/schema-3/{name}.json"));
    Ledger::from_json(&std::fs::read(file).unwrap()).unwrap()
}

/// The same bundle under another number.
pub(crate) fn numbered(upload: &Upload, number: u64) -> Upload {
    let mut upload = upload.clone();
    upload.number = ReleaseNumber(number);
    upload.revision.key = format!("releases/backend/{number}-0000000.zip");
    upload.revision.version = format!("version-{number}");
    upload
}

#[test]
fn a_freeze_is_over_in_the_moment_until_which_it_was_asked_for() {
    let (mut ledger, policy) = (ledger("installing"), super::pass::policy());
    let until = ledger.open.as_ref().unwrap().opened_at;
    let reason = "the database moves".to_owned();
    ledger.frozen = Some(Freeze { since: until, until, reason, unknown_fields: UnknownFields::default() });
    let second = std::time::Duration::from_secs(1);
    let newer = numbered(&ledger.open.as_ref().unwrap().upload, 3);
    for (now, is_frozen) in [(until - second, true), (until, false)] {
        assert_eq!(Summary::of(&ledger, &policy, now).frozen_until.is_some(), is_frozen);
        let (_, offer) = accept_upload(ledger.clone(), newer.clone(), false, now);
        let open = ReleaseNumber(2);
        assert_eq!(offer, if is_frozen { Offer::Waits { open } } else { Offer::Supersedes { open } });
    }
}

#[test]
fn a_reason_for_a_freeze_has_256_bytes_at_most() {
    let ledger = ledger("idle");
    let now = ledger.live.as_ref().unwrap().since;
    let freezes = |reason: &str| {
        accept_freeze(&ledger, now + std::time::Duration::from_secs(60), reason, now).1.changed
    };
    assert!(freezes(&"x".repeat(256)) && !freezes(&"x".repeat(257)));
    assert!(freezes(&"é".repeat(128)) && !freezes(&"é".repeat(129)));
    assert!(freezes(&format!("  {}  ", "x".repeat(256))), "spaces around it are none of it");
}

/// What a gate says is repeated in the verdict, on a tag, in a mail.
#[test]
fn of_what_a_gate_says_256_bytes_are_told() {
    let told = |text: &str| match GateAnswer::unreached(text) {
        GateAnswer::NotYet { why } => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(told(&"x".repeat(256)), "x".repeat(256));
    assert_eq!(told(&"x".repeat(257)), format!("{}… (257 bytes)", "x".repeat(256)));
    assert_eq!(told(&"é".repeat(129)), format!("{}… (258 bytes)", "é".repeat(128)));
    // A tab takes two bytes as it is told, and is not told by half.
    assert_eq!(told(&format!("{}\t", "x".repeat(254))), format!("{}\\t", "x".repeat(254)));
    assert_eq!(told(&format!("{}\t", "x".repeat(255))), format!("{}… (256 bytes)", "x".repeat(255)));
}

#[test]
fn a_status_of_three_digits_is_one_and_no_larger_one() {
    let reads = |blue: u16, green: u16| {
        let answer = |status| json!({ "status": status, "fine": true });
        let smoke = json!([{ "path": "/a", "blue": answer(blue), "green": answer(green) }]);
        SmokeReport::read(InstanceId("i-1".to_owned()), &smoke).is_ok()
    };
    assert!(reads(999, 999));
    assert!(!reads(1_000, 999) && !reads(999, 1_000));
}

/// As an operator may have written them by hand into a ledger or a rule.
#[test]
fn weights_that_are_both_nothing_are_on_neither_colour() {
    let none: Weights = serde_json::from_value(json!({ "blue": 0, "green": 0 })).unwrap();
    for colour in Colour::BOTH {
        assert!(!none.are_all_on(colour));
        assert_eq!(none.per_mille(colour), 0);
        assert!(
            Weights::all_on(colour).are_all_on(colour) && !Weights::all_on(colour).are_all_on(colour.other())
        );
        assert!(!Weights::share(colour, 99).are_all_on(colour), "not while the other one has a hundredth");
    }
}

/// Remembered are twenty releases that ended and twenty uploads that were refused.
#[test]
fn the_oldest_of_twenty_one_is_forgotten() {
    let mut ledger = ledger("idle");
    let (live, now) = (ledger.live.clone().unwrap(), ledger.live.as_ref().unwrap().since);
    for version in 0..=Ledger::REMEMBERED {
        let mut other_bytes = live.upload.clone();
        other_bytes.revision.version = format!("other-{version}");
        ledger = accept_upload(ledger, other_bytes, false, now).0;
    }
    let versions: Vec<&str> =
        ledger.refused.iter().map(|refused| refused.upload.revision.version.as_str()).collect();
    assert_eq!(versions.len(), 20);
    assert_eq!((versions[0], versions[19]), ("other-1", "other-20"));
}
