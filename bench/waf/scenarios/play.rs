//! Plays a scenario to a judge, and says how the judge did.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::log_lines;
use crate::traffic::{Firewall, HOUR, MINUTE, Request, Traffic};

/// AWS writes both logs every five minutes.
const LOGS_EVERY: u32 = 5 * MINUTE;

/// They come so late.
const LATE: u32 = 75_000;

/// A changed IP set is in force so much later.
const PROPAGATION: u32 = 30_000;

/// After the last request, so that the last logs are judged too.
const AFTERWARDS: u32 = 10 * MINUTE;

/// What is seen of a request.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'r> {
    /// The request.
    pub request: &'r Request,
    /// Our own rule turned it away.
    pub turned_away: bool,
}

impl Seen<'_> {
    /// The status that its sender got.
    pub fn status(&self) -> u16 {
        match self.request.firewall {
            _ if self.turned_away => 403,
            Firewall::Block(_) => 403,
            Firewall::Challenge => 202,
            Firewall::Allow => self.request.status,
        }
    }
}

/// Who reads logs and blocks.
pub trait Judge {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// The logs of five minutes come. `at`: milliseconds since the beginning.
    fn logs(&mut self, seen: &[Seen<'_>], at: u32);
    /// A minute has passed.
    fn minute(&mut self, at: u32);
    /// Whether it has this address blocked.
    fn blocks(&self, address: IpAddr) -> bool;
    /// Whether it has this address challenged.
    fn challenges(&self, _: IpAddr) -> bool {
        false
    }
    /// It is about to be asked of the past: what is blocked now comes into force.
    fn in_force(&mut self);
    /// Whether what is in force blocks this address.
    fn turns_away(&self, address: IpAddr) -> bool;
}

/// How a judge did.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Outcome {
    /// Share of attackers that it blocked; 1 when there are none.
    pub recall: f64,
    /// Share of attackers among those that it blocked; 1 when it blocked nobody.
    pub precision: f64,
    /// Share of attackers' requests, from when the first log has come on, that it turned away.
    pub stopped: f64,
    /// Senders that do nothing wrong and were blocked.
    pub innocents_blocked: usize,
    /// Senders that do nothing wrong and would have been challenged.
    pub innocents_challenged: usize,
}

/// Plays `traffic` to `judge`.
pub fn play(traffic: &Traffic, judge: &mut dyn Judge) -> Outcome {
    let mut seen: Vec<Seen<'_>> = Vec::with_capacity(traffic.requests.len());
    let (mut delivered, mut at_request) = (0, 0);
    let mut last_addresses: Vec<Option<IpAddr>> = vec![None; traffic.senders.len()];
    let (mut blocked, mut challenged) = (BTreeSet::new(), BTreeSet::new());
    let (mut bad, mut bad_turned_away) = (0_u32, 0_u32);
    for minute in 1..=(HOUR + LATE + AFTERWARDS) / MINUTE {
        let now = minute * MINUTE;
        // The set that was written in the minute before comes into force within this one.
        let in_force_from = now - MINUTE + PROPAGATION;
        let mut is_in_force = false;
        while let Some(request) = traffic.requests.get(at_request).filter(|request| request.at < now) {
            at_request += 1;
            if request.at >= in_force_from && !is_in_force {
                judge.in_force();
                is_in_force = true;
            }
            let turned_away = judge.turns_away(request.from);
            if request.at >= LOGS_EVERY + LATE && traffic.senders[request.sender].is_attacker {
                bad += 1;
                bad_turned_away += u32::from(turned_away);
            }
            last_addresses[request.sender] = Some(request.from);
            seen.push(Seen { request, turned_away });
        }
        if !is_in_force {
            judge.in_force();
        }
        let written = (now.saturating_sub(LATE) / LOGS_EVERY) * LOGS_EVERY;
        let end = seen.partition_point(|seen| seen.request.at < written);
        if end > delivered {
            judge.logs(&seen[delivered..end], written);
            delivered = end;
        }
        judge.minute(now);
        for (sender, address) in last_addresses.iter().enumerate() {
            if address.is_some_and(|address| judge.blocks(address)) {
                blocked.insert(sender);
            }
            if address.is_some_and(|address| judge.challenges(address)) {
                challenged.insert(sender);
            }
        }
    }
    let attackers = traffic.senders.iter().filter(|sender| sender.is_attacker).count();
    let is_attacker = |sender: &&usize| traffic.senders[**sender].is_attacker;
    let caught = blocked.iter().filter(is_attacker).count();
    let innocents_blocked = blocked.len() - caught;
    let share = |part: usize, whole: usize| if whole == 0 { 1.0 } else { rounded(part, whole) };
    Outcome {
        recall: share(caught, attackers),
        precision: share(caught, blocked.len()),
        stopped: share(bad_turned_away as usize, bad as usize),
        innocents_blocked,
        innocents_challenged: challenged.len() - challenged.iter().filter(is_attacker).count(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a simulation")]
fn rounded(part: usize, whole: usize) -> f64 {
    (part as f64 / whole as f64 * 1000.0).round() / 1000.0
}

/// The logs of both kinds, as text.
pub fn text(seen: &[Seen<'_>]) -> [String; 2] {
    let (mut firewall, mut load_balancer) = (String::new(), String::new());
    for (number, seen) in (0..).zip(seen) {
        let number = number + u64::from(seen.request.at) * 1000;
        log_lines::of_firewall(seen.request, seen.turned_away, number, &mut firewall);
        log_lines::of_load_balancer(seen.request, seen.turned_away, number, &mut load_balancer);
    }
    [firewall, load_balancer]
}
