//! Who is blocked from now on: `decide(window, state, configuration, now)`. Pure: the same arguments give the same
//! decision, in any order of the log objects, and deciding again on what was decided changes nothing.
//!
//! **The brake** holds blocks that may be the site's own fault: a rule that blocks everybody, a threshold that visitors
//! reach, a release that answers wrongly. It counts the entries that would be written for them, so that one network with
//! many addresses is one. What cannot be the site's fault is never held (`is_clear`), so nobody stays free because
//! somebody else makes himself many.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::address::{Address, Networks};
use crate::challenge;
use crate::classify::PathKind;
use crate::configuration::{Configuration, Mode};
use crate::entries::{common, is_of_one, supernet_of};
use crate::judge::{self, Detector, Finding, findings, step_at, time_of};
use crate::site::Site;
use crate::state::{Ban, Campaign, Held, Past, State};
use crate::tally::{Activity, MOST_SAMPLES, Sample, Tally};

/// Examples named when the brake holds.
const MOST_EXAMPLES: usize = 20;

/// Who fails so many times as often as anything goes well does nothing else.
const FAILS_ONLY: u64 = 9;

/// So many per cent of a threshold are beyond doubt.
const BEYOND_DOUBT: u64 = 500;

/// Who has done so many things well in a network that is judged as one lives there.
const AT_HOME: u64 = 3;

/// With more of them it is no client's network. Each costs up to 16 entries of an IP set.
const MOST_AT_HOME: usize = 32;

/// Hours of which it is remembered how many used credentials.
const HOURS: i64 = 48;

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
    /// Whether a load balancer's log told what was answered. Without it nobody is judged by refused credentials and by
    /// paths that are not here.
    pub sees_answers: bool,
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
    /// Many try credentials at once.
    Campaign(Campaign),
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
    /// AWS has verified which crawler it is.
    Verified,
    /// The brake holds.
    Brake,
}

impl fmt::Display for Spared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "an allowed address is in it",
            Self::Proxy => "a trusted proxy is in it",
            Self::Verified => "it is a crawler that AWS has verified",
            Self::Brake => "the brake holds",
        })
    }
}

/// Networks that are never blocked: by configuration, by command, and the proxies.
pub fn never_blocked(state: &State, configuration: &Configuration) -> Networks {
    never_blocked_list(state, configuration).collect()
}

pub(crate) fn never_blocked_list<'a>(
    state: &'a State,
    configuration: &'a Configuration,
) -> impl Iterator<Item = &'a IpNet> {
    configuration.allow.iter().chain(&configuration.clients.trusted_proxies).chain(state.allowed.keys())
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
    let site = Site::new(window, &state, configuration, hour_of(now));
    remember(&mut state, &site, now, &mut news);

    let mut review = Review {
        configuration,
        site: &site,
        proxies: configuration.clients.trusted_proxies.iter().collect(),
        never,
        state: &mut state,
        now,
        candidates: BTreeMap::new(),
        spared: Vec::new(),
        news,
        seen: 0,
        subscribers: 0,
        network: None,
    };
    window
        .each(|client, activity| review.client(client.network(configuration.clients.ipv6_prefix), activity));
    review.end_of_network();
    let Review { mut candidates, mut spared, mut news, seen, subscribers, never, .. } = review;

    let held = brake(&mut candidates, subscribers, &state, configuration, now);
    match held {
        Some((held, networks)) => {
            if state.held.is_none() {
                news.push(News::Held(held.clone()));
            }
            state.held = Some(held);
            spared.extend(networks.into_iter().map(|network| (network, Spared::Brake)));
        }
        None if state.held.take().is_some() => news.push(News::Resumed),
        None => {}
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
    challenge::end(&mut state, &never, now);
    find_bystanders(window, &mut state, configuration, &site);
    Decision { state, news, spared, seen, sees_answers: site.sees_answers }
}

fn hour_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(3600)
}

