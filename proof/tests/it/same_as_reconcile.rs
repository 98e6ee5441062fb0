//! The model's loop is production's: the same hands move both through the same releases, and every pass decides and does
//! the same.

use greenlight::ports::Clock as _;
use greenlight::reconcile::{PassRecord, amend, reconcile};
use proof::machine::Machine;
use proof::pass::At;
use proof::start::{Pace, Start, setting};
use proof::step::{Setting, Step, Woken};
use proof::world::{Left, TICK, World, bundle, shop};
use release::plan::Action;
use release::plan::Effect;
use release::{Colour, Command, Ledger, Offer, TargetHealth, Wake, accept_command, accept_upload};

/// What a pass decided and did, in words.
type Told = (&'static str, Vec<&'static str>, Vec<String>);

/// What happens to the service, in both worlds.
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

fn told(pass: &PassRecord) -> Told {
    let done = pass.done.iter().map(|(word, failure)| {
        assert_eq!(*failure, None, "{word} failed");
        word.clone()
    });
    (pass.plan.record().phase, words(&pass.plan.reasons), done.collect())
}

fn words(reasons: &[release::Reason]) -> Vec<&'static str> {
    reasons.iter().map(release::Reason::word).collect()
}

struct Modelled {
    world: World,
    setting: Setting,
}

impl Modelled {
    fn new() -> Self {
        let world = Start::Nothing.world(1, Left { faults: 0, inputs: u8::MAX });
        Self { world, setting: setting(Machine::default(), Pace::Canary) }
    }

    fn step(&mut self, step: Step) {
        self.world =
            self.setting.apply(&self.world, step).unwrap_or_else(|| panic!("{step:?} means nothing"));
        assert_eq!(self.world.broken, None, "{step:?}");
    }

    fn take(&mut self, hand: Hand) -> Vec<Told> {
        let steps: &[Step] = match hand {
            Hand::Push(number) => &[Step::Push(number)],
            Hand::Say(command) => &[Step::Say(command)],
            Hand::Installed => &[Step::Install, Step::Start],
            Hand::Succeeded => &[Step::Ask, Step::Exit],
            Hand::Fires(colour) => &[Step::Alarm(colour, true)],
            Hand::Time => &[Step::Time],
        };
        for step in steps {
            self.step(*step);
        }
        let woken = if matches!(hand, Hand::Time) { Woken::ByQuestion } else { Woken::ByEvent };
        self.step(Step::Wake(0, woken));
        let mut passes: Vec<Told> = Vec::new();
        while let Some(running) = self.world.passes[0].clone() {
            let effect = running.next_effect().map(|effect| match effect {
                Effect::Commit => "commit".to_owned(),
                Effect::Act(action) => Action::word(action).to_owned(),
            });
            let looks = matches!(running.at, At::Looks { .. });
            if let (Some(done), Some(pass)) = (effect, passes.last_mut()) {
                pass.2.push(done);
            }
            if looks {
                let decided = self.decided();
                passes.push(decided);
            }
            self.step(Step::Run(0));
        }
        passes
    }

    /// What the pass that looks now decides.
    fn decided(&self) -> Told {
        let after = self.setting.apply(&self.world, Step::Run(0)).unwrap();
        match after.passes[0].as_deref().map(|running| &running.at) {
            Some(At::Acts(acting) | At::LooksBack(acting)) => {
                (acting.plan.record().phase, words(&acting.plan.reasons), Vec::new())
            }
            // Nothing to do: the invocation has ended with its look.
            Some(At::Looks { .. }) | None => ("", Vec::new(), Vec::new()),
        }
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

#[tokio::test]
async fn the_model_takes_the_passes_that_production_takes() {
    let production = Production::new();
    let mut modelled = Modelled::new();
    let mut compared = 0;
    for (index, hand) in STORY.iter().enumerate() {
        let real: Vec<Told> = production.take(*hand).await.iter().map(told).collect();
        let mut model = modelled.take(*hand);
        // A last pass that does nothing leaves nothing in the model to read its reasons from.
        for (model, real) in model.iter_mut().zip(&real).filter(|(model, _)| model.0.is_empty()) {
            assert!(real.2.is_empty(), "step {index}, {hand:?}: production does {:?}", real.2);
            *model = real.clone();
        }
        assert_eq!(model, real, "step {index}, {hand:?}");
        compared += real.len();
    }
    assert!(compared > 25, "{compared} passes");
    assert_eq!(production.world.ledger(&shop()).unwrap().phase(), "idle");
}
