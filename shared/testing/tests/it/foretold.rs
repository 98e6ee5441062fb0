//! What is foretold of a release by evidence, from the traffic of the half hour before it.

use super::forecasts::foretold;
use super::story::Story;
use release::evidence::{AtMax, Published, PublishedMinute, minute_of};
use release::plan::{Window, reads};
use release::{Colour, Creator, PerColour, ScalingProcess, TargetHealth, forecast_reads};
use std::time::Duration;

/// A service with so many requests in each minute of the last hour, all well, and nothing of a release for two minutes.
async fn with_traffic(strategy: &str, rate: u64) -> Story {
    let story = Story::with_live(strategy).await;
    story.after(120).await;
    let now = minute_of(story.now());
    let blue = Published { requests: rate, answered: rate, failed: 0, refused: 0 };
    let minutes = (now - 60..now).map(|minute| PublishedMinute { minute, blue, green: Published::default() });
    story.world.world.publish(&story.world.service, minutes);
    story
}

#[tokio::test]
async fn how_long_a_proof_takes_is_foretold_by_the_traffic() {
    let proven = |rate: u64, minutes: u64, points: &str| {
        format!(
            "at {rate} requests a minute it takes about {minutes} minutes to prove that it is at most {points} points worse, if none fails"
        )
    };
    for (strategy, rate, told) in TOLD {
        let mut story = with_traffic(strategy, rate).await;
        story.policy.bake = Duration::from_secs(300);
        let proof = foretold(&story, None).await.proof.unwrap();
        match told {
            Some((minutes, points)) => assert_eq!(proof, proven(rate, minutes, points), "{strategy}"),
            None => {
                let never = format!("at {rate} requests a minute it cannot be proven in time");
                assert!(proof.starts_with(&never), "{strategy}: {proof}");
            }
        }
    }
}

