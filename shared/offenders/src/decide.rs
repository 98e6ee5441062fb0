//! Who is blocked from now on: `decide(window, state, configuration, now)`. Pure: the same arguments give the same
//! decision, in any order of the log objects, and deciding again on what was decided changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::address::{Address, Networks};
use crate::configuration::{Configuration, Mode, SHORTEST_BAN};
use crate::judge::{self, Detector, Finding, findings, step_at, time_of};
use crate::state::{Ban, Held, Past, State};
use crate::tally::{Activity, MOST_SAMPLES, Sample, Tally};

/// Longest note that is kept with a block or an allowance, bytes. The state is read every minute, and a block's note
/// stands in messages.
const LONGEST_NOTE: usize = 1024;

/// Examples named when the brake holds.
const MOST_EXAMPLES: usize = 20;

/// How long an operator's go-ahead lasts.
pub const CONFIRMATION: Duration = Duration::from_secs(600);

/// What a pass has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// To be stored.
    pub state: State,
    /// What people should hear.
    pub news: Vec<News>,
    /// Offenders that were left alone, and why.
    pub spared: Vec<(IpNet, Spared)>,
    /// Clients in the window.
    pub seen: usize,
}

/// Something worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A client is blocked from now on.
    Blocked(IpNet),
    /// A blocked client keeps coming, and stays blocked for longer.
    Extended(IpNet),
    /// A ban has ended.
    Released(IpNet),
    /// The brake holds.
    Held(Held),
    /// The brake holds no longer.
    Resumed,
}

/// Why an offender is not blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spared {
    /// Its network is allowed, or holds an allowed address.
    Allowed,
    /// It is a trusted proxy.
    Proxy,
    /// The brake holds.
    Brake,
}

impl fmt::Display for Spared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "an allowed address is in it",
            Self::Proxy => "a trusted proxy is in it",
            Self::Brake => "the brake holds",
        })
    }
}

/// Networks that are never blocked: by configuration, by command, and the proxies.
pub fn never_blocked(state: &State, configuration: &Configuration) -> Networks {
    configuration
        .allow
        .iter()
        .chain(&configuration.clients.trusted_proxies)
        .chain(state.allowed.keys())
        .collect()
}

/// Decides on everything that is known. `window` holds the recent activity of all clients.
#[must_use]
pub fn decide(window: &Tally, state: &State, configuration: &Configuration, now: Timestamp) -> Decision {
    let mut state = state.clone();
    let mut news = Vec::new();
    state.allowed.retain(|_, allowed| allowed.until.is_none_or(|until| until > now));
    let never = never_blocked(&state, configuration);
    release(&mut state, &never, now, &mut news);
    let forget = configuration.ban.forget.0;
    state.past.retain(|_, past| after(past.ended, forget) > now);

    let proxies: Networks = configuration.clients.trusted_proxies.iter().collect();
    let mut candidates: BTreeMap<IpNet, Candidate> = BTreeMap::new();
    let mut spared = Vec::new();
    let mut seen = 0;
    window.each(|client, activity| {
        let Some(span) = activity.span() else { return };
        seen += 1;
        let network = client.network(configuration.clients.ipv6_prefix);
        if let Some(ban) = state.bans.get_mut(&network) {
            if watch(ban, activity, span, configuration) {
                news.push(News::Extended(network));
            }
            return;
        }
        let ignore_until = state.past.get(&network).map(|past| step_at(past.ended));
        let findings = findings(activity, configuration, ignore_until);
        if findings.is_empty() || is_covered(&state, &network) {
            return;
        }
        if proxies.overlaps(&network) {
            spared.push((network, Spared::Proxy));
        } else if never.overlaps(&network) {
            spared.push((network, Spared::Allowed));
        } else {
            candidates.insert(network, Candidate { findings, span });
        }
    });

    if brakes(candidates.len(), seen, &state, configuration, now) {
        let mut worst: Vec<_> = candidates.iter().collect();
        worst.sort_by_key(|(network, candidate)| (std::cmp::Reverse(excess(&candidate.findings)), **network));
        let held = Held {
            since: state.held.as_ref().map_or(now, |held| held.since),
            count: candidates.len(),
            seen,
            examples: worst.iter().take(MOST_EXAMPLES).map(|(network, _)| **network).collect(),
        };
        if state.held.is_none() {
            news.push(News::Held(held.clone()));
        }
        state.held = Some(held);
        spared.extend(candidates.into_keys().map(|network| (network, Spared::Brake)));
        return Decision { state, news, spared, seen };
    }
    if state.held.take().is_some() {
        news.push(News::Resumed);
    }
    let mut samples = samples_by_network(window, configuration, &candidates);
    for (network, candidate) in candidates {
        let times_before = state.past.get(&network).map_or(0, |past| past.times);
        let samples = samples.remove(&network).unwrap_or_default();
        let ban = candidate.ban(times_before, samples, configuration, now);
        state.bans.insert(network, ban);
        state.past.remove(&network);
        news.push(News::Blocked(network));
    }
    Decision { state, news, spared, seen }
}

