//! The same steps under `stateright`: every order of them, to a bound.

use crate::evidence::{Counts, Player};
use crate::invocation::{Blind, Breakage, now};
use crate::machine::Machine;
use crate::rest::{essence, rest};
use crate::rule::Rule;
use crate::start::{Manner, Pace, Start, setting};
use crate::step::{Setting, Step, Woken};
use crate::world::{Left, World, at};
use release::{Colour, Command};
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// What is explored, and how far.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What was released before.
    pub start: Start,
    /// The strategy.
    pub pace: Pace,
    /// A bundle that has just arrived.
    pub pushed: Option<u8>,
    /// For how many ticks nothing goes wrong before it begins.
    pub played: u16,
    /// How many invocations run at once.
    pub passes: usize,
    /// How many ticks pass, those before it begins included.
    pub ticks: u16,
    /// How many faults happen.
    pub faults: u8,
    /// How many inputs happen.
    pub inputs: u8,
    /// Which inputs.
    pub may: &'static [Step],
    /// What wakes a function.
    pub wakes: &'static [Woken],
}

/// After so many states a scenario that has not come to its end is left, breadth first: every order of the first steps is in
/// them, and the report says that it was left. Some ten seconds of one core, and 1.1 GB.
pub const MOST: usize = 1_500_000;

/// What was explored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explored {
    /// How many different states.
    pub states: usize,
    /// Whether these are all that there are to the scenario's bound.
    pub whole: bool,
    /// How many steps the longest shortest way to one of them has.
    pub depth: usize,
    /// The first rule that was broken, with the steps that lead there.
    pub broken: Option<(Rule, Vec<Step>)>,
}

/// A scenario with the functions under proof.
#[derive(Debug)]
struct Exploration {
    scenario: Scenario,
    setting: Setting,
    rested: Mutex<HashSet<u64>>,
}

impl Scenario {
    /// Its beginning, and what came before.
    fn begins<'a>(&self, setting: &'a Setting) -> Player<'a> {
        let world = self.start.world(self.passes, Left { faults: 0, inputs: u8::MAX });
        let mut player = Player::new(setting, world);
        if let Some(number) = self.pushed {
            player.take(Step::Push(number));
            player.take(Step::Run(self.passes));
        }
        if self.played > 0 {
            player.take(Step::Counts(Counts::Fine));
        }
        for _ in 0..self.played {
            player.tick(None);
            player.take(Step::Time);
        }
        player
    }
}

impl Model for Exploration {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let mut world = self.scenario.begins(&self.setting).world;
        world.left = Left { faults: self.scenario.faults, inputs: self.scenario.inputs };
        vec![world]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        if world.broken.is_some() {
            return;
        }
        self.setting.own_steps(world, self.scenario.wakes, steps);
        if is_busy(world) {
            steps.retain(|step| !matches!(step, Step::Wake(..)));
        }
        steps.extend((world.tick < self.scenario.ticks + 1).then_some(Step::Time));
        if world.left.faults > 0 {
            Setting::faults(world, steps);
        }
        if world.left.inputs > 0 {
            steps.extend(self.scenario.may);
        }
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let world = self.setting.apply(before, step)?;
        // An input that changes nothing is no input.
        if step.is_input() && (World { left: before.left, ..world.clone() }) == *before {
            return None;
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let rules: [fn(&Self, &World) -> bool; 25] = [
            holds::<0>,
            holds::<1>,
            holds::<3>,
            holds::<4>,
            holds::<5>,
            holds::<6>,
            holds::<7>,
            holds::<8>,
            holds::<9>,
            holds::<10>,
            holds::<12>,
            holds::<13>,
            holds::<14>,
            holds::<15>,
            holds::<17>,
            holds::<18>,
            holds::<20>,
            holds::<21>,
            holds::<22>,
            holds::<23>,
            holds::<24>,
            holds::<25>,
            holds::<26>,
            holds::<27>,
            holds::<28>,
        ];
        let stepwise = Rule::ALL.into_iter().filter(|rule| !rule.is_of_rest());
        let mut properties: Vec<_> =
            stepwise.zip(rules).map(|(rule, holds)| Property::always(rule.sentence(), holds)).collect();
        properties.push(Property::always(Rule::ComesToRest.sentence(), comes_to_rest));
        properties
    }
}

/// Whether so many passes have written down a time within this tick that no further function is woken in it. Where a call is
/// refused for good, each pass writes that it asked again, and there would be no end to them.
fn is_busy(world: &World) -> bool {
    now(world).duration_since(at(world.tick)).as_nanos() > PASSES_IN_A_TICK
}

const PASSES_IN_A_TICK: i128 = 6;

fn holds<const RULE: usize>(_: &Exploration, world: &World) -> bool {
    world.broken != Some(Rule::ALL[RULE])
}

