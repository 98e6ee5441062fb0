//! Neighbours: who is judged as one, and who is left out of it.

use std::collections::BTreeSet;

use crate::logs::{Logs, MINUTE, NOBODY, START, now, written};
use ipnet::IpNet;
use offenders::classify::{Kinds, PathKind};
use offenders::configuration::Configuration;
use offenders::decide::News;
use offenders::entries::{Family, MOST_ENTRIES, entries};
use offenders::judge::{step_at, time_of};
use offenders::state::State;

#[test]
fn a_network_that_uses_a_prefix_for_each_request_is_one_client_if_it_only_fails() {
    let rotating = || {
        let mut logs = Logs::new();
        logs.people(0..0);
        for n in 0..60 {
            logs.add(&format!("2001:db8:bad:{n:x}::1"), Kinds::REFUSED, 1, 30, 31);
        }
        logs
    };
    assert_eq!(rotating().blocked(), ["2001:db8:bad::/48"]);
    let state = rotating().decide(&State::default(), &Configuration::default()).state;
    assert!(state.bans.values().all(|ban| !ban.samples.is_empty()), "every block has its evidence");
    // A carrier's network, in which others get on well.
    let mut shared = rotating();
    for n in 100..120 {
        shared.add(&format!("2001:db8:bad:{n:x}::1"), Kinds::SUCCESS, 5, 30, 31);
    }
    assert_eq!(shared.blocked(), NOBODY);
}

/// One at the other end of the /48.
const LAST: Option<u32> = Some(0xffff);

/// A subscriber who uses a prefix for each of `tries` and the `last` one too, and others in the same network for whom
/// three things go well.
fn shared_48(tries: u32, last: Option<u32>, others: u32) -> Logs {
    let mut logs = Logs::new();
    logs.people(0..0);
    for n in (0..tries).chain(last) {
        logs.add(&format!("2001:db8:bad:{n:x}::1"), Kinds::REFUSED, 1, 30, 35);
    }
    for n in 0..others {
        logs.add(&format!("2001:db8:bad:f{n:03x}::1"), Kinds::SUCCESS, 3, 30, 35);
    }
    logs
}

#[test]
fn who_does_nothing_wrong_in_a_network_that_is_judged_as_one_is_left_out_of_its_block() {
    let mut logs = shared_48(900, LAST, 3);
    // One of many tries that succeeds makes nobody a neighbour.
    for n in 0..40 {
        logs.add(&format!("2001:db8:bad:e0{n:02x}::1"), Kinds::SUCCESS, 1, 30, 35);
    }
    let state = logs.decide(&State::default(), &Configuration::default()).state;
    let is_blocked = written(&state, Family::V6);
    assert!((0..3).all(|n| !is_blocked(&format!("2001:db8:bad:f{n:03x}::/64"))));
    assert!((0..900).all(|n| is_blocked(&format!("2001:db8:bad:{n:x}::/64"))));
    assert!((0..40).all(|n| is_blocked(&format!("2001:db8:bad:e0{n:02x}::/64"))));
    assert!(is_blocked("2001:db8:bad:f003::/64") && is_blocked("2001:db8:bad:ffff::/64"));

    // Not for longer than that.
    let mut later = shared_48(900, LAST, 3);
    later.add("2001:db8:bad:f001::1", Kinds::REFUSED, 11, 50, 58);
    let is_blocked = written(&later.decide(&state, &Configuration::default()).state, Family::V6);
    assert!(!is_blocked("2001:db8:bad:f000::/64") && is_blocked("2001:db8:bad:f001::/64"));

    // Where many people live it is nobody's own network.
    assert_eq!(shared_48(3_000, LAST, 32).blocked(), ["2001:db8:bad::/48"]);
    assert_eq!(shared_48(3_000, LAST, 33).blocked(), NOBODY);
}

