//! One invocation as a little state machine: read the ledger, look, decide, one effect at a time, look back.
//!
//! The order of effects, what is read, what is decided and what is noted come from production; the loop around
//! them is that of `reconcile_from`, and `tests/same_as_reconcile.rs` holds the two together.

use crate::kept::Kept;
use crate::machine::Machine;
use crate::safety;
use crate::step::Woken;
use crate::world::World;
use jiff::Timestamp;
use release::plan::Effect;
use release::plan::{Action, Outcome, Plan};
use release::{Colour, Ledger, Observation, PerColour, Policy, Reading, Wake, asked};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How many passes one invocation takes at most, as in `reconcile`.
const PASSES: u8 = 8;
/// After how many ticks a decision is not carried out any more: the next whole tick after the twenty
/// seconds of `reconcile` and the eight that a call takes at most.
const DECISION_HOLDS: u8 = 1;

/// An invocation that runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Running {
    /// What woke it.
    pub wake: Woken,
    /// How many ticks it runs already.
    pub age: u8,
    /// Which pass it is in.
    pub round: u8,
    /// Where it stands.
    pub at: At,
}

/// Where an invocation stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum At {
    /// It has read the ledger and looks next.
    Looks {
        /// The ledger as read.
        ledger: Kept<Ledger>,
        /// Its version; `None` before the first write.
        version: Option<u64>,
    },
    /// It has decided and carries out.
    Acts(Acting),
    /// It reads the rules and the ledger once more.
    LooksBack(Acting),
}

/// A decision that is being carried out.
#[expect(clippy::struct_excessive_bools, reason = "what happened to it, each with or without the others")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Acting {
    /// What was decided.
    pub plan: Kept<Plan>,
    /// Its effects, in order.
    pub effects: Kept<Vec<Effect>>,
    /// How many of them are done.
    pub done: u8,
    /// What an effect brought about and has to be written before the next one.
    pub noted: Option<Kept<Ledger>>,
    /// The ledger as last known.
    pub ledger: Kept<Ledger>,
    /// Its version.
    pub version: Option<u64>,
    /// A call failed, not by a conflict.
    pub stuck: bool,
    /// Another pass was first, or the answer was lost: it starts again.
    pub moved_on: bool,
    /// Another pass was first.
    pub lost_swap: bool,
    /// When it was decided, in ticks.
    pub decided: u8,
    /// Which colours this pass saw fit to carry the traffic.
    pub fit: PerColour<bool>,
    /// CodeDeploy had a deployment with the description of what is decided here when this pass looked.
    pub had_deployment: bool,
    /// The release's own rule stood when this pass looked.
    pub saw_rule: bool,
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// The reply was lost; the call was carried out.
    LostAfter,
    /// The reply was lost; the call was not carried out.
    LostBefore,
    /// `CreateDeployment` is refused for good.
    Refused,
}

/// What a look cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blind {
    /// The deployment and its instances.
    Deployment,
    /// The rules.
    Rules,
    /// Both colours' health.
    Health,
    /// The alarms.
    Alarms,
}

impl Running {
    /// An invocation that has just read the ledger.
    pub fn start(world: &World, wake: Woken) -> Self {
        let at = At::Looks { ledger: world.ledger_or_new(), version: version(world) };
        Self { wake, age: 0, round: 0, at }
    }

    /// What the next call is, where it is one that can go wrong alone.
    pub fn next_effect(&self) -> Option<&Effect> {
        match &self.at {
            At::Acts(acting) if acting.noted.is_some() => Some(&Effect::Commit),
            At::Acts(acting) => acting.effects.get(usize::from(acting.done)),
            At::Looks { .. } | At::LooksBack(_) => None,
        }
    }
}

/// How production names the stored state: by its content.
pub fn version(world: &World) -> Option<u64> {
    world.ledger.as_ref().map(Kept::print)
}