/// Checked in states where time has run out and no invocation runs. Every state leads to such a state without further
/// input, so this finds every state from which the service never comes to rest.
fn comes_to_rest(model: &Exploration, world: &World) -> bool {
    if world.tick <= model.scenario.ticks
        || world.passes.iter().any(Option::is_some)
        || world.broken.is_some()
    {
        return true;
    }
    let known = || model.rested.lock().unwrap_or_else(PoisonError::into_inner);
    let essence = essence(world);
    if known().contains(&essence) {
        return true;
    }
    let rests = rest(&model.setting, world).broken.is_none();
    if rests {
        known().insert(essence);
    }
    rests
}

/// Explores a scenario exhaustively, or to its first broken rule.
pub fn explore(scenario: Scenario, machine: Machine, threads: usize) -> Explored {
    let exploration =
        Exploration { scenario, setting: setting(machine, scenario.pace), rested: Mutex::default() };
    let checker = exploration.checker().threads(threads).finish_when(HasDiscoveries::Any);
    let checker = checker.target_state_count(MOST).spawn_bfs().join();
    let broken = Rule::ALL.into_iter().find_map(|rule| {
        let path = checker.discovery(rule.sentence())?;
        Some((rule, path.into_actions()))
    });
    let whole = checker.state_count() < MOST;
    Explored { states: checker.unique_state_count(), whole, depth: checker.max_depth(), broken }
}

const EVENTS: &[Woken] = &[Woken::ByEvent];
const BOTH: &[Woken] = &[Woken::ByEvent, Woken::ByQuestion];
const GOES_BAD: &[Step] = &[
    Step::Alarm(Colour::Green, true),
    Step::Health(Colour::Green, false),
    Step::HookFails(0),
    Step::TimesOut,
];
const COMMANDS: &[Step] = &[
    Step::Say(Command::Abort),
    Step::Say(Command::Promote),
    Step::Say(Command::Pause),
    Step::Say(Command::Retry),
    Step::Say(Command::Rollback),
];
const PREVIEWS: &[Step] =
    &[Step::Say(Command::Preview), Step::Say(Command::Resume), Step::Say(Command::Abort)];
const OTHER_HANDS: &[Step] =
    &[Step::StopByHand, Step::StackUpdate, Step::Leaves, Step::Joins, Step::Say(Command::Abort)];
const ALARM: &[Step] = &[Step::Alarm(Colour::Green, true)];
const DRILL: &[Step] = &[Step::Say(Command::Drill)];
const AFTER_A_DRILL: &[Step] = &[
    Step::Say(Command::Drill),
    Step::Say(Command::Rollback),
    Step::Say(Command::Abort),
    Step::Push(3),
    Step::Health(Colour::Blue, false),
    Step::StopByHand,
    Step::TimesOut,
    Step::Leaves,
];
const UPDATE: &[Step] = &[Step::StackUpdate];
const BREAKS: &[Step] = &[
    Step::Breaks(Breakage::Reads(Blind::Deployment)),
    Step::Breaks(Breakage::Reads(Blind::Rules)),
    Step::Breaks(Breakage::Reads(Blind::Health)),
    Step::Breaks(Breakage::Reads(Blind::Alarms)),
    Step::Breaks(Breakage::Rules),
    Step::Breaks(Breakage::Deployments),
    Step::Breaks(Breakage::Tags),
    Step::Silent(Colour::Green, true),
    Step::Begins(Colour::Green),
    Step::Foreign,
];
const COUNTS: &[Step] = &[
    Step::Counts(Counts::Nothing),
    Step::Counts(Counts::Worse),
    Step::Counts(Counts::Both),
    Step::Counts(Counts::Unreadable),
];
const UPLOADS: &[Step] =
    &[Step::Push(1), Step::Push(2), Step::Push(3), Step::Say(Command::Abort), Step::Say(Command::Promote)];

const fn scenario(name: &'static str, start: Start, pushed: Option<u8>, may: &'static [Step]) -> Scenario {
    Scenario {
        name,
        start,
        pace: Pace::AllAtOnce,
        pushed,
        played: 0,
        passes: 1,
        ticks: 2,
        faults: 0,
        inputs: 0,
        may,
        wakes: EVENTS,
    }
}

