//! Random schedules: whatever happens in whatever order, the safety rules hold and the service comes to rest.

use super::story::{SECOND, Story, upload};
use greenlight::failure::Class;
use proptest::prelude::{Just, Strategy as _, any, prop_oneof, proptest};
use release::{
    AlarmState, Colour, Command, DeploymentStatus, Drift, TargetHealth, Wake, Weights, accept_command,
    accept_upload,
};
use testing::{At, FaultAt, Kind};

#[derive(Debug, Clone)]
enum Event {
    Poll,
    Tick,
    Wait(u16),
    Push(u64),
    Say(Command),
    Installed,
    HookFails,
    Deployment(bool),
    Health(bool, bool),
    Alarm(bool, bool),
    Fault(usize, bool, u8),
    Base(bool),
}

fn event() -> impl proptest::strategy::Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Poll),
        4 => Just(Event::Tick),
        5 => (1u16..400).prop_map(Event::Wait),
        3 => (2u64..12).prop_map(Event::Push),
        2 => prop_oneof![
            Just(Command::Pause), Just(Command::Resume), Just(Command::Promote), Just(Command::Abort),
            Just(Command::Rollback), Just(Command::Retry),
        ].prop_map(Event::Say),
        5 => Just(Event::Installed),
        1 => Just(Event::HookFails),
        4 => any::<bool>().prop_map(Event::Deployment),
        2 => any::<(bool, bool)>().prop_map(|(colour, healthy)| Event::Health(colour, healthy)),
        2 => any::<(bool, bool)>().prop_map(|(colour, firing)| Event::Alarm(colour, firing)),
        1 => any::<bool>().prop_map(Event::Base),
        4 => (1usize..15, any::<bool>(), 0u8..3).prop_map(|(call, after, class)| Event::Fault(call, after, class)),
    ]
}

fn colour(blue: bool) -> Colour {
    if blue { Colour::Blue } else { Colour::Green }
}

async fn happen(story: &Story, event: &Event) {
    let now = story.now();
    match event {
        Event::Poll | Event::Tick => {
            let wake = if matches!(event, Event::Poll) { Wake::Question } else { Wake::Event };
            let shares = Colour::BOTH.map(|colour| story.share(colour));
            story.try_wake(wake).await.ok();
            for (colour, before) in Colour::BOTH.into_iter().zip(shares) {
                raised_only_when_healthy(story, colour, before);
            }
            story.world.expect_faults(&[]);
        }
        Event::Wait(seconds) => story.pass(std::time::Duration::from_secs(u64::from(*seconds))),
        Event::Push(number) => {
            story.try_amend(|ledger| accept_upload(ledger, upload(*number), false, now)).await.ok();
        }
        Event::Say(command) => {
            story.try_amend(|ledger| accept_command(&ledger, *command)).await.ok();
        }
        Event::Installed => story.world.install_newest(),
        Event::HookFails => story.world.fail_target("i-backend-1", "ApplicationStart: exited with 1"),
        Event::Deployment(succeeded) => end_deployment(story, *succeeded),
        Event::Health(blue, healthy) => {
            let health = if *healthy { TargetHealth::Healthy } else { TargetHealth::Unhealthy };
            story.world.set_health(colour(*blue), health);
        }
        Event::Alarm(blue, firing) => {
            let state = if *firing { AlarmState::Firing } else { AlarmState::Ok };
            story.world.set_alarm(colour(*blue), "errors", state);
        }
        Event::Base(blue) => story.world.world.set_base(&story.world.service, Weights::all_on(colour(*blue))),
        Event::Fault(call, after, class) => {
            let class = [Class::Transient, Class::OutcomeUnknown, Class::Conflict][usize::from(*class)];
            let kind = if *after { Kind::After(class) } else { Kind::Before(class) };
            story.world.expect_faults(&[FaultAt { at: At::Nth(*call), kind }]);
        }
    }
}

/// CodeDeploy ends a deployment as succeeded only after its hooks have heard so: promoting, or settling.
fn end_deployment(story: &Story, succeeded: bool) {
    let Some(open) = story.ledger().open else { return };
    let is_open = story.world.newest().is_some_and(|(text, status)| {
        status == DeploymentStatus::Active && text == Some(open.description(&story.world.service))
    });
    if is_open && (!succeeded || matches!(open.phase.word(), "promoting" | "settling")) {
        story.world.end_newest(if succeeded {
            DeploymentStatus::Succeeded
        } else {
            DeploymentStatus::Failed
        });
    }
}

/// Safety rule 1. Going back to the live colour is always allowed.
#[track_caller]
fn raised_only_when_healthy(story: &Story, colour: Colour, before: u16) {
    let ledger = story.ledger();
    let goes_back = ledger.live.as_ref().is_none_or(|live| live.colour == colour);
    if story.share(colour) > before && !goes_back {
        assert!(
            story.world.is_healthy(colour),
            "{colour} raised to {} unproven: {ledger:#?}",
            story.share(colour)
        );
    }
}

async fn comes_to_rest(story: &Story) {
    story.world.expect_faults(&[]);
    story.world.set_alarm(Colour::Blue, "errors", AlarmState::Ok);
    story.world.set_alarm(Colour::Green, "errors", AlarmState::Ok);
    story.try_amend(|ledger| accept_command(&ledger, Command::Resume)).await.ok();
    for _ in 0..60 {
        if story.phase() == "idle" && story.ledger().pending.is_none() && !story.ledger().rollback {
            break;
        }
        if story.world.is_deploying() {
            story.world.set_health(Colour::Blue, TargetHealth::Healthy);
            story.world.set_health(Colour::Green, TargetHealth::Healthy);
            story.world.install_newest();
            end_deployment(story, true);
        }
        story.after(100).await;
    }
    // What has drifted is put right only where the live colour is proven healthy.
    story.world.set_health(Colour::Blue, TargetHealth::Healthy);
    story.world.set_health(Colour::Green, TargetHealth::Healthy);
    story.tick().await;
    story.is_at_rest();
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 400, ..Default::default() })]
    #[test]
    fn the_safety_rules_hold_and_the_service_comes_to_rest(events in proptest::collection::vec(event(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut story = Story::with_live("linear:40%:1m").await;
            story.policy.silence_limit = 180 * SECOND;
            story.policy.rollback_window = 1800 * SECOND;
            story.policy.heal_after = 300 * SECOND;
            story.policy.drift = Drift::Repair;
            for event in &events {
                happen(&story, event).await;
            }
            comes_to_rest(&story).await;
        });
    }
}
