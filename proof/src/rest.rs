//! "Always comes to rest": a fair scheduler without faults or inputs, run from a state that is left alone.
//!
//! In a fixed order it lets every invocation end, every hook go on, CodeDeploy give up deployments that no instance
//! answers, and the schedule wake the service each tick. It lets broken targets recover on the colour that is live or
//! promised to be, because no release can mend those. Nothing else happens: what is paused stays paused.
//!
//! Then the service is tried: alarms are silent, the pause is lifted, and a good upload arrives. It must go live.

use crate::evidence::Counts;
use crate::invocation::Breakage;
use crate::promises;
use crate::rule::Rule;
use crate::safety;
use crate::step::{Setting, Step, Woken};
use crate::world::{Gate, Hook, Left, World};
use release::pass::Kept;
use release::{Colour, Command, DeploymentStatus, Drift, Open, Phase, Purpose, TargetHealth, Verdict};

/// Within how many ticks a service must be at rest: three attempts at an installation, each until CodeDeploy
/// gives it up, and the time of a release.
const TICKS: u16 = 120;
/// The same by evidence, where a release takes as long as the counts need.
const TICKS_BY_EVIDENCE: u16 = 210;
/// After how many ticks CodeDeploy gives up a deployment that no instance answers (its limit is an hour).
const HOOK_TIMEOUT: u8 = 20;
/// The same by evidence, with room for the longest step.
const HOOK_TIMEOUT_BY_EVIDENCE: u8 = 50;

/// The number of the upload that is tried: above all others.
const GOOD: u8 = 200;

/// For how many ticks it stays blind: the limit, the tick in which that is noticed, and one for calls under way.
const BLIND: u8 = 4;

/// How a state that is left alone goes on.
#[derive(Debug)]
pub struct Rest {
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// The rule that is broken by it, and what was seen.
    pub broken: Option<(Rule, String)>,
}

/// The state as the fair scheduler begins: only it moves from now on.
pub fn left_alone(world: &World) -> World {
    let mut world = World { left: Left { faults: 0, inputs: u8::MAX }, ..world.clone() };
    let ledger = world.ledger_or_new();
    let promoted =
        ledger.open.as_ref().filter(|open| matches!(open.phase, Phase::Promoting(_))).map(|open| open.colour);
    let live = ledger.live.as_ref().map(|live| live.colour);
    for colour in [live, promoted].into_iter().flatten() {
        for instance in world.instances.iter_mut().filter(|instance| instance.present) {
            *instance.health.of_mut(colour) = TargetHealth::Healthy;
        }
    }
    world
}

/// Lets a state come to rest.
pub fn rest(setting: &Setting, world: &World) -> Rest {
    let mut scheduler = Scheduler { setting, world: left_alone(world), steps: Vec::new() };
    let broken = scheduler.run();
    Rest { steps: scheduler.steps, broken }
}

struct Scheduler<'a> {
    setting: &'a Setting,
    world: World,
    steps: Vec<Step>,
}

