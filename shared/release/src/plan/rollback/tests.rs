//! What an alarm after success needs to start a rollback.

use super::*;
use jiff::SignedDuration;

fn ledger() -> Ledger {
    let stored = include_bytes!("../../../tests/ledgers/schema-3/idle-with-a-previous-release.json");
    Ledger::from_json(stored).unwrap()
}

fn policy(window: Duration) -> Policy {
    let policy = r#"{"strategy":"AllAtOnce","bake":"1m","install_deadline":"15m","drain":"1m","unhealthy_grace":"30s",
        "unknown_limit":"3m","look_interval":"5s","silence_limit":"0s","rollback_window":"0s","heal_after":"0s","drift":"repair"}"#;
    Policy { rollback_window: window, ..serde_json::from_str(policy).unwrap() }
}

const WINDOW: Duration = Duration::from_secs(1_800);

/// Whether an alarm so many seconds after success would start one.
fn armed(ledger: &Ledger, seconds: i64) -> bool {
    let now = ledger.live.as_ref().unwrap().since + SignedDuration::from_secs(seconds);
    is_armed(ledger, &policy(WINDOW), now)
}

#[test]
fn an_alarm_rolls_back_within_the_window_and_not_after_it() {
    let armed_for: Vec<i64> =
        [0, 1, 1_799, 1_800, 1_801].into_iter().filter(|after| armed(&ledger(), *after)).collect();
    assert_eq!(armed_for, [0, 1, 1_799]);
    let since = ledger().live.unwrap().since;
    assert!(!is_armed(&ledger(), &policy(Duration::ZERO), since), "0 is never");
}

/// Each alone keeps an alarm from starting a rollback; none of them needs another.
#[test]
fn each_of_these_keeps_an_alarm_from_rolling_back() {
    type Change = fn(&mut Ledger);
    let changes: [(&str, Change); 7] = [
        ("nothing is live", |ledger| ledger.live = None),
        ("nothing ran before it", |ledger| ledger.previous = None),
        ("something else was installed there since", |ledger| {
            ledger.previous.as_mut().unwrap().overwritten = true;
        }),
        ("a release is open", |ledger| {
            let stored = include_bytes!("../../../tests/ledgers/schema-3/installing.json");
            ledger.open = Ledger::from_json(stored).unwrap().open;
        }),
        ("one was tried for this live release", |ledger| {
            let since = ledger.live.as_ref().unwrap().since;
            let tried =
                crate::Past { purpose: Purpose::Rollback, opened_at: since, ..ledger.releases[0].clone() };
            ledger.releases.push(tried);
        }),
        ("what ran before it was rejected", |ledger| {
            ledger.releases[0].verdict = Verdict::Rejected { reason: "it failed".to_owned() };
        }),
        ("the window is over", |ledger| {
            let live = ledger.live.as_mut().unwrap();
            live.since -= SignedDuration::from_secs(1_800);
        }),
    ];
    let now = ledger().live.unwrap().since + SignedDuration::from_secs(60);
    let is_armed = |ledger: &Ledger| is_armed(ledger, &policy(WINDOW), now);
    assert!(is_armed(&ledger()));
    for (what, change) in changes {
        let mut ledger = ledger();
        change(&mut ledger);
        assert!(!is_armed(&ledger), "{what}");
    }
}

/// A rollback before it went live, and a release since, were others.
#[test]
fn what_was_tried_before_or_otherwise_does_not_count() {
    let since = ledger().live.unwrap().since;
    for (purpose, opened_at) in [
        (Purpose::Rollback, since - SignedDuration::from_secs(1)),
        (Purpose::Settle, since),
        (Purpose::Release, since),
    ] {
        let mut ledger = ledger();
        ledger.releases.push(crate::Past { purpose, opened_at, ..ledger.releases[0].clone() });
        assert!(armed(&ledger, 60), "{purpose:?}");
    }
}

#[test]
fn a_colour_can_carry_what_as_many_healthy_targets_of_the_other_carry() {
    use crate::TargetHealth::{Healthy, Unhealthy};
    let of = |healthy: usize, ill: usize| {
        let all = std::iter::repeat_n(Healthy, healthy).chain(std::iter::repeat_n(Unhealthy, ill));
        Reading::Known(
            all.enumerate().map(|(number, health)| (InstanceId(number.to_string()), health)).collect(),
        )
    };
    for (blue, green, can) in [
        (of(2, 0), of(2, 0), true),
        (of(2, 1), of(1, 0), true),
        (of(1, 0), of(2, 0), false),
        (of(0, 2), of(0, 0), false),
        (of(1, 0), of(0, 3), true),
        (Reading::NotRead, of(0, 0), false),
        (of(2, 0), Reading::Unknown("throttled".to_owned()), false),
    ] {
        let seen = Observation { health: crate::PerColour { blue, green }, ..Observation::default() };
        assert_eq!(can_carry(&seen, Colour::Blue), can, "{:?}", seen.health);
    }
}
