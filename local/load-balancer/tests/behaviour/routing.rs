use std::time::Duration;

use http::Request;
use http_body_util::Full;
use load_balancer::{FixedResponse, HeaderCondition, ListenerAction, LoadBalancer, Routing, Rule};
use tokio::time::sleep;

use crate::support::{
    Client, NEVER, Reply, Upstream, group, nobody, rule, split, start, target, until_healthy, visit,
};

fn named(answers: &[Reply], name: &str) -> usize {
    answers.iter().filter(|answer| answer.name() == name).count()
}

async fn blue_and_green(weights: (u16, u16)) -> load_balancer::Handle {
    let (blue, green) = (Upstream::start("blue").await, Upstream::start("green").await);
    let groups = vec![group("blue", NEVER, &[blue.target()]), group("green", NEVER, &[green.target()])];
    let routing = split(&[("blue", weights.0), ("green", weights.1)]);
    let handle = start(LoadBalancer::new(), routing, groups).await;
    until_healthy(&handle, &["blue", "green"]).await;
    handle
}

#[tokio::test]
async fn hosts_go_to_their_groups_and_the_rest_to_the_default_action() {
    let (shop, api) = (Upstream::start("shop").await, Upstream::start("api").await);
    let groups = vec![group("shop", NEVER, &[shop.target()]), group("api", NEVER, &[api.target()])];
    let teapot = FixedResponse { body: "short".to_owned(), ..FixedResponse::new(418) };
    let routing = Routing {
        rules: vec![rule(20, "*.test", &[("shop", 1)]), rule(10, "api.test", &[("api", 1)])],
        default: ListenerAction::FixedResponse(teapot),
    };
    let handle = start(LoadBalancer::new(), routing, groups).await;
    let mut client = Client::connect(handle.address()).await;
    assert_eq!(client.get("shop.test").await.name(), "shop");
    assert_eq!(client.get("API.test:8000").await.name(), "api");
    let other = client.get("example.com").await;
    assert_eq!((other.status, &other.body[..]), (418, &b"short"[..]));
}

#[tokio::test]
async fn a_header_leads_elsewhere_and_everybody_else_where_they_went() {
    let (live, preview) = (Upstream::start("live").await, Upstream::start("preview").await);
    let groups = vec![group("live", NEVER, &[live.target()]), group("preview", NEVER, &[preview.target()])];
    let condition = HeaderCondition { name: "X-Preview".to_owned(), values: vec!["abc".to_owned()] };
    let by_header = Rule { headers: vec![condition], ..rule(8, "shop.test", &[("preview", 1)]) };
    let routing = Routing::new(vec![rule(10, "*.test", &[("live", 1)]), by_header]);
    let handle = start(LoadBalancer::new(), routing, groups).await;
    let mut client = Client::connect(handle.address()).await;
    for (host, value, name) in
        [("shop.test", "ABC", "preview"), ("shop.test", "abcd", "live"), ("api.test", "abc", "live")]
    {
        let request = Request::get("/").header("host", host).header("x-preview", value);
        assert_eq!(client.send(request.body(Full::default()).unwrap()).await.name(), name, "{host} {value}");
    }
    assert_eq!(client.get("shop.test").await.name(), "live");
}

#[tokio::test]
async fn a_load_balancer_that_was_told_nothing_answers_503() {
    let handle = LoadBalancer::new().start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let answers = visit(&handle, "shop.test", 2).await;
    assert!(answers.iter().all(|answer| answer.status == 503));
    assert_eq!(answers[0].headers["server"], "awselb/2.0");
}

#[tokio::test]
async fn weights_hold_over_small_counts() {
    let handle = blue_and_green((90, 10)).await;
    let answers = visit(&handle, "a", 50).await;
    assert_eq!((named(&answers, "blue"), named(&answers, "green")), (45, 5));
}

#[tokio::test]
async fn new_weights_count_for_open_connections_at_once() {
    let handle = blue_and_green((100, 0)).await;
    let mut client = Client::connect(handle.address()).await;
    for _ in 0..20 {
        assert_eq!(client.get("a").await.name(), "blue");
    }
    handle.set_routing(&split(&[("blue", 0), ("green", 100)]));
    for _ in 0..20 {
        assert_eq!(client.get("a").await.name(), "green");
    }
}

