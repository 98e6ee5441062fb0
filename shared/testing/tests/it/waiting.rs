//! What waits for its turn, and whose turn it is.

use super::story::{MINUTE, Story, upload};
use release::{Colour, Command, ReleaseNumber, TargetHealth, Verdict, accept_upload};

fn open(story: &Story) -> Option<u64> {
    story.ledger().open.map(|open| open.upload.number.0)
}

fn waits(story: &Story) -> Option<u64> {
    story.ledger().pending.map(|upload| upload.number.0)
}

#[tokio::test]
async fn an_operators_rollback_is_not_passed_over_by_what_waited() {
    let story = Story::with_two().await;
    story.world.set_health(Colour::Blue, TargetHealth::Unhealthy);
    story.offer(upload(3)).await;
    story.say(Command::Rollback).await;
    story.minutes(1).await;
    assert_eq!((open(&story), waits(&story)), (Some(1), Some(3)));
    story.install().await;
    story.after(5).await;
    story.after(MINUTE).await;
    story.codedeploy_agrees().await;
    assert_eq!(story.live(), Some((1, Colour::Blue)));
    story.after(MINUTE).await;
    assert_eq!((open(&story), waits(&story)), (Some(3), None), "then comes what waited");
}

#[tokio::test]
async fn an_older_bundle_that_waits_does_not_end_a_newer_release() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(5).await;
    let now = story.now();
    story.try_amend(|ledger| accept_upload(ledger, upload(3), true, now)).await.unwrap();
    story.minutes(2).await;
    assert_eq!((open(&story), story.phase(), waits(&story)), (Some(5), "installing", Some(3)));
}

#[tokio::test]
async fn a_release_without_blame_yields_to_a_newer_one_that_waits() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.push(3).await;
    story.world.lose_instance("i-backend-2");
    story.after(5).await;
    story.after(10).await;
    story.after(MINUTE).await;
    assert_eq!((open(&story), waits(&story)), (Some(3), None));
    let past = story.ledger().releases.last().cloned().unwrap();
    assert_eq!((past.attempt, past.verdict), (1, Verdict::Superseded { by: ReleaseNumber(3) }));
}

#[tokio::test]
async fn settling_yields_to_a_bundle() {
    let story = Story::with_two().await;
    story.pass(std::time::Duration::from_secs(MINUTE));
    story.say(Command::Rollback).await;
    story.after(31).await;
    story.after(MINUTE).await;
    assert_eq!((story.phase(), story.world.is_deploying()), ("settling", true));
    story.push(3).await;
    story.tick().await;
    assert_eq!(open(&story), Some(3));
}
