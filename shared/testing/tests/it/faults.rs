//! Every call fails once, in every way, before and after it took effect: the release ends all the same.

use super::story::Story;
use greenlight::failure::Class;
use release::{AlarmState, Colour, DeploymentStatus, Wake, accept_upload};
use testing::{At, FaultAt, Kind};

/// Runs a whole release with one fault; the number of calls it took.
async fn release_with(fault: Option<FaultAt>, goes_bad: bool) -> usize {
    let story = Story::with_live("linear:40%:1m").await;
    story.world.expect_faults(fault.as_slice());
    let mut calls = 0;
    story.offer_or_retry(2).await;
    for round in 0..60 {
        story.pass(std::time::Duration::from_secs(20));
        story.try_wake(Wake::Question).await.ok();
        calls = story.world.ports().calls().len();
        if round == 1 {
            story.world.install_newest();
        }
        if goes_bad && story.share(Colour::Green) >= 400 {
            story.world.set_alarm(Colour::Green, "a", AlarmState::Firing);
        }
        if story.phase() == "promoting" {
            story.world.end_newest(DeploymentStatus::Succeeded);
        }
        if round > 2 && story.phase() == "idle" {
            break;
        }
    }
    assert_eq!(story.phase(), "idle", "with {fault:?}: {:?}", story.ledger().open);
    story.is_at_rest();
    assert_eq!(
        story.live(),
        Some(if goes_bad { (1, Colour::Blue) } else { (2, Colour::Green) }),
        "with {fault:?}"
    );
    calls
}

impl Story {
    async fn offer_or_retry(&self, number: u64) {
        let now = self.now();
        for _ in 0..3 {
            let upload = super::story::upload(number);
            let offered = self.try_amend(|ledger| accept_upload(ledger, upload.clone(), false, now)).await;
            if offered.is_ok() {
                return;
            }
        }
    }
}

async fn every_call_goes_wrong(goes_bad: bool) {
    let calls = release_with(None, goes_bad).await;
    for call in 1..=calls {
        for class in [Class::Transient, Class::OutcomeUnknown, Class::Conflict] {
            for kind in [Kind::Before(class), Kind::After(class)] {
                release_with(Some(FaultAt { at: At::Nth(call), kind }), goes_bad).await;
            }
        }
    }
}

#[tokio::test]
async fn a_release_goes_live_whichever_call_goes_wrong() {
    every_call_goes_wrong(false).await;
}

#[tokio::test]
async fn a_bad_release_is_taken_back_whichever_call_goes_wrong() {
    every_call_goes_wrong(true).await;
}