impl Scheduler<'_> {
    fn run(&mut self) -> Option<(Rule, String)> {
        let before = self.world.traffic();
        self.settle_down();
        if let Some(why) = promises::still_fires(&self.world, before) {
            return Some((Rule::AlarmReturns, why));
        }
        if let Some(broken) = self.stays_blind() {
            return Some(broken);
        }
        if let Some(broken) = self.comes_to_rest() {
            return Some(broken);
        }
        if let Some(why) = promises::untold(&self.world) {
            return Some((Rule::LastIsTold, why));
        }
        self.try_a_good_upload()
    }

    /// What cannot be read stays so for longer than the limit. Then it can be read again; what is refused is refused on.
    fn stays_blind(&mut self) -> Option<(Rule, String)> {
        if !matches!(self.world.breakage, Some(Breakage::Reads(_))) {
            return None;
        }
        for _ in 0..BLIND {
            self.take(Step::Time);
            self.settle_down();
        }
        let why = promises::still_blind(&self.world);
        self.take(Step::Mends);
        why.map(|why| (Rule::BlindReturns, why))
    }

    /// With `report` an operator has to move a base rule that has drifted, and nothing opens before.
    fn waits_for_an_operator(&self) -> bool {
        self.setting.policy.drift == Drift::Report && self.world.history.drifted
    }

    fn comes_to_rest(&mut self) -> Option<(Rule, String)> {
        let mut unanswered = (0, 0);
        let by_evidence = self.setting.policy.strategy.by_evidence().is_some();
        let (ticks, hook_timeout) =
            if by_evidence { (TICKS_BY_EVIDENCE, HOOK_TIMEOUT_BY_EVIDENCE) } else { (TICKS, HOOK_TIMEOUT) };
        for _ in 0..ticks {
            self.settle_down();
            if let Some(rule) = self.world.broken {
                return Some((rule, rule.to_string()));
            }
            if self.restless().is_none() && promises::untold(&self.world).is_none() {
                return None;
            }
            unanswered = match self.world.active() {
                Some(active) if unanswered.0 == active => (active, unanswered.1 + 1),
                Some(active) => (active, 0),
                None => unanswered,
            };
            if unanswered.1 >= hook_timeout {
                self.take(Step::TimesOut);
            }
            self.take(Step::Time);
        }
        self.restless().map(|why| (Rule::ComesToRest, why))
    }

    fn restless(&self) -> Option<String> {
        restless(&self.world, self.waits_for_an_operator())
    }

    /// From rest, with nothing against it, the next upload goes live.
    fn try_a_good_upload(&mut self) -> Option<(Rule, String)> {
        if self.waits_for_an_operator() {
            return None;
        }
        // Where a preview stands too, the first ends that one alone.
        for _ in 0..2 {
            if self.world.ledger_or_new().paused {
                self.take(Step::Say(Command::Resume));
            }
        }
        self.take(Step::Mends);
        self.take(Step::Counts(Counts::Fine));
        self.take(Step::Gate(Gate::Yes));
        for colour in Colour::BOTH {
            self.take(Step::Alarm(colour, false));
            self.take(Step::Silent(colour, false));
        }
        self.settle_down();
        self.take(Step::Push(GOOD));
        if let Some(broken) = self.comes_to_rest() {
            return Some(broken);
        }
        let ledger = self.world.ledger_or_new();
        let number = ledger.live.as_ref().map(|live| live.upload.number.0);
        (number != Some(u64::from(GOOD)))
            .then(|| (Rule::GoodGoesLive, format!("a good upload was left alone, and {number:?} is live")))
    }

    /// Everything that can happen within a tick happens.
    fn settle_down(&mut self) {
        for pass in 0..self.world.passes.len() {
            while self.take(Step::Run(pass)) {}
        }
        for step in [Step::Install, Step::Start] {
            self.take(step);
        }
        // A hook's question wakes a pass, and is answered by what it leaves.
        if self.is_asked() {
            self.take(Step::Wake(0, Woken::ByQuestion));
            while self.take(Step::Run(0)) {}
        }
        for step in [Step::Ask, Step::Exit, Step::Wake(0, Woken::ByEvent)] {
            self.take(step);
        }
        while self.take(Step::Run(0)) {}
    }

    /// Whether a hook asks.
    fn is_asked(&self) -> bool {
        self.world.deployments.last().is_some_and(|newest| newest.hooks.contains(&Some(Hook::Asking)))
    }

    /// Whether the step meant something.
    fn take(&mut self, step: Step) -> bool {
        let next = self.setting.apply(&self.world, step).filter(|next| *next != self.world);
        let Some(next) = next.filter(|_| self.world.broken.is_none()) else { return false };
        self.world = next;
        self.steps.push(step);
        true
    }
}

/// What is not at rest.
fn restless(world: &World, waits_for_an_operator: bool) -> Option<String> {
    let ledger = world.ledger_or_new();
    // What waits for the base rule waits with it.
    let waits = |open: &&Open| waits_for_an_operator && open.purpose == Purpose::Settle;
    if let Some(open) = ledger.open.as_ref().filter(|open| !waits(open)) {
        return Some(format!(
            "{} {} is {} for ever",
            open.purpose.word(),
            open.upload.number,
            open.phase.word()
        ));
    }
    if waits_for_an_operator {
        return None;
    }
    if ledger.pending.is_some() || ledger.rollback || ledger.drill.is_some() {
        return Some("what waits is never begun".to_owned());
    }
    if world.deployments.iter().any(|deployed| deployed.status == DeploymentStatus::Active) {
        return Some("a deployment is active with no release open".to_owned());
    }
    let live = ledger.live.as_ref()?;
    let given_up = ledger
        .releases
        .last()
        .is_some_and(|past| past.purpose == Purpose::Settle && past.verdict != Verdict::Live);
    if world.last_successful() != Some(live.upload.number) && !given_up {
        return Some(format!(
            "release {} is live and CodeDeploy would boot {:?}",
            live.upload.number,
            world.last_successful()
        ));
    }
    if !world.traffic().are_all_on(live.colour) || world.rule.is_some() {
        return Some(format!("{} is live and traffic is {}", live.colour, world.traffic()));
    }
    if world.preview.is_some() && world.breakage != Some(Breakage::Previews) {
        return Some("a preview's rule stands for ever".to_owned());
    }
    let serves = world.healthy(live.colour) > 0 || world.healthy(live.colour.other()) == 0;
    (!serves)
        .then(|| format!("{} is live and has no healthy target, {} has", live.colour, live.colour.other()))
}

/// The same state for every order of invocations and whatever may still happen: what rest depends on.
pub fn essence(world: &World) -> u64 {
    let history = safety::History { opened: Vec::new(), yes: Vec::new(), ..world.history.clone() };
    Kept::new(World { left: Left { faults: 0, inputs: 0 }, history, ..world.clone() }).print()
}