/// Keeps what is usual, and says when a campaign begins.
fn remember(state: &mut State, site: &Site, now: Timestamp, news: &mut Vec<News>) {
    let hour = hour_of(now);
    if site.sees_answers {
        state.hours.insert(hour, site.hour);
    }
    state.hours.retain(|&before, _| before > hour - HOURS);
    if !site.campaign {
        state.campaign = None;
    } else if state.campaign.is_none() {
        let campaign = Campaign { since: now, clients: site.hour };
        state.campaign = Some(campaign.clone());
        news.push(News::Campaign(campaign));
    }
}

/// All clients, looked at one after the other in the order of their addresses.
struct Review<'a> {
    configuration: &'a Configuration,
    site: &'a Site,
    proxies: Networks,
    never: Networks,
    state: &'a mut State,
    now: Timestamp,
    candidates: BTreeMap<IpNet, Candidate>,
    spared: Vec<(IpNet, Spared)>,
    news: Vec<News>,
    seen: usize,
    /// Clients, those of one IPv6 neighbourhood together.
    subscribers: usize,
    network: Option<Neighbourhood>,
}

/// An IPv6 neighbourhood as if it were one client. Who has a /48 can send each request from another /64.
struct Neighbourhood {
    network: IpNet,
    activity: Activity,
    members: Vec<IpNet>,
    failing: Vec<IpNet>,
    at_home: usize,
    sum: Balance,
}

impl Review<'_> {
    fn client(&mut self, network: IpNet, activity: &Activity) {
        let Some(span) = activity.span() else { return };
        self.seen += 1;
        self.join(network, activity);
        if let Some(ban) = self.state.bans.get_mut(&network) {
            if watch(ban, activity, span, self.configuration) {
                self.news.push(News::Extended(network));
            }
            return;
        }
        self.judge(network, activity, span);
        if !(activity.is_verified() || self.never.overlaps(&network)) {
            challenge::look_at(network, activity, self.configuration, self.site, self.state, self.now);
        }
    }

    fn judge(&mut self, network: IpNet, activity: &Activity, span: (u32, u32)) {
        let ignore_until = self.state.past.get(&network).map(|past| step_at(past.ended));
        let findings = findings(activity, self.configuration, self.site, ignore_until);
        if findings.is_empty() || is_covered(self.state, &network) {
            return;
        }
        let why = if self.proxies.overlaps(&network) {
            Spared::Proxy
        } else if self.never.overlaps(&network) {
            Spared::Allowed
        } else if activity.is_verified() {
            Spared::Verified
        } else {
            let is_clear = is_clear(&findings, &Balance::of(activity, self.site));
            self.candidates.insert(network, Candidate { findings, span, is_clear });
            return;
        };
        self.spared.push((network, why));
    }

    /// Takes a client into its neighbourhood; neighbours come one after the other.
    fn join(&mut self, client: IpNet, activity: &Activity) {
        let of = match client {
            IpNet::V4(_) => None,
            IpNet::V6(_) => supernet_of(&client, self.configuration.neighbours.ipv6_prefix),
        };
        if self.network.as_ref().map(|network| network.network) != of || of.is_none() {
            self.end_of_network();
            self.subscribers += 1;
            self.network = of.map(|network| Neighbourhood {
                network,
                activity: Activity::default(),
                members: Vec::new(),
                failing: Vec::new(),
                at_home: 0,
                sum: Balance::default(),
            });
        }
        let Some(network) = &mut self.network else { return };
        let balance = Balance::of(activity, self.site);
        network.failing.extend(balance.fails_only().then_some(client));
        network.at_home += usize::from(balance.is_at_home());
        network.sum.well += balance.well;
        network.sum.badly += balance.badly;
        network.members.push(client);
        network.activity.absorb(activity);
    }

    fn end_of_network(&mut self) {
        let Some(mut all) = self.network.take() else { return };
        let Some(span) = all.activity.span() else { return };
        // Others live in it: then only the part where it goes wrong.
        if all.at_home > 0 && !self.state.bans.contains_key(&all.network) {
            all.network = common(&all.failing).unwrap_or(all.network);
        }
        let ban = self.state.bans.get_mut(&all.network);
        let is_one = all.failing.len() >= self.configuration.neighbours.members
            && all.sum.fails_only()
            && all.at_home <= MOST_AT_HOME;
        if ban.is_none() && !is_one {
            return;
        }
        all.activity.sort();
        if let Some(ban) = ban {
            if watch(ban, &all.activity, span, self.configuration) {
                self.news.push(News::Extended(all.network));
            }
            return;
        }
        self.judge(all.network, &all.activity, span);
        if self.candidates.contains_key(&all.network) {
            for member in all.members.iter().filter(|member| all.network.contains(*member)) {
                self.candidates.remove(member);
            }
        }
    }
}