/// What the tests explore, each to its end, in about a minute.
pub const CI: &[Scenario] = &[
    Scenario { faults: 1, ..scenario("a release, one fault", Start::OneLive, Some(2), &[]) },
    Scenario { wakes: BOTH, ..scenario("a release, hooks ask", Start::OneLive, Some(2), &[]) },
    Scenario {
        pace: Pace::Linear,
        wakes: BOTH,
        ..scenario("linear steps, hooks ask", Start::OneLive, Some(2), &[])
    },
    Scenario {
        passes: 2,
        ticks: 0,
        pace: Pace::Canary,
        ..scenario("two functions, canary", Start::OneLive, Some(2), &[])
    },
    Scenario {
        faults: 1,
        inputs: 1,
        ticks: 1,
        ..scenario("a fault and an alarm", Start::OneLive, Some(2), ALARM)
    },
    Scenario { faults: 1, ..scenario("the first release, one fault", Start::Nothing, Some(1), &[]) },
    Scenario {
        inputs: 1,
        pace: Pace::Canary,
        ..scenario("a release goes bad", Start::OneLive, Some(2), GOES_BAD)
    },
    Scenario { inputs: 1, ..scenario("other hands", Start::OneLive, Some(2), OTHER_HANDS) },
    Scenario { inputs: 1, ..scenario("another upload", Start::OneLive, Some(2), UPLOADS) },
    Scenario { inputs: 1, ..scenario("a command", Start::TwoLive, Some(3), COMMANDS) },
    Scenario {
        inputs: 1,
        faults: 1,
        ticks: 1,
        ..scenario("a command at rest, one fault", Start::TwoLive, None, COMMANDS)
    },
    Scenario {
        passes: 2,
        ticks: 1,
        inputs: 1,
        ..scenario("two functions, a rollback", Start::TwoLive, None, COMMANDS)
    },
    Scenario { inputs: 1, faults: 1, ..scenario("a drill, one fault", Start::OneLive, None, DRILL) },
    // The rollback window is over, and the version before the live one stands by.
    Scenario {
        played: 5,
        ticks: 7,
        inputs: 1,
        faults: 1,
        ..scenario("a reinstallation, one fault", Start::TwoLive, None, DRILL)
    },
    Scenario { inputs: 2, ..scenario("a preview", Start::OneLive, Some(2), PREVIEWS) },
    // The counts are fine for so long that they almost decide.
    Scenario {
        pace: Pace::Evidence,
        played: 15,
        ticks: 18,
        inputs: 1,
        faults: 1,
        ..scenario("by evidence, one fault", Start::OneLive, Some(2), COUNTS)
    },
];

/// What `make prove` explores besides: two functions at once, and more of everything.
pub const DEEP: &[Scenario] = &[
    Scenario { inputs: 1, ..scenario("something breaks for good", Start::OneLive, Some(2), BREAKS) },
    Scenario { faults: 1, ticks: 4, ..scenario("a whole release, one fault", Start::OneLive, Some(2), &[]) },
    Scenario {
        pace: Pace::Linear,
        ticks: 4,
        wakes: BOTH,
        ..scenario("whole linear steps, hooks ask", Start::OneLive, Some(2), &[])
    },
    Scenario {
        inputs: 1,
        ticks: 4,
        ..scenario("a whole release, other hands", Start::OneLive, Some(2), OTHER_HANDS)
    },
    Scenario {
        inputs: 1,
        ticks: 4,
        ..scenario("a whole release, breakage", Start::OneLive, Some(2), BREAKS)
    },
    Scenario {
        passes: 2,
        ticks: 2,
        pace: Pace::Canary,
        wakes: BOTH,
        ..scenario("two functions, canary, hooks ask", Start::OneLive, Some(2), &[])
    },
    Scenario { passes: 2, ticks: 2, ..scenario("two functions, a release", Start::OneLive, Some(2), &[]) },
    Scenario {
        passes: 2,
        ticks: 2,
        ..scenario("two functions, the first release", Start::Nothing, Some(1), &[])
    },
    Scenario {
        passes: 2,
        ticks: 0,
        inputs: 1,
        ..scenario("two functions, an alarm", Start::OneLive, Some(2), ALARM)
    },
    Scenario {
        passes: 2,
        ticks: 1,
        inputs: 1,
        ..scenario("two functions, a stack update", Start::OneLive, Some(2), UPDATE)
    },
    Scenario { faults: 2, ticks: 4, ..scenario("a release, two faults", Start::OneLive, Some(2), &[]) },
    Scenario {
        played: 5,
        ticks: 8,
        inputs: 2,
        ..scenario("a reinstallation, and something else", Start::TwoLive, None, AFTER_A_DRILL)
    },
    Scenario { inputs: 1, faults: 1, ..scenario("a preview, one fault", Start::OneLive, Some(2), PREVIEWS) },
    Scenario { inputs: 2, ticks: 5, ..scenario("a whole preview", Start::OneLive, Some(2), PREVIEWS) },
    Scenario {
        passes: 2,
        inputs: 1,
        ..scenario("two functions, a preview", Start::OneLive, Some(2), PREVIEWS)
    },
    Scenario { inputs: 2, ticks: 4, ..scenario("two more uploads", Start::OneLive, Some(2), UPLOADS) },
    Scenario { inputs: 2, ticks: 4, ..scenario("two commands", Start::TwoLive, Some(3), COMMANDS) },
];

/// The steps that lead to a broken rule, as a person reads them.
pub fn story(name: &str, steps: &[Step]) -> String {
    let Some(scenario) = CI.iter().chain(DEEP).find(|scenario| scenario.name == name) else {
        return String::new();
    };
    let Scenario { start, pace, passes, .. } = *scenario;
    let mut told = scenario.begins(&setting(Machine::default(), pace)).steps;
    told.extend(steps);
    crate::schedule::Schedule { start, pace, manner: Manner::Usual, passes, steps: told }
        .story(Machine::default())
}
