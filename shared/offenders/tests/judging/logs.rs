//! Logs of an hour, made up client by client.

use ipnet::IpNet;
use jiff::Timestamp;
use offenders::address::Address;
use offenders::classify::{Hit, KeptPath, Kinds, PathKind};
use offenders::configuration::Configuration;
use offenders::decide::{Decision, decide};
use offenders::entries::{Family, MOST_ENTRIES, entries};
use offenders::judge::time_of;
use offenders::partial::{self, Header};
use offenders::state::State;
use offenders::tally::{Room, Sample, Tally};

/// A step at the beginning of five minutes, and of an hour.
pub(crate) const START: u32 = 359_069_760;

/// Steps in a minute.
pub(crate) const MINUTE: u32 = 12;

/// What the logs of an hour say.
#[derive(Debug)]
pub(crate) struct Logs {
    tally: Tally,
    count: u16,
}

impl Logs {
    pub(crate) fn new() -> Self {
        Self { tally: Tally::new(Room::of(100_000), START), count: 0 }
    }

    /// `count` requests of `client`, evenly over the minutes from `from` to `until`.
    pub(crate) fn add(&mut self, client: &str, kinds: Kinds, count: u32, from: u32, until: u32) -> &mut Self {
        self.with_paths(client, kinds, count, from, until, |_| None)
    }

    pub(crate) fn with_paths(
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

    pub(crate) fn paths(
        &mut self,
        client: &str,
        kind: PathKind,
        count: u32,
        from: u32,
        until: u32,
    ) -> &mut Self {
        self.with_paths(client, Kinds::default(), count, from, until, |n| Some(KeptPath::new(n << 2, kind)))
    }

    /// Thirty others who get in every five minutes, but for these minutes.
    pub(crate) fn people(&mut self, but_for: std::ops::Range<u32>) -> &mut Self {
        for slot in (0..60).step_by(5).filter(|minute| !but_for.contains(minute)) {
            for n in 0..30 {
                let client = format!("203.0.{slot}.{n}");
                self.add(&client, Kinds::SUCCESS.and(Kinds::ACCEPTED), 1, slot, slot + 5);
                self.add(&client, Kinds::SUCCESS, 8, slot, slot + 5);
            }
        }
        self
    }

    pub(crate) fn decide(&self, state: &State, configuration: &Configuration) -> Decision {
        self.decide_at(state, configuration, now())
    }

    pub(crate) fn decide_at(&self, state: &State, configuration: &Configuration, now: Timestamp) -> Decision {
        let mut window = Tally::new(Room::of(100_000), START);
        let file = partial::encode(Header::default(), &self.tally, 64);
        partial::merge(&file, &mut window, 0, u32::MAX).unwrap();
        let decision = decide(&window, state, configuration, now);
        let again = decide(&window, &decision.state, configuration, now);
        assert_eq!(again.state, decision.state, "deciding again changes nothing");
        decision
    }

    pub(crate) fn blocked(&self) -> Vec<String> {
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

pub(crate) fn now() -> Timestamp {
    time_of(START + 60 * MINUTE)
}

pub(crate) const NOBODY: [&str; 0] = [];
pub(crate) const OFFICE: &str = "198.51.100.20";

/// Whether what stands in the sets of this family holds a network.
pub(crate) fn written(state: &State, family: Family) -> impl Fn(&str) -> bool + use<> {
    let wanted = entries(state, &Configuration::default(), family, MOST_ENTRIES).wanted;
    move |network: &str| wanted.iter().any(|entry| entry.contains(&network.parse::<IpNet>().unwrap()))
}
