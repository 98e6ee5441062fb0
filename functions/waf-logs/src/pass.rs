//! The scheduled pass, the one writer: merge what is new, decide, commit, act, tell.
//!
//! Order matters. The state is committed before the IP sets change, and names every entry that is about to be ours. So
//! after a crash between the two the next pass knows which entries are ours, and writes the missing ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use greenlight::failure::{Class, Failure, chain};
use ipnet::IpNet;
use jiff::Timestamp;
use offenders::configuration::{Configuration, Mode};
use offenders::decide::{self, Decision, News, Spared, decide};
use offenders::entries::{self, Entries, MOST_ENTRIES, Purpose, Set};
use offenders::judge::step_at;
use offenders::partial::{self, Header};
use offenders::state::State;
use offenders::tally::{Room, Tally};
use serde::Serialize;

use crate::announce;
use crate::blocked;
use crate::keys;
use crate::ports::{IpSet, PortResult, Ports, Tag};
use crate::report::{self, Notes};
use crate::settings::Settings;
use crate::stored;

/// Logs that come later than this after what they tell of are not judged any more. WAF writes every five minutes;
/// the rest is for queues and retries.
pub const LATENESS: Duration = Duration::from_secs(1200);

/// WAF takes one change a second for an account and region, shared with everybody else's.
/// <https://docs.aws.amazon.com/waf/latest/developerguide/limits.html>
const BETWEEN_CHANGES: Duration = Duration::from_millis(1100);

/// An entry that is not wanted any more stays ours in memory for so long, in case a pass that was paused puts it back:
/// no invocation lives longer than a minute.
const REMEMBER_OURS: Duration = Duration::from_secs(180);

/// Most partial results merged in one pass; the rest waits for the next.
const MOST_PARTIALS: usize = 2000;

/// What a pass did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// Clients in the window.
    pub clients: usize,
    /// Partial results merged.
    pub merged: usize,
    /// Clients newly blocked.
    pub blocked: usize,
    /// Bans that ended.
    pub released: usize,
    /// Offenders left alone.
    pub spared: usize,
    /// Bans in force.
    pub bans: usize,
    /// Clients that WAF challenges.
    pub challenged: usize,
    /// Bans without room in a set.
    pub left_out: usize,
    /// IP sets changed.
    pub sets_changed: usize,
    /// Whether the brake holds.
    pub is_held: bool,
    /// Whether the load balancer's log told what was answered; without it, refused credentials and paths that are not
    /// here are not seen.
    pub sees_answers: bool,
    /// `block` or `count`.
    pub mode: Mode,
}

/// Runs a pass.
///
/// # Errors
/// What could not be read, committed or changed; the next pass makes up for it.
pub async fn pass(ports: &impl Ports, settings: &Settings) -> PortResult<Passed> {
    for _ in 0..stored::ATTEMPTS {
        if let Some(passed) = attempt(ports, settings).await? {
            return Ok(passed);
        }
    }
    Err(stored::contended())
}

/// What a pass has read.
struct Facts {
    state: State,
    tag: Option<Tag>,
    configuration: Configuration,
    refused: Option<stored::RefusedConfiguration>,
    sets: BTreeMap<Set, IpSet>,
}

