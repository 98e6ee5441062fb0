//! A release by evidence under everything that CloudWatch may say of it: worse, fine, nothing, bad on both, unreadable, and each
//! after each other, with a function that dies in between.

use crate::machine::Machine;
use crate::safety::Rule;
use crate::start::{Pace, Start, setting};
use crate::step::{Setting, Step, Woken};
use crate::world::{Left, World};
use release::Reading;
use release::evidence::{AtMax, Published, PublishedMinute, Slots, Week};
use release::plan::Window;
use serde::{Deserialize, Serialize};

/// What CloudWatch says of all minutes that it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// No request came.
    #[default]
    Nothing,
    /// All were answered well.
    Fine,
    /// All of the candidate's, green's, failed.
    Worse,
    /// All of both colours' failed.
    Both,
    /// It does not answer.
    Unreadable,
}

impl Counts {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Nothing, Self::Fine, Self::Worse, Self::Both, Self::Unreadable];

    /// The minutes of a window.
    pub fn of(self, window: Window) -> Reading<Vec<PublishedMinute>> {
        let answered = |requests, fails: bool| Published {
            requests,
            answered: if fails { 0 } else { requests },
            failed: if fails { requests } else { 0 },
            refused: 0,
        };
        let (blue, green) = match self {
            Self::Nothing => return Reading::Known(Vec::new()),
            Self::Unreadable => return Reading::Unknown("throttled".to_owned()),
            Self::Fine => (false, false),
            Self::Worse => (false, true),
            Self::Both => (true, true),
        };
        let minute =
            |minute| PublishedMinute { minute, blue: answered(9_000, blue), green: answered(1_000, green) };
        Reading::Known((window.from..window.until).map(minute).collect())
    }

    /// The week before: nothing happened in it.
    pub fn week() -> Week {
        let calm = |minutes| Slots { minutes, bad: [0; 3] };
        Week { history: 7 * 24 * 60, all: calm(10_000), recent: calm(30), rate: 10_000, ..Week::default() }
    }
}

/// A release under these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// At first.
    pub first: Counts,
    /// From this tick on.
    pub at: u8,
    /// Then.
    pub then: Counts,
    /// What happens at the latest time.
    pub at_max: AtMax,
    /// In this tick a function dies after so many calls.
    pub dies: Option<(u8, usize)>,
}

/// The latest time comes after 17 ticks of weight, FINE after 15.
const TICKS: u8 = 90;

impl Walk {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let switches = (4..=28).step_by(3);
        let counts = Counts::ALL.into_iter().flat_map(|first| Counts::ALL.map(|then| (first, then)));
        let at_maxes = [AtMax::GoOn, AtMax::Wait, AtMax::Back];
        counts.flat_map(move |(first, then)| {
            switches.clone().flat_map(move |at| {
                at_maxes.into_iter().enumerate().map(move |(index, at_max)| {
                    let dies = (index == 0).then_some((at + 1, usize::from(at % 5)));
                    Self { first, at, then, at_max, dies }
                })
            })
        })
    }

    /// Plays it until the release has ended, or to its first broken rule.
    pub fn play(&self, machine: Machine) -> World {
        let mut setting = setting(machine, Pace::Evidence);
        setting.policy.at_max = self.at_max;
        let mut world = Start::OneLive.world(1, Left { faults: u8::MAX, inputs: u8::MAX });
        world.counts = self.first;
        take(&setting, &mut world, Step::Push(2));
        while take(&setting, &mut world, Step::Run(1)) {}
        for tick in 0..TICKS {
            if tick == self.at {
                world.counts = self.then;
            }
            let dies = self.dies.filter(|(at, _)| *at == tick).map(|(_, calls)| calls);
            wake(&setting, &mut world, Woken::ByQuestion, dies);
            wake(&setting, &mut world, Woken::ByEvent, None);
            for step in [Step::Install, Step::Start, Step::Ask, Step::Exit] {
                take(&setting, &mut world, step);
            }
            let ledger = world.ledger_or_new();
            let has_ended = ledger.releases.len() > 1 && ledger.open.is_none() && ledger.pending.is_none();
            if world.broken.is_some() || has_ended {
                break;
            }
            take(&setting, &mut world, Step::Time);
        }
        world
    }
}

/// The first rule that a broken variant breaks, and under which counts.
pub fn first_broken(machine: Machine) -> Option<(Rule, Walk)> {
    Walk::all().find_map(|walk| Some((walk.play(machine).broken?, walk)))
}

fn take(setting: &Setting, world: &mut World, step: Step) -> bool {
    let next = setting.apply(world, step).filter(|_| world.broken.is_none());
    let taken = next.is_some();
    *world = next.unwrap_or_else(|| world.clone());
    taken
}

/// A function runs to its end, or dies after so many calls.
fn wake(setting: &Setting, world: &mut World, woken: Woken, dies: Option<usize>) {
    if !take(setting, world, Step::Wake(0, woken)) {
        return;
    }
    let mut calls = 0;
    while world.passes.first().is_some_and(Option::is_some) {
        let step = if dies == Some(calls) { Step::Crash(0) } else { Step::Run(0) };
        calls += 1;
        if !take(setting, world, step) {
            return;
        }
    }
}
