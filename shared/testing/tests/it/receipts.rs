//! What a release leaves when it has ended.

use super::by_evidence::{green_always_fails, installed};
use super::story::Story;
use super::traffic::Traffic;
use greenlight::failure::Class;
use release::{By, Colour, Command, Exposure, Purpose, Receipt, VerdictWord};
use testing::{At, FaultAt, Kind};

fn receipts(story: &Story) -> Vec<Receipt> {
    story.world.world.receipts().into_values().collect()
}

/// The receipt of the release with this number, the only one.
fn receipt(story: &Story, number: u64) -> Receipt {
    let mut found = receipts(story).into_iter().filter(|receipt| receipt.number.0 == number);
    let receipt = found.next().unwrap_or_else(|| panic!("no receipt of release {number}"));
    assert_eq!(found.next(), None);
    receipt
}

/// Percent and seconds of each step.
fn steps(receipt: &Receipt) -> Vec<(u8, i64)> {
    let lasted = |step: &release::Held| step.until.unwrap().as_second() - step.since.as_second();
    receipt.steps.iter().map(|step| (step.percent, lasted(step))).collect()
}

#[tokio::test]
async fn a_release_that_went_live_leaves_its_steps_and_its_verdict() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.push(2).await;
    story.release_2_goes_live().await;
    let receipt = receipt(&story, 2);
    assert_eq!((receipt.verdict, receipt.reason.as_str()), (VerdictWord::Live, "carries all traffic"));
    assert_eq!(steps(&receipt), [(10, 301), (100, 602)]);
    assert_eq!((&receipt.by, receipt.failed_by_candidate, receipt.cloudwatch.reads), (&By::Upload, None, 0));
    assert_eq!(story.ledger().releases.last().unwrap().exposure.0, None, "it was not rejected");
    assert_eq!(receipt.closed_at, story.ledger().releases.last().unwrap().closed_at);
}

#[tokio::test]
async fn the_first_release_takes_all_traffic_in_one_step() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    let receipt = receipt(&story, 1);
    assert_eq!(steps(&receipt), [(100, 0)]);
}

/// Requests, cost and every number of a version that fails, as somebody reads it afterwards.
#[tokio::test]
async fn a_release_that_was_taken_back_leaves_what_it_has_cost() {
    let story = installed("evidence", 60).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &green_always_fails);
    traffic.while_it_is_tried(10).await;
    for _ in 0..4 {
        story.world.end_newest(release::DeploymentStatus::Stopped);
        story.after(61).await;
    }
    let receipt = receipt(&story, 2);
    assert_eq!(receipt.verdict, VerdictWord::Rejected);
    let failed = receipt.failed_by_candidate.unwrap();
    // What is said of it when the receipt is no longer remembered.
    let lasted = receipt.steps.iter().map(|step| step.until.unwrap().as_second() - step.since.as_second());
    let exposure = story.ledger().releases.last().unwrap().exposure.0.unwrap();
    let seconds = u64::try_from(lasted.sum::<i64>()).unwrap();
    assert!(seconds > 0 && exposure == Exposure { seconds, failed: Some(failed) }, "{exposure:?}");
    // Those of the warm-up are not counted, nor those without an answer when the way back was decided.
    assert!(failed > 0 && failed <= traffic.failed, "{failed} of {}", traffic.failed);
    assert_eq!(receipt.cloudwatch.micro_usd, receipt.cloudwatch.reads * 120);
    let asked = story.world.ports().calls().iter().filter(|call| **call == "published").count();
    assert!(asked > 0);
    insta::assert_snapshot!(serde_json::to_string_pretty(&receipt).unwrap());
}

#[tokio::test]
async fn what_cloudwatch_was_asked_is_in_the_receipt_call_by_call() {
    let story = installed("evidence(4m)", 60).await;
    story.world.expect_faults(&[]);
    let mut traffic = Traffic::new(&story, 7, &|_| 60.0, &|_, _| super::traffic::Ends::Well);
    while matches!(story.phase(), "shifting" | "baking") {
        traffic.turn().await;
    }
    story.codedeploy_agrees().await;
    let asked = story.world.ports().calls().iter().filter(|call| **call == "published").count();
    // The week was read while it was installed.
    let receipt = receipt(&story, 2);
    assert_eq!(receipt.cloudwatch.reads as usize, asked + 1);
    let requests = receipt.requests.cloudwatch.unwrap();
    assert!(requests.blue.requests > 100 && requests.green.requests > 100, "{requests:?}");
}

#[tokio::test]
async fn an_attempt_without_blame_and_the_next_one_leave_one_receipt() {
    let story = Story::shifting("AllAtOnce").await;
    story.after(60).await;
    story.world.lose_instance("i-backend-2");
    story.world.fail_target("i-backend-2", "the instance may have gone away");
    story.world.world.hooks_heard_succeeded(&story.world.service);
    story.tick().await;
    story.world.join_instance("i-backend-3", Colour::Blue);
    story.after(60).await;
    story.release_2_goes_live().await;
    let receipt = receipt(&story, 2);
    let attempts: Vec<_> = receipt.steps.iter().map(|step| (step.attempt, step.percent)).collect();
    assert_eq!(attempts, [(1, 100), (2, 100)]);
    assert!(receipt.opened_at < receipt.steps[0].since && receipt.attempt == 2);
}

#[tokio::test]
async fn a_rollback_leaves_a_receipt_of_its_own_and_says_who_wanted_it() {
    let story = Story::with_two().await;
    story.say(Command::Rollback).await;
    for _ in 0..6 {
        story.after(61).await;
    }
    let back = receipts(&story).into_iter().find(|receipt| receipt.purpose == Purpose::Rollback).unwrap();
    assert_eq!((back.number.0, back.colour, &back.by), (1, Colour::Blue, &By::Operator));
    assert_eq!(back.verdict, VerdictWord::Live);
}

#[tokio::test]
async fn a_receipt_that_cannot_be_written_delays_nothing_and_is_written_a_tick_later() {
    let story = Story::with_live("AllAtOnce").await;
    // The receipt of release 1 is tried no more.
    story.after(600).await;
    let once = FaultAt { at: At::NthOf("write_receipt", 1), kind: Kind::Before(Class::Transient) };
    story.world.expect_faults(&[once]);
    story.release(2).await;
    assert_eq!(story.live(), Some((2, Colour::Green)));
    assert!(receipts(&story).iter().all(|receipt| receipt.number.0 == 1));
    story.after(60).await;
    assert_eq!(receipt(&story, 2).verdict, VerdictWord::Live);
}

#[tokio::test]
async fn a_receipt_is_given_up_after_five_minutes_and_forgotten_with_the_next_release() {
    let story = Story::with_live("AllAtOnce").await;
    story.refuses(&["write_receipt"], Class::Permanent);
    story.release(2).await;
    story.after(240).await;
    let tries =
        |story: &Story| story.world.ports().calls().iter().filter(|call| **call == "write_receipt").count();
    let before = tries(&story);
    assert!(before > 1);
    for _ in 0..3 {
        story.after(120).await;
    }
    assert_eq!(tries(&story), before, "it is tried no more");
    story.release(3).await;
    let kept = story.ledger().releases.iter().filter(|past| past.receipt.0.is_some()).count();
    assert_eq!(kept, 1, "only the newest");
}
