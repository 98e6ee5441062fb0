//! What a pass has to look at before it can decide.

use super::{evidence, rollback, scaling, schedule};
use crate::{Ledger, PerColour, Phase, Policy, Purpose, ReturnCause};
use jiff::Timestamp;

/// Minutes, by their number since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first one.
    pub from: i64,
    /// The first one after it.
    pub until: i64,
}

/// What a pass has to read.
#[expect(clippy::struct_excessive_bools, reason = "each fact is read or not, whatever the others are")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Reads {
    /// The open release's deployment, by id or else by description.
    pub deployment: bool,
    /// That deployment's instances.
    pub targets: bool,
    /// The active deployment of the group, whoever created it.
    pub active: bool,
    /// The service's rules.
    pub rules: bool,
    /// The release that owns the rule at the reserved priority, if one stands there. It costs one more call, so it is
    /// read only where the ledger does not know.
    pub rule_owner: bool,
    /// The targets of these groups.
    pub health: PerColour<bool>,
    /// The alarms of both colours; one call reads them all.
    pub alarms: bool,
    /// The suspended processes of the Auto Scaling group.
    pub suspended: bool,
    /// What CloudWatch published of both colours in these minutes. One call, which costs money.
    pub published: Option<Window>,
    /// What the service's week was like, by CloudWatch's minutes in this window. One call as well.
    pub week: Option<Window>,
}

/// What this ledger needs to see before anything can be decided.
///
/// Kept as small as the phase allows: a poll that changes nothing costs six calls, one that raises ten. While the counts decide
/// one poll a minute costs one more.
pub fn reads(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Reads {
    let Some(open) = &ledger.open else {
        return idle_reads(ledger, policy, now);
    };
    let mut reads = Reads { deployment: open.purpose != Purpose::Rollback, ..Reads::default() };
    match &open.phase {
        Phase::Installing => {
            reads.targets = open.deployment.is_some();
            // Somebody else's keeps ours from being created.
            reads.active = open.deployment.is_none();
            *reads.health.of_mut(open.colour) = open.deployment.is_some();
            *reads.health.of_mut(open.colour.other()) = open.purpose == Purpose::Reinstall;
            // Behind its rule, which must stand when the deployment is asked for, it is installed.
            reads.rules = ledger.live.is_some() && (open.rule.is_none() || open.deployment.is_none());
            reads.rule_owner = reads.rules;
            reads.week = evidence::week(open, now).filter(|_| ledger.live.is_some());
        }
        Phase::Shifting(_) | Phase::Baking(_) | Phase::Promoting(_) => {
            reads.rules = true;
            reads.rule_owner = open.rule.is_none();
            reads.alarms = true;
            reads.published = evidence::window(open, now).filter(|_| ledger.live.is_some());
            *reads.health.of_mut(open.colour) = true;
            // Only a raise is compared with the live colour's capacity.
            *reads.health.of_mut(open.colour.other()) = schedule::raise_may_be_due(ledger, open, policy, now);
        }
        Phase::Returning(back) => {
            reads.rules = true;
            // A rule that stands and is not this release's is deleted only if it is one of ours.
            reads.rule_owner = true;
            // Tells whether the bundle or an instance is to blame, and whether enough instances are there for another
            // attempt.
            let compares = !open.targets.is_empty() || back.cause == ReturnCause::NoInstances;
            reads.health = PerColour { blue: compares, green: compares };
        }
        Phase::Drilling => {
            (reads.rules, reads.rule_owner) = (true, open.rule.is_none());
            reads.alarms = true;
        }
        // What it looks like after its hooks have ended.
        Phase::Leaving(_) => *reads.health.of_mut(open.colour) = true,
        Phase::Settling => {
            reads.active = open.deployment.is_none();
            // The colour that it is installed on must not have got the traffic meanwhile.
            (reads.rules, reads.rule_owner) = (true, true);
            let compares = ledger.drifted_at.is_some();
            reads.health = PerColour { blue: compares, green: compares };
        }
    }
    reads
}

/// Two calls a tick, three with healing; more only within the rollback window, after drift, and after a release.
fn idle_reads(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Reads {
    let Some(live) = &ledger.live else {
        // The first release, or one after the ledger was lost: what serves must not be taken down.
        let opens = ledger.pending.is_some();
        let health = PerColour { blue: opens, green: opens };
        return Reads { rules: opens, rule_owner: opens, health, ..Reads::default() };
    };
    let may_roll_back = rollback::is_armed(ledger, policy, now);
    let compares = ledger.rollback || may_roll_back || ledger.drifted_at.is_some();
    let drills = ledger.drill.is_some();
    let comes_back = ledger.previous.as_ref().is_some_and(|previous| previous.comes_back);
    let mut reads = Reads {
        rules: true,
        rule_owner: true,
        alarms: may_roll_back || ledger.pending.is_some() || drills || comes_back,
        suspended: scaling::is_looked_at(ledger, now),
        published: rollback::window(ledger, now).filter(|_| may_roll_back),
        ..Reads::default()
    };
    *reads.health.of_mut(live.colour) = compares || drills || comes_back || !policy.heal_after.is_zero();
    // Only what stands by before a drill is installed again after it.
    *reads.health.of_mut(live.colour.other()) = compares || drills;
    reads
}
