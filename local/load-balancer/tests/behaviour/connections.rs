use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use load_balancer::LoadBalancer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{
    Client, NEVER, Upstream, counted, group, in_front_of, split, start, until, until_healthy, visit,
};

#[tokio::test]
async fn connections_to_targets_are_kept() {
    let blue = Upstream::start("blue").await;
    let handle = in_front_of(blue.address).await;
    until_healthy(&handle, &["blue"]).await;
    let before = blue.connections();
    for _ in 0..5 {
        assert_eq!(visit(&handle, "a", 10).await.len(), 10);
    }
    assert_eq!(blue.connections() - before, 1);
    assert_eq!(counted(&handle).load_balancer.new_connections, 5);
}

#[tokio::test]
async fn an_idle_client_is_sent_away() {
    let blue = Upstream::start("blue").await;
    let groups = vec![group("blue", NEVER, &[blue.target()])];
    let balancer = LoadBalancer::new().idle_timeout(Duration::from_millis(50));
    let handle = start(balancer, split(&[("blue", 1)]), groups).await;
    let mut client = Client::connect(handle.address()).await;
    assert_eq!(client.get("a").await.status, 200);
    until("the end of the connection", || client.is_closed()).await;
}

#[tokio::test]
async fn requests_arrive_whole() {
    let blue = Upstream::start("blue").await;
    let handle = in_front_of(blue.address).await;
    let port = handle.address().port().to_string();
    let mut client = Client::connect(handle.address()).await;
    let long = Bytes::from(vec![b'x'; 300_000]);
    for body in [Bytes::from_static(b"small"), long] {
        let request = Request::put("/api/items/7?page=2")
            .header("host", "shop.test")
            .header("connection", "x-private")
            .header("x-private", "1")
            .header("x-forwarded-for", "203.0.113.9")
            .header("cookie", "a=b")
            .body(Full::from(body.clone()))
            .unwrap();
        let answer = client.send(request).await;
        assert_eq!((answer.status, answer.name(), &answer.body[..]), (200, "blue", &b"blue"[..]));
        let (path, headers, received) = blue.requests().pop().unwrap();
        assert_eq!(path, "/api/items/7?page=2");
        assert_eq!(received, body);
        assert_eq!(headers["host"], "shop.test");
        assert_eq!(headers["cookie"], "a=b");
        assert_eq!(headers["x-forwarded-for"], "203.0.113.9, 127.0.0.1");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-port"], port.as_str());
        assert!(headers.contains_key("x-amzn-trace-id"));
        assert!(!headers.contains_key("x-private"));
    }
}

#[tokio::test]
async fn a_target_whose_answer_has_no_body_keeps_its_connection() {
    let blue = Upstream::start("blue").await;
    let handle = in_front_of(blue.address).await;
    until_healthy(&handle, &["blue"]).await;
    let before = blue.connections();
    let mut client = Client::connect(handle.address()).await;
    for _ in 0..5 {
        let request = Request::head("/").header("host", "a").body(Full::default()).unwrap();
        let answer = client.send(request).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        assert_eq!(answer.headers["content-length"], "4");
    }
    assert_eq!(blue.connections() - before, 1);
}

#[tokio::test]
async fn a_stop_finishes_what_is_open_and_ends_what_is_idle() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let groups = vec![group("blue", NEVER, &[])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), groups).await;
    let mut idle = Client::connect(handle.address()).await;
    assert_eq!(idle.get("a").await.status, 503);
    let slow = crate::support::target("slow", listener.local_addr().unwrap());
    handle.set_target_groups(vec![group("blue", NEVER, &[slow])]);
    let (check, _) = listener.accept().await.unwrap();

    let mut busy = Client::connect(handle.address()).await;
    let visit = tokio::spawn(async move { busy.get("a").await.status });
    let (mut asked, _) = listener.accept().await.unwrap();
    assert!(asked.read(&mut [0; 4096]).await.unwrap() > 0);
    let answer = async {
        until("the end of the idle connection", || idle.is_closed()).await;
        asked.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    };
    tokio::join!(handle.stop(Duration::from_secs(5)), answer);
    assert_eq!(visit.await.unwrap(), 204);
    assert!(TcpStream::connect(handle.address()).await.is_err());
    drop(check);
}