#[tokio::test]
async fn weights_take_effect_after_the_delay_and_the_last_writer_wins() {
    let handle = blue_and_green((100, 0)).await;
    let mut client = Client::connect(handle.address()).await;
    let green = || split(&[("blue", 0), ("green", 100)]);
    handle.set_routing_after(&[Duration::from_millis(60)], &green());
    assert_eq!(client.get("a").await.name(), "blue");
    sleep(Duration::from_millis(90)).await;
    assert_eq!(client.get("a").await.name(), "green");

    handle.set_routing_after(&[Duration::from_millis(30)], &green());
    handle.set_routing(&split(&[("blue", 100), ("green", 0)]));
    sleep(Duration::from_millis(60)).await;
    assert_eq!(client.get("a").await.name(), "blue");
}

#[tokio::test]
async fn a_change_reaches_one_node_before_the_other_and_each_counts_for_itself() {
    let (blue, green) = (Upstream::start("blue").await, Upstream::start("green").await);
    let groups = vec![group("blue", NEVER, &[blue.target()]), group("green", NEVER, &[green.target()])];
    let only =
        |name: &str| split(&[("blue", u16::from(name == "blue")), ("green", u16::from(name == "green"))]);
    let handle = start(LoadBalancer::new().nodes(2), only("blue"), groups).await;
    let (mut early, mut late) =
        (Client::connect(handle.address()).await, Client::connect(handle.address()).await);
    handle.set_routing_after(&[Duration::ZERO, NEVER], &only("green"));
    until_green(&mut early).await;
    assert_eq!(late.get("a").await.name(), "blue");
    assert_eq!(early.get("a").await.name(), "green", "the nodes do not agree, and neither is wrong");

    let nodes = handle.take_metrics();
    let of = |node: usize, name: &str| nodes[node].groups.get(name).map_or(0, |group| group.request_count);
    assert_eq!((of(1, "blue"), of(1, "green")), (1, 0));
    assert!(of(0, "green") >= 2);
    // Both see every target: host counts are not halves.
    assert!(nodes.iter().all(|node| node.groups["green"].healthy_hosts.is_some()));
}

async fn until_green(client: &mut Client) {
    while client.get("a").await.name() != "green" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn targets_of_a_group_take_turns() {
    let (first, second) = (Upstream::start("first").await, Upstream::start("second").await);
    let groups = vec![group("blue", NEVER, &[first.target(), second.target()])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), groups).await;
    until_healthy(&handle, &["blue"]).await;
    let answers = visit(&handle, "a", 10).await;
    assert_eq!((named(&answers, "first"), named(&answers, "second")), (5, 5));
}

#[tokio::test]
async fn an_empty_group_answers_its_share_with_503() {
    let blue = Upstream::start("blue").await;
    let groups = vec![group("blue", NEVER, &[blue.target()]), group("green", NEVER, &[])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 80), ("green", 20)]), groups).await;
    let answers = visit(&handle, "a", 20).await;
    assert_eq!(named(&answers, "blue"), 16);
    assert_eq!(answers.iter().filter(|answer| answer.status == 503).count(), 4);
}

#[tokio::test]
async fn a_sick_group_keeps_its_share() {
    let (blue, green) = (Upstream::start("blue").await, Upstream::start("green").await);
    green.answers_checks(500);
    let often = Duration::from_millis(10);
    let dead = target("dead", nobody().await);
    let groups = vec![
        group("blue", NEVER, &[blue.target()]),
        group("green", often, &[green.target()]),
        group("none", often, &[dead]),
    ];
    let handle =
        start(LoadBalancer::new(), split(&[("blue", 50), ("green", 30), ("none", 20)]), groups).await;
    until_healthy(&handle, &["blue"]).await;
    sleep(Duration::from_millis(100)).await;
    let answers = visit(&handle, "a", 20).await;
    assert_eq!((named(&answers, "blue"), named(&answers, "green")), (10, 6));
    assert_eq!(answers.iter().filter(|answer| answer.status == 502).count(), 4);
}

#[tokio::test]
async fn nothing_is_lost_while_weights_change_under_load() {
    let handle = blue_and_green((100, 0)).await;
    let host = visitors::HostRate { host: "a".to_owned(), per_second: 200 };
    let visitors = visitors::Visitors::start(visitors::Plan::new(handle.address(), vec![host])).unwrap();
    for weight in [10, 50, 100, 0, 100] {
        sleep(Duration::from_millis(60)).await;
        handle.set_routing(&split(&[("blue", 100 - weight), ("green", weight)]));
    }
    let log = visitors.stop().await;
    assert!(log.records().len() > 40);
    assert!(log.records().iter().all(|record| record.outcome() == visitors::VisitEnding::Answered(200)));
}
