//! What becomes of an upload that was seen before, in the ledger or on its own tags.

use super::limits::{ledger, numbered};
use release::{
    Ledger, Offer, Past, Purpose, Refusal, ReleaseNumber, Upload, VerdictWord, accept_upload,
    known_by_its_tags,
};

fn offered(ledger: &Ledger, upload: &Upload) -> Offer {
    accept_upload(ledger.clone(), upload.clone(), false, ledger.live.as_ref().unwrap().since).1
}

/// Only a verdict that lasts, and only of what the ledger has forgotten.
#[test]
fn what_its_tags_say_counts_where_the_ledger_knows_nothing() {
    let ledger = ledger("installing");
    let forgotten = numbered(&ledger.open.as_ref().unwrap().upload, 9);
    for word in [VerdictWord::Live, VerdictWord::Rejected, VerdictWord::Superseded] {
        let told = known_by_its_tags(&ledger, &forgotten, Some((word, "as told then")));
        assert_eq!(told, Some(Offer::Known { word, reason: "as told then".to_owned() }));
        let open = &ledger.open.as_ref().unwrap().upload;
        assert_eq!(known_by_its_tags(&ledger, open, Some((word, "as told then"))), None, "it is open");
    }
    for word in [VerdictWord::Accepted, VerdictWord::Waiting] {
        assert_eq!(known_by_its_tags(&ledger, &forgotten, Some((word, "not the end"))), None);
    }
    assert_eq!(known_by_its_tags(&ledger, &forgotten, None), None);
}

/// A rollback or a settling installs a bundle that ended long ago: who uploads that again hears how it ended.
#[test]
fn what_a_rollback_installs_again_is_known_by_its_end() {
    let mut ledger = ledger("installing");
    let upload = ledger.open.as_ref().unwrap().upload.clone();
    let says = |ledger: &Ledger| match offered(ledger, &upload) {
        Offer::Known { word, reason } => (word, reason),
        other => panic!("{other:?}"),
    };
    assert_eq!(says(&ledger), (VerdictWord::Accepted, "release 2 is installing".to_owned()));
    let ended = Past { upload: upload.clone(), ..ledger.releases[0].clone() };
    ledger.releases.push(ended);
    for purpose in [Purpose::Rollback, Purpose::Settle] {
        ledger.open.as_mut().unwrap().purpose = purpose;
        assert_eq!(says(&ledger), (VerdictWord::Live, "carries all traffic".to_owned()), "{purpose:?}");
    }
}

/// Order comes from the numbers.
#[test]
fn a_number_below_what_is_live_open_or_waiting_is_refused_and_one_above_is_not() {
    let mut ledger = ledger("shifting");
    let upload = ledger.live.as_ref().unwrap().upload.clone();
    ledger.live.as_mut().unwrap().upload = numbered(&upload, 10);
    ledger.releases.clear();
    let refused = |ledger: &Ledger, number| match offered(ledger, &numbered(&upload, number)) {
        Offer::Refused(refusal) => Some(refusal),
        _ => None,
    };
    ledger.open.as_mut().unwrap().upload = numbered(&upload, 20);
    let number = ReleaseNumber;
    assert_eq!(refused(&ledger, 9), Some(Refusal::OlderThanLive { number: number(9), live: number(10) }));
    assert_eq!(refused(&ledger, 19), Some(Refusal::OlderThanOpen { number: number(19), open: number(20) }));
    assert_eq!(refused(&ledger, 21), None);
    ledger.pending = Some(numbered(&upload, 30));
    let waits = Refusal::OlderThanWaiting { number: number(29), by: number(30) };
    assert_eq!(refused(&ledger, 29), Some(waits.clone()));
    assert_eq!(waits.verdict(), VerdictWord::Superseded);
    assert_eq!(refused(&ledger, 31), None);
    for used in [10, 20, 30] {
        let mut other_bytes = numbered(&upload, used);
        other_bytes.revision.version = "other bytes".to_owned();
        let offer = offered(&ledger, &other_bytes);
        assert_eq!(offer, Offer::Refused(Refusal::NumberUsed { number: number(used) }));
    }
}

/// A release that waits for its first weight gives way to a newer one, and to none that has its own number or a lower one.
#[test]
fn an_open_release_yields_to_a_higher_number_while_it_has_no_weight() {
    for (name, yields) in [
        ("installing", true),
        ("shifting-before-the-first-weight", true),
        ("shifting", false),
        ("baking", false),
        ("baking-a-rollback", false),
        ("promoting", false),
        ("returning-for-an-alarm", false),
        ("settling", false),
    ] {
        let open = ledger(name).open.unwrap();
        let own = open.upload.number.0;
        assert_eq!(open.yields_to(ReleaseNumber(own + 1)), yields, "{name}");
        assert!(!open.yields_to(ReleaseNumber(own)) && !open.yields_to(ReleaseNumber(own - 1)), "{name}");
    }
}