/// The next step of an invocation; `None`: it has ended.
pub fn step(
    world: &mut World,
    machine: &Machine,
    policy: &Policy,
    running: &Running,
    blind: Option<Blind>,
    wrong: Option<Wrong>,
) -> Option<Running> {
    match &running.at {
        At::Looks { ledger, version } => {
            let acting = look(world, machine, policy, running.wake, ledger, *version, blind);
            goes_on(machine, running, acting)
        }
        At::Acts(acting) => {
            let mut acting = acting.clone();
            act(world, machine, &mut acting, wrong);
            goes_on(machine, running, acting)
        }
        At::LooksBack(acting) => {
            let (ledger, now) = (world.ledger_or_new(), version(world));
            let changed = now != acting.version;
            next_round(running, acting, ledger, now, changed)
        }
    }
}

fn look(
    world: &World,
    machine: &Machine,
    policy: &Policy,
    wake: Woken,
    ledger: &Kept<Ledger>,
    version: Option<u64>,
    blind: Option<Blind>,
) -> Acting {
    let now = now(world, ledger);
    let mut seen = world.observe(ledger, (machine.reads)(ledger, policy, now));
    if let Some(blind) = blind {
        make_blind(&mut seen, blind);
    }
    let wake = if wake == Woken::ByQuestion { Wake::Question } else { Wake::Event };
    let plan = (machine.plan)(asked(ledger, wake, now), &seen, policy, now);
    let effects = (machine.effects)(ledger, &plan);
    let fit =
        PerColour { blue: safety::is_fit(&seen, Colour::Blue), green: safety::is_fit(&seen, Colour::Green) };
    let open = plan.ledger.open.as_ref();
    let had_deployment =
        open.is_some_and(|open| world.find(&open.description(&plan.ledger.service)).is_some());
    let rule = ledger.open.as_ref().and_then(|open| open.rule.as_ref());
    let saw_rule = world.rule.is_some_and(|seen| rule == Some(&seen.arn()));
    Acting {
        plan: Kept::new(plan),
        effects: Kept::new(effects),
        done: 0,
        noted: None,
        ledger: ledger.clone(),
        version,
        stuck: false,
        moved_on: false,
        lost_swap: false,
        decided: world.tick,
        fit,
        had_deployment,
        saw_rule,
    }
}

/// The time within a tick: later than the look that the ledger remembers. Two passes never look in one instant.
fn now(world: &World, ledger: &Ledger) -> Timestamp {
    let tick = crate::world::at(world.tick);
    let after = |looked: Timestamp| looked.checked_add(Duration::from_nanos(1)).unwrap_or(tick);
    let last = ledger.looked_at.max(ledger.drifted_at);
    last.filter(|looked| *looked >= tick).map_or(tick, after)
}

fn make_blind(seen: &mut Observation, blind: Blind) {
    fn hide<T>(reading: &mut Reading<T>) {
        if reading.known().is_some() {
            *reading = Reading::Unknown("throttled".to_owned());
        }
    }
    match blind {
        Blind::Deployment => {
            hide(&mut seen.deployment);
            hide(&mut seen.targets);
        }
        Blind::Rules => hide(&mut seen.rules),
        Blind::Health => Colour::BOTH.iter().for_each(|colour| hide(seen.health.of_mut(*colour))),
        Blind::Alarms => Colour::BOTH.iter().for_each(|colour| hide(seen.alarms.of_mut(*colour))),
    }
}

/// After a step: the next effect, or the end of the pass.
fn goes_on(machine: &Machine, running: &Running, acting: Acting) -> Option<Running> {
    let more = usize::from(acting.done) < acting.effects.len() || acting.noted.is_some();
    if more && !(acting.moved_on && machine.heeds_the_swap) {
        return Some(Running { at: At::Acts(acting), ..running.clone() });
    }
    if acting.lost_swap && running.wake == Woken::ByQuestion {
        return None;
    }
    let touched = acting.plan.actions().any(Action::changes_a_rule);
    if machine.reads_back && (touched || acting.moved_on) {
        return Some(Running { at: At::LooksBack(acting), ..running.clone() });
    }
    let (ledger, version) = (acting.ledger.clone(), acting.version);
    next_round(running, &acting, ledger, version, false)
}

