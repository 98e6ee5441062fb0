//! What the uploaded object's tags say of a release, whatever goes wrong while they are written.

use super::story::{Story, upload};
use greenlight::failure::Class;
use greenlight::ports::Clock;
use greenlight::reconcile::reconcile;
use release::pass::PassRecord;
use release::plan::{Outcome, note};
use release::{
    Action, AlarmState, Colour, Command, DeploymentStatus, Purpose, Reason, ReleaseNumber, Verdict, Wake,
};
use std::time::Duration;
use testing::{At, FaultAt, Kind, World};

const TELLS: &str = "tag_verdict";

fn every_tell_fails(class: Class) -> [FaultAt; 1] {
    [FaultAt { at: At::Every(TELLS), kind: Kind::Before(class) }]
}

impl Story {
    /// Release 2 was given up, and whoever uploaded it could not be told so.
    async fn with_an_untold_rejection(class: Class) -> Self {
        let story = Self::with_live("AllAtOnce").await;
        story.push(2).await;
        story.world.expect_faults(&every_tell_fails(class));
        story.say(Command::Abort).await;
        for _ in 0..3 {
            story.after(61).await;
        }
        assert_eq!(story.phase(), "idle");
        story
    }

    fn word(&self, number: u64) -> Option<String> {
        self.world.told(&upload(number).revision).map(|(word, _)| word)
    }
}

#[tokio::test]
async fn what_is_told_is_the_last_verdict_and_not_one_before_it() {
    let story = Story::with_an_untold_rejection(Class::Transient).await;
    story.say(Command::Retry).await;
    story.install().await;
    for _ in 0..4 {
        story.after(61).await;
    }
    story.codedeploy_agrees().await;
    assert_eq!(story.live(), Some((2, Colour::Green)));
    // The first tag arrives, and nothing that is written after it.
    let second = FaultAt { at: At::NthOf(TELLS, 2), kind: Kind::Before(Class::Transient) };
    story.world.expect_faults(&[second]);
    story.after(61).await;
    story.world.expect_faults(&[]);
    for _ in 0..10 {
        story.after(61).await;
    }
    assert_eq!(story.word(2).as_deref(), Some("live"));
    assert_eq!(story.world.world.count(TELLS), 0, "all was told before");
}

#[tokio::test]
async fn a_verdict_that_met_a_fault_is_told_by_a_later_pass() {
    for kind in [Kind::Before(Class::Transient), Kind::After(Class::OutcomeUnknown)] {
        let story = Story::with_live("AllAtOnce").await;
        story.push(2).await;
        story.world.expect_faults(&[FaultAt { at: At::NthOf(TELLS, 1), kind }]);
        story.say(Command::Abort).await;
        for _ in 0..4 {
            story.after(61).await;
        }
        assert_eq!(story.word(2).as_deref(), Some("rejected"), "{kind:?}");
        assert!(story.ledger().releases.iter().all(|past| past.told), "{kind:?}");
    }
}

#[tokio::test]
async fn a_verdict_that_can_never_be_told_is_given_up_with_one_record() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.world.expect_faults(&every_tell_fails(Class::Permanent));
    story.say(Command::Abort).await;
    let mut records = Vec::new();
    let mut failed = 0;
    for _ in 0..1440 {
        let reconciled = story.after(60).await;
        failed += reconciled.failures.len();
        let reasons = reconciled.passes.into_iter().flat_map(|pass| pass.plan.reasons);
        records.extend(reasons.filter(|reason| reason.word() == "verdict_untold"));
    }
    let tries = story.world.ports().calls().iter().filter(|call| **call == TELLS).count();
    assert_eq!((failed, tries), (0, 1), "after a day");
    let untold = Reason::VerdictUntold {
        number: ReleaseNumber(2),
        why: "tag_verdict was made to fail before it was carried out".to_owned(),
    };
    assert_eq!(records, [untold]);
    let said = release::accept_command(&story.ledger(), Command::Status).1.says;
    assert!(said.contains("its object could not be told"), "{said}");
    // It stands in the way of nothing.
    assert_eq!(story.push(3).await, release::Offer::Opens);
    story.install().await;
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 1000);
}

#[tokio::test]
async fn a_verdict_is_told_after_everything_else_that_a_pass_does() {
    let story = Story::with_an_untold_rejection(Class::Transient).await;
    story.world.expect_faults(&[]);
    story.pass(Duration::from_secs(61));
    story.offer(upload(3)).await;
    let opened = story.tick().await;
    let done: Vec<&str> =
        opened.passes.iter().flat_map(|pass| &pass.done).map(|(action, _)| action.as_str()).collect();
    let tell = done.iter().position(|action| *action == "tell_verdict").unwrap();
    assert!(done[..tell].contains(&"create_deployment"), "{done:?}");
    assert_eq!(done[tell + 1..], ["commit"], "{done:?}");
    assert_eq!(story.word(2).as_deref(), Some("rejected"));
}