/// One attempt; `None` when another pass or a command changed the state meanwhile.
async fn attempt(ports: &impl Ports, settings: &Settings) -> PortResult<Option<Passed>> {
    let now = ports.now();
    let (state, tag) = stored::state(ports).await?;
    let (configuration, refused) = stored::configuration(ports).await?;
    let mut sets = BTreeMap::new();
    for set in settings.sets.keys() {
        sets.insert(*set, ports.read_set(*set).await?);
    }
    let facts = Facts { state, tag, configuration, refused, sets };
    if facts.refused.is_none() {
        stored::keep_in_force(ports, &facts.configuration).await?;
    }
    let mode = stored::mode(&facts.configuration, settings);
    let (window, merged) = merge(ports, settings, &facts, now).await?;
    let mut decision = decide(&window, &facts.state, &facts.configuration, now);
    forget_merged(&mut decision.state, &merged, &facts.configuration, now);

    let complaint = complain(&mut decision.state, facts.refused.as_ref());
    let wanted = render(&mut decision.state, &facts, mode, now);
    let notes = notes(&wanted, complaint, &facts.state, mode);
    if let Some(message) = report::message(&decision.news, &notes, &decision.state, mode) {
        announce::keep(&mut decision.state, message);
    }
    let old_window = facts.state.window.clone();
    if !merged.is_empty() {
        decision.state.window = Some(keep_window(ports, &window, &facts.configuration, now).await?);
    }
    blocked::keep(ports, &mut decision.state, challenged(&wanted), mode, now).await;
    if decision.state != facts.state {
        decision.state.last_pass = Some(now);
        if !stored::commit(ports, &decision.state, facts.tag.as_ref()).await? {
            return Ok(None);
        }
    }
    let sets_changed = act(ports, &decision.state, &facts, mode).await?;
    if let Some(old) = old_window.filter(|old| Some(old) != decision.state.window.as_ref())
        && let Err(failure) = ports.delete(&old).await
    {
        tracing::warn!(
            error = chain(&failure),
            "an old window was not deleted; the bucket's lifecycle rule will"
        );
    }
    let passed = passed(&decision, &wanted, merged.len(), sets_changed, mode);
    announce::tell(ports, &decision.state.untold).await;
    log(&passed, &decision);
    Ok(Some(passed))
}

/// The window with everything new in it, and the partial results that are new.
async fn merge(
    ports: &impl Ports,
    settings: &Settings,
    facts: &Facts,
    now: Timestamp,
) -> PortResult<(Tally, Vec<(String, String)>)> {
    let (from, until) = decide::window_steps(&facts.configuration, LATENESS, now);
    let requests_from = decide::requests_from(&facts.configuration, LATENESS, now);
    let mut window =
        Tally::new(Room::of_window(settings.clients), step_at(now)).with_requests_from(requests_from);
    if let Some(key) = &facts.state.window {
        match ports.read(key).await? {
            Some((bytes, _)) => {
                if let Err(bad) = partial::merge(&bytes, &mut window, from, until) {
                    tracing::error!(key, error = %bad, "the window of the last pass is lost; counting starts anew");
                }
            }
            None => tracing::error!(key, "the window of the last pass is gone; counting starts anew"),
        }
    }
    let oldest = keys::slot(oldest_slot(&facts.configuration, now));
    let listed = ports.list(keys::PARTIALS, &format!("{}{oldest}", keys::PARTIALS)).await?;
    let mut merged = Vec::new();
    for key in &listed {
        let Some((slot, name)) = keys::slot_and_name(key) else { continue };
        if facts.state.merged.get(slot).is_some_and(|names| names.contains(name)) {
            continue;
        }
        if merged.len() >= MOST_PARTIALS {
            tracing::warn!(
                waiting = listed.len(),
                "more partial results than one pass merges; the rest waits"
            );
            break;
        }
        let Some((bytes, _)) = ports.read(key).await? else { continue };
        match partial::merge(&bytes, &mut window, from, until) {
            Ok(header) => tracing::debug!(key, records = header.records, source = header.source, "merged"),
            Err(bad) => tracing::error!(key, error = %bad, "a partial result was passed over"),
        }
        merged.push((slot.to_owned(), name.to_owned()));
    }
    Ok((window, merged))
}

