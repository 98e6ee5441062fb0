//! What stands in the IP sets: bans as networks, neighbours together, never over an allowed address, never more than
//! fit. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::address::Networks;
use crate::configuration::Configuration;
use crate::decide::{never_blocked, never_blocked_list};
use crate::judge::Detector;
use crate::state::{Ban, State};

/// Most entries that one IP set holds. <https://docs.aws.amazon.com/waf/latest/developerguide/limits.html>
pub const MOST_ENTRIES: usize = 10_000;

/// The two sets: IP sets hold one family each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Whether `network` belongs into this set.
    pub const fn holds(self, network: &IpNet) -> bool {
        matches!((self, network), (Self::V4, IpNet::V4(_)) | (Self::V6, IpNet::V6(_)))
    }
}

/// What becomes of those who are in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// WAF refuses them.
    Block,
    /// WAF challenges them.
    Challenge,
}

/// An IP set of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Set {
    /// What becomes of those who are in it.
    pub purpose: Purpose,
    /// Whom it can hold.
    pub family: Family,
}

impl Set {
    /// All that there can be.
    pub const ALL: [Self; 4] = [
        Self { purpose: Purpose::Block, family: Family::V4 },
        Self { purpose: Purpose::Block, family: Family::V6 },
        Self { purpose: Purpose::Challenge, family: Family::V4 },
        Self { purpose: Purpose::Challenge, family: Family::V6 },
    ];
}

/// What we want in one set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    /// The entries.
    pub wanted: BTreeSet<IpNet>,
    /// Networks that stand for several bans, and how many.
    pub neighbourhoods: BTreeMap<IpNet, usize>,
    /// Networks among them that were only formed because the set is full.
    pub squeezed: BTreeSet<IpNet>,
    /// Bans that did not fit.
    pub left_out: Vec<IpNet>,
}

/// The entries for one family, with room for `room` of them beside what others have put into the set.
pub fn entries(state: &State, configuration: &Configuration, family: Family, room: usize) -> Entries {
    let never = never_blocked(state, configuration);
    // No network is formed over somebody who must not be blocked, or does nothing wrong.
    let kept_out: Networks = never_blocked_list(state, configuration).chain(&state.bystanders).collect();
    let bans: BTreeMap<IpNet, &Ban> = state
        .bans
        .iter()
        .filter(|(network, _)| family.holds(network) && !never.overlaps(network))
        .map(|(network, ban)| (*network, ban))
        .collect();
    let mut entries = Entries::default();
    let widest = match family {
        Family::V4 => configuration.neighbours.ipv4_prefix,
        Family::V6 => configuration.neighbours.ipv6_prefix,
    };
    let mut groups: BTreeMap<IpNet, Vec<IpNet>> = BTreeMap::new();
    for (network, ban) in &bans {
        match supernet_of(network, widest) {
            // What an operator wrote stands as it was written.
            _ if ban.detector == Detector::Manual => {
                entries.wanted.insert(*network);
            }
            Some(group) if is_of_one(network, configuration) => {
                groups.entry(group).or_default().push(*network);
            }
            // It may have been judged as one, with somebody in it who does nothing wrong.
            _ => {
                let client = configuration.clients.ipv6_prefix;
                entries.wanted.extend(but_for(*network, client, &kept_out));
            }
        }
    }
    let mut scattered: Vec<Vec<IpNet>> = Vec::new();
    for members in groups.into_values() {
        for group in within_reach(&members, &kept_out) {
            if group.len() >= configuration.neighbours.members {
                entries.form(&group);
            } else {
                entries.wanted.extend(&group);
                scattered.push(group);
            }
        }
    }
    entries.drop_covered();
    if entries.wanted.len() > room {
        entries.squeeze(scattered, room);
    }
    if entries.wanted.len() > room {
        entries.keep_worst(&bans, room);
    }
    entries
}

/// Those of one family whom WAF challenges, the latest when there is not room for all.
pub fn challenged(state: &State, family: Family, room: usize) -> Entries {
    let of_family = state.challenged.iter().filter(|(network, _)| family.holds(network));
    let mut latest: Vec<_> = of_family.map(|(network, challenged)| (challenged.until, *network)).collect();
    latest.sort_unstable_by(|one, other| other.cmp(one));
    let wanted = latest.into_iter().take(room).map(|(_, network)| network).collect();
    Entries { wanted, ..Entries::default() }
}

