//! How often a second one core decides, a line for each kind of pass: `shifting: N plans a second`.

use proof::machine::Machine;
use proof::start::{Pace, Start, setting};
use proof::step::{Setting, Step, Woken};
use proof::world::{Left, World, at};
use release::{Ledger, Observation, Policy, plan, reads};
use std::hint::black_box;
use std::io::{Write, stdout};
use std::time::{Duration, Instant};

/// How long each kind of pass is measured.
const TIME: Duration = Duration::from_secs(1);

/// After how many polls every phase was reached.
const LONGEST: u8 = 20;

/// Calls between two looks at the clock: enough that the look costs nothing, few enough for the processor's cache.
const BATCH: u32 = 64;

/// Calls of `plan` a second, for one kind of pass.
struct Speed {
    pass: &'static str,
    per_second: f64,
}

fn main() -> std::io::Result<()> {
    let mut out = stdout().lock();
    for Speed { pass, per_second } in measure() {
        writeln!(out, "{pass}: {per_second:.0} plans a second")?;
    }
    Ok(())
}

/// Measures the passes that production makes most: a tick while idle, a poll while a step or the bake lasts.
fn measure() -> Vec<Speed> {
    let setting = setting(Machine::default(), Pace::Canary);
    let mut world = Start::OneLive.world(1, Left { faults: 0, inputs: u8::MAX });
    let mut speeds = vec![speed("idle", &world, &setting.policy)];
    world = taken(&setting, &world, &[Step::Push(2), Step::Wake(0, Woken::ByEvent)]);
    for name in ["installing", "shifting", "baking"] {
        for _ in 0..LONGEST {
            if world.ledger_or_new().phase() == name {
                speeds.push(speed(name, &world, &setting.policy));
                break;
            }
            let poll = [Step::Install, Step::Start, Step::Time, Step::Wake(0, Woken::ByQuestion)];
            world = taken(&setting, &world, &poll);
        }
    }
    speeds
}

/// The steps that mean something, and the invocation to its end.
fn taken(setting: &Setting, world: &World, steps: &[Step]) -> World {
    let mut world = world.clone();
    for step in steps {
        world = setting.apply(&world, *step).unwrap_or(world);
    }
    while let Some(next) = setting.apply(&world, Step::Run(0)) {
        world = next;
    }
    world
}

/// The ledger that each call consumes is copied before the clock runs, and what it gives is dropped after: production
/// has a ledger that it just read, and needs the plan for longer.
fn speed(pass: &'static str, world: &World, policy: &Policy) -> Speed {
    let now = at(world.tick);
    let ledger: Ledger = (*world.ledger_or_new()).clone();
    let seen: Observation = world.observe(&ledger, reads(&ledger, policy, now));
    let (mut calls, mut spent) = (0, Duration::ZERO);
    while spent < TIME {
        let ledgers: Vec<_> = (0..BATCH).map(|_| ledger.clone()).collect();
        let start = Instant::now();
        let plans: Vec<_> = ledgers
            .into_iter()
            .map(|ledger| plan(black_box(ledger), black_box(&seen), policy, now))
            .collect();
        spent += start.elapsed();
        drop(black_box(plans));
        calls += BATCH;
    }
    Speed { pass, per_second: f64::from(calls) / spent.as_secs_f64() }
}
