//! Why an operator gave a command, wherever somebody looks for it afterwards.

use super::story::{Story, upload};
use release::{Command, CommandAnswer, DeploymentStatus, Statement, Status, Verdict, accept_command_with};

fn anna(why: &str) -> Option<Statement> {
    Statement::new(why, Some("anna"))
}

async fn says(story: &Story, command: Command, said: Option<Statement>) -> CommandAnswer {
    let answer =
        story.try_amend(|ledger| accept_command_with(&ledger, command, said.as_ref())).await.unwrap();
    story.tick().await;
    answer
}

/// The mail about the last end, and the reason of the last receipt.
fn told(story: &Story) -> (String, String) {
    let mail = story.world.world.announced().pop().unwrap().mail("shop");
    (mail, story.world.world.receipts().into_values().next_back().unwrap().reason)
}

#[tokio::test]
async fn why_a_release_was_given_up_stands_in_ledger_verdict_message_receipt_and_status() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    assert!(says(&story, Command::Abort, anna("totals are wrong")).await.changed);
    let open = story.ledger().open.unwrap();
    assert_eq!(
        (open.phase.word(), open.said.unwrap().to_string().as_str()),
        ("returning", "anna: totals are wrong")
    );
    let seen = story.after(5).await.passes.pop().unwrap().observation;
    let status = Status::of(&story.ledger(), &seen, &[], story.now()).says;
    assert!(status.contains("0 % intended (anna: totals are wrong)"), "{status}");
    for _ in 0..3 {
        story.world.end_newest(DeploymentStatus::Stopped);
        story.after(61).await;
    }
    let reason = "aborted by an operator (anna: totals are wrong)";
    assert_eq!(
        story.ledger().releases.last().unwrap().verdict,
        Verdict::Rejected { reason: reason.to_owned() }
    );
    assert_eq!(
        story.world.told(&upload(2).revision).unwrap().1,
        "aborted by an operator anna: totals are wrong"
    );
    let (mail, written) = told(&story);
    assert!(mail.contains(reason) && written == reason, "{mail}, {written}");
}

#[tokio::test]
async fn without_a_reason_an_abort_says_what_it_always_said() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    says(&story, Command::Abort, Statement::new("  ", Some("anna"))).await;
    assert_eq!(story.ledger().open.unwrap().said, None);
    for _ in 0..3 {
        story.world.end_newest(DeploymentStatus::Stopped);
        story.after(61).await;
    }
    assert_eq!(told(&story).1, "aborted by an operator");
}

#[tokio::test]
async fn a_reason_that_comes_later_counts_and_none_takes_it_away() {
    let story = Story::with_live("AllAtOnce").await;
    for (said, noted) in [(None, None), (anna("a drill"), anna("a drill")), (None, anna("a drill"))] {
        says(&story, Command::Pause, said).await;
        assert_eq!(story.ledger().pause_said, noted);
    }
    assert!(!says(&story, Command::Pause, anna("a drill")).await.changed, "twice is once");
    says(&story, Command::Resume, None).await;
    assert_eq!((story.ledger().paused, story.ledger().pause_said), (false, None));
}

#[tokio::test]
async fn a_release_that_its_pause_ended_says_why_it_was_paused() {
    let story = Story::with_live("AllAtOnce").await;
    says(&story, Command::Pause, anna("the database moves")).await;
    for _ in 0..2 {
        if story.phase() == "idle" {
            story.push(2).await;
        }
        story.install().await;
        story.minutes(59).await;
    }
    let reason = story.ledger().releases.last().unwrap().verdict.reason();
    assert!(reason.starts_with("paused by an operator until "), "{reason}");
    assert!(reason.ends_with(" (anna: the database moves)"), "{reason}");
}

#[tokio::test]
async fn why_it_was_rolled_back_stands_with_what_was_and_with_the_rollback() {
    let story = Story::with_two().await;
    says(&story, Command::Rollback, anna("carts are empty")).await;
    assert_eq!(story.ledger().open.unwrap().said, anna("carts are empty"));
    story.minutes(6).await;
    assert_eq!(story.ledger().rollback_said, None);
    let rejected = story.ledger().releases.into_iter().find(|past| past.upload.number.0 == 2).unwrap();
    assert_eq!(
        rejected.verdict.reason(),
        "rolled back by an operator: mend the bundle, push again (anna: carts are empty)"
    );
    let subjects: Vec<String> =
        story.world.world.announced().iter().map(|told| told.subject("shop")).collect();
    let back = "[shop] backend is rolled back to 1: an operator asked for it (anna: carts are empty)";
    assert!(subjects.contains(&back.to_owned()), "{subjects:?}");
    let receipts = story.world.world.receipts();
    assert!(receipts.values().any(|receipt| receipt.said == anna("carts are empty")), "{receipts:?}");
}
