//! What an operator is told of a release beforehand.

use super::story::Story;
use greenlight::reconcile::observe;
use release::{AlarmState, Colour, Forecast, ReleaseNumber, forecast_reads};

pub(crate) async fn foretold(story: &Story, number: Option<u64>) -> Forecast {
    let (ledger, now) = (story.ledger(), story.now());
    let seen = observe(&*story.world.ports(), &ledger, forecast_reads(&ledger, &story.policy, now)).await;
    Forecast::of(&ledger, &seen, &story.policy, number.map(ReleaseNumber), now)
}

/// What is told, on a service that then stays as it was.
async fn against(story: &Story, number: Option<u64>) -> String {
    let before = story.ledger();
    let told = foretold(story, number).await;
    assert_eq!(story.ledger(), before, "nothing is changed");
    told.against.join("; ")
}

#[tokio::test]
async fn nothing_is_against_a_release_that_would_open_and_it_then_opens() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.after(120).await;
    let told = foretold(&story, None).await;
    assert_eq!((told.against, told.doubts), (vec![], vec![]));
    let shares: Vec<(u8, u64)> = told.steps.iter().map(|step| (step.percent, step.seconds)).collect();
    assert_eq!(shares, [(10, 300), (100, 60)]);
    story.push(2).await;
    assert_eq!(story.phase(), "installing");
}

#[tokio::test]
async fn what_keeps_a_release_from_opening_is_foretold_as_the_pass_says_it() {
    let story = Story::with_live("AllAtOnce").await;
    story.after(120).await;
    assert_eq!(
        against(&story, Some(1)).await,
        "release number 1 was used before with other bytes: push again, so that it gets a number of its own"
    );
    let mut wrong = Story::with_live("AllAtOnce").await;
    wrong.after(120).await;
    wrong.policy.is_sound = false;
    let told = against(&wrong, None).await;
    wrong.push(2).await;
    assert_eq!(wrong.phase(), "idle");
    assert!(told.contains("setting"), "{told}");
    let mut long = Story::with_live("AllAtOnce").await;
    long.after(120).await;
    long.policy.bake = std::time::Duration::from_secs(3600);
    assert!(against(&long, None).await.starts_with("the release could take 4680 s"));
}

#[tokio::test]
async fn an_open_release_and_alarms_are_told() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    let told = foretold(&story, None).await;
    assert_eq!(told.doubts, ["release 2 is open and has traffic: this one waits for its end"]);
    let idle = Story::with_live("AllAtOnce").await;
    idle.after(120).await;
    idle.world.set_alarm(Colour::Green, "a", AlarmState::Missing);
    assert!(against(&idle, None).await.starts_with("alarm a does not exist"));
    idle.world.set_alarm(Colour::Green, "a", AlarmState::Firing);
    let told = foretold(&idle, None).await;
    assert_eq!((told.against.len(), told.doubts.len()), (0, 1), "{:?}", told.doubts);
    // Those of the colour that is live say nothing of the next release.
    idle.world.set_alarm(Colour::Green, "a", AlarmState::Ok);
    idle.world.set_alarm(Colour::Blue, "a", AlarmState::Firing);
    assert_eq!(foretold(&idle, None).await.doubts, Vec::<String>::new());
}

#[tokio::test]
async fn a_step_that_no_alarm_can_see_is_told() {
    let story = Story::with_live("canary:10%:60s").await;
    story.after(120).await;
    let told = foretold(&story, None).await;
    assert!(
        told.doubts[0].starts_with("a step of 60 s is over before an alarm can fire"),
        "{:?}",
        told.doubts
    );
}

#[tokio::test]
async fn by_evidence_it_is_told_what_the_traffic_can_prove() {
    let silent = Story::with_live("evidence(30m)").await;
    silent.after(120).await;
    let proof = foretold(&silent, None).await.proof.unwrap();
    assert!(
        proof.starts_with(
            "no request came in the last half hour, and silence proves nothing: after 30 minutes it goes on"
        ),
        "{proof}"
    );
}

#[tokio::test]
async fn the_first_release_of_a_service_is_foretold_without_steps_as_it_then_goes() {
    let story = Story::new("canary:10%:60s");
    let told = foretold(&story, None).await;
    let shares: Vec<(u8, u64)> = told.steps.iter().map(|step| (step.percent, step.seconds)).collect();
    assert_eq!((shares, told.proof), (vec![(100, 0)], None));
    assert!(told.doubts.iter().all(|doubt| !doubt.starts_with("a step of")), "{:?}", told.doubts);
}

#[tokio::test]
async fn a_drain_that_ends_by_itself_is_a_doubt_and_nothing_against_it() {
    let story = Story::with_two().await;
    let told = foretold(&story, None).await;
    assert_eq!(told.against, Vec::<String>::new());
    assert!(told.doubts.iter().any(|doubt| doubt.contains("late requests")), "{:?}", told.doubts);
}
