//! Many who try credentials: who is part of it, who is challenged, who is only mistaken.

use std::collections::BTreeSet;

use crate::logs::{Logs, MINUTE, NOBODY, START, now};
use ipnet::IpNet;
use offenders::classify::{Kinds, PathKind};
use offenders::configuration::Configuration;
use offenders::decide::{News, decide};
use offenders::entries::MOST_ENTRIES;
use offenders::judge::{Detector, step_at, time_of};
use offenders::state::{Hour, Past, State};
use offenders::tally::{Room, Tally};

#[test]
fn one_alone_who_keeps_failing_has_an_old_password_and_many_are_a_campaign() {
    let failing = |count: u32| {
        let mut logs = Logs::new();
        logs.people(0..0);
        for n in 0..count {
            logs.add(&format!("192.0.2.{n}"), Kinds::REFUSED, 8, 0, 60);
        }
        logs
    };
    assert_eq!(failing(9).blocked(), NOBODY);
    let logs = failing(12);
    let decision = logs.decide(&State::default(), &Configuration::default());
    assert_eq!(decision.state.bans.len(), 12);
    assert!(decision.state.bans.values().all(|ban| ban.detector == Detector::Campaign));
    let told = decision.news.iter().filter(|news| matches!(news, News::Campaign(_))).count();
    assert_eq!(told, 1);
    // On a site where as many keep failing on any day, twelve are nothing.
    let hour = now().as_second() / 3600;
    let hours =
        (1..10).map(|before| (hour - before, Hour { trying: 300, failing: 10, refused: 10 })).collect();
    let decision = logs.decide(&State { hours, ..State::default() }, &Configuration::default());
    assert_eq!(decision.state.bans.len(), 0);
}

#[test]
fn who_gets_in_or_does_other_things_is_no_part_of_a_campaign() {
    let mut logs = Logs::new();
    logs.people(0..0);
    for n in 0..20 {
        logs.add(&format!("192.0.2.{n}"), Kinds::REFUSED, 8, 0, 60);
    }
    logs.add("192.0.2.100", Kinds::REFUSED, 8, 0, 60).add("192.0.2.100", Kinds::SUCCESS, 30, 0, 60);
    logs.add("192.0.2.101", Kinds::REFUSED, 8, 0, 60).add("192.0.2.101", Kinds::ACCEPTED, 2, 0, 60);
    logs.add("192.0.2.102", Kinds::REFUSED, 15, 30, 34);
    // So often within minutes is no person.
    logs.add("192.0.2.20", Kinds::REFUSED, 20, 30, 34);
    let campaign: BTreeSet<String> = (0..=20).map(|n| format!("192.0.2.{n}/32")).collect();
    assert_eq!(BTreeSet::from_iter(logs.blocked()), campaign);
}

#[test]
fn a_crowd_that_tries_twice_each_is_told_and_challenged_and_nobody_is_blocked() {
    let crowd = |count: u32| {
        let mut logs = Logs::new();
        logs.people(0..0);
        for n in 0..count {
            logs.add(&format!("192.0.{}.{}", n / 200, n % 200), Kinds::REFUSED, 2, n % 50, n % 50 + 9);
        }
        logs
    };
    let seen = |logs: &Logs, state: &State| {
        let decision = logs.decide(state, &Configuration::default());
        let told = decision.news.iter().any(|news| matches!(news, News::Campaign(_)));
        (told, decision.state.challenged.len(), decision.state.bans.len())
    };
    assert_eq!(seen(&crowd(400), &State::default()), (true, 400, 0));
    let mut few = Logs::new();
    for n in 0..49 {
        few.add(&format!("192.0.2.{n}"), Kinds::REFUSED, 2, 10, 19);
    }
    assert_eq!(seen(&few, &State::default()), (false, 0, 0));
    few.add("192.0.2.49", Kinds::REFUSED, 2, 10, 19);
    assert_eq!(seen(&few, &State::default()), (true, 50, 0));
    // Three hundred and sixty get in; where so many are mistaken, that is any Monday.
    assert_eq!(seen(&crowd(200), &State::default()), (false, 0, 0));
    let hour = now().as_second() / 3600;
    let hours = (1..10).map(|before| (hour - before, Hour { trying: 300, failing: 0, refused: 60 }));
    let used_to_it = State { hours: hours.collect(), ..State::default() };
    assert_eq!(seen(&crowd(400), &used_to_it), (false, 0, 0));
    let hours = (1..10).map(|before| (hour - before, Hour { trying: 300, failing: 0, refused: 30 }));
    let not_quite = State { hours: hours.collect(), ..State::default() };
    assert_eq!(seen(&crowd(400), &not_quite), (true, 400, 0));
}

