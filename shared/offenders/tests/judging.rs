//! Stories of addresses: who is blocked, who is excused, and what the brake holds.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;

use ipnet::IpNet;
use jiff::Timestamp;
use offenders::address::Address;
use offenders::classify::{Hit, KeptPath, Kinds, PathKind};
use offenders::configuration::Configuration;
use offenders::decide::{Decision, News, Spared, decide};
use offenders::entries::{Family, MOST_ENTRIES, entries};
use offenders::judge::{Detector, step_at, time_of};
use offenders::partial::{self, Header};
use offenders::state::{Hour, State};
use offenders::tally::{Room, Sample, Tally};

/// A step at the beginning of five minutes, and of an hour.
const START: u32 = 359_069_760;

/// Steps in a minute.
const MINUTE: u32 = 12;

/// What the logs of an hour say.
#[derive(Debug)]
struct Logs {
    tally: Tally,
    count: u16,
}

impl Logs {
    fn new() -> Self {
        Self { tally: Tally::new(Room::of(100_000), START), count: 0 }
    }

    /// `count` requests of `client`, evenly over the minutes from `from` to `until`.
    fn add(&mut self, client: &str, kinds: Kinds, count: u32, from: u32, until: u32) -> &mut Self {
        self.with_paths(client, kinds, count, from, until, |_| None)
    }

    fn with_paths(
        &mut self,
        client: &str,
        kinds: Kinds,
        count: u32,
        from: u32,
        until: u32,
        path: impl Fn(u32) -> Option<KeptPath>,
    ) -> &mut Self {
        for n in 0..count {
            self.count = self.count.wrapping_add(40_503);
            let step = START + from * MINUTE + n * (until - from) * MINUTE / count;
            let client = Address::parse(client.as_bytes()).unwrap().judged(64);
            if self.tally.hit(step, &Hit { client, kinds, path: path(n), mark: self.count }) {
                self.tally.keep_sample(client, || sample(step));
            }
        }
        self
    }

    fn paths(&mut self, client: &str, kind: PathKind, count: u32, from: u32, until: u32) -> &mut Self {
        self.with_paths(client, Kinds::default(), count, from, until, |n| Some(KeptPath::new(n << 2, kind)))
    }

    /// Thirty others who get in every five minutes, but for these minutes.
    fn people(&mut self, but_for: std::ops::Range<u32>) -> &mut Self {
        for slot in (0..60).step_by(5).filter(|minute| !but_for.contains(minute)) {
            for n in 0..30 {
                let client = format!("203.0.{slot}.{n}");
                self.add(&client, Kinds::SUCCESS.and(Kinds::ACCEPTED), 1, slot, slot + 5);
                self.add(&client, Kinds::SUCCESS, 8, slot, slot + 5);
            }
        }
        self
    }

    fn decide(&self, state: &State, configuration: &Configuration) -> Decision {
        let mut window = Tally::new(Room::of(100_000), START);
        let file = partial::encode(Header::default(), &self.tally, 64);
        partial::merge(&file, &mut window, 0, u32::MAX).unwrap();
        let decision = decide(&window, state, configuration, now());
        let again = decide(&window, &decision.state, configuration, now());
        assert_eq!(again.state, decision.state, "deciding again changes nothing");
        decision
    }

    fn blocked(&self) -> Vec<String> {
        let decision = self.decide(&State::default(), &Configuration::default());
        decision.state.bans.keys().map(ToString::to_string).collect()
    }
}

fn sample(step: u32) -> Sample {
    let text = str::to_owned;
    let timestamp = time_of(step).as_millisecond();
    Sample {
        timestamp,
        method: text("GET"),
        path: text("/"),
        rule: text("answered 404"),
        action: text("ALLOW"),
    }
}

fn now() -> Timestamp {
    time_of(START + 60 * MINUTE)
}

const NOBODY: [&str; 0] = [];
const OFFICE: &str = "198.51.100.20";

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
}

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
    let hours = (1..10).map(|before| (hour - before, Hour { trying: 300, failing: 10 })).collect();
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
    let campaign: BTreeSet<String> = (0..20).map(|n| format!("192.0.2.{n}/32")).collect();
    assert_eq!(BTreeSet::from_iter(logs.blocked()), campaign);
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
fn with_wafs_log_alone_the_detectors_stand_back() {
    let tries = Kinds::REQUEST.and(Kinds::CREDENTIALS);
    assert_eq!(Logs::new().add(OFFICE, tries, 400, 30, 40).blocked(), NOBODY);
    assert_eq!(Logs::new().add(OFFICE, tries, 600, 30, 40).blocked(), ["198.51.100.20/32"]);
    let mut with_other_requests = Logs::new();
    with_other_requests.add(OFFICE, tries, 600, 30, 40).add(OFFICE, Kinds::REQUEST, 300, 30, 40);
    assert_eq!(with_other_requests.blocked(), NOBODY);
    let decision = with_other_requests.decide(&State::default(), &Configuration::default());
    assert!(!decision.sees_answers);
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