/// Ends bans whose time has come, or whose network is allowed now.
fn release(state: &mut State, never: &Networks, now: Timestamp, news: &mut Vec<News>) {
    let ended: Vec<(IpNet, Timestamp)> = state
        .bans
        .iter()
        .filter_map(|(network, ban)| match ban.until {
            Some(until) if until <= now => Some((*network, until)),
            _ if never.overlaps(network) => Some((*network, now)),
            _ => None,
        })
        .collect();
    for (network, ended) in ended {
        if let Some(ban) = state.bans.remove(&network) {
            let times = ban.times_before + u32::from(ban.detector != Detector::Manual);
            state.past.insert(network, Past { times, ended });
            news.push(News::Released(network));
        }
    }
}

/// Whether a wider ban, an operator's, holds this network already.
fn is_covered(state: &State, network: &IpNet) -> bool {
    let mut wider = network.supernet();
    while let Some(network) = wider {
        if state.bans.contains_key(&network) {
            return true;
        }
        wider = network.supernet();
    }
    false
}

/// Keeps an eye on a client that is blocked; `true` when its ban was made longer, because it knocks as often as would
/// bring a ban of its own.
fn watch(ban: &mut Ban, activity: &Activity, (_, last): (u32, u32), configuration: &Configuration) -> bool {
    let last_seen = time_of(last);
    ban.last_seen = Some(ban.last_seen.map_or(last_seen, |before| before.max(last_seen)));
    let (Some(until), true) = (ban.until, ban.detector != Detector::Manual) else { return false };
    let Some(knocked) = judge::last_knocking(activity, configuration, ban.since) else { return false };
    let extended = after(knocked, ban_time(ban, configuration));
    // The clock of a ban goes on from the last knock; less than a tenth more is not worth a write.
    let worth = after(until, ban_time(ban, configuration) / 10);
    if extended > worth {
        ban.until = Some(extended);
        return true;
    }
    false
}

fn ban_time(ban: &Ban, configuration: &Configuration) -> Duration {
    lengthened(first_ban(&ban.findings, configuration), ban.times_before, configuration)
}

fn first_ban(findings: &[Finding], configuration: &Configuration) -> Duration {
    findings.iter().map(|finding| finding.ban_time).max().unwrap_or(configuration.ban.time).0
}

fn lengthened(first: Duration, times_before: u32, configuration: &Configuration) -> Duration {
    let doubled = first.saturating_mul(1_u32.checked_shl(times_before).unwrap_or(u32::MAX));
    doubled.min(configuration.ban.max.0)
}

fn after(time: Timestamp, span: Duration) -> Timestamp {
    time.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// An offender who may be blocked.
struct Candidate {
    findings: Vec<Finding>,
    span: (u32, u32),
}

impl Candidate {
    fn ban(
        self,
        times_before: u32,
        samples: Vec<Sample>,
        configuration: &Configuration,
        now: Timestamp,
    ) -> Ban {
        let first = first_ban(&self.findings, configuration);
        Ban {
            detector: self.findings.first().map_or(Detector::Rate, |finding| finding.detector),
            since: now,
            until: Some(after(now, lengthened(first, times_before, configuration))),
            times_before,
            first_seen: Some(time_of(self.span.0)),
            last_seen: Some(time_of(self.span.1)),
            samples,
            findings: self.findings,
            note: None,
        }
    }
}

/// How far the worst finding is over its threshold, in percent of it.
fn excess(findings: &[Finding]) -> u64 {
    findings.iter().map(|f| u64::from(f.count) * 100 / u64::from(f.max_retry.max(1))).max().unwrap_or(0)
}

fn brakes(new: usize, seen: usize, state: &State, configuration: &Configuration, now: Timestamp) -> bool {
    let brake = &configuration.brake;
    new > brake.at_least
        && new.saturating_mul(100) > seen.saturating_mul(usize::from(brake.percent))
        && state.confirmed_until.is_none_or(|until| until <= now)
}

fn samples_by_network<T>(
    window: &Tally,
    configuration: &Configuration,
    wanted: &BTreeMap<IpNet, T>,
) -> BTreeMap<IpNet, Vec<Sample>> {
    let mut samples: BTreeMap<IpNet, Vec<Sample>> = BTreeMap::new();
    for (client, sample) in window.samples() {
        let network = Address::network(client, configuration.clients.ipv6_prefix);
        if wanted.contains_key(&network) {
            let kept = samples.entry(network).or_default();
            if kept.len() < MOST_SAMPLES {
                kept.push(sample.clone());
            }
        }
    }
    samples
}

/// What an operator may ask for; see [`command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Lift a ban and forgive it.
    Unblock(IpNet),
    /// Block a network, for a time or for good.
    Block(IpNet, Option<Duration>, Option<String>),
    /// Never block a network, for a time or for good; lifts bans in it.
    Allow(IpNet, Option<Duration>, Option<String>),
    /// Take back an [`Command::Allow`].
    Disallow(IpNet),
    /// Go ahead with what the brake holds.
    Confirm,
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is nothing to lift.
    #[error("{0} is not blocked by us; `blocked` lists what is")]
    NotBlocked(IpNet),
    /// Allowed networks win over commands too.
    #[error("{0} holds an allowed address or a trusted proxy; take that out of the allow list first")]
    Allowed(IpNet),
    /// All addresses of its kind.
    #[error("{0} is everybody; block at most a /16 of IPv4 or a /32 of IPv6")]
    BlockEverybody(IpNet),
    /// All addresses of its kind.
    #[error("{0} is everybody; to block no client at all, write `mode: count` into waf/configuration.yaml")]
    AllowEverybody(IpNet),
    /// The note would be read every minute.
    #[error("the note has {0} bytes; give at most {LONGEST_NOTE}")]
    LongNote(usize),
    /// Wider than anybody means.
    #[error("{0} is too wide; block at most a /16 of IPv4 or a /32 of IPv6")]
    TooWide(IpNet),
    /// Shorter than a firewall takes to follow.
    #[error("{} is too short; give a time of at least 1s, or leave it out for good", duration::show(*.0))]
    TooShort(Duration),
    /// There is nothing to take back.
    #[error("{0} was not allowed by command; the configuration file has an allow list of its own")]
    NotAllowed(IpNet),
    /// The brake does not hold.
    #[error("nothing is held")]
    NothingHeld,
}