/// Fails eight times in an hour, each time so many minutes after a form and what a browser loads with it.
fn with_a_browser<'l>(logs: &'l mut Logs, client: &str, later: u32) -> &'l mut Logs {
    for minute in (0..56).step_by(7) {
        logs.add(client, Kinds::SUCCESS, 9, minute, minute + 1);
        logs.add(client, Kinds::REFUSED, 1, minute + later, minute + later + 1);
    }
    logs
}

#[test]
fn what_a_browser_loads_with_each_try_excuses_nobody() {
    let mut logs = Logs::new();
    logs.people(0..0);
    let campaign: BTreeSet<String> = (0..20).map(|n| format!("192.0.2.{n}/32")).collect();
    for n in 0..20 {
        with_a_browser(&mut logs, &format!("192.0.2.{n}"), n % 2);
    }
    // A household with a device that has an old password, and one where somebody logs in.
    with_a_browser(&mut logs, "192.0.2.100", 0).add("192.0.2.100", Kinds::SUCCESS, 40, 2, 6);
    with_a_browser(&mut logs, "192.0.2.101", 0).add(
        "192.0.2.101",
        Kinds::ACCEPTED.and(Kinds::SUCCESS),
        1,
        2,
        3,
    );
    assert_eq!(BTreeSet::from_iter(logs.blocked()), campaign);
}

#[test]
fn an_account_of_his_own_excuses_nobody_who_does_nothing_with_it() {
    let mut logs = Logs::new();
    logs.people(0..0);
    let gets_in = Kinds::ACCEPTED.and(Kinds::SUCCESS);
    for n in 0..20 {
        let client = format!("192.0.2.{n}");
        logs.add(&client, Kinds::REFUSED, 40, 0, 60).add(&client, gets_in, 10, 0, 60);
    }
    let campaign: BTreeSet<String> = (0..20).map(|n| format!("192.0.2.{n}/32")).collect();
    // An office; and one where only logins come along, because its pages are elsewhere.
    logs.add("192.0.2.100", Kinds::REFUSED, 40, 0, 60).add("192.0.2.100", gets_in, 10, 0, 60);
    logs.add("192.0.2.100", Kinds::SUCCESS, 30, 0, 60);
    logs.add("192.0.2.101", Kinds::REFUSED, 12, 0, 60).add("192.0.2.101", gets_in, 4, 0, 60);
    assert_eq!(BTreeSet::from_iter(logs.blocked()), campaign);
}

/// Twelve who fail all the hour, and so are a campaign.
fn campaign() -> Logs {
    let mut logs = Logs::new();
    logs.people(0..0);
    for n in 0..12 {
        logs.add(&format!("192.0.2.{n}"), Kinds::REFUSED, 8, 0, 60);
    }
    logs
}

fn challenged(state: &State) -> Vec<String> {
    state.challenged.keys().map(ToString::to_string).collect()
}

