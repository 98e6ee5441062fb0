//! Stories of addresses: who is blocked, who is excused, and what the brake holds.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod campaigns;
mod logs;
mod networks;

use logs::{Logs, NOBODY, OFFICE};
use offenders::classify::{Kinds, PathKind};
use offenders::configuration::Configuration;
use offenders::decide::Spared;
use offenders::state::State;

#[test]
fn refusals_are_set_against_what_goes_well_on_the_same_address() {
    assert_eq!(
        Logs::new().people(0..0).add(OFFICE, Kinds::REFUSED, 60, 30, 40).blocked(),
        ["198.51.100.20/32"]
    );
    let mut logs = Logs::new();
    logs.people(0..0).add(OFFICE, Kinds::REFUSED, 60, 30, 40);
    assert_eq!(logs.add(OFFICE, Kinds::SUCCESS.and(Kinds::ACCEPTED), 20, 30, 40).blocked(), NOBODY);
    let mut logs = Logs::new();
    logs.people(0..0).add(OFFICE, Kinds::REFUSED, 60, 30, 40);
    // What went well in another hour excuses nothing.
    assert_eq!(logs.add(OFFICE, Kinds::SUCCESS, 2000, 0, 25).blocked(), ["198.51.100.20/32"]);
}

#[test]
fn refusals_prove_nothing_while_nobody_gets_in() {
    let crowd = |but_for| {
        let mut logs = Logs::new();
        logs.people(but_for);
        for n in 0..40 {
            logs.add(&format!("192.0.2.{n}"), Kinds::REFUSED, 60, 35, 40);
        }
        logs.add(OFFICE, Kinds::REFUSED, 600, 35, 40);
        logs
    };
    assert_eq!(crowd(35..40).blocked(), ["198.51.100.20/32"], "so often nobody tries by hand");
    assert_eq!(crowd(0..0).blocked().len(), 41);
    // Where hardly anybody gets in at any time, five minutes without anybody say nothing.
    let mut small = Logs::new();
    for slot in (0..60).step_by(5).filter(|slot| *slot != 35) {
        small.add("203.0.113.1", Kinds::SUCCESS.and(Kinds::ACCEPTED), 3, slot, slot + 5);
    }
    assert_eq!(small.add(OFFICE, Kinds::REFUSED, 60, 35, 40).blocked(), ["198.51.100.20/32"]);
}

#[test]
fn a_dead_link_that_many_follow_is_the_sites_own() {
    let lost = |count: u32| {
        let mut logs = Logs::new();
        for n in 0..count {
            logs.paths(&format!("192.0.{n}.2"), PathKind::Missing, 50, 10, 12);
        }
        logs
    };
    assert_eq!(lost(1).blocked().len(), 1);
    assert_eq!(lost(5).blocked(), NOBODY);
}

#[test]
fn secrets_are_looked_for_by_nobody_else() {
    let mut logs = Logs::new();
    logs.paths("192.0.2.1", PathKind::Probed, 12, 10, 15);
    // With a crawler's load of pages that are here, a dozen old links are none.
    logs.paths("192.0.2.2", PathKind::Probed, 12, 10, 15).add("192.0.2.2", Kinds::SUCCESS, 500, 10, 15);
    assert_eq!(logs.blocked(), ["192.0.2.1/32"]);
}

#[test]
fn a_scan_may_take_its_time_and_a_secret_counts_twice_where_both_logs_tell_of_it() {
    let slowly =
        |count| Logs::new().people(0..0).paths("192.0.2.1", PathKind::Probed, count, 1, 55).blocked();
    assert_eq!(slowly(9), NOBODY);
    assert_eq!(slowly(10), ["192.0.2.1/32"]);
    let asked = |secrets, here| {
        let mut logs = Logs::new();
        logs.people(0..0).paths("192.0.2.1", PathKind::Asked, secrets + here, 1, 55);
        logs.paths("192.0.2.1", PathKind::Probed, secrets, 1, 55).blocked()
    };
    assert_eq!(asked(4, 0), NOBODY);
    assert_eq!(asked(5, 0), ["192.0.2.1/32"]);
    assert_eq!(asked(1, 40), NOBODY, "what the application answers with success is no secret");
}

#[test]
fn with_wafs_log_alone_the_detectors_stand_back() {
    let tries = Kinds::REQUEST.and(Kinds::CREDENTIALS);
    assert_eq!(Logs::new().add(OFFICE, tries, 400, 30, 40).blocked(), NOBODY);
    assert_eq!(Logs::new().add(OFFICE, tries, 600, 30, 40).blocked(), ["198.51.100.20/32"]);
    let mut with_other_requests = Logs::new();
    with_other_requests.add(OFFICE, tries, 600, 30, 40).add(OFFICE, Kinds::REQUEST, 300, 30, 40);
    assert_eq!(with_other_requests.blocked(), NOBODY);
    let decision = with_other_requests.decide(&State::default(), &Configuration::default());
    assert!(!decision.sees_answers);
    // Secrets count whether they are here or not.
    let asked = |count| Logs::new().paths(OFFICE, PathKind::Asked, count, 30, 40).blocked();
    assert_eq!(asked(9), NOBODY);
    assert_eq!(asked(10), ["198.51.100.20/32"]);
}

