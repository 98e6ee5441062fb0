//! A candidate gets no weight while it answers otherwise than its `smoke.txt` says, and live does not.

use super::story::{Story, upload};
use greenlight::failure::Class;
use greenlight::reconcile::{Reported, read, reconcile_from};
use release::{
    Colour, InstanceId, PerColour, Phase, SmokeAnswer, SmokeReport, Smoked, Upload, VerdictWord, Wake,
};
use std::time::Duration;

/// What both colours answered to a path that names 200.
pub(crate) fn of_path(path: &str, blue: u16, green: u16) -> Smoked {
    let of = |status| SmokeAnswer { status, fine: status == 200 };
    Smoked { path: path.to_owned(), asked: None, answers: PerColour { blue: of(blue), green: of(green) } }
}

fn answers(blue: u16, green: u16) -> Vec<Smoked> {
    vec![of_path("/articles", 200, 200), of_path("/checkout", blue, green)]
}

/// The hook of an instance asks, and tells what both colours answered.
pub(crate) async fn asks(story: &Story, instance: &str, smoked: Vec<Smoked>) {
    let ports = story.world.ports();
    let known = read(&*ports, &story.world.service).await.unwrap();
    let smoke = Some(SmokeReport { instance: InstanceId(instance.to_owned()), smoked });
    let reported = Reported { smoke, ..Reported::default() };
    let world = story.world.world;
    reconcile_from(&*ports, &story.world.service, &story.policy, world, Wake::Question, known, reported)
        .await
        .unwrap();
}

/// Release 2 stands on green of both instances.
async fn installed(strategy: &str) -> Story {
    let story = Story::with_live(strategy).await;
    story.push(2).await;
    story.install().await;
    story
}

async fn both_ask(story: &Story, blue: u16, green: u16) {
    for instance in ["i-backend-1", "i-backend-2"] {
        story.pass(Duration::from_secs(5));
        asks(story, instance, answers(blue, green)).await;
    }
}

#[tokio::test]
async fn a_version_that_only_fails_checkout_never_gets_weight() {
    for strategy in ["AllAtOnce", "Canary10Percent5Minutes", "evidence"] {
        let story = installed(strategy).await;
        story.world.expect_faults(&[]);
        both_ask(&story, 200, 500).await;
        for _ in 0..3 {
            story.after(61).await;
            story.world.end_newest(release::DeploymentStatus::Stopped);
        }
        let calls = story.world.ports().calls();
        assert!(!calls.contains(&"set_release_weights"), "{strategy}: {calls:?}");
        let past = story.ledger().releases.pop().unwrap();
        assert_eq!(past.verdict.word(), VerdictWord::Rejected, "{strategy}");
        assert_eq!(
            past.verdict.reason(),
            "installation failed on i-backend-1: smoke.txt: /checkout got 500 from green, and from blue what it names"
        );
        assert_eq!(story.live(), Some((1, Colour::Blue)));
        let receipt =
            story.world.world.receipts().into_values().find(|receipt| receipt.number.0 == 2).unwrap();
        assert_eq!(receipt.steps, []);
    }
}

/// Another pass would find the rule gone and no reason for that in the ledger, and take it for an operator's doing.
#[tokio::test]
async fn without_weight_nothing_is_taken_back_before_its_cause_is_written() {
    let story = installed("Canary10Percent5Minutes").await;
    story.pass(Duration::from_secs(5));
    story.refuses(&["write_ledger"], Class::Transient);
    asks(&story, "i-backend-1", answers(200, 500)).await;
    assert!(story.world.rules().release.is_some());
    story.world.expect_faults(&[]);
    asks(&story, "i-backend-1", answers(200, 500)).await;
    assert_eq!((story.phase(), story.world.rules().release), ("returning", None));
}

#[tokio::test]
async fn what_live_fails_as_well_is_nobodys_fault() {
    let story = installed("Canary10Percent5Minutes").await;
    both_ask(&story, 500, 500).await;
    story.after(5).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
}

#[tokio::test]
async fn no_weight_before_every_instance_has_told() {
    let mut story = installed("Canary10Percent5Minutes").await;
    story.policy.install_deadline = Duration::from_secs(300);
    story.pass(Duration::from_secs(5));
    asks(&story, "i-backend-1", answers(200, 200)).await;
    story.after(60).await;
    assert_eq!(story.share(Colour::Green), 0);
    assert!(story.ledger().open.unwrap().needs_smoke(&InstanceId("i-backend-2".to_owned())));
    asks(&story, "i-backend-2", answers(200, 200)).await;
    assert_eq!(story.share(Colour::Green), 100);
    assert_eq!(story.ledger().open.unwrap().smoke.len(), 0, "it has decided");
    // Once it has traffic the requests of users judge.
    both_ask(&story, 200, 500).await;
    assert_eq!((story.phase(), story.ledger().open.unwrap().smoke.len()), ("shifting", 0));
}

