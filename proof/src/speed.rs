//! How often a second one core decides.

use crate::machine::Machine;
use crate::start::{Pace, Start, setting};
use crate::step::{Step, Woken};
use crate::world::{Left, World, at};
use greenlight::release::{Ledger, Observation, plan, reads};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Calls of `plan` a second, for one kind of pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Which pass.
    pub pass: &'static str,
    /// How many calls a second, the copy of the ledger that `plan` consumes included.
    pub per_second: f64,
}

/// Measures the passes that production makes most: a tick while idle, a poll while a step or the bake lasts.
pub fn measure(time: Duration) -> Vec<Speed> {
    let setting = setting(Machine::default(), Pace::Canary);
    let mut world = Start::OneLive.world(1, Left { faults: 0, inputs: u8::MAX });
    let mut speeds = vec![speed("idle", &world, &setting.policy, time)];
    for step in [Step::Push(2), Step::Wake(0, Woken::ByEvent)] {
        world = setting.apply(&world, step).unwrap_or(world);
    }
    for name in ["installing", "shifting", "baking"] {
        while world.ledger_or_new().phase() != name || world.passes[0].is_some() {
            let next = [Step::Run(0), Step::Install, Step::Start, Step::Wake(0, Woken::ByEvent)];
            let Some(after) = next.into_iter().find_map(|step| setting.apply(&world, step)) else {
                return speeds;
            };
            world = if after == world { setting.apply(&world, Step::Time).unwrap_or(after) } else { after };
        }
        speeds.push(speed(name, &world, &setting.policy, time));
    }
    speeds
}

fn speed(pass: &'static str, world: &World, policy: &greenlight::release::Policy, time: Duration) -> Speed {
    let now = at(world.tick);
    let ledger: Ledger = (*world.ledger_or_new()).clone();
    let seen: Observation = world.observe(&ledger, reads(&ledger, policy, now));
    let start = Instant::now();
    let mut calls = 0_u32;
    while start.elapsed() < time {
        for _ in 0..1000 {
            drop(black_box(plan(black_box(ledger.clone()), black_box(&seen), policy, now)));
        }
        calls += 1000;
    }
    Speed { pass, per_second: f64::from(calls) / start.elapsed().as_secs_f64() }
}