#[test]
fn in_a_campaign_who_has_failed_is_challenged_before_it_is_known_whether_he_goes_on() {
    let few = |logs: &mut Logs| {
        logs.add("100.64.0.1", Kinds::REFUSED, 2, 58, 59);
        // Mistyped once; got in; does other things; is known to AWS; nothing at all.
        logs.add("100.64.0.2", Kinds::REFUSED, 1, 58, 59);
        logs.add("100.64.0.3", Kinds::REFUSED, 2, 57, 58).add("100.64.0.3", Kinds::ACCEPTED, 1, 58, 59);
        logs.add("100.64.0.4", Kinds::REFUSED, 2, 58, 59).add("100.64.0.4", Kinds::SUCCESS, 9, 50, 59);
        logs.add("100.64.0.5", Kinds::REFUSED.and(Kinds::VERIFIED), 2, 58, 59);
        logs.paths("100.64.0.6", PathKind::Challenged, 2, 58, 59);
    };
    let mut logs = campaign();
    few(&mut logs);
    let decision = logs.decide(&State::default(), &Configuration::default());
    assert_eq!(challenged(&decision.state), ["100.64.0.1/32"]);
    assert_eq!(decision.state.bans.len(), 12, "those that go on are blocked, and not challenged");

    let mut quiet = Logs::new();
    few(quiet.people(0..0));
    assert_eq!(challenged(&quiet.decide(&State::default(), &Configuration::default()).state), NOBODY);

    let allow = vec!["100.64.0.0/24".parse().unwrap()];
    let configuration = Configuration { allow, ..Configuration::default() };
    assert_eq!(challenged(&logs.decide(&decision.state, &configuration).state), NOBODY);
}

#[test]
fn a_challenge_lasts_an_hour_from_when_it_was_last_due_or_met_and_ends_when_somebody_gets_in() {
    let mut logs = campaign();
    logs.add("100.64.0.1", Kinds::REFUSED, 2, 58, 59);
    let first = logs.decide(&State::default(), &Configuration::default()).state;
    let client: IpNet = "100.64.0.1/32".parse().unwrap();
    let until = |state: &State| step_at(state.challenged[&client].until);
    let last = START + 58 * MINUTE + MINUTE / 2;
    assert_eq!(until(&first), last + 1 + 60 * MINUTE);

    logs.paths("100.64.0.1", PathKind::Challenged, 1, 59, 60);
    let met = logs.decide(&first, &Configuration::default()).state;
    assert_eq!(until(&met), START + 59 * MINUTE + 1 + 60 * MINUTE);

    let over = first.challenged[&client].until;
    let at = |state: &State, now| {
        let window = Tally::new(Room::of(1000), START);
        challenged(&decide(&window, state, &Configuration::default(), now).state)
    };
    assert_eq!(at(&first, time_of(step_at(over) - 1)), ["100.64.0.1/32"]);
    assert_eq!(at(&first, over), NOBODY);

    logs.add("100.64.0.1", Kinds::ACCEPTED.and(Kinds::SUCCESS), 1, 59, 60);
    assert_eq!(challenged(&logs.decide(&met, &Configuration::default()).state), NOBODY);
}

#[test]
fn no_more_are_challenged_than_a_set_holds_and_the_latest_stay() {
    let mut logs = campaign();
    logs.add("100.64.0.1", Kinds::REFUSED, 2, 58, 59);
    let many = (0..u32::try_from(MOST_ENTRIES).unwrap()).map(|n| {
        let client = IpNet::from(std::net::IpAddr::from((0x0a00_0000 + n).to_be_bytes()));
        let until = now() + std::time::Duration::from_secs(u64::from(n) + 1);
        (client, offenders::state::Challenged { since: now(), until })
    });
    let state = State { challenged: many.collect(), ..State::default() };
    let challenged = logs.decide(&state, &Configuration::default()).state.challenged;
    assert_eq!(challenged.len(), MOST_ENTRIES);
    assert!(challenged.contains_key(&"100.64.0.1/32".parse().unwrap()));
    assert!(!challenged.contains_key(&"10.0.0.0/32".parse().unwrap()));
}

#[test]
fn what_was_done_before_a_block_ended_counts_for_nothing_after_it() {
    let mut logs = campaign();
    logs.add("100.64.0.1", Kinds::REFUSED, 2, 58, 59).paths("100.64.0.2", PathKind::Probed, 12, 30, 40);
    let ended = Past { times: 1, ended: now() };
    let past = ["100.64.0.1/32", "100.64.0.2/32"].map(|network| (network.parse().unwrap(), ended.clone()));
    let state = State { past: past.into(), ..State::default() };
    let decision = logs.decide(&state, &Configuration::default());
    assert_eq!((challenged(&decision.state).len(), decision.state.bans.len()), (0, 12));
}