/// After how many minutes how many points are proven, if they ever are.
type Proven = Option<(u64, &'static str)>;

/// The strategy, the requests a minute, and after how many minutes how many points are proven: reckoned with the bets' formula by
/// hand, a minute at a time, or ten where a minute has no whole request for the candidate.
const TOLD: [(&str, u64, Proven); 12] = [
    ("evidence", 2, None),
    ("evidence", 3, Some((30, "20"))),
    ("evidence", 4, Some((17, "20"))),
    ("evidence", 10, Some((7, "20"))),
    ("evidence", 60, Some((7, "3.3"))),
    ("evidence", 119, Some((7, "1.7"))),
    ("evidence", 600, Some((3, "1"))),
    ("evidence", 6_000, Some((3, "0.5"))),
    ("evidence", 60_000, Some((3, "0.3"))),
    ("canary:10%:evidence(20m)", 10, None),
    ("canary:10%:evidence(20m)", 60, None),
    ("canary:10%:evidence(20m)", 600, Some((7, "1"))),
];

/// Thirty per cent of 3 requests a minute are no whole one: ten minutes at a time are reckoned with.
#[tokio::test]
async fn what_follows_where_nothing_can_be_proven_in_time_is_what_at_max_says() {
    for (at_max, otherwise) in [
        (AtMax::GoOn, "after 4 minutes it goes on, if nothing speaks against it, because AtMax is go-on"),
        (
            AtMax::Wait,
            "after 4 minutes it waits, and goes back before CodeDeploy's hour is over, because AtMax is wait",
        ),
        (AtMax::Back, "after 4 minutes it goes back, because AtMax is back"),
    ] {
        let mut story = with_traffic("evidence(200s)", 3).await;
        story.policy.at_max = at_max;
        let proof = foretold(&story, None).await.proof.unwrap();
        let never = "at 3 requests a minute it cannot be proven in time that it is at most 20 points worse: ";
        assert_eq!(proof, format!("{never}{otherwise}"));
    }
}

#[tokio::test]
async fn the_first_share_is_the_settings_or_what_the_traffic_allows() {
    for (strategy, rate, percent) in [
        ("evidence", 60, 30),
        ("evidence", 600, 3),
        ("evidence", 60_000, 1),
        ("canary:20%:evidence", 60_000, 20),
    ] {
        let mut story = with_traffic(strategy, rate).await;
        story.policy.bake = Duration::from_secs(300);
        let told = foretold(&story, None).await;
        assert_eq!(told.requests_per_minute, Some(rate), "{strategy}");
        let steps: Vec<(u8, u64)> = told.steps.iter().map(|step| (step.percent, step.seconds)).collect();
        assert_eq!(steps, [(percent, 180), (90, 300)], "{strategy} at {rate}");
        let grows = told.steps[0].until.ends_with("it grows with what is proven");
        assert_eq!(grows, strategy == "evidence", "{}", told.steps[0].until);
    }
}

/// A forecast looks at all that a release would meet, whatever the next pass needs.
#[tokio::test]
async fn a_forecast_reads_what_any_phase_would() {
    let idle = with_traffic("evidence", 60).await;
    let open = Story::shifting("evidence").await;
    open.after(15).await;
    open.pass(Duration::from_secs(600));
    assert!(
        reads(&open.ledger(), &open.policy, open.now()).published.is_some(),
        "a pass would read the counts"
    );
    for story in [idle, open] {
        let told = forecast_reads(&story.ledger(), &story.policy, story.now());
        assert!(told.active && told.rules && told.rule_owner && told.alarms && told.suspended);
        assert_eq!(told.health, PerColour { blue: true, green: true });
        let until = minute_of(story.now());
        assert_eq!(told.week, Some(Window { from: until - 7 * 24 * 60, until }));
        assert_eq!(told.published, None);
    }
}

async fn at_rest(strategy: &str) -> Story {
    let story = Story::with_live(strategy).await;
    story.after(120).await;
    story
}

#[tokio::test]
async fn instances_that_are_not_there_are_doubts() {
    let story = at_rest("AllAtOnce").await;
    story.world.set_health(Colour::Green, TargetHealth::Gone);
    let told = foretold(&story, None).await.doubts.join("; ");
    assert!(
        told.starts_with("no instance is in the target group of green: the release waits for one"),
        "{told}"
    );
    let story = at_rest("AllAtOnce").await;
    story.world.set_health(Colour::Blue, TargetHealth::Unhealthy);
    let told = foretold(&story, None).await.doubts.join("; ");
    assert!(told.contains("no instance is healthy on blue, which is live"), "{told}");
}

/// A deployment that is the release's own, and the processes that it suspends, are as they should be.
#[tokio::test]
async fn what_somebody_else_has_left_in_the_group_is_a_doubt() {
    let story = at_rest("AllAtOnce").await;
    story.world.world.suspend(&story.world.service, &[ScalingProcess::Terminate]);
    let told = foretold(&story, None).await.doubts;
    let left = "Auto Scaling's process Terminate is suspended, as a deployment that ended badly leaves it";
    assert_eq!(told, [left]);
    story.push(2).await;
    assert!(story.world.is_deploying());
    let told = foretold(&story, None).await.doubts;
    assert_eq!(told, ["release 2 is open without traffic: it is given up for this one"]);
    let story = at_rest("AllAtOnce").await;
    let revision = super::story::upload(9).revision;
    let id = story.world.world.add_deployment(&story.world.service, Creator::User, None, revision);
    let told = foretold(&story, None).await.doubts.join("; ");
    assert!(told.contains(&format!("deployment {id} of ")) && told.contains("is under way"), "{told}");
}

/// Four minutes are enough for an alarm to fire.
#[tokio::test]
async fn a_step_of_four_minutes_is_no_short_one() {
    for (strategy, doubts) in
        [("canary:10%:239s", 1), ("canary:10%:4m", 0), ("linear:20%:1m", 1), ("linear:20%:5m", 0)]
    {
        let told = foretold(&at_rest(strategy).await, None).await.doubts;
        assert_eq!(told.len(), doubts, "{strategy}: {told:?}");
    }
}
