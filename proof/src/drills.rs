//! A drill and the reinstallation after it, one tick after the other, when the version that is left running runs on and when it
//! does not.

use crate::evidence::Player;
use crate::machine::Machine;
use crate::rule::Rule;
use crate::start::{Pace, Start, setting};
use crate::step::Step;
use crate::world::{Left, World};
use release::Command;

/// Longer than the rollback window, in which no drill is begun.
const BEFORE: u16 = 5;
/// Longer than a drill and a reinstallation that is given up for what was not seen in time.
const TICKS: u16 = 12;

/// What becomes of the version that is left running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It runs on.
    Runs,
    /// It goes down when its hooks have ended, as an older kit takes it down.
    GoesDown,
}

/// Plays it to the end of the reinstallation.
pub fn play(machine: Machine, after: After) -> World {
    let setting = setting(machine, Pace::AllAtOnce);
    let world = Start::TwoLive.world(1, Left { faults: u8::MAX, inputs: u8::MAX });
    let mut player = Player::new(&setting, world);
    for _ in 0..BEFORE {
        player.tick(None);
        player.take(Step::Time);
    }
    player.take(Step::Say(Command::Drill));
    while player.take(Step::Run(1)) {}
    for _ in 0..TICKS {
        player.tick(None);
        let ledger = player.world.ledger_or_new();
        if ledger.reinstalled.is_some() || player.world.broken.is_some() {
            break;
        }
        let leaving = ledger.open.as_ref().filter(|open| open.phase.word() == "leaving");
        if let (After::GoesDown, Some(open)) = (after, leaving) {
            // One instance is enough.
            player.take(Step::Health(open.colour, false));
        }
        player.take(Step::Time);
    }
    player.world
}

/// The first rule that a broken variant breaks.
pub fn first_broken(machine: Machine) -> Option<Rule> {
    [After::Runs, After::GoesDown].into_iter().find_map(|after| play(machine, after).broken)
}
