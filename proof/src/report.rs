//! Everything at once, and what it found: `target/prove/report.json`.

use crate::machine::Machine;
use crate::model::{Scenario, explore};
use crate::mutants;
use crate::rule::Rule;
use crate::simulation::{Failed, run};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What was proven, and how far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Different states that the model reached, over all scenarios.
    pub states: usize,
    /// The most steps from a beginning to a state.
    pub depth: usize,
    /// Random schedules that were run.
    pub schedules: u64,
    /// Rules that were broken.
    pub violations: usize,
    /// The broken variants.
    pub mutants: Mutants,
    /// Each scenario.
    pub scenarios: Vec<Scene>,
}

/// How many broken variants there are, and were found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mutants {
    /// All of them.
    pub total: usize,
    /// Those that a rule caught.
    pub caught: usize,
    /// Each one, and the rule that caught it.
    pub by: Vec<(&'static str, Option<Rule>)>,
}

/// A scenario and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scene {
    /// Its name.
    pub name: &'static str,
    /// Different states.
    pub states: usize,
    /// Whether these are all that there are to the scenario's bound.
    pub whole: bool,
    /// The most steps.
    pub depth: usize,
    /// The rule that was broken, with the steps to it.
    pub broken: Option<(Rule, Vec<crate::step::Step>)>,
}

/// Explores scenarios, telling each.
pub fn scenes(scenarios: &[Scenario], threads: usize, mut tell: impl FnMut(&Scene)) -> Vec<Scene> {
    let explored = scenarios.iter().map(|scenario| {
        let found = explore(*scenario, Machine::default(), threads);
        let scene = Scene {
            name: scenario.name,
            states: found.states,
            whole: found.whole,
            depth: found.depth,
            broken: found.broken,
        };
        tell(&scene);
        scene
    });
    explored.collect()
}

/// Runs the schedules of these many seeds on all threads; those that broke a rule.
pub fn schedules(seeds: u64, threads: usize) -> Vec<Failed> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut failed = Vec::new();
        loop {
            let from = next.fetch_add(1000, Ordering::Relaxed);
            if from >= seeds {
                return failed;
            }
            failed.extend((from..(from + 1000).min(seeds)).filter_map(|seed| run(seed, Machine::default())));
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    })
}

impl Mutants {
    /// Those that no rule caught.
    pub fn survivors(&self) -> Vec<&'static str> {
        self.by.iter().filter(|(_, rule)| rule.is_none()).map(|(name, _)| *name).collect()
    }
}

/// Tries every mutant.
pub fn try_mutants() -> Mutants {
    let by: Vec<_> = mutants::ALL.iter().map(|mutant| (mutant.name, mutant.caught_by())).collect();
    Mutants { total: by.len(), caught: by.iter().filter(|(_, rule)| rule.is_some()).count(), by }
}
