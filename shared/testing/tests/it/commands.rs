//! What an operator's command does in the situation in which it comes.

use super::story::{Story, upload};
use greenlight::failure::Class;
use release::phases::{COMMANDS, PHASES};
use release::{
    Colour, Command, CommandAnswer, DeploymentStatus, Leaving, Ledger, Offer, Phase, Purpose, ReleaseNumber,
    Trial, accept_command,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use testing::{At, FaultAt, Kind};

#[tokio::test]
async fn promote_that_means_nothing_lifts_no_pause() {
    let story = Story::with_live("AllAtOnce").await;
    story.say(Command::Pause).await;
    assert!(!story.say(Command::Promote).await.changed, "nothing is open");
    story.push(2).await;
    let said = story.say(Command::Promote).await;
    assert!(
        !said.changed && said.says.starts_with("nothing to promote while release 2 is installing"),
        "{said:?}"
    );
    story.install().await;
    story.after(5).await;
    assert_eq!((story.share(Colour::Green), story.ledger().paused), (0, true), "nobody resumed");
}

#[tokio::test]
async fn promote_that_means_something_ends_the_pause() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.say(Command::Pause).await;
    assert!(story.say(Command::Promote).await.changed);
    assert_eq!((story.share(Colour::Green), story.ledger().paused), (1000, false));
    assert!(!story.say(Command::Promote).await.changed);
}

#[tokio::test]
async fn abort_promises_no_more_than_it_can_keep_after_success_was_written() {
    let story = Story::shifting("AllAtOnce").await;
    story.after(60).await;
    assert_eq!(story.phase(), "promoting");
    story.world.end_newest(DeploymentStatus::Succeeded);
    let said = story.say(Command::Abort).await;
    assert!(said.says.contains("unless CodeDeploy has called it a success already"), "{said:?}");
    for _ in 0..3 {
        story.after(61).await;
    }
    assert_eq!(story.live(), Some((2, Colour::Green)));
}

#[tokio::test]
async fn abort_changes_nothing_once_codedeploy_has_agreed_and_says_what_does() {
    let story = Story::shifting("AllAtOnce").await;
    story.after(60).await;
    story.world.end_newest(DeploymentStatus::Succeeded);
    // The base rule cannot be written, so the release stays where CodeDeploy has agreed.
    let stuck = FaultAt { at: At::Every("set_base_weights"), kind: Kind::Before(Class::Transient) };
    story.world.expect_faults(&[stuck]);
    story.tick().await;
    let said = story.say(Command::Abort).await;
    assert_eq!((story.phase(), said.changed), ("promoting", false), "{said:?}");
    assert!(said.says.ends_with("rollback makes the previous release live again"), "{said:?}");
}

#[tokio::test]
async fn a_second_abort_says_that_it_is_the_second() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    let (once, first) = accept_command(&story.ledger(), Command::Abort);
    let (twice, second) = accept_command(&once, Command::Abort);
    assert!(first.changed && !second.changed && once == twice, "{second:?}");
    assert!(!accept_command(&once, Command::Promote).1.changed, "what is given up is not hurried");
}

#[tokio::test]
async fn retry_does_not_throw_away_what_waits() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.say(Command::Abort).await;
    for _ in 0..3 {
        story.after(61).await;
    }
    assert_eq!((story.phase(), story.offer(upload(3)).await), ("idle", Offer::Opens));
    let (ledger, said) = accept_command(&story.ledger(), Command::Retry);
    assert_eq!((ledger.pending, said.changed), (Some(upload(3)), false));
    story.tick().await;
    assert_eq!(story.ledger().open.unwrap().upload.number, ReleaseNumber(3));
}

#[tokio::test]
async fn a_command_whose_reply_was_lost_is_answered_as_what_it_was() {
    for command in [Command::Pause, Command::Retry] {
        let story = Story::with_live("AllAtOnce").await;
        story.push(2).await;
        story.say(Command::Abort).await;
        for _ in 0..3 {
            story.after(61).await;
        }
        let lost = FaultAt { at: At::NthOf("write_ledger", 1), kind: Kind::After(Class::OutcomeUnknown) };
        story.world.expect_faults(&[lost]);
        let said = story.try_amend(|ledger| accept_command(&ledger, command)).await.unwrap();
        assert!(said.changed, "{said:?}");
    }
}

/// Every command in one ledger of every phase: whether it changes anything, and what it says.
#[test]
fn every_command_has_an_answer_in_every_phase() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../release/tests/ledgers/schema-2");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut table, mut taken) = (String::new(), BTreeMap::<_, bool>::new());
    let read = |file: PathBuf| {
        let ledger = Ledger::from_json(&std::fs::read(&file).unwrap()).unwrap();
        (file.file_stem().unwrap().to_string_lossy().into_owned(), ledger)
    };
    let mut ledgers: Vec<_> = files.into_iter().map(read).collect();
    // Formats before the third know no drill.
    let mut drills = ledgers.iter().find(|(name, _)| name == "installing").unwrap().1.clone();
    if let Some(open) = &mut drills.open {
        (open.purpose, open.phase) = (Purpose::Drill, Phase::Drilling);
    }
    let before = ledgers.iter().find(|(name, _)| name == "idle-with-a-previous-release");
    drills.previous = before.unwrap().1.previous.clone();
    let mut leaves = drills.clone();
    if let Some(open) = &mut leaves.open {
        (open.purpose, open.phase) = (Purpose::Reinstall, Phase::Leaving(Leaving::default()));
    }
    ledgers.extend([("drilling".to_owned(), drills), ("leaving".to_owned(), leaves)]);
    for (name, ledger) in ledgers {
        writeln!(table, "{name}").unwrap();
        for command in COMMANDS {
            let (next, CommandAnswer { changed, refused, says }) = accept_command(&ledger, command);
            assert_eq!(changed, next != ledger, "{command:?}");
            assert!(!(changed && refused), "{command:?}");
            let again = accept_command(&next, command);
            assert!(!again.1.changed, "{command:?} twice is once: {}", again.1.says);
            assert_eq!(again.1.refused, refused, "{command:?} twice is taken as once: {}", again.1.says);
            let is_done = match (changed, refused) {
                (true, _) => "does",
                (false, false) => "is  ",
                (false, true) => "    ",
            };
            writeln!(table, "  {:<8} {is_done}  {says}", command.word()).unwrap();
            let is_taken = taken.entry((ledger.phase(), command.word())).or_default();
            *is_taken |= !refused;
        }
    }
    insta::assert_snapshot!(table);
    // With `AllAtOnce` a release waits for its first weight in the bake, of which no ledger is stored.
    let waits =
        include_bytes!("../../../release/tests/ledgers/schema-2/shifting-before-the-first-weight.json");
    let mut waits = Ledger::from_json(waits).unwrap();
    waits.open.as_mut().unwrap().phase = Phase::Baking(Trial::default());
    let previewed = accept_command(&waits, Command::Preview).1;
    taken.insert(("baking", "preview"), previewed.changed);
    // What people are told of a phase is what its commands do in one of its ledgers at least.
    let explained = PHASES.iter().flat_map(|phase| {
        phase.commands().map(|(command, effect)| ((phase.word, command.word()), effect.is_some()))
    });
    assert_eq!(taken, explained.collect());
}
