//! A service through three releases and a rollback, as production plays them on the AWS in memory.

use greenlight::ports::Clock as _;
use greenlight::reconcile::{amend, reconcile};
use proof::machine::Machine;
use proof::start::{Pace, setting};
use proof::step::Setting;
use proof::world::{TICK, bundle, shop};
use release::pass::PassRecord;
use release::{Colour, Command, Ledger, Offer, TargetHealth, Wake, accept_command, accept_upload};

/// What happens to the service.
#[derive(Debug, Clone, Copy)]
enum Hand {
    Push(u8),
    Say(Command),
    Installed,
    Succeeded,
    Fires(Colour),
    Time,
}

const STORY: &[Hand] = &[
    Hand::Push(1),
    Hand::Installed,
    Hand::Succeeded,
    Hand::Time,
    Hand::Time,
    Hand::Push(2),
    Hand::Installed,
    Hand::Time,
    Hand::Time,
    Hand::Time,
    Hand::Time,
    Hand::Succeeded,
    Hand::Time,
    Hand::Time,
    Hand::Push(3),
    Hand::Installed,
    Hand::Time,
    Hand::Fires(Colour::Blue),
    Hand::Time,
    Hand::Time,
    // Release 3 was installed over release 1, so this is a release of it, under the alarm that is fixed forward.
    Hand::Say(Command::Rollback),
    Hand::Time,
    Hand::Time,
    Hand::Say(Command::Abort),
    Hand::Time,
    Hand::Time,
];

struct Production {
    world: testing::World,
    setting: Setting,
}

impl Production {
    fn new() -> Self {
        let world = testing::World::new(&["shop"]);
        for colour in Colour::BOTH {
            world.set_health(&shop(), colour, TargetHealth::Unhealthy);
        }
        world.pass(TICK);
        Self { world, setting: setting(Machine::default(), Pace::Canary) }
    }

    async fn amend<T>(&self, change: impl Fn(Ledger) -> (Ledger, T)) -> T {
        amend(&self.world, &shop(), change).await.unwrap()
    }

    async fn take(&self, hand: Hand) -> Vec<PassRecord> {
        let now = self.world.now();
        match hand {
            Hand::Push(number) => {
                let _offer: Offer =
                    self.amend(|ledger| accept_upload(ledger, bundle(number), false, now)).await;
            }
            Hand::Say(command) => drop(self.amend(|ledger| accept_command(&ledger, command)).await),
            Hand::Installed => self.world.install_done(&shop()),
            Hand::Succeeded => self.world.hooks_heard_succeeded(&shop()),
            Hand::Fires(colour) => {
                self.world.set_alarm(&shop(), colour, "errors", release::AlarmState::Firing);
            }
            Hand::Time => self.world.pass(TICK),
        }
        // The hooks ask as time passes.
        let wake = if matches!(hand, Hand::Time) { Wake::Question } else { Wake::Event };
        reconcile(&self.world, &shop(), &self.setting.policy, &self.world, wake).await.unwrap().passes
    }
}

/// Every pass of the story, as production records it.
pub(crate) async fn passes_of_a_release() -> Vec<PassRecord> {
    let production = Production::new();
    let mut passes = Vec::new();
    for hand in STORY {
        passes.extend(production.take(*hand).await);
    }
    passes
}