#[test]
fn where_others_live_only_the_part_of_a_network_is_blocked_in_which_it_goes_wrong() {
    let blocked = |others| shared_48(900, None, others).blocked();
    assert_eq!(blocked(0), ["2001:db8:bad::/48"]);
    assert_eq!(blocked(1), ["2001:db8:bad::/54"]);
    let state = shared_48(900, None, 1).decide(&State::default(), &Configuration::default()).state;
    assert!(state.bans.values().all(|ban| !ban.samples.is_empty()), "every block has its evidence");
    // Who moves on is followed, and who knocks stays out.
    let followed = shared_48(1_500, None, 1).decide(&state, &Configuration::default()).state;
    assert!(written(&followed, Family::V6)("2001:db8:bad:5db::/64"));
    assert!(!written(&followed, Family::V6)("2001:db8:bad:1000::/64"));
}

#[test]
fn no_network_is_formed_over_a_neighbour_who_does_nothing_wrong() {
    let mut logs = Logs::new();
    logs.people(0..0);
    for n in 1..=20 {
        logs.paths(&format!("192.0.2.{n}"), PathKind::Probed, 12, 30, 40);
    }
    let widest = |logs: &Logs| {
        let state = logs.decide(&State::default(), &Configuration::default()).state;
        entries(&state, &Configuration::default(), Family::V4, MOST_ENTRIES).wanted
    };
    assert_eq!(widest(&logs), BTreeSet::from(["192.0.2.0/27".parse::<IpNet>().unwrap()]));
    logs.add("192.0.2.11", Kinds::SUCCESS, 3, 5, 6).add("192.0.2.30", Kinds::SUCCESS, 3, 5, 6);
    let formed = widest(&logs);
    let bystander: IpNet = "192.0.2.30/32".parse().unwrap();
    assert!(!formed.iter().any(|network| network.contains(&bystander)), "{formed:?}");
    assert!(formed.iter().any(|network| network.prefix_len() < 32), "{formed:?}");
    assert_eq!(step_at(now()), START + 60 * MINUTE);
}

#[test]
fn a_few_who_fail_are_no_network() {
    let failing = |count: u32| {
        let mut logs = Logs::new();
        logs.people(0..0);
        for n in 0..count {
            logs.add(&format!("2001:db8:bad:{n:x}::1"), Kinds::REFUSED, 10, 30, 35);
        }
        logs.blocked()
    };
    assert_eq!(failing(7), NOBODY);
    assert_eq!(failing(8), ["2001:db8:bad::/48"]);
}

#[test]
fn a_network_that_goes_on_knocking_stays_blocked() {
    let state = shared_48(900, LAST, 0).decide(&State::default(), &Configuration::default()).state;
    let network: IpNet = "2001:db8:bad::/48".parse().unwrap();
    let mut knocking = Logs::new();
    for n in 0..30 {
        knocking.add(&format!("2001:db8:bad:{n:x}::1"), Kinds::KNOCK, 1, 70, 71);
    }
    let later = time_of(START + 75 * MINUTE);
    let decision = knocking.decide_at(&state, &Configuration::default(), later);
    assert_eq!(decision.news, [News::Extended(network)]);
    assert!(decision.state.bans[&network].until > state.bans[&network].until);
}

#[test]
fn a_bystander_is_remembered_while_away_and_until_blocked_itself() {
    let bad = |logs: &mut Logs, last: u32| {
        for n in 1..=last {
            logs.paths(&format!("192.0.2.{n}"), PathKind::Probed, 12, 30, 40);
        }
    };
    let configuration = Configuration::default();
    let bystander = "192.0.2.21/32";
    let mut logs = Logs::new();
    bad(logs.people(0..0), 20);
    let away = logs.decide(&State::default(), &configuration).state;
    assert!(away.bystanders.is_empty());
    logs.add("192.0.2.21", Kinds::SUCCESS, 3, 5, 6);
    let seen = logs.decide(&State::default(), &configuration).state;
    assert!(seen.bystanders.contains(&bystander.parse().unwrap()));
    assert!(!written(&seen, Family::V4)(bystander));

    let mut without = Logs::new();
    bad(without.people(0..0), 20);
    assert_eq!(without.decide(&seen, &configuration).state.bystanders, seen.bystanders);
    bad(without.people(0..0), 21);
    let blocked = without.decide(&seen, &configuration).state;
    assert!(blocked.bystanders.is_empty() && written(&blocked, Family::V4)(bystander));
}
