//! Who judges: `waf-logs`' own code, and the rules of two others on what they read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use offenders::address::{Address, Networks};
use offenders::classify::Classifier;
use offenders::configuration::Configuration;
use offenders::decide::{decide, window_steps};
use offenders::entries::{Family, MOST_ENTRIES, entries};
use offenders::object::ObjectReader;
use offenders::partial::{self, Header};
use offenders::state::State;
use offenders::tally::{Room, Tally};

use crate::log_lines::{OWN_RULE, START};
use crate::play::{Judge, Seen, text};
use crate::traffic::{Firewall, MINUTE};

/// `waf-logs`: reads both logs as text, merges, decides.
#[derive(Debug)]
pub struct Greenlight {
    configuration: Configuration,
    classifier: Classifier,
    partials: Vec<(u32, Vec<u8>)>,
    state: State,
    written: Networks,
    challenged: Networks,
    in_force: Networks,
    has_access_logs: bool,
}

/// Logs that come later are not judged, milliseconds; as the function has it.
const LATENESS: u32 = 20 * MINUTE;

impl Greenlight {
    /// With its defaults; with or without the load balancer's log.
    pub fn new(has_access_logs: bool) -> Self {
        let configuration = Configuration::default();
        let classifier = Classifier::new(&configuration, Some(OWN_RULE));
        Self {
            configuration,
            classifier,
            partials: Vec::new(),
            state: State::default(),
            written: Networks::default(),
            challenged: Networks::default(),
            in_force: Networks::default(),
            has_access_logs,
        }
    }

    /// What it remembers.
    pub fn state(&self) -> &State {
        &self.state
    }
}

fn time(at: u32) -> Timestamp {
    Timestamp::from_millisecond(START * 1000 + i64::from(at)).unwrap_or_default()
}

impl Judge for Greenlight {
    fn name(&self) -> &'static str {
        if self.has_access_logs { "greenlight" } else { "greenlight, WAF's log alone" }
    }

    fn logs(&mut self, seen: &[Seen<'_>], at: u32) {
        for text in text(seen).iter().take(1 + usize::from(self.has_access_logs)) {
            let mut reader = ObjectReader::new(&mut self.classifier, Room::default(), time(at));
            if reader.push(text.as_bytes()).is_err() {
                continue;
            }
            if let Ok((_, tally)) = reader.finish() {
                self.partials.push((at, partial::encode(Header::default(), &tally, 64)));
            }
        }
    }

    fn minute(&mut self, at: u32) {
        let now = time(at);
        let lateness = std::time::Duration::from_millis(u64::from(LATENESS));
        let (from, until) = window_steps(&self.configuration, lateness, now);
        let mut window = Tally::new(Room::of_window(196_608), offenders::judge::step_at(now));
        let keep = self.configuration.longest_find_time() + lateness;
        self.partials.retain(|(written, _)| u128::from(at - written) < keep.as_millis());
        for (_, bytes) in &self.partials {
            partial::merge(bytes, &mut window, from, until).map(drop).unwrap_or_default();
        }
        self.state = decide(&window, &self.state, &self.configuration, now).state;
        let wanted: BTreeSet<IpNet> = [Family::V4, Family::V6]
            .iter()
            .flat_map(|family| entries(&self.state, &self.configuration, *family, MOST_ENTRIES).wanted)
            .collect();
        self.written = wanted.iter().collect();
        self.challenged = self.state.challenged.keys().collect();
    }

    fn blocks(&self, address: IpAddr) -> bool {
        self.written.contains(Address::from(address))
    }

    fn challenges(&self, address: IpAddr) -> bool {
        self.challenged.contains(Address::from(address))
    }

    fn in_force(&mut self) {
        self.in_force = self.written.clone();
    }

    fn turns_away(&self, address: IpAddr) -> bool {
        self.in_force.contains(Address::from(address))
    }
}

/// A rule that bans single addresses for a time.
trait Rule {
    /// What it is called.
    const NAME: &'static str;

    /// The logs of five minutes come.
    fn logs(&mut self, seen: &[Seen<'_>], at: u32, until: &mut BTreeMap<IpAddr, u32>);
}

/// A judge by such a rule.
#[derive(Debug, Default)]
struct Banning<R> {
    rule: R,
    until: BTreeMap<IpAddr, u32>,
    in_force: BTreeSet<IpAddr>,
}

impl<R: Rule> Judge for Banning<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn logs(&mut self, seen: &[Seen<'_>], at: u32) {
        self.rule.logs(seen, at, &mut self.until);
    }

    fn minute(&mut self, at: u32) {
        self.until.retain(|_, until| *until > at);
    }

    fn blocks(&self, address: IpAddr) -> bool {
        self.until.contains_key(&address)
    }

    fn in_force(&mut self) {
        self.in_force = self.until.keys().copied().collect();
    }

    fn turns_away(&self, address: IpAddr) -> bool {
        self.in_force.contains(&address)
    }
}

/// fail2ban's rule on both logs: `maxretry` 5 failures within `findtime` 10 min, `bantime` 10 min, as in its
/// `jail.conf`; a failure is 401, 403 or 429, as its filters for HTTP authentication have it.
#[derive(Debug, Default)]
struct Fail2ban {
    failures: BTreeMap<IpAddr, Vec<u32>>,
}

impl Rule for Fail2ban {
    const NAME: &'static str = "fail2ban's rule";

    fn logs(&mut self, seen: &[Seen<'_>], at: u32, until: &mut BTreeMap<IpAddr, u32>) {
        for seen in seen.iter().filter(|seen| matches!(seen.status(), 401 | 403 | 429)) {
            let failures = self.failures.entry(seen.request.from).or_default();
            failures.push(seen.request.at);
            failures.retain(|before| seen.request.at - before < 10 * MINUTE);
            if failures.len() >= 5 {
                until.insert(seen.request.from, at.max(seen.request.at) + 10 * MINUTE);
            }
        }
    }
}

/// The defaults of AWS's Security Automations: 100 requests in a clock minute, or 50 answers of 400, 401, 403, 404 or 405
/// in a clock minute, block for 240 minutes.
#[derive(Debug, Default)]
struct SecurityAutomations;

impl Rule for SecurityAutomations {
    const NAME: &'static str = "AWS Security Automations";

    fn logs(&mut self, seen: &[Seen<'_>], at: u32, until: &mut BTreeMap<IpAddr, u32>) {
        // A file at a time, as it does.
        let mut minutes: BTreeMap<(IpAddr, u32), (u32, u32)> = BTreeMap::new();
        for seen in seen {
            let counts = minutes.entry((seen.request.from, seen.request.at / MINUTE)).or_default();
            counts.0 += 1;
            let reaches = seen.request.firewall == Firewall::Allow && !seen.turned_away;
            counts.1 += u32::from(reaches && matches!(seen.request.status, 400 | 401 | 403 | 404 | 405));
        }
        for ((from, _), (requests, errors)) in minutes {
            if requests >= 100 || errors >= 50 {
                until.insert(from, at + 240 * MINUTE);
            }
        }
    }
}

/// All who are compared: `waf-logs` with both logs and with WAF's alone, and the rules of the two others.
pub fn all() -> [Box<dyn Judge>; 4] {
    [
        Box::new(Greenlight::new(true)),
        Box::new(Greenlight::new(false)),
        Box::<Banning<Fail2ban>>::default(),
        Box::<Banning<SecurityAutomations>>::default(),
    ]
}