#[test]
fn blocked_requests_are_set_against_those_that_passed() {
    let blocked = Kinds::REQUEST.and(Kinds::BLOCKED);
    assert_eq!(Logs::new().add(OFFICE, blocked, 30, 30, 40).blocked(), ["198.51.100.20/32"]);
    assert_eq!(
        Logs::new().add(OFFICE, blocked, 30, 30, 40).add(OFFICE, Kinds::REQUEST, 100, 30, 40).blocked(),
        NOBODY
    );
}

#[test]
fn a_page_that_polls_with_an_expired_token_is_not_one_that_goes_from_path_to_path() {
    let mut logs = Logs::new();
    for minute in 0..40 {
        logs.paths("192.0.2.1", PathKind::Challenged, 60, minute, minute + 1);
    }
    logs.paths("192.0.2.2", PathKind::Challenged, 60, 30, 40);
    assert_eq!(logs.blocked(), ["192.0.2.2/32"]);
}

#[test]
fn a_crawler_that_aws_has_verified_is_never_blocked() {
    let mut logs = Logs::new();
    logs.add("66.249.64.1", Kinds::REQUEST.and(Kinds::VERIFIED), 1, 5, 6);
    logs.paths("66.249.64.1", PathKind::Probed, 90, 10, 15);
    let decision = logs.decide(&State::default(), &Configuration::default());
    assert_eq!(decision.state.bans.len(), 0);
    assert_eq!(decision.spared, [("66.249.64.1/32".parse().unwrap(), Spared::Verified)]);
}

#[test]
fn the_brake_holds_what_may_be_the_sites_fault_and_nothing_else() {
    let mut logs = Logs::new();
    logs.people(0..0);
    let blocked = Kinds::REQUEST.and(Kinds::BLOCKED);
    // A new rule blocks visitors; meanwhile some guess, and one subscriber makes himself many.
    for n in 0..60 {
        logs.add(&format!("100.64.{n}.1"), blocked, 30, 30, 40);
    }
    logs.add("192.0.2.1", Kinds::REFUSED, 90, 30, 40).paths("192.0.2.2", PathKind::Probed, 12, 30, 40);
    for n in 0..3_000 {
        logs.paths(&format!("2001:db8:bad:{n:x}::1"), PathKind::Probed, 12, 30, 40);
    }
    let decision = logs.decide(&State::default(), &Configuration::default());
    let held = decision.state.held.unwrap();
    assert_eq!((held.count, decision.state.bans.len()), (60, 3));
    assert!(held.examples.iter().all(|network| network.to_string().starts_with("100.64.")));
    let banned: Vec<String> = decision.state.bans.keys().map(ToString::to_string).collect();
    assert_eq!(banned, ["192.0.2.1/32", "192.0.2.2/32", "2001:db8:bad::/48"]);
}

#[test]
fn the_brake_counts_neighbours_as_the_one_network_that_they_become() {
    let blocked = Kinds::REQUEST.and(Kinds::BLOCKED);
    let neighbours = |networks: u32, count: u32| {
        let mut logs = Logs::new();
        logs.people(0..0);
        for n in 0..count {
            logs.add(&format!("100.64.{}.{}", n % networks, n / networks), blocked, 30, 30, 40);
        }
        let decision = logs.decide(&State::default(), &Configuration::default());
        decision.state.held.map(|held| held.count)
    };
    assert_eq!(neighbours(2, 100), None);
    assert_eq!(neighbours(60, 60), Some(60));
}

#[test]
fn the_brake_lets_go_of_what_is_far_beyond_a_threshold_and_of_none_who_also_gets_in() {
    let mut logs = Logs::new();
    logs.people(0..0);
    let blocked = Kinds::REQUEST.and(Kinds::BLOCKED);
    for n in 0..60 {
        logs.add(&format!("100.64.{n}.1"), blocked, 30, 30, 40);
    }
    logs.add("192.0.2.1", blocked, 125, 30, 40);
    // An office where many are mistaken may be the site's own fault.
    logs.add("192.0.2.2", Kinds::REFUSED, 90, 30, 40).add("192.0.2.2", Kinds::SUCCESS, 60, 30, 40);
    let state = logs.decide(&State::default(), &Configuration::default()).state;
    assert_eq!(state.held.unwrap().count, 61);
    let banned: Vec<String> = state.bans.keys().map(ToString::to_string).collect();
    assert_eq!(banned, ["192.0.2.1/32"]);
}
