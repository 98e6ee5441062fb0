//! Long random schedules from seeds: the same seed is the same schedule, on every machine.

use crate::evidence::Counts;
use crate::invocation::{Blind, Breakage};
use crate::machine::Machine;
use crate::rest::rest;
use crate::schedule::{Schedule, Violation};
use crate::start::{Manner, Pace, Start};
use crate::step::{Setting, Step, Woken};
use crate::world::{Gate, World};
use release::{Colour, Command};

/// How many steps a schedule has.
const STEPS: usize = 160;

/// Of so many schedules one releases by evidence.
const BY_EVIDENCE: u64 = 6;

/// Of so many schedules one has a gate.
const GATED: u64 = 7;

/// Of so many schedules one has an operator who holds drills.
const DRILLED: u64 = 5;
/// Of so many schedules one has previews.
const PREVIEWED: u64 = 5;

/// Random numbers (splitmix64: Steele, Lea, Flood 2014).
#[derive(Debug, Clone, Copy)]
pub struct Dice(u64);

impl Dice {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is above 0.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap_or(1)).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// What one seed led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The seed.
    pub seed: u64,
    /// The schedule that was played.
    pub schedule: Schedule,
    /// What was broken by it.
    pub violation: Violation,
}

/// Runs the schedule of a seed; what was broken, if anything.
pub fn run(seed: u64, machine: Machine) -> Option<Failed> {
    let (schedule, violation) = roll(seed, machine);
    violation.map(|violation| Failed { seed, schedule, violation })
}

/// The schedule of a seed, as far as it goes.
pub fn schedule(seed: u64, machine: Machine) -> Schedule {
    roll(seed, machine).0
}

fn roll(seed: u64, machine: Machine) -> (Schedule, Option<Violation>) {
    let mut dice = Dice::new(seed);
    let start = dice.pick(&[Start::OneLive, Start::OneLive, Start::TwoLive, Start::Nothing]);
    let by_time = dice.pick(&[Pace::AllAtOnce, Pace::Canary, Pace::Linear]);
    let pace = if seed.is_multiple_of(BY_EVIDENCE) { Pace::Evidence } else { by_time };
    let passes = dice.pick(&[1, 2, 2, 3]);
    // Some schedules are calm, so that releases come far; some are wild.
    let wildness = dice.pick(&[2, 5, 10]);
    let manner = dice.pick(&[Manner::Usual, Manner::Usual, Manner::Usual, Manner::Reports, Manner::Bare]);
    let manner = if seed.is_multiple_of(GATED) { Manner::Gated } else { manner };
    let mut schedule = Schedule { start, pace, manner, passes, steps: Vec::with_capacity(STEPS) };
    let setting = schedule.setting(machine);
    let mut world = schedule.world();
    for _ in 0..STEPS {
        let previews = seed.is_multiple_of(PREVIEWED) && dice.below(12) == 0;
        let drills = seed.is_multiple_of(DRILLED);
        let step =
            if previews { preview(&mut dice) } else { choose(&mut dice, &setting, &world, wildness, drills) };
        let Some(next) = setting.apply(&world, step) else { continue };
        schedule.steps.push(step);
        world = next;
        if let Some(rule) = world.broken {
            return (schedule, Some(Violation { rule, detail: rule.to_string() }));
        }
    }
    let broken = rest(&setting, &world).broken;
    (schedule, broken.map(|(rule, detail)| Violation { rule, detail }))
}

/// The first seed of a range that breaks a rule.
pub fn first_failure(seeds: impl Iterator<Item = u64>, machine: Machine) -> Option<Failed> {
    seeds.into_iter().find_map(|seed| run(seed, machine))
}

fn choose(dice: &mut Dice, setting: &Setting, world: &World, wildness: usize, drills: bool) -> Step {
    let roll = dice.below(100);
    // What the counts prove takes many minutes.
    let by_evidence = setting.policy.strategy.by_evidence().is_some();
    if roll < if by_evidence { 25 } else { 10 } {
        return Step::Time;
    }
    if roll < 10 + wildness {
        let mut faults = Vec::new();
        Setting::faults(world, &mut faults);
        if !faults.is_empty() {
            return dice.pick(&faults);
        }
    }
    if by_evidence && dice.below(20) == 0 {
        return Step::Counts(dice.pick(&Counts::ALL));
    }
    if drills && world.ledger_or_new().open.is_none() && dice.below(6) == 0 {
        return Step::Say(Command::Drill);
    }
    if world.gate.is_some() && dice.below(12) == 0 {
        return Step::Gate(dice.pick(&[Gate::Yes, Gate::Yes, Gate::No, Gate::Nonsense, Gate::Silence]));
    }
    let nothing_to_do = world.ledger_or_new().open.is_none();
    if roll < 20 + 2 * wildness || (nothing_to_do && roll < 50) {
        return input(dice, nothing_to_do, wildness);
    }
    let mut own = Vec::new();
    setting.own_steps(world, &[Woken::ByEvent, Woken::ByQuestion], &mut own);
    if own.is_empty() { Step::Time } else { dice.pick(&own) }
}

/// What operators do with a preview, and what keeps its rule where it is.
fn preview(dice: &mut Dice) -> Step {
    let asks = Step::Say(Command::Preview);
    let goes_on = Step::Say(dice.pick(&[Command::Resume, Command::Promote, Command::Abort]));
    dice.pick(&[asks, asks, asks, goes_on, Step::Time, Step::Breaks(Breakage::Previews), Step::Mends])
}

fn input(dice: &mut Dice, idle: bool, wildness: usize) -> Step {
    let roll = dice.below(100);
    if idle && roll < 60 || roll < 10 {
        return Step::Push(u8::try_from(2 + dice.below(6)).unwrap_or(2));
    }
    if roll >= 60 + 4 * wildness {
        return dice.pick(&[Step::Time, Step::Install, Step::Start, Step::Ask, Step::Exit]);
    }
    let colour = dice.pick(&Colour::BOTH);
    let on = dice.below(2) == 0;
    let commands = [
        Command::Pause,
        Command::Resume,
        Command::Promote,
        Command::Abort,
        Command::Rollback,
        Command::Retry,
        Command::Resume,
    ];
    let breakages = [
        Breakage::Reads(Blind::Deployment),
        Breakage::Reads(Blind::Rules),
        Breakage::Reads(Blind::Health),
        Breakage::Reads(Blind::Alarms),
        Breakage::Rules,
        Breakage::Deployments,
        Breakage::Tags,
    ];
    match dice.below(15) {
        12 => Step::Breaks(dice.pick(&breakages)),
        13 => dice.pick(&[Step::Mends, Step::Silent(colour, on), Step::Begins(colour)]),
        14 => dice.pick(&[Step::Foreign, Step::Downgrade(1), Step::Downgrade(3)]),
        0..=4 => Step::Say(dice.pick(&commands)),
        5 => Step::Alarm(colour, on),
        6 | 7 => Step::Health(colour, on),
        8 => dice.pick(&[Step::Leaves, Step::Joins]),
        9 => dice.pick(&[Step::StopByHand, Step::TimesOut]),
        10 => Step::StackUpdate,
        _ => Step::HookFails(dice.below(2)),
    }
}