impl Entries {
    fn form(&mut self, members: &[IpNet]) -> Option<IpNet> {
        let network = common(members)?;
        if members.len() > 1 {
            self.neighbourhoods.insert(network, members.len());
        }
        self.wanted.insert(network);
        Some(network)
    }

    /// Takes out what lies within another entry.
    fn drop_covered(&mut self) {
        let mut last: Option<IpNet> = None;
        // In order, a network comes right before what lies within it.
        self.wanted.retain(|network| {
            let is_covered = last.is_some_and(|wider| wider.contains(network));
            if !is_covered {
                last = Some(*network);
            }
            !is_covered
        });
    }

    /// Puts smaller groups of neighbours together, the largest first, until all fit or none are left.
    fn squeeze(&mut self, mut scattered: Vec<Vec<IpNet>>, room: usize) {
        scattered.retain(|group| group.len() > 1);
        scattered.sort_by_key(|group| (Reverse(group.len()), group.first().copied()));
        for group in scattered {
            if self.wanted.len() <= room {
                return;
            }
            for member in &group {
                self.wanted.remove(member);
            }
            if let Some(network) = self.form(&group) {
                self.squeezed.insert(network);
            }
        }
    }

    /// Leaves out the least bad: manual blocks stay first, then networks by what they stand for, then the most often
    /// returning, the furthest over a threshold, the longest blocked.
    fn keep_worst(&mut self, bans: &BTreeMap<IpNet, &Ban>, room: usize) {
        let badness = |network: &IpNet| {
            let members = self.neighbourhoods.get(network).copied().unwrap_or(1);
            let ban = bans.get(network);
            let excess = ban
                .map_or(0, |ban| ban.findings.iter().map(crate::judge::Finding::excess).max().unwrap_or(0));
            let is_manual = ban.is_some_and(|ban| ban.detector == Detector::Manual);
            (is_manual, members, ban.map_or(0, |ban| ban.times_before), excess, ban.and_then(|ban| ban.until))
        };
        let mut ranked: Vec<IpNet> = self.wanted.iter().copied().collect();
        ranked.sort_by_cached_key(|network| (Reverse(badness(network)), *network));
        self.left_out = ranked.split_off(room.min(ranked.len()));
        self.left_out.sort_unstable();
        self.wanted = ranked.into_iter().collect();
    }
}

/// `network` widened to `prefix`; `None` when it is as wide already.
pub(crate) fn supernet_of(network: &IpNet, prefix: u8) -> Option<IpNet> {
    if network.prefix_len() <= prefix {
        return None;
    }
    Some(match network {
        IpNet::V4(network) => Ipv4Net::new(network.addr(), prefix).ok()?.trunc().into(),
        IpNet::V6(network) => Ipv6Net::new(network.addr(), prefix).ok()?.trunc().into(),
    })
}

/// Whether a network is as narrow as one client.
pub(crate) fn is_of_one(network: &IpNet, configuration: &Configuration) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() == 32,
        IpNet::V6(network) => network.prefix_len() >= configuration.clients.ipv6_prefix,
    }
}

/// The smallest network that holds them all.
pub(crate) fn common(members: &[IpNet]) -> Option<IpNet> {
    let (first, last) = (members.iter().min()?, members.iter().max()?);
    let mut network = *first;
    while !network.contains(last) {
        network = network.supernet()?;
    }
    Some(network)
}

/// The largest networks of `network` that hold nobody who must not be blocked, down to those of one client.
fn but_for(network: IpNet, client: u8, kept_out: &Networks) -> Vec<IpNet> {
    if !kept_out.overlaps(&network) {
        return vec![network];
    }
    if network.prefix_len() >= client {
        return Vec::new();
    }
    let halves = network.subnets(network.prefix_len() + 1).into_iter().flatten();
    halves.flat_map(|half| but_for(half, client, kept_out)).collect()
}

/// Splits neighbours until no group's common network touches an address that must not be blocked.
fn within_reach(members: &[IpNet], never: &Networks) -> Vec<Vec<IpNet>> {
    let Some(network) = common(members) else { return Vec::new() };
    if members.len() < 2 || !never.overlaps(&network) {
        return vec![members.to_vec()];
    }
    let Some(upper) = network.subnets(network.prefix_len() + 1).ok().and_then(|mut halves| halves.nth(1))
    else {
        return members.iter().map(|member| vec![*member]).collect();
    };
    let (high, low): (Vec<IpNet>, Vec<IpNet>) = members.iter().partition(|member| upper.contains(*member));
    let mut groups = within_reach(&low, never);
    groups.extend(within_reach(&high, never));
    groups
}
