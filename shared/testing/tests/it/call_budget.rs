//! How many AWS calls a poll may cost.

use super::story::Story;
use greenlight::failure::Class;
use release::{Colour, Wake};
use testing::{At, FaultAt, Kind};

async fn calls_of_a_poll(story: &Story, seconds: u64) -> usize {
    story.pass(std::time::Duration::from_secs(seconds));
    story.world.expect_faults(&[]);
    story.wake(Wake::Question).await;
    story.world.world.forget_calls()
}

#[tokio::test]
async fn a_poll_that_changes_nothing_makes_at_most_six_calls_and_one_that_raises_at_most_ten() {
    let story = Story::with_live("linear:30%:1m").await;
    story.push(2).await;
    assert!(calls_of_a_poll(&story, 5).await <= 6, "installing");
    story.world.install_newest();
    assert!(calls_of_a_poll(&story, 5).await <= 6, "installed");
    let mut count = 0;
    for _ in 0..80 {
        let before = story.share(Colour::Green);
        let calls = calls_of_a_poll(&story, 5).await;
        let raised = story.share(Colour::Green) > before;
        count += u32::from(raised);
        assert!(calls <= if raised { 10 } else { 6 }, "{calls} calls while {}", story.phase());
        if story.phase() == "promoting" {
            break;
        }
    }
    assert_eq!((count, story.phase()), (4, "promoting"));
}

#[tokio::test]
async fn a_poll_makes_at_most_ten_calls_whichever_of_them_goes_wrong() {
    for call in 1..=10 {
        for class in [Class::Transient, Class::OutcomeUnknown, Class::Conflict] {
            for kind in [Kind::Before(class), Kind::After(class)] {
                let story = Story::with_live("linear:30%:1m").await;
                story.push(2).await;
                story.install().await;
                story.pass(std::time::Duration::from_secs(5));
                let fault = FaultAt { at: At::Nth(call), kind };
                story.world.expect_faults(&[fault]);
                story.try_wake(Wake::Question).await.ok();
                let calls = story.world.world.forget_calls();
                assert!(calls <= 10, "{calls} calls with {fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_way_back_needs_at_most_six_calls_before_the_rule_is_gone() {
    let story = Story::shifting("linear:30%:1m").await;
    story.world.set_alarm(Colour::Green, "a", release::AlarmState::Firing);
    story.world.expect_faults(&[]);
    story.tick().await;
    let calls = story.world.ports().calls();
    let gone = calls.iter().position(|call| *call == "delete_release_rule").unwrap();
    assert!(gone < 6, "{calls:?}");
}
