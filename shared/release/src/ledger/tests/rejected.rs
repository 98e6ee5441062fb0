//! Which bundle is a rejected one.

use super::*;

fn ledger() -> Ledger {
    Ledger::from_json(include_bytes!("../../../tests/ledgers/schema-3/idle-after-a-rejection.json")).unwrap()
}

/// The end of this bundle's last release, of whatever purpose another one ended otherwise.
#[test]
fn a_bundle_is_rejected_if_its_last_release_was() {
    let stored = ledger();
    let Some(Past { verdict: rejected @ Verdict::Rejected { .. }, .. }) = stored.releases.last().cloned()
    else {
        panic!()
    };
    let [one, two] = [0, 1].map(|index: usize| stored.releases[index].upload.clone());
    assert_ne!(one, two);
    let past = |purpose, upload: &Upload, verdict: &Verdict| Past {
        purpose,
        upload: upload.clone(),
        verdict: verdict.clone(),
        ..stored.releases[0].clone()
    };
    let release = |upload, verdict| past(Purpose::Release, upload, verdict);
    for (releases, of_one, of_two) in [
        (vec![release(&one, &Verdict::Live), release(&two, &rejected)], false, true),
        (vec![release(&two, &rejected), release(&one, &Verdict::Live)], false, true),
        (vec![release(&two, &rejected), release(&two, &Verdict::Live)], false, false),
        (vec![release(&two, &Verdict::Live), release(&two, &rejected), release(&one, &rejected)], true, true),
        // A rollback that was taken back, and a settling that failed, condemn no bundle.
        (vec![release(&one, &Verdict::Live), past(Purpose::Rollback, &one, &rejected)], false, false),
        (vec![release(&one, &Verdict::Live), past(Purpose::Settle, &one, &rejected)], false, false),
        (vec![release(&two, &rejected), past(Purpose::Rollback, &two, &Verdict::Live)], false, true),
        (vec![], false, false),
    ] {
        let ledger = Ledger { releases, ..stored.clone() };
        let ends: Vec<_> = ledger.releases.iter().map(|past| (past.purpose, past.upload.number)).collect();
        assert_eq!((ledger.is_rejected(&one), ledger.is_rejected(&two)), (of_one, of_two), "{ends:?}");
    }
}

/// A deployment and a rule are found again by the number of the attempt.
#[test]
fn no_two_attempts_of_a_number_are_the_same() {
    let mut ledger = ledger();
    let number = ledger.releases[1].upload.number;
    for (attempts, next) in [(vec![], 1), (vec![0], 1), (vec![1, 2], 3), (vec![3, 1], 4)] {
        let past = ledger.releases[1].clone();
        ledger.releases = vec![ledger.releases[0].clone()];
        ledger.releases.extend(attempts.iter().map(|attempt| Past { attempt: *attempt, ..past.clone() }));
        ledger.releases.push(past.clone());
        ledger.releases.swap_remove(ledger.releases.len() - 1);
        assert_eq!(ledger.next_attempt(number), next, "{attempts:?}");
        ledger.releases = vec![ledger.releases[0].clone(), past];
    }
}
