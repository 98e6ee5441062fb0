//! Times in which no release opens.

use super::story::{Story, says};
use release::{Colour, Command, CommandAnswer, ReleaseNumber, accept_freeze, accept_thaw};
use std::time::Duration;

const HOUR: u64 = 3600;

async fn freezes(story: &Story, hours: u64) -> CommandAnswer {
    let now = story.now();
    let until = now.checked_add(Duration::from_secs(hours * HOUR)).unwrap();
    story.try_amend(|ledger| accept_freeze(&ledger, until, "the database moves", now)).await.unwrap()
}

async fn thaws(story: &Story) -> CommandAnswer {
    let now = story.now();
    story.try_amend(|ledger| accept_thaw(&ledger, now)).await.unwrap()
}

fn waiting(story: &Story) -> Option<ReleaseNumber> {
    story.ledger().pending.map(|upload| upload.number)
}

#[tokio::test]
async fn no_release_opens_while_frozen_and_the_newest_opens_when_it_is_over() {
    let story = Story::with_live("AllAtOnce").await;
    assert!(freezes(&story, 12).await.changed);
    assert!(!freezes(&story, 12).await.changed, "twice is once");
    story.push(2).await;
    story.push(3).await;
    let looked = story.after(11 * HOUR).await;
    assert!(says(&looked, "frozen"));
    assert_eq!((story.phase(), waiting(&story)), ("idle", Some(ReleaseNumber(3))));
    story.after(HOUR).await;
    assert_eq!((story.phase(), waiting(&story)), ("installing", None));
    assert_eq!(story.ledger().open.unwrap().upload.number, ReleaseNumber(3));
    assert_eq!(story.ledger().frozen, None, "what is over is forgotten");
}

#[tokio::test]
async fn a_thaw_ends_it_early_and_means_nothing_without_one() {
    let story = Story::with_live("AllAtOnce").await;
    freezes(&story, 12).await;
    story.push(2).await;
    assert_eq!(thaws(&story).await.says, "thawed: release 2 opens next");
    assert!(!thaws(&story).await.changed);
    story.tick().await;
    assert_eq!(story.phase(), "installing");
}

#[tokio::test]
async fn a_first_release_waits_as_well() {
    let story = Story::new("AllAtOnce");
    freezes(&story, 1).await;
    story.push(1).await;
    assert_eq!((story.phase(), waiting(&story)), ("idle", Some(ReleaseNumber(1))));
    story.after(HOUR).await;
    assert_eq!(story.phase(), "installing");
}

#[tokio::test]
async fn what_is_open_goes_on_and_a_rollback_waits_for_no_thaw() {
    let story = Story::shifting("AllAtOnce").await;
    let said = freezes(&story, 12).await;
    assert!(said.says.contains("release 2 goes on to its end"), "{}", said.says);
    story.release_2_goes_live().await;
    assert_eq!(story.live(), Some((2, Colour::Green)));
    story.say(Command::Rollback).await;
    story.minutes(5).await;
    assert_eq!(story.live(), Some((1, Colour::Blue)));
}

#[tokio::test]
async fn a_retry_while_frozen_says_that_it_waits() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.say(Command::Abort).await;
    story.minutes(3).await;
    freezes(&story, 12).await;
    let said = story.say(Command::Retry).await.says;
    assert!(
        said.starts_with("release 2 is tried once more, when the freeze is over: 2026-01-01T12:"),
        "{said}"
    );
    assert_eq!((story.phase(), waiting(&story)), ("idle", Some(ReleaseNumber(2))));
}

#[tokio::test]
async fn a_freeze_that_says_nothing_is_refused() {
    let story = Story::with_live("AllAtOnce").await;
    let (ledger, now) = (story.ledger(), story.now());
    let later = now.checked_add(Duration::from_secs(60)).unwrap();
    for (until, reason) in [(now, "why"), (later, " "), (later, "two\nlines"), (later, &"x".repeat(257))] {
        let (next, said) = accept_freeze(&ledger, until, reason, now);
        assert!(said.refused && !said.changed && next == ledger, "{reason:?}: {}", said.says);
    }
}

#[tokio::test]
async fn a_freeze_ends_within_ninety_days() {
    let story = Story::with_live("AllAtOnce").await;
    let said = freezes(&story, 24 * 365 * 100).await;
    assert!(said.refused && said.says.contains("freeze for 90d at most"), "{}", said.says);
    assert_eq!(story.ledger().frozen, None);
    assert!(freezes(&story, 24 * 90 + 1).await.refused);
    assert!(freezes(&story, 24 * 90).await.changed);
}

#[tokio::test]
async fn whoever_waits_for_a_release_hears_of_the_freeze_and_not_of_its_reason() {
    let story = Story::with_live("AllAtOnce").await;
    freezes(&story, 12).await;
    let until = story.ledger().frozen.unwrap().until;
    story.push(2).await;
    story.after(60).await;
    let summary = story.world.world.summary(&story.world.service).unwrap();
    assert_eq!((summary.waiting, summary.frozen_until), (Some(ReleaseNumber(2)), Some(until)));
    story.after(13 * HOUR).await;
    let summary = story.world.world.summary(&story.world.service).unwrap();
    assert_eq!((summary.waiting, summary.frozen_until), (None, None));
}