/// Partial results are looked for from here on; what is older cannot matter any more.
fn oldest_slot(configuration: &Configuration, now: Timestamp) -> Timestamp {
    now.checked_sub(configuration.longest_find_time() + LATENESS).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Notes what was merged, and forgets what can no longer be listed.
fn forget_merged(
    state: &mut State,
    merged: &[(String, String)],
    configuration: &Configuration,
    now: Timestamp,
) {
    for (slot, name) in merged {
        state.merged.entry(slot.clone()).or_default().insert(name.clone());
    }
    let oldest = keys::slot(oldest_slot(configuration, now));
    state.merged.retain(|slot, _| *slot >= oldest);
}

async fn keep_window(
    ports: &impl Ports,
    window: &Tally,
    configuration: &Configuration,
    now: Timestamp,
) -> PortResult<String> {
    let header = Header { source: "merged".to_owned(), ..Header::default() };
    let bytes = partial::encode(header, window, configuration.clients.ipv6_prefix);
    // Named by what is in it: two passes at once cannot overwrite each other's.
    let key = format!("{}{}-{:016x}", keys::WINDOWS, now.as_millisecond(), offenders::path::hash(&bytes));
    ports.write(&key, bytes).await?;
    Ok(key)
}

/// What is wrong with the configuration, if that is news.
fn complain(state: &mut State, refused: Option<&stored::RefusedConfiguration>) -> Vec<String> {
    let etag = refused.map(|refused| refused.etag.clone());
    let is_news = etag.is_some() && etag != state.refused_configuration;
    state.refused_configuration = etag;
    refused.filter(|_| is_news).map(|refused| refused.faults.clone()).unwrap_or_default()
}

/// What shall stand in each set, and whose it is: fills `state.ours` and `state.ours_challenged`.
fn render(state: &mut State, facts: &Facts, mode: Mode, now: Timestamp) -> BTreeMap<Set, Entries> {
    let mut wanted = BTreeMap::new();
    for purpose in [Purpose::Block, Purpose::Challenge] {
        let (mut present, mut want) = (BTreeSet::new(), BTreeSet::new());
        for (which, set) in facts.sets.iter().filter(|(which, _)| which.purpose == purpose) {
            let (ours, foreign) = split(set, state.ours_of(purpose));
            present.extend(ours);
            let entries = entries_beside(state, &facts.configuration, *which, &foreign, mode);
            want.extend(entries.wanted.iter().copied());
            wanted.insert(*which, entries);
        }
        remember_ours(state.ours_of_mut(purpose), &want, &present, now);
    }
    wanted
}

/// Notes what is about to be ours, and forgets what was.
fn remember_ours(
    ours: &mut BTreeMap<IpNet, Option<Timestamp>>,
    want: &BTreeSet<IpNet>,
    present: &BTreeSet<IpNet>,
    now: Timestamp,
) {
    let forget = |retired: Timestamp| retired.checked_add(REMEMBER_OURS).is_ok_and(|end| end <= now);
    for network in want {
        ours.insert(*network, None);
    }
    for (network, retired) in &mut *ours {
        if !want.contains(network) {
            retired.get_or_insert(now);
        }
    }
    ours.retain(|network, retired| {
        retired.is_none_or(|retired| present.contains(network) || !forget(retired))
    });
}

/// Our entries in a set, and the others as they are spelt.
fn split(set: &IpSet, known: &BTreeMap<IpNet, Option<Timestamp>>) -> (BTreeSet<IpNet>, Vec<String>) {
    let mut ours = BTreeSet::new();
    let mut foreign = Vec::new();
    for entry in &set.entries {
        match entry.parse::<IpNet>() {
            Ok(network) if known.contains_key(&network) => {
                ours.insert(network);
            }
            _ => foreign.push(entry.clone()),
        }
    }
    (ours, foreign)
}

fn entries_beside(
    state: &State,
    configuration: &Configuration,
    set: Set,
    foreign: &[String],
    mode: Mode,
) -> Entries {
    if !decide::is_enforced(mode) {
        return Entries::default();
    }
    let room = MOST_ENTRIES.saturating_sub(foreign.len());
    let mut entries = match set.purpose {
        Purpose::Block => entries::entries(state, configuration, set.family, room),
        Purpose::Challenge => entries::challenged(state, set.family, room),
    };
    for entry in foreign {
        // Another writer of the set has put it there already; that entry stays theirs.
        if let Ok(network) = entry.parse::<IpNet>() {
            entries.wanted.remove(&network);
        }
    }
    entries
}

/// Brings the sets into line; returns how many were changed.
async fn act(ports: &impl Ports, state: &State, facts: &Facts, mode: Mode) -> PortResult<usize> {
    let mut changed = 0;
    for (which, set) in &facts.sets {
        let mut set = set.clone();
        for attempt in 0.. {
            let (_, foreign) = split(&set, state.ours_of(which.purpose));
            let wanted = entries_beside(state, &facts.configuration, *which, &foreign, mode);
            let mut entries = foreign;
            entries.extend(wanted.wanted.iter().map(ToString::to_string));
            if is_same(&set.entries, &entries) {
                break;
            }
            if attempt == stored::ATTEMPTS {
                let message = format!(
                    "the IP set {which:?} changed each of {attempt} times it was to be written; the next pass tries again"
                );
                return Err(Failure::new(Class::Conflict, message));
            }
            if changed > 0 || attempt > 0 {
                ports.pause(BETWEEN_CHANGES).await;
            }
            if ports.replace_set(*which, entries, &set.lock).await? {
                changed += 1;
                break;
            }
            // Another writer was first: read again, merge again. If a pass has decided since, that pass writes the set.
            // The order matters: a pass that decides after the second look finds this token used up.
            set = ports.read_set(*which).await?;
            if !stored::is_latest(ports, state).await? {
                tracing::warn!(?which, "another pass has decided meanwhile and writes the set");
                return Ok(changed);
            }
        }
    }
    Ok(changed)
}

/// Whether two lists of entries hold the same networks, however they are spelt.
fn is_same(one: &[String], other: &[String]) -> bool {
    let canonical = |entries: &[String]| -> BTreeSet<String> {
        let spell =
            |entry: &String| entry.parse::<IpNet>().map_or_else(|_| entry.clone(), |net| net.to_string());
        entries.iter().map(spell).collect()
    };
    canonical(one) == canonical(other)
}

/// How many WAF is to challenge.
fn challenged(wanted: &BTreeMap<Set, Entries>) -> usize {
    let challenge = wanted.iter().filter(|(set, _)| set.purpose == Purpose::Challenge);
    challenge.map(|(_, entries)| entries.wanted.len()).sum()
}

fn passed(
    decision: &Decision,
    wanted: &BTreeMap<Set, Entries>,
    merged: usize,
    sets_changed: usize,
    mode: Mode,
) -> Passed {
    let count = |wanted: fn(&News) -> bool| decision.news.iter().filter(|news| wanted(news)).count();
    Passed {
        clients: decision.seen,
        merged,
        blocked: count(|news| matches!(news, News::Blocked(_))),
        released: count(|news| matches!(news, News::Released(_))),
        spared: decision.spared.len(),
        bans: decision.state.bans.len(),
        challenged: challenged(wanted),
        left_out: wanted.values().map(|entries| entries.left_out.len()).sum(),
        sets_changed,
        is_held: decision.state.held.is_some(),
        sees_answers: decision.sees_answers,
        mode,
    }
}

/// What else is new beside the decisions.
fn notes(
    wanted: &BTreeMap<Set, Entries>,
    refused_configuration: Vec<String>,
    before: &State,
    mode: Mode,
) -> Notes {
    let is_new = |network: &IpNet| !before.ours.contains_key(network);
    let formed = wanted.values().flat_map(|entries| &entries.neighbourhoods);
    let new_left_out = wanted.values().flat_map(|entries| &entries.left_out);
    Notes {
        refused_configuration,
        neighbourhoods: formed
            .filter(|(network, _)| is_new(network))
            .map(|(n, count)| (*n, *count))
            .collect(),
        // Said when it happens, not once a minute.
        left_out: new_left_out.filter(|network| !before.bans.contains_key(*network)).count(),
        challenges: decide::is_enforced(mode) && wanted.keys().any(|set| set.purpose == Purpose::Challenge),
        squeezed: wanted.values().flat_map(|entries| &entries.squeezed).filter(|n| is_new(n)).count(),
    }
}

fn log(passed: &Passed, decision: &Decision) {
    let spared = |why: Spared| decision.spared.iter().filter(|(_, spared)| *spared == why).count();
    tracing::info!(
        clients = passed.clients,
        merged_partials = passed.merged,
        newly_blocked = passed.blocked,
        released = passed.released,
        spared_allowed = spared(Spared::Allowed),
        spared_proxies = spared(Spared::Proxy),
        spared_verified_crawlers = spared(Spared::Verified),
        held_back = spared(Spared::Brake),
        bans = passed.bans,
        challenged = passed.challenged,
        sets_changed = passed.sets_changed,
        mode = ?passed.mode,
        sees_answers = passed.sees_answers,
        "pass decided"
    );
    if passed.clients > 0 && !passed.sees_answers {
        tracing::warn!(
            "no access log of the load balancer was read in the last hour, so refused credentials and paths that are not \
             here are not seen; check that the load balancer writes access logs (access_logs.s3.enabled)"
        );
    }
    if passed.left_out > 0 {
        tracing::error!(
            left_out = passed.left_out,
            "an IP set is full; the least bad offenders are not blocked"
        );
    }
    for (network, why) in &decision.spared {
        tracing::debug!(network = %network, "offender spared: {why}");
    }
}
