//! What an operator may ask for: lift, block, allow, go ahead. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::configuration::{Configuration, SHORTEST_BAN};
use crate::decide::{after, never_blocked, release};
use crate::judge::Detector;
use crate::state::{Allowed, Ban, Past, State};

/// Longest note that is kept with a block or an allowance, bytes. The state is read every minute, and a block's note
/// stands in messages.
const LONGEST_NOTE: usize = 1024;

/// How long an operator's go-ahead lasts.
pub const CONFIRMATION: Duration = Duration::from_secs(600);

/// What an operator may ask for; see [`command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Lift a ban or a challenge, and forgive it.
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
    #[error("{0} is neither blocked nor challenged by us; `blocked` lists what is")]
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
            let known = state.bans.keys().chain(state.challenged.keys());
            let inside: BTreeSet<IpNet> = known.filter(|known| network.contains(*known)).copied().collect();
            if inside.is_empty() {
                return Err(Refused::NotBlocked(*network));
            }
            for network in inside {
                state.bans.remove(&network);
                state.challenged.remove(&network);
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
            let allowed =
                Allowed { since: now, until: time.map(|time| after(now, time)), note: note.clone() };
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
