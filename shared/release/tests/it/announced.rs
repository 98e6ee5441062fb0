//! What is announced of an end, and how much of it.

use super::limits::{ledger, numbered};
use jiff::SignedDuration;
use release::{Announcement, Ledger, Purpose, Verdict};

/// What is announced a minute after the last release was rejected for this.
fn announced(ledger: &Ledger, reason: &str) -> Vec<Announcement> {
    let mut ledger = ledger.clone();
    let last = ledger.releases.last_mut().unwrap();
    last.verdict = Verdict::Rejected { reason: reason.to_owned() };
    let now = last.closed_at + SignedDuration::from_secs(60);
    ledger.releases.drain(..ledger.releases.len() - 1);
    ledger.announcements(&[], now)
}

/// SNS takes subjects of less than a hundred characters.
#[test]
fn a_subject_is_whole_up_to_99_characters() {
    let ledger = ledger("idle-after-a-rejection");
    for letters in [1, 68, 69, 70, 500] {
        let told = announced(&ledger, &"x".repeat(letters));
        let whole = format!("[shop] backend 2 is rejected: {}", "x".repeat(letters));
        let subject = told[0].subject("shop");
        if whole.len() <= 99 {
            assert_eq!(subject, whole);
        } else {
            assert_eq!(subject.len(), 99);
            assert!(whole.starts_with(subject.strip_suffix("...").unwrap()));
        }
    }
}

/// A reason may hold what a hook has printed.
#[test]
fn of_a_reason_1024_bytes_are_told() {
    let ledger = ledger("idle-after-a-rejection");
    let told = |letters| {
        announced(&ledger, &"x".repeat(letters))[0].event("shop")["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(told(1_024), "x".repeat(1_024));
    assert_eq!(told(1_025), "x".repeat(1_021) + "...");
    assert_eq!(told(5_000), "x".repeat(1_021) + "...");
}

/// A newer bundle, waiting or under way, does better what settling is for: then nobody has to do anything.
#[test]
fn a_settling_that_failed_calls_an_operator_only_where_nothing_else_settles() {
    let mut stored = ledger("idle-after-a-rejection");
    let last = stored.releases.last_mut().unwrap();
    last.purpose = Purpose::Settle;
    let newer = numbered(&last.upload, 3);
    for (unsettled, waits, is_open, calls) in [
        (true, false, false, true),
        (false, false, false, false),
        (true, true, false, false),
        (true, false, true, false),
    ] {
        let mut ledger = stored.clone();
        ledger.unsettled = unsettled;
        ledger.pending = waits.then(|| newer.clone());
        ledger.open = is_open.then(|| super::limits::ledger("installing").open.unwrap());
        let told = announced(&ledger, "settling failed");
        assert_eq!(told.len(), usize::from(calls), "unsettled {unsettled}, waits {waits}, open {is_open}");
        assert!(told.iter().all(|told| told.kind() == "needs-operator"));
    }
}