/// The load balancer calls them healthy after ten seconds. A kit that waits for a path to answer well has not asked by then.
#[tokio::test]
async fn no_weight_before_hooks_that_will_tell_have_asked_at_all() {
    for (tells, share) in [(true, 0), (false, 100)] {
        let mut story = Story::with_live("Canary10Percent5Minutes").await;
        story.policy.install_deadline = Duration::from_secs(300);
        story.offer(Upload { tells_smoke: tells, ..upload(2) }).await;
        story.tick().await;
        story.install().await;
        story.after(60).await;
        assert_eq!(story.share(Colour::Green), share, "{tells}");
        if tells {
            assert!(story.ledger().open.unwrap().needs_smoke(&InstanceId("i-backend-2".to_owned())));
            both_ask(&story, 200, 200).await;
            assert_eq!(story.share(Colour::Green), 100);
        }
    }
}

#[tokio::test]
async fn an_instance_that_never_tells_ends_the_attempt_at_the_installations_deadline() {
    let mut story = installed("Canary10Percent5Minutes").await;
    story.policy.install_deadline = Duration::from_secs(300);
    story.pass(Duration::from_secs(5));
    asks(&story, "i-backend-1", answers(200, 200)).await;
    story.after(301).await;
    // The bundle is not to blame.
    let open = story.ledger().open.unwrap();
    assert_eq!((open.attempt, story.share(Colour::Green)), (2, 0));
}

/// Release 2 has a share by evidence, and nobody asks it but the kit. Every half a minute each instance tells so much of its pairs:
/// how often it asked, and what both colours answered. After how many times it went back or on.
async fn told(strategy: &str, pairs: impl Fn(u32) -> (Option<u32>, u16, u16)) -> (String, u32) {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.strategy = strategy.parse().unwrap();
    story.push(2).await;
    story.tick().await;
    story.install().await;
    let mut times = 0;
    loop {
        for instance in ["i-backend-1", "i-backend-2"] {
            let (asked, blue, green) = if times == 0 { (Some(1), 200, 200) } else { pairs(times) };
            asks(&story, instance, vec![Smoked { asked, ..of_path("/checkout", blue, green) }]).await;
            story.pass(Duration::from_secs(15));
        }
        let is_over = story.phase() != "shifting" || story.share(Colour::Green) >= 900;
        if times > 2 && is_over || times > 70 {
            let reason = story.ledger().open.and_then(|open| match open.phase {
                Phase::Returning(back) => Some(back.cause.to_string()),
                _ => None,
            });
            return (reason.unwrap_or_else(|| story.phase().to_owned()), times);
        }
        times += 1;
    }
}

#[tokio::test]
async fn a_path_that_fails_once_it_has_weight_takes_a_version_back_though_nobody_asks_for_it() {
    let (reason, times) = told("evidence", |times| (Some(times + 1), 200, 500)).await;
    insta::assert_snapshot!(reason, @"green failed 11 of 11, blue 0 of 11 requests, and each had 50 chances in 100 to go to green: odds of 290 to 1 that green is worse (200 needed): see the application log on green");
    assert!((4..=7).contains(&times), "{times}");
}

#[tokio::test]
async fn pairs_convict_nobody_for_what_is_told_again_for_what_live_fails_too_or_by_an_older_kit() {
    let latest = 59..=62;
    for (case, answer) in [
        ("told again", (Some(2), 200, 500)),
        ("an older kit", (None, 200, 500)),
        ("none is better", (Some(0), 500, 500)),
        ("all is well", (Some(0), 200, 200)),
    ] {
        let grows = answer.0 == Some(0);
        let pairs = |times: u32| (if grows { Some(times + 1) } else { answer.0 }, answer.1, answer.2);
        let (reason, times) = told("evidence", pairs).await;
        assert!(reason != "idle" && latest.contains(&times), "{case}: {reason} after {times}");
    }
}

#[tokio::test]
async fn what_carries_more_than_live_may_be_slow_for_it_and_no_pair_convicts_it() {
    let pairs = |times| (Some(times + 1), 200, 0);
    let (reason, times) = told("canary:50%:20m", pairs).await;
    assert!(reason.contains("50 chances in 100") && times < 10, "{reason} after {times}");
    let (reason, times) = told("canary:51%:20m", pairs).await;
    assert!((39..=42).contains(&times), "{reason} after {times}");
}