fn next_round(
    running: &Running,
    acting: &Acting,
    ledger: Kept<Ledger>,
    version: Option<u64>,
    changed: bool,
) -> Option<Running> {
    let again = acting.plan.again || acting.moved_on || changed;
    let round = running.round + 1;
    if acting.stuck || !again || running.wake == Woken::ByQuestion || round >= PASSES {
        return None;
    }
    Some(Running { round, at: At::Looks { ledger, version }, ..running.clone() })
}

fn act(world: &mut World, machine: &Machine, acting: &mut Acting, wrong: Option<Wrong>) {
    if let Some(noted) = acting.noted.take() {
        commit(world, machine, acting, noted, wrong);
        return;
    }
    let index = usize::from(acting.done);
    acting.done += 1;
    match acting.effects[index].clone() {
        Effect::Commit => {
            let next = Kept::new(acting.plan.ledger.clone());
            if !commit(world, machine, acting, next, wrong) && machine.heeds_the_swap {
                // What follows a commit happens only if the swap succeeds.
                acting.done = u8::try_from(acting.effects.len()).unwrap_or(u8::MAX);
            }
        }
        Effect::Act(_) if index >= acting.plan.back.len() && world.tick - acting.decided > DECISION_HOLDS => {
            acting.moved_on = true;
        }
        Effect::Act(action) => {
            if wrong == Some(Wrong::LostBefore) {
                acting.stuck = true;
                return;
            }
            let refused = wrong == Some(Wrong::Refused) && matches!(action, Action::CreateDeployment { .. });
            let outcome = if refused {
                Some(Outcome::DeploymentRefused("refused".to_owned()))
            } else {
                let before = safety::Before { traffic: world.traffic(), rule: world.rule };
                let outcome = perform(world, &action);
                safety::after(world, acting, &action, before, outcome.is_some());
                outcome
            };
            if wrong == Some(Wrong::LostAfter) {
                acting.stuck |= outcome.is_some();
                return;
            }
            if let Some(outcome) = outcome {
                acting.noted = (machine.note)(&acting.ledger, &action, outcome).map(Kept::new);
            }
        }
    }
}

/// Swaps the ledger; whether this pass knows that it did.
fn commit(
    world: &mut World,
    machine: &Machine,
    acting: &mut Acting,
    next: Kept<Ledger>,
    wrong: Option<Wrong>,
) -> bool {
    let lost = wrong == Some(Wrong::LostBefore);
    if lost || (machine.swaps && version(world) != acting.version) {
        acting.moved_on = true;
        acting.stuck |= lost;
        acting.lost_swap = !lost;
        return false;
    }
    safety::written(world, &next);
    world.ledger = Some(next.clone());
    if wrong == Some(Wrong::LostAfter) {
        acting.moved_on = true;
        acting.lost_swap = false;
        acting.stuck = true;
        return false;
    }
    acting.version = Some(next.print());
    acting.ledger = next;
    true
}

/// Carries an action out as AWS would; `None`: a conflict.
fn perform(world: &mut World, action: &Action) -> Option<Outcome> {
    match action {
        Action::CreateReleaseRule { live, release } => {
            return world.create_rule(*live, release).map(Outcome::RuleCreated);
        }
        Action::CreateDeployment { description, .. } => {
            return world.create_deployment(description).map(Outcome::DeploymentCreated);
        }
        Action::SetReleaseWeights { rule, weights } => {
            let known = world.rule.as_mut().filter(|known| known.arn() == *rule)?;
            known.weights = *weights;
        }
        Action::DeleteReleaseRule { rule } => {
            world.rule.take_if(|known| known.arn() == *rule);
        }
        Action::SetBaseWeights { weights } => world.base = *weights,
        Action::StopDeployment { id } => world.stop(id),
        Action::ReplaceInstance { instance } => world.replace(instance),
        Action::ResumeProcesses { .. } | Action::TellVerdict { .. } => {}
    }
    Some(Outcome::Done)
}
