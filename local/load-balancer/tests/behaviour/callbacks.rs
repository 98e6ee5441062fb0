use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use http::Request;
use http_body_util::Full;
use load_balancer::{Admission, LoadBalancer};

use crate::support::{Client, NEVER, Upstream, counted, group, nobody, split, start, target};

/// The client that the header `x-client` names.
fn by_header(peer: std::net::SocketAddr, headers: &http::HeaderMap) -> IpAddr {
    let named = headers.get("x-client").and_then(|client| client.to_str().ok()?.parse().ok());
    named.unwrap_or(peer.ip())
}

#[tokio::test]
async fn a_judge_blocks_before_any_target_is_asked() {
    let blue = Upstream::start("blue").await;
    let groups = vec![group("blue", NEVER, &[blue.target()])];
    let offender: IpAddr = "203.0.113.7".parse().unwrap();
    let suspect: IpAddr = "203.0.113.9".parse().unwrap();
    let balancer = LoadBalancer::new().client_address(by_header).judge(move |facts| {
        assert_eq!(facts.host, "shop.test");
        assert_eq!(facts.head.uri.path(), "/");
        assert!(facts.head.headers.contains_key("x-amzn-trace-id"));
        match facts.client {
            client if client == offender => Admission::Block,
            client if client == suspect => Admission::Challenge,
            _ => Admission::Allow,
        }
    });
    let handle = start(balancer, split(&[("blue", 1)]), groups).await;
    let mut client = Client::connect(handle.address()).await;
    let answers = [("203.0.113.7", 403), ("203.0.113.8", 200), ("203.0.113.9", 202), ("203.0.113.7", 403)];
    for (address, status) in answers {
        let request = Request::get("/")
            .header("host", "Shop.test:80")
            .header("x-client", address)
            .body(Full::default());
        assert_eq!(client.send(request.unwrap()).await.status, status);
    }
    let requests = blue.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].1["x-forwarded-for"], "203.0.113.8");
    let metrics = counted(&handle).load_balancer;
    assert_eq!((metrics.blocked, metrics.elb_4xx, metrics.request_count), (2, 2, 1));
}

#[tokio::test]
async fn an_observer_sees_every_request_with_who_answered() {
    let blue = Upstream::start("blue").await;
    blue.answers(500);
    let dead = nobody().await;
    let groups = vec![group("blue", NEVER, &[blue.target()]), group("dead", NEVER, &[target("i", dead)])];
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let balancer = LoadBalancer::new().observer(move |access| {
        log.lock().unwrap().push((
            format!("{} {}{}", access.method, access.host, access.uri.path()),
            access.client.to_string(),
            access.status.as_u16(),
            access.target_group.map(str::to_owned),
            access.target,
            access.from_target,
        ));
    });
    let handle = start(balancer, split(&[("blue", 1), ("dead", 1)]), groups).await;
    let mut client = Client::connect(handle.address()).await;
    for _ in 0..2 {
        client.send(Request::get("/a?b=c").header("host", "x").body(Full::default()).unwrap()).await;
    }
    let (line, peer) = ("GET x/a".to_owned(), "127.0.0.1".to_owned());
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_by_key(|entry| entry.2);
    assert_eq!(
        seen,
        [
            (line.clone(), peer.clone(), 500, Some("blue".to_owned()), Some(blue.address), true),
            (line, peer, 502, Some("dead".to_owned()), Some(dead), false),
        ]
    );
}
