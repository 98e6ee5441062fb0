//! What a workflow can read of its release while it waits.

use super::by_evidence::installed;
use super::story::{Story, upload};
use super::traffic::{Ends, Traffic};
use greenlight::failure::Class;
use release::{Summary, VerdictWord, Wake};
use testing::{At, FaultAt, Kind};

fn published(story: &Story) -> Summary {
    story.world.world.summary(&story.world.service).expect("a summary was published")
}

/// Phase, number and per cent of the open release.
fn under_way(story: &Story) -> (&'static str, Option<(u64, u8)>) {
    let summary = published(story);
    (summary.phase, summary.open.map(|open| (open.number.0, open.percent)))
}

#[tokio::test]
async fn a_workflow_follows_its_release_from_outside() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.push(2).await;
    assert_eq!(under_way(&story), ("installing", Some((2, 0))));
    story.install().await;
    story.after(5).await;
    assert_eq!(under_way(&story), ("shifting", Some((2, 10))));
    story.push(3).await;
    assert_eq!(published(&story).waiting.map(|number| number.0), Some(3));
    story.after(300).await;
    assert_eq!(under_way(&story), ("baking", Some((2, 100))));
}

#[tokio::test]
async fn a_release_that_ended_is_told_with_its_verdict() {
    let story = Story::with_live("AllAtOnce").await;
    story.release(2).await;
    assert_eq!(under_way(&story), ("idle", None));
    let summary = published(&story);
    assert_eq!(summary.live.map(|live| live.number.0), Some(2));
    assert_eq!(summary.last.map(|last| (last.number.0, last.verdict)), Some((2, VerdictWord::Live)));
}

#[tokio::test]
async fn a_raise_that_a_hook_brought_about_is_told_by_the_next_tick() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.push(2).await;
    story.world.install_newest();
    story.pass(std::time::Duration::from_secs(5));
    story.wake(Wake::Question).await;
    assert_eq!((story.phase(), under_way(&story).0), ("shifting", "installing"));
    story.tick().await;
    assert_eq!(under_way(&story), ("shifting", Some((2, 10))));
}

#[tokio::test]
async fn what_could_not_be_told_stops_nothing_and_is_told_a_tick_later() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.push(2).await;
    let once = FaultAt { at: At::NthOf("publish", 1), kind: Kind::Before(Class::Transient) };
    story.world.expect_faults(&[once]);
    story.world.install_newest();
    story.pass(std::time::Duration::from_secs(5));
    let reconciled = story.tick().await;
    assert_eq!(reconciled.failures.len(), 1, "{:?}", reconciled.failures);
    assert_eq!((story.phase(), under_way(&story).0), ("shifting", "installing"));
    story.tick().await;
    assert_eq!(under_way(&story), ("shifting", Some((2, 10))));
}

#[tokio::test]
async fn at_rest_nothing_is_told_again() {
    let story = Story::with_live("AllAtOnce").await;
    let publishes =
        |story: &Story| story.world.ports().calls().iter().filter(|call| **call == "publish").count();
    story.world.expect_faults(&[]);
    story.after(60).await;
    assert_eq!(publishes(&story), 1, "the end of the release");
    story.after(600).await;
    assert_eq!(publishes(&story), 1, "nothing is new");
}

/// What is proven, what is missing, and until when, each time that a tick tells of it.
#[tokio::test]
async fn a_workflow_hears_what_the_counts_say() {
    let story = installed("evidence", 60).await;
    let mut traffic = Traffic::new(&story, 7, &|_| 60.0, &|_, _| Ends::Well);
    let mut said = Vec::new();
    while story.phase() == "shifting" && traffic.second() < 20 * 60 {
        traffic.turn().await;
        if traffic.second() % 60 == 0 {
            let decided = story.tick().await.passes.pop().unwrap().plan.record().says;
            let told = published(&story).open.and_then(|open| open.says);
            assert!(told.is_none() || told == decided, "{told:?} and {decided:?}");
            said.extend(told);
        }
    }
    insta::assert_snapshot!(said.join("\n"));
}

/// Whoever may upload may read it, and need not know where the bundle lies or what AWS calls anything.
#[tokio::test]
async fn a_summary_holds_no_name_of_anything_in_aws() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    let summary = serde_json::to_string_pretty(&published(&story)).unwrap();
    let deployment = story.ledger().open.unwrap().deployment.unwrap();
    let revision = upload(2).revision;
    for name in ["arn:", &deployment.0, &revision.bucket, &revision.key, &revision.version] {
        assert!(!summary.contains(name), "{name} in {summary}");
    }
    insta::assert_snapshot!(summary);
}
