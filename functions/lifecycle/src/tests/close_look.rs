//! How soon hooks ask again, and which question starts a pass before its turn.

use super::{Service, settings};
use greenlight::ports::Clock;
use serde_json::{Value, json};
use std::time::Duration;

/// Hooks ask every second in the first minute with weight, and each has its turn.
#[tokio::test]
async fn a_version_that_fails_everything_is_found_within_seconds_of_its_warm_up() {
    let service = Service::with_open_release().await;
    service.world.install_done(&service.name);
    let ask = async |instance: &str, blue: u64, green: u64| {
        let minute = service.world.now().as_second() / 60;
        let question = json!({
            "deploymentId": service.deployment(), "lifecycleEvent": "ValidateService", "instanceId": instance,
            "service": "backend", "counts": [{"minute": minute,
                "blue": {"arrived": blue, "failed": 0, "open": 0}, "green": {"arrived": green, "failed": green, "open": 0}}],
        });
        service.send(question).await.unwrap()
    };
    let both = async |blue, green| {
        ask("i-backend-2", 0, 0).await;
        ask("i-backend-1", blue, green).await
    };
    let heard = both(0, 0).await;
    assert_eq!((&heard["weight"], &heard["retryAfterSeconds"]), (&json!(10), &json!(1)));
    // Nine tenths of ten requests a second go to live, and all others fail.
    let mut seconds = 0;
    while service.ledger().phase() == "shifting" {
        seconds += 1;
        service.world.pass(Duration::from_secs(1));
        both(9 * seconds, seconds).await;
    }
    assert_eq!(
        (service.ledger().phase(), seconds),
        ("returning", 24),
        "20 s of warm-up, a second for each instance, and three failures"
    );
}

#[tokio::test]
async fn a_version_that_is_not_new_is_looked_at_closely_only_while_it_is_suspected() {
    let mut settings = settings();
    settings.policy.strategy = "canary:10%:20m".parse().unwrap();
    let service = Service::with_open_release_by(settings).await;
    service.world.install_done(&service.name);
    let ask = async |live_failed: u64, failed: u64| {
        let minute = service.world.now().as_second() / 60;
        let count = |arrived, failed| json!({"arrived": arrived, "failed": failed, "open": 0});
        let mut heard = Value::Null;
        for (instance, many) in [("i-backend-2", 0), ("i-backend-1", 1)] {
            let question = json!({
                "deploymentId": service.deployment(), "lifecycleEvent": "ValidateService", "instanceId": instance,
                "service": "backend", "counts": [{"minute": minute,
                    "blue": count(18 * many, live_failed * many), "green": count(2 * many, failed * many)}],
            });
            heard = service.send(question).await.unwrap();
        }
        heard["retryAfterSeconds"].as_u64().unwrap()
    };
    ask(0, 0).await;
    let mut asks_again_after = Vec::new();
    for (live_failed, failed) in [(0, 0), (0, 0), (0, 0), (0, 2), (9, 1), (0, 0), (0, 0), (0, 0)] {
        service.world.pass(Duration::from_secs(60));
        asks_again_after.push(ask(live_failed, failed).await);
    }
    assert_eq!(asks_again_after, [5, 5, 5, 1, 5, 5, 5, 5]);
    assert_eq!(service.ledger().phase(), "shifting");
}

/// Of reports that are taken because they tell of failures, those of the colour whose failures come first would be judged alone.
#[tokio::test]
async fn no_report_is_taken_before_its_turn_for_what_it_tells() {
    for failed in [0, 2] {
        let service = Service::with_open_release().await;
        service.world.install_done(&service.name);
        let ask = async |instance: &str, failed: u64| {
            let minute = service.world.now().as_second() / 60;
            let count = |arrived, failed| json!({"arrived": arrived, "failed": failed, "open": 0});
            let question = json!({
                "deploymentId": service.deployment(), "lifecycleEvent": "ValidateService", "instanceId": instance,
                "service": "backend", "counts": [{"minute": minute, "blue": count(18, 0), "green": count(2, failed)}],
            });
            service.send(question).await.unwrap();
        };
        ask("i-backend-2", 0).await;
        ask("i-backend-1", 0).await;
        service.world.pass(Duration::from_secs(30));
        ask("i-backend-2", 0).await;
        ask("i-backend-1", 0).await;
        service.world.pass(Duration::from_millis(500));
        service.world.forget_calls();
        ask("i-backend-2", failed).await;
        assert_eq!(service.world.forget_calls(), 1, "the ledger answers: {failed}");
    }
}
