use std::time::Duration;

use load_balancer::{Admission, GroupMetrics, HostCount, LoadBalancer};

use crate::support::{NEVER, Upstream, counted, group, split, start, until, until_healthy, visit};

const OFTEN: Duration = Duration::from_millis(10);

#[tokio::test]
async fn answers_are_counted_by_group_and_status_until_they_are_taken() {
    let (blue, green) = (Upstream::start("blue").await, Upstream::start("green").await);
    let groups = vec![group("blue", NEVER, &[blue.target()]), group("green", NEVER, &[green.target()])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 60), ("green", 40)]), groups).await;
    green.answers(500);
    visit(&handle, "a", 10).await;
    blue.answers(404);
    visit(&handle, "a", 10).await;

    let taken = counted(&handle);
    let (blue, green) = (&taken.groups["blue"], &taken.groups["green"]);
    assert_eq!((blue.request_count, blue.target_2xx, blue.target_4xx, blue.target_5xx), (12, 6, 6, 0));
    assert_eq!((green.request_count, green.target_5xx, green.target_2xx), (8, 8, 0));
    assert_eq!((blue.response_time.count(), green.response_time.count()), (12, 8));
    assert!(blue.response_time.sum() > Duration::ZERO);
    assert!(blue.response_time.percentile(99) < Some(Duration::from_secs(1)));
    assert_eq!((taken.load_balancer.request_count, taken.load_balancer.elb_5xx), (20, 0));

    let again = counted(&handle);
    assert_eq!(again.load_balancer.request_count, 0);
    assert_eq!(again.groups["green"].request_count, 0);
}

#[tokio::test]
async fn what_the_load_balancer_answers_itself_is_counted_apart() {
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), vec![group("blue", NEVER, &[])]).await;
    visit(&handle, "a", 3).await;
    let taken = counted(&handle);
    assert_eq!((taken.load_balancer.elb_5xx, taken.load_balancer.elb_503), (3, 3));
    assert_eq!(taken.load_balancer.request_count, 0);
    assert_eq!(taken.groups["blue"].request_count, 0);
}

#[tokio::test]
async fn host_counts_remember_the_worst_between_takes() {
    let blue = Upstream::start("blue").await;
    let groups = vec![group("blue", OFTEN, &[blue.target()])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), groups).await;
    until_healthy(&handle, &["blue"]).await;
    let healthy = |metrics: &GroupMetrics| metrics.healthy_hosts.unwrap();
    until("a healthy host", || healthy(&counted(&handle).groups["blue"]).latest == 1).await;

    blue.answers_checks(500);
    until("a sick host", || crate::support::state(&handle, "blue")[0].0 == load_balancer::State::Unhealthy)
        .await;
    blue.answers_checks(200);
    until_healthy(&handle, &["blue"]).await;
    let mut seen = counted(&handle).groups["blue"].clone();
    // The state changes a moment before the gauges do.
    while healthy(&seen).latest == 0 {
        seen = counted(&handle).groups["blue"].clone();
        tokio::task::yield_now().await;
    }
    assert_eq!(healthy(&seen).minimum, 0);
    assert_eq!(seen.unhealthy_hosts.unwrap().latest, 0);
    let calm = healthy(&counted(&handle).groups["blue"]);
    assert_eq!(calm, HostCount { minimum: 1, maximum: 1, latest: 1 });
}

#[tokio::test]
async fn a_group_out_of_use_counts_no_hosts() {
    let (blue, green) = (Upstream::start("blue").await, Upstream::start("green").await);
    let groups = vec![group("blue", NEVER, &[blue.target()]), group("green", NEVER, &[green.target()])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 1), ("green", 0)]), groups).await;
    until_healthy(&handle, &["green"]).await;
    assert!(counted(&handle).groups["green"].healthy_hosts.is_some());
    handle.set_routing(&split(&[("blue", 1)]));
    assert!(!counted(&handle).groups.contains_key("green"));
}

#[tokio::test]
async fn counters_of_a_group_that_is_gone_are_taken_once_more() {
    let blue = Upstream::start("blue").await;
    let groups = vec![group("blue", NEVER, &[blue.target()])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), groups).await;
    visit(&handle, "a", 4).await;
    handle.set_target_groups(Vec::new());
    assert_eq!(counted(&handle).groups["blue"].request_count, 4);
    assert!(counted(&handle).groups.is_empty());
}

#[tokio::test]
async fn a_request_that_the_web_acl_blocks_is_the_load_balancers_own_4xx_and_reaches_no_target() {
    let blue = Upstream::start("blue").await;
    blue.answers(404);
    let groups = vec![group("blue", NEVER, &[blue.target()])];
    let balancer = LoadBalancer::new()
        .judge(|facts| if facts.host == "blocked" { Admission::Block } else { Admission::Allow });
    let handle = start(balancer, split(&[("blue", 1)]), groups).await;
    assert!(visit(&handle, "blocked", 3).await.iter().all(|answer| answer.status == 403));
    assert!(visit(&handle, "shop", 2).await.iter().all(|answer| answer.status == 404));

    let taken = counted(&handle);
    let (balancer, blue) = (&taken.load_balancer, &taken.groups["blue"]);
    assert_eq!((balancer.blocked, balancer.elb_4xx, balancer.elb_5xx, balancer.request_count), (3, 3, 0, 2));
    assert_eq!((blue.request_count, blue.target_4xx, blue.target_connection_errors), (2, 2, 0));
}
