use std::time::Duration;

use load_balancer::{LoadBalancer, Reason, State, TargetGroup};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::support::{
    HEALTHY, NEVER, Upstream, counted, group, nobody, split, start, state, target, until, until_healthy,
    visit,
};

const OFTEN: Duration = Duration::from_millis(10);

async fn until_state(handle: &load_balancer::Handle, arn: &str, expected: (State, Option<Reason>)) {
    until(&format!("{expected:?}"), || state(handle, arn) == [expected]).await;
}

#[tokio::test]
async fn one_check_makes_a_new_target_healthy() {
    let blue = Upstream::start("blue").await;
    let groups = vec![group("blue", NEVER, &[blue.target()])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), groups).await;
    assert_eq!(state(&handle, "blue"), [(State::Initial, Some(Reason::InitialHealthChecking))]);
    until_state(&handle, "blue", HEALTHY).await;
    assert_eq!(blue.checks(), 1);
}

#[tokio::test]
async fn a_target_gets_sick_and_well_again_by_its_thresholds() {
    let blue = Upstream::start("blue").await;
    let groups = vec![group("blue", OFTEN, &[blue.target()])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), groups).await;
    until_state(&handle, "blue", HEALTHY).await;

    blue.answers_checks(503);
    let checks = blue.checks();
    until_state(&handle, "blue", (State::Unhealthy, Some(Reason::ResponseCodeMismatch(503)))).await;
    assert!(blue.checks() >= checks + 2);

    blue.answers_checks(200);
    let checks = blue.checks();
    until_state(&handle, "blue", HEALTHY).await;
    assert!(blue.checks() >= checks + 3);
}

#[tokio::test]
async fn each_failure_has_its_reason() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = nobody().await;
    let groups = vec![
        TargetGroup {
            health_check: load_balancer::HealthCheck {
                timeout: Duration::from_millis(20),
                ..group("slow", OFTEN, &[]).health_check
            },
            ..group("slow", OFTEN, &[target("i-1", silent.local_addr().unwrap())])
        },
        group("dead", OFTEN, &[target("i-2", dead)]),
    ];
    let handle = start(LoadBalancer::new(), split(&[("slow", 1), ("dead", 1)]), groups).await;
    until_state(&handle, "slow", (State::Unhealthy, Some(Reason::Timeout))).await;
    until_state(&handle, "dead", (State::Unhealthy, Some(Reason::FailedHealthChecks))).await;
}

#[tokio::test]
async fn weight_zero_is_checked_and_a_group_without_rule_is_not() {
    let (blue, green) = (Upstream::start("blue").await, Upstream::start("green").await);
    let groups = vec![group("blue", OFTEN, &[blue.target()]), group("green", OFTEN, &[green.target()])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), groups).await;
    until_healthy(&handle, &["blue"]).await;
    assert_eq!(state(&handle, "green"), [(State::Unused, Some(Reason::NotInUse))]);
    assert_eq!(green.checks(), 0);

    handle.set_routing(&split(&[("blue", 100), ("green", 0)]));
    until_state(&handle, "green", HEALTHY).await;
    assert!(visit(&handle, "a", 20).await.iter().all(|answer| answer.name() == "blue"));

    handle.set_routing(&split(&[("blue", 1)]));
    assert_eq!(state(&handle, "green"), [(State::Unused, Some(Reason::NotInUse))]);
    sleep(OFTEN).await;
    let checks = green.checks();
    sleep(10 * OFTEN).await;
    assert_eq!(green.checks(), checks);
    assert_eq!(state(&handle, "blue"), [HEALTHY]);
}

#[tokio::test]
async fn only_healthy_targets_are_asked_until_none_is() {
    let (first, second) = (Upstream::start("first").await, Upstream::start("second").await);
    let groups = vec![group("blue", OFTEN, &[first.target(), second.target()])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), groups).await;
    until_healthy(&handle, &["blue"]).await;
    let healthy = || state(&handle, "blue").into_iter().filter(|(state, _)| *state == State::Healthy).count();

    first.answers_checks(500);
    until("one target sick", || healthy() == 1).await;
    assert!(visit(&handle, "a", 10).await.iter().all(|answer| answer.name() == "second"));

    second.answers_checks(500);
    until("both targets sick", || healthy() == 0).await;
    let answers = visit(&handle, "a", 10).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(answers.iter().filter(|answer| answer.name() == "first").count(), 5);
    let metrics = counted(&handle);
    assert_eq!(metrics.groups["blue"].unhealthy_routing_requests, 10);
}

#[tokio::test]
async fn a_target_taken_out_drains_and_is_gone_after_the_delay() {
    let (first, second) = (Upstream::start("first").await, Upstream::start("second").await);
    let with = |targets: &[load_balancer::Target]| {
        let delay = Duration::from_millis(80);
        vec![TargetGroup { deregistration_delay: delay, ..group("blue", NEVER, targets) }]
    };
    let both = with(&[first.target(), second.target()]);
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), both).await;
    until_healthy(&handle, &["blue"]).await;
    handle.set_target_groups(with(&[second.target()]));
    let draining = (State::Draining, Some(Reason::DeregistrationInProgress));
    assert_eq!(state(&handle, "blue"), [HEALTHY, draining]);
    assert!(visit(&handle, "a", 10).await.iter().all(|answer| answer.name() == "second"));
    until("the end of draining", || state(&handle, "blue") == [HEALTHY]).await;

    handle.set_target_groups(with(&[first.target(), second.target()]));
    assert_eq!(state(&handle, "blue")[0].0, State::Initial);
    assert_eq!(state(&handle, "blue")[1], HEALTHY);
}

#[tokio::test]
async fn a_group_that_nobody_defined_has_no_health() {
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), Vec::new()).await;
    assert_eq!(handle.target_health("blue"), None);
    assert_eq!(visit(&handle, "a", 1).await[0].status, 503);
}