/// Each tag takes as long as two calls of AWS may take with all their tries.
struct SlowTags<'a> {
    world: &'a World,
    before: usize,
}

impl Clock for SlowTags<'_> {
    fn now(&self) -> jiff::Timestamp {
        let tags = self.world.count(TELLS) - self.before;
        self.world.now().checked_add(Duration::from_secs(16 * tags as u64)).unwrap()
    }
}

#[tokio::test]
async fn tags_that_hang_keep_no_release_from_going_on() {
    let story = Story::with_live("AllAtOnce").await;
    let lost = FaultAt { at: At::Every(TELLS), kind: Kind::After(Class::OutcomeUnknown) };
    story.world.expect_faults(&[lost]);
    for number in [2, 3] {
        story.push(number).await;
        story.say(Command::Abort).await;
        for _ in 0..3 {
            story.after(61).await;
        }
    }
    assert_eq!(story.ledger().releases.iter().filter(|past| !past.told).count(), 2);
    story.offer(upload(4)).await;
    story.pass(Duration::from_secs(60));
    let clock = SlowTags { world: story.world.world, before: story.world.world.count(TELLS) };
    let ports = story.world.ports();
    reconcile(&*ports, &story.world.service, &story.policy, &clock, Wake::Event).await.unwrap();
    let open = story.ledger().open.unwrap();
    assert!(open.rule.is_some() && open.deployment.is_some(), "{open:?}");
}

#[tokio::test]
async fn two_verdicts_of_one_object_are_told_a_minute_apart_so_that_a_late_tag_cannot_be_the_last() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.say(Command::Abort).await;
    story.after(61).await;
    story.tick().await;
    assert_eq!(story.word(2).as_deref(), Some("rejected"));
    // At once, as after a retry: the call that wrote the tag may still be under way.
    let mut ledger = story.ledger();
    let past = ledger.releases.iter_mut().rfind(|past| past.purpose == Purpose::Release).unwrap();
    past.tell_tried_at = Some(story.now());
    let live = release::Past { verdict: Verdict::Live, attempt: 2, told: false, ..past.clone() };
    ledger.releases.push(release::Past { tell_tried_at: None, ..live });
    story.world.world.put_ledger(&ledger);
    story.after(30).await;
    assert_eq!(story.word(2).as_deref(), Some("rejected"));
    story.after(31).await;
    assert_eq!(story.word(2).as_deref(), Some("live"));
}

#[tokio::test]
async fn nothing_is_told_of_a_release_that_has_another_attempt() {
    let story = Story::with_an_untold_rejection(Class::Transient).await;
    story.say(Command::Retry).await;
    story.world.expect_faults(&[]);
    for _ in 0..3 {
        story.after(61).await;
    }
    assert_eq!((story.phase(), story.word(2)), ("installing", None));
}

#[tokio::test]
async fn a_verdict_keeps_no_pass_waiting_that_follows_at_once() {
    let story = Story::with_an_untold_rejection(Class::Transient).await;
    story.push(3).await;
    story.install().await;
    for _ in 0..4 {
        story.after(61).await;
    }
    assert_eq!(story.phase(), "promoting");
    story.world.expect_faults(&[]);
    story.pass(Duration::from_secs(61));
    story.world.end_newest(DeploymentStatus::Succeeded);
    let passes = story.tick().await.passes;
    let tells = |pass: &PassRecord| pass.done.iter().any(|(action, _)| action == "tell_verdict");
    let telling: Vec<usize> = (0..passes.len()).filter(|index| tells(&passes[*index])).collect();
    assert_eq!((story.live(), telling), (Some((3, Colour::Green)), vec![passes.len() - 1]));
}

#[tokio::test]
async fn what_was_told_is_noted_only_while_it_is_the_last_verdict() {
    let story = Story::with_an_untold_rejection(Class::Transient).await;
    let mut ledger = story.ledger();
    let rejected = ledger.releases.last().unwrap().verdict.clone();
    let tell = Action::TellVerdict { revision: upload(2).revision, verdict: rejected };
    assert!(note(&ledger, &tell, Outcome::Done).unwrap().releases.last().unwrap().told);
    ledger.releases.last_mut().unwrap().verdict = Verdict::Live;
    for outcome in [Outcome::Done, Outcome::VerdictRefused("gone".to_owned())] {
        assert_eq!(note(&ledger, &tell, outcome), None);
    }
}

#[tokio::test]
async fn a_bad_release_is_rejected_also_where_a_newer_one_waits_for_its_end() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.push(3).await;
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
    for _ in 0..30 {
        story.after(5).await;
    }
    let ended = story.ledger().releases.into_iter().find(|past| past.upload.number.0 == 2).unwrap();
    assert!(matches!(ended.verdict, Verdict::Rejected { .. }), "{:?}", ended.verdict);
}
