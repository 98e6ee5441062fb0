//! A release by evidence under everything that CloudWatch may say of it: worse, fine, nothing, bad on both, unreadable, and each
//! after each other, with a function that dies in between.

use crate::machine::Machine;
use crate::rule::Rule;
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
    pub at: u16,
    /// Then.
    pub then: Counts,
    /// What happens at the latest time.
    pub at_max: AtMax,
    /// In this tick a function dies after so many calls.
    pub dies: Option<(u16, usize)>,
}

/// The latest time comes after 17 ticks of weight, FINE after 15.
const TICKS: u16 = 90;

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
        let world = Start::OneLive.world(1, Left { faults: u8::MAX, inputs: u8::MAX });
        let mut player = Player::new(&setting, world);
        player.take(Step::Counts(self.first));
        player.take(Step::Push(2));
        while player.take(Step::Run(1)) {}
        for tick in 0..TICKS {
            if tick == self.at {
                player.take(Step::Counts(self.then));
            }
            player.tick(self.dies.filter(|(at, _)| *at == tick).map(|(_, calls)| calls));
            let ledger = player.world.ledger_or_new();
            let has_ended = ledger.releases.len() > 1 && ledger.open.is_none() && ledger.pending.is_none();
            if player.world.broken.is_some() || has_ended {
                break;
            }
            player.take(Step::Time);
        }
        player.world
    }
}

/// The first rule that a broken variant breaks, and under which counts.
pub fn first_broken(machine: Machine) -> Option<(Rule, Walk)> {
    Walk::all().find_map(|walk| Some((walk.play(machine).broken?, walk)))
}

/// Plays what happens when nothing goes wrong, one tick after the other.
#[derive(Debug)]
pub struct Player<'a> {
    setting: &'a Setting,
    /// How far it came.
    pub world: World,
    /// The steps to there.
    pub steps: Vec<Step>,
}

impl<'a> Player<'a> {
    /// From this state on.
    pub fn new(setting: &'a Setting, world: World) -> Self {
        Self { setting, world, steps: Vec::new() }
    }

    /// Whether the step meant something.
    pub fn take(&mut self, step: Step) -> bool {
        let next = self.setting.apply(&self.world, step).filter(|_| self.world.broken.is_none());
        let Some(next) = next else { return false };
        self.world = next;
        self.steps.push(step);
        true
    }

    /// Everything that happens within a tick. A function may die after so many calls.
    pub fn tick(&mut self, dies: Option<usize>) {
        self.wake(Woken::ByQuestion, dies);
        self.wake(Woken::ByEvent, None);
        for step in [Step::Install, Step::Start, Step::Ask, Step::Exit] {
            self.take(step);
        }
    }

    /// A function runs to its end, or dies after so many calls.
    fn wake(&mut self, woken: Woken, dies: Option<usize>) {
        if !self.take(Step::Wake(0, woken)) {
            return;
        }
        let mut calls = 0;
        while self.world.passes.first().is_some_and(Option::is_some) {
            let step = if dies == Some(calls) { Step::Crash(0) } else { Step::Run(0) };
            calls += 1;
            if !self.take(step) {
                return;
            }
        }
    }
}