/// How much of what a client did went well, and how much badly.
#[derive(Debug, Clone, Copy, Default)]
struct Balance {
    well: u64,
    badly: u64,
}

impl Balance {
    fn of(activity: &Activity, site: &Site) -> Self {
        let paths = |wanted: &dyn Fn(PathKind) -> bool| {
            activity.paths.iter().filter(|(path, ..)| wanted(path.kind())).count() as u64
        };
        let blocked = activity.blocked().len() as u64;
        if site.sees_answers {
            let well = activity.successes.iter().map(|&(_, count)| u64::from(count)).sum();
            let gone = paths(&|kind| kind != PathKind::Asked);
            return Self { well, badly: blocked + activity.refused().len() as u64 + gone };
        }
        let badly = blocked + activity.credentials().len() as u64 + paths(&|kind| kind != PathKind::Missing);
        Self { well: (activity.requests.len() as u64).saturating_sub(badly), badly }
    }

    /// Whether enough goes well in a network that only fails: one of many tries may succeed by chance.
    fn is_at_home(&self) -> bool {
        self.well >= AT_HOME && self.well > self.badly
    }

    /// Whether hardly anything went well.
    fn fails_only(&self) -> bool {
        self.badly > 0 && self.badly >= self.well.saturating_mul(FAILS_ONLY)
    }
}

/// Whether what was found cannot be the site's own fault. Visitors do not ask for secrets, whatever is wrong with a site.
/// Refused credentials count only while others get in. Nobody who is only unlucky is so far beyond a threshold.
fn is_clear(findings: &[Finding], balance: &Balance) -> bool {
    findings.iter().any(|finding| match finding.detector {
        Detector::Scan => true,
        Detector::BruteForce | Detector::Campaign if balance.fails_only() => true,
        _ => finding.excess() >= BEYOND_DOUBT,
    })
}

