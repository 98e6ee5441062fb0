//! A schedule: where it begins, and what happens, step by step.

use crate::machine::Machine;
use crate::rest::rest;
use crate::rule::Rule;
use crate::start::{Manner, Pace, Start, setting};
use crate::step::{Setting, Step};
use crate::world::{Gate, Left, World};
use serde::{Deserialize, Serialize};

/// What happens, in order. A step that means nothing when its turn comes is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// What was released before.
    pub start: Start,
    /// The strategy.
    pub pace: Pace,
    /// What its people chose.
    #[serde(default)]
    pub manner: Manner,
    /// How many invocations can run at once.
    pub passes: usize,
    /// The steps, in their order.
    pub steps: Vec<Step>,
}

/// How a schedule ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule that was broken.
    pub rule: Rule,
    /// What was seen, where the rule does not say it all.
    pub detail: String,
}

impl Schedule {
    /// The world in which it begins. Steps are not counted: there are only so many.
    pub fn world(&self) -> World {
        let world = self.start.world(self.passes, Left { faults: u8::MAX, inputs: u8::MAX });
        World { gate: (self.manner == Manner::Gated).then_some(Gate::Yes), ..world }
    }

    /// What its steps need to know.
    pub fn setting(&self, machine: Machine) -> Setting {
        self.manner.of(setting(machine, self.pace))
    }

    /// Runs it to its end and lets the service come to rest.
    pub fn run(&self, machine: Machine) -> Option<Violation> {
        let setting = self.setting(machine);
        let mut world = self.world();
        for step in &self.steps {
            let Some(next) = setting.apply(&world, *step) else { continue };
            world = next;
            if let Some(rule) = world.broken {
                return Some(Violation { rule, detail: rule.to_string() });
            }
        }
        rest(&setting, &world).broken.map(|(rule, detail)| Violation { rule, detail })
    }

    /// The shortest schedule, made by leaving steps out, that breaks the same rule.
    #[must_use]
    pub fn shortened(&self, machine: Machine, rule: Rule) -> Self {
        let breaks = |schedule: &Self| schedule.run(machine).is_some_and(|violation| violation.rule == rule);
        let mut shortest = self.clone();
        let mut length = shortest.steps.len().div_ceil(2);
        while length > 0 {
            let before = shortest.steps.len();
            let mut from = 0;
            while from < shortest.steps.len() {
                let mut shorter = shortest.clone();
                shorter.steps.drain(from..(from + length).min(shortest.steps.len()));
                if breaks(&shorter) {
                    shortest = shorter;
                } else {
                    from += length;
                }
            }
            if length > 1 || before == shortest.steps.len() {
                length /= 2;
            }
        }
        shortest
    }
}