/// Carries out an operator's command; the next pass brings the IP sets into line.
///
/// # Errors
/// The command means nothing now; the state is as it was.
pub fn command(
    state: &State,
    configuration: &Configuration,
    command: &Command,
    now: Timestamp,
) -> Result<State, Refused> {
    if let Command::Block(_, Some(time), _) | Command::Allow(_, Some(time), _) = command
        && *time < SHORTEST_BAN
    {
        return Err(Refused::TooShort(*time));
    }
    if let Command::Block(_, _, Some(note)) | Command::Allow(_, _, Some(note)) = command
        && note.len() > LONGEST_NOTE
    {
        return Err(Refused::LongNote(note.len()));
    }
    match command {
        Command::Block(network, ..) if network.prefix_len() == 0 => {
            return Err(Refused::BlockEverybody(*network));
        }
        Command::Allow(network, ..) if network.prefix_len() == 0 => {
            return Err(Refused::AllowEverybody(*network));
        }
        _ => {}
    }
    let mut state = state.clone();
    match command {
        Command::Unblock(network) => {
            let inside: Vec<IpNet> =
                state.bans.keys().filter(|ban| network.contains(*ban)).copied().collect();
            if inside.is_empty() {
                return Err(Refused::NotBlocked(*network));
            }
            for network in inside {
                state.bans.remove(&network);
                // Forgiven: the offences that are still in the window do not count again.
                state.past.insert(network, Past { times: 0, ended: now });
            }
        }
        Command::Block(network, time, note) => {
            let widest = match network {
                IpNet::V4(_) => 16,
                IpNet::V6(_) => 32,
            };
            if network.prefix_len() < widest {
                return Err(Refused::TooWide(*network));
            }
            if never_blocked(&state, configuration).overlaps(network) {
                return Err(Refused::Allowed(*network));
            }
            let ban = Ban {
                detector: Detector::Manual,
                findings: Vec::new(),
                since: now,
                until: time.map(|time| after(now, time)),
                times_before: state.past.get(network).map_or(0, |past| past.times),
                first_seen: None,
                last_seen: None,
                samples: Vec::new(),
                note: note.clone(),
            };
            state.bans.insert(*network, ban);
        }
        Command::Allow(network, time, note) => {
            let allowed = crate::state::Allowed {
                since: now,
                until: time.map(|time| after(now, time)),
                note: note.clone(),
            };
            state.allowed.insert(*network, allowed);
            let never = never_blocked(&state, configuration);
            release(&mut state, &never, now, &mut Vec::new());
        }
        Command::Disallow(network) => {
            if state.allowed.remove(network).is_none() {
                return Err(Refused::NotAllowed(*network));
            }
        }
        Command::Confirm => {
            if state.held.is_none() {
                return Err(Refused::NothingHeld);
            }
            state.confirmed_until = Some(after(now, CONFIRMATION));
        }
    }
    Ok(state)
}

/// Whether anything of ours should stand in the IP sets at all.
pub const fn is_enforced(mode: Mode) -> bool {
    matches!(mode, Mode::Block)
}

/// The steps that a pass at `now` still needs: the longest find time, and `lateness` for logs that come late.
pub fn window_steps(configuration: &Configuration, lateness: Duration, now: Timestamp) -> (u32, u32) {
    let length = configuration.longest_find_time() + lateness;
    let from = now.checked_sub(length).unwrap_or(Timestamp::UNIX_EPOCH);
    // A record a little in the future is counted, because its clock may run ahead. One far in the future is not WAF's.
    (judge::step_at(from), judge::step_at(after(now, Duration::from_secs(120))))
}