/// Ends bans whose time has come, or whose network is allowed now.
pub(crate) fn release(state: &mut State, never: &Networks, now: Timestamp, news: &mut Vec<News>) {
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

pub(crate) fn after(time: Timestamp, span: Duration) -> Timestamp {
    time.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// An offender who may be blocked.
struct Candidate {
    findings: Vec<Finding>,
    span: (u32, u32),
    /// Nothing that the brake could hold.
    is_clear: bool,
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

/// Takes the doubtful ones out of `candidates` when they are too many to be right.
fn brake(
    candidates: &mut BTreeMap<IpNet, Candidate>,
    subscribers: usize,
    state: &State,
    configuration: &Configuration,
    now: Timestamp,
) -> Option<(Held, Vec<IpNet>)> {
    let doubtful = || candidates.iter().filter(|(_, candidate)| !candidate.is_clear);
    let entries = written(doubtful().map(|(network, _)| network), configuration);
    let brake = &configuration.brake;
    let holds = entries > brake.at_least
        && entries.saturating_mul(100) > subscribers.saturating_mul(usize::from(brake.percent))
        && state.confirmed_until.is_none_or(|until| until <= now);
    if !holds {
        return None;
    }
    let excess = |candidate: &Candidate| candidate.findings.iter().map(Finding::excess).max();
    let mut worst: Vec<_> =
        doubtful().map(|(network, candidate)| (std::cmp::Reverse(excess(candidate)), *network)).collect();
    worst.sort_unstable();
    let networks: Vec<IpNet> = worst.into_iter().map(|(_, network)| network).collect();
    candidates.retain(|_, candidate| candidate.is_clear);
    let held = Held {
        since: state.held.as_ref().map_or(now, |held| held.since),
        count: entries,
        seen: subscribers,
        examples: networks.iter().take(MOST_EXAMPLES).copied().collect(),
    };
    Some((held, networks))
}

/// The widest network that an offender may become part of.
fn neighbourhood(network: &IpNet, configuration: &Configuration) -> Option<IpNet> {
    let widest = match network {
        IpNet::V4(_) => configuration.neighbours.ipv4_prefix,
        IpNet::V6(_) => configuration.neighbours.ipv6_prefix,
    };
    supernet_of(network, widest)
}

/// How many entries these would be, neighbours together.
fn written<'n>(networks: impl Iterator<Item = &'n IpNet>, configuration: &Configuration) -> usize {
    let mut groups: BTreeMap<IpNet, usize> = BTreeMap::new();
    for network in networks {
        *groups.entry(neighbourhood(network, configuration).unwrap_or(*network)).or_default() += 1;
    }
    let members = configuration.neighbours.members;
    groups.into_values().map(|count| if count >= members { 1 } else { count }).sum()
}

/// Finds those who do nothing wrong and whose neighbours are about to become one network, or are judged as one. They are
/// remembered for as long as that lasts, because they need not be here all the time, and no longer than they do nothing
/// wrong.
fn find_bystanders(window: &Tally, state: &mut State, configuration: &Configuration, site: &Site) {
    let mut groups: BTreeMap<IpNet, usize> = BTreeMap::new();
    let of_detectors = state.bans.iter().filter(|(_, ban)| ban.detector != Detector::Manual);
    let (of_one, judged_as_one): (Vec<IpNet>, Vec<IpNet>) =
        of_detectors.map(|(network, _)| *network).partition(|network| is_of_one(network, configuration));
    for group in of_one.iter().filter_map(|network| neighbourhood(network, configuration)) {
        *groups.entry(group).or_default() += 1;
    }
    groups.retain(|_, count| *count >= configuration.neighbours.members);
    let is_one = |network: &IpNet| judged_as_one.iter().any(|one| one.contains(network));
    let is_in = |network: &IpNet| {
        is_one(network)
            || neighbourhood(network, configuration).is_some_and(|group| groups.contains_key(&group))
    };
    let mut bystanders: BTreeSet<IpNet> = std::mem::take(&mut state.bystanders);
    bystanders.retain(|network| is_in(network) && !state.bans.contains_key(network));
    if !(groups.is_empty() && judged_as_one.is_empty()) {
        window.each(|client, activity| {
            let network = client.network(configuration.clients.ipv6_prefix);
            if !is_in(&network) || state.bans.contains_key(&network) {
                return;
            }
            let balance = Balance::of(activity, site);
            if balance.badly > balance.well {
                bystanders.remove(&network);
            } else if balance.is_at_home() || (!is_one(&network) && balance.well > balance.badly) {
                bystanders.insert(network);
            }
        });
    }
    state.bystanders = bystanders;
}

fn samples_by_network<T>(
    window: &Tally,
    configuration: &Configuration,
    wanted: &BTreeMap<IpNet, T>,
) -> BTreeMap<IpNet, Vec<Sample>> {
    let mut samples: BTreeMap<IpNet, Vec<Sample>> = BTreeMap::new();
    let wide: Vec<IpNet> =
        wanted.keys().filter(|network| !is_of_one(network, configuration)).copied().collect();
    for (client, sample) in window.samples() {
        let network = Address::network(client, configuration.clients.ipv6_prefix);
        // Of a network that is judged as one, what any of its members did.
        let judged_as_one = || wide.iter().copied().find(|wide| wide.contains(&network));
        if let Some(offender) = Some(network).filter(|one| wanted.contains_key(one)).or_else(judged_as_one) {
            let kept = samples.entry(offender).or_default();
            if kept.len() < MOST_SAMPLES {
                kept.push(sample.clone());
            }
        }
    }
    samples
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

/// Requests, which are most of what logs hold, are needed from here on only.
pub fn requests_from(configuration: &Configuration, lateness: Duration, now: Timestamp) -> u32 {
    let detectors = &configuration.detectors;
    let judged_by = [detectors.blocked, detectors.rate, detectors.brute_force];
    let longest = judged_by.iter().flatten().map(|threshold| threshold.find_time.0).max().unwrap_or_default();
    judge::step_at(now.checked_sub(longest + lateness).unwrap_or(Timestamp::UNIX_EPOCH))
}
