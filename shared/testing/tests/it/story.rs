//! One service on an AWS in memory, driven step by step.

use super::stage::Stage;
use greenlight::failure::{Class, Failure};
use greenlight::ports::Clock;
use greenlight::reconcile::{Reconciled, amend, reconcile};
use release::evidence::AtMax;
use release::{
    Colour, Command, CommandAnswer, DeploymentStatus, Drift, Ledger, Offer, Policy, Routing, TargetHealth,
    Upload, Wake, accept_command, accept_upload,
};
use std::time::Duration;
use testing::{At, FaultAt, Kind};

pub(crate) struct Story {
    pub(crate) world: Stage,
    pub(crate) policy: Policy,
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: u64 = 60;

/// Whether a pass gave this reason.
pub(crate) fn says(reconciled: &Reconciled, word: &str) -> bool {
    reconciled.passes.iter().flat_map(|pass| &pass.plan.reasons).any(|reason| reason.word() == word)
}

pub(crate) fn policy(strategy: &str) -> Policy {
    Policy {
        strategy: strategy.parse().unwrap(),
        bake: 60 * SECOND,
        install_deadline: 900 * SECOND,
        drain: 60 * SECOND,
        unhealthy_grace: 30 * SECOND,
        unknown_limit: 180 * SECOND,
        look_interval: 5 * SECOND,
        silence_limit: Duration::ZERO,
        rollback_window: Duration::ZERO,
        heal_after: Duration::ZERO,
        drift: Drift::Report,
        harm: 10,
        at_max: AtMax::GoOn,
        gate: Duration::ZERO,
        is_sound: true,
    }
}

pub(crate) fn upload(number: u64) -> Upload {
    testing::upload(&testing::service("backend"), number)
}

impl Story {
    pub(crate) fn new(strategy: &str) -> Self {
        Self { world: Stage::new("backend"), policy: policy(strategy) }
    }

    /// A service on which release 1 is live on blue.
    pub(crate) async fn with_live(strategy: &str) -> Self {
        let story = Self::new(strategy);
        story.world.set_health(Colour::Blue, TargetHealth::Unhealthy);
        story.push(1).await;
        story.install().await;
        story.codedeploy_agrees().await;
        assert_eq!(story.ledger().phase(), "idle");
        story
    }

    /// That service while release 2 has its first weight, on green.
    pub(crate) async fn shifting(strategy: &str) -> Self {
        let story = Self::with_live(strategy).await;
        story.push(2).await;
        story.install().await;
        story.after(5).await;
        story
    }

    /// A service on which release 2 went live on green just now, with release 1 still running on blue, and a policy as
    /// the template has it.
    pub(crate) async fn with_two() -> Self {
        let mut story = Self::with_live("AllAtOnce").await;
        story.policy.rollback_window = Duration::from_secs(30 * MINUTE);
        story.policy.heal_after = Duration::from_secs(5 * MINUTE);
        story.policy.drift = Drift::Repair;
        story.release(2).await;
        assert_eq!(story.live(), Some((2, Colour::Green)));
        story
    }

    /// Releases this number to its good end.
    pub(crate) async fn release(&self, number: u64) {
        self.push(number).await;
        self.install().await;
        for _ in 0..30 {
            if self.phase() == "promoting" {
                break;
            }
            self.after(61).await;
        }
        self.codedeploy_agrees().await;
        self.is_at_rest();
    }

    /// A minute passes, then somebody looks, so many times.
    pub(crate) async fn minutes(&self, count: u64) {
        for _ in 0..count {
            self.after(MINUTE).await;
        }
    }

    /// Somebody moves the base rule by hand, or a stack update does.
    pub(crate) fn base_rule_moves(&self, routing: impl Into<Routing>) {
        self.world.world.set_base(&self.world.service, routing);
    }

    /// Every such call fails from now on, without being carried out.
    pub(crate) fn refuses(&self, calls: &[&'static str], class: Class) {
        let faults = calls.iter().map(|call| FaultAt { at: At::Every(call), kind: Kind::Before(class) });
        self.world.expect_faults(&faults.collect::<Vec<_>>());
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.world.ledger()
    }

    pub(crate) fn phase(&self) -> &'static str {
        self.ledger().phase()
    }

    pub(crate) fn share(&self, colour: Colour) -> u16 {
        self.world.traffic_per_mille(colour)
    }

    pub(crate) async fn wake(&self, wake: Wake) -> Reconciled {
        self.try_wake(wake).await.unwrap()
    }

    pub(crate) async fn try_wake(&self, wake: Wake) -> Result<Reconciled, Failure> {
        reconcile(&*self.world.ports(), &self.world.service, &self.policy, self.world.world, wake)
            .await
            .map_err(|no_ledger| no_ledger.failure)
    }

    pub(crate) async fn try_amend<T>(&self, change: impl Fn(Ledger) -> (Ledger, T)) -> Result<T, Failure> {
        amend(&*self.world.ports(), &self.world.service, change).await
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.world.world.pass(time);
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.world.world.now()
    }

    pub(crate) async fn tick(&self) -> Reconciled {
        self.wake(Wake::Event).await
    }

    pub(crate) async fn offer(&self, upload: Upload) -> Offer {
        let now = self.now();
        self.try_amend(|ledger| accept_upload(ledger, upload.clone(), false, now)).await.unwrap()
    }

    pub(crate) async fn push(&self, number: u64) -> Offer {
        let offer = self.offer(upload(number)).await;
        self.tick().await;
        offer
    }

    pub(crate) async fn say(&self, command: Command) -> CommandAnswer {
        let answer = self.try_amend(|ledger| accept_command(&ledger, command)).await.unwrap();
        self.tick().await;
        answer
    }

    /// Time passes, then somebody looks.
    pub(crate) async fn after(&self, seconds: u64) -> Reconciled {
        self.pass(Duration::from_secs(seconds));
        self.tick().await
    }

    /// Every target is installed, healthy, and asks.
    pub(crate) async fn install(&self) {
        self.world.install_newest();
        self.tick().await;
    }

    /// Every hook has heard "succeeded", and CodeDeploy says so.
    pub(crate) async fn codedeploy_agrees(&self) {
        self.world.end_newest(DeploymentStatus::Succeeded);
        self.tick().await;
    }

    pub(crate) fn live(&self) -> Option<(u64, Colour)> {
        self.ledger().live.map(|live| (live.upload.number.0, live.colour))
    }

    /// The attempt that is open is installed and left alone: release 2 goes live on green.
    pub(crate) async fn release_2_goes_live(&self) {
        self.install().await;
        for _ in 0..4 {
            self.after(301).await;
        }
        self.codedeploy_agrees().await;
        assert_eq!(self.live(), Some((2, Colour::Green)));
        self.is_at_rest();
    }

    /// Safety rule 7: idle, one colour has all traffic, and it is what new instances boot.
    #[track_caller]
    pub(crate) fn is_at_rest(&self) {
        let ledger = self.ledger();
        assert_eq!(ledger.phase(), "idle", "{ledger:#?}");
        let Some(live) = ledger.live else { return };
        let rules = self.world.rules();
        assert!(rules.base.are_all_on(live.colour), "base rule {} with {} live", rules.base, live.colour);
        assert_eq!((rules.release, rules.preview), (None, None));
        assert_eq!(self.world.last_successful(), Some(live.upload.revision));
    }
}
