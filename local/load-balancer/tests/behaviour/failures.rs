use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use load_balancer::{LoadBalancer, REPLAYABLE_BODY};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{
    Client, NEVER, counted, group, in_front_of, nobody, split, start, target, until, visit,
};

/// A target that lets `talk` have every connection with its number from 0 on; health checks are not among them.
async fn upstream<F>(talk: impl Fn(TcpStream, Vec<u8>, usize) -> F + Send + Clone + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut number = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let Some(request) = read(&mut stream).await else { continue };
            if request.starts_with(b"GET /healthz") {
                continue;
            }
            tokio::spawn(talk(stream, request, number));
            number += 1;
        }
    });
    address
}

/// What one request's head and small body come in.
async fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 4096];
    let length = stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
    buffer.truncate(length);
    Some(buffer)
}

async fn write(stream: &mut TcpStream, answer: &str) {
    stream.write_all(answer.as_bytes()).await.unwrap();
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn a_refused_connection_is_502_and_no_other_target_is_asked() {
    let ok = upstream(|mut stream, _, _| async move {
        write(&mut stream, OK).await;
        while read(&mut stream).await.is_some() {
            write(&mut stream, OK).await;
        }
    })
    .await;
    let groups = vec![group("blue", NEVER, &[target("dead", nobody().await), target("ok", ok)])];
    let handle = start(LoadBalancer::new(), split(&[("blue", 1)]), groups).await;
    let mut statuses: Vec<u16> = visit(&handle, "a", 10).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[200; 5], [502; 5]].concat());
    let metrics = counted(&handle);
    assert_eq!(metrics.groups["blue"].target_connection_errors, 5);
    assert_eq!((metrics.load_balancer.elb_5xx, metrics.load_balancer.elb_502), (5, 5));
}

#[tokio::test]
async fn a_fresh_connection_closed_without_answer_is_502() {
    let address = upstream(|stream, _, _| async move { drop(stream) }).await;
    let handle = in_front_of(address).await;
    assert_eq!(visit(&handle, "a", 1).await[0].status, 502);
    let metrics = counted(&handle);
    assert_eq!(metrics.load_balancer.retried, 0);
    assert_eq!(metrics.groups["blue"].target_connection_errors, 0);
}

/// The first connection answers once, reads the next request, and closes without a word.
async fn forgetful() -> SocketAddr {
    upstream(|mut stream, _, number| async move {
        write(&mut stream, OK).await;
        while read(&mut stream).await.is_some() && number > 0 {
            write(&mut stream, OK).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_reused_connection_closed_without_answer_is_tried_afresh_and_counted() {
    for body in ["", "small"] {
        let handle = in_front_of(forgetful().await).await;
        let mut client = Client::connect(handle.address()).await;
        assert_eq!(client.get("a").await.status, 200);
        let request = Request::post("/").header("host", "a").body(Full::from(body)).unwrap();
        assert_eq!(client.send(request).await.status, 200, "{body:?}");
        assert_eq!(client.get("a").await.status, 200);
        let metrics = counted(&handle);
        assert_eq!(metrics.load_balancer.retried, 1);
        assert_eq!(metrics.groups["blue"].request_count, 3);
        assert_eq!(metrics.groups["blue"].target_2xx, 3);
    }
}

#[tokio::test]
async fn a_body_too_long_to_keep_never_takes_a_used_connection() {
    let address = upstream(|mut stream, first, number| async move {
        let mut length = first.len();
        while length as u64 <= REPLAYABLE_BODY && number > 0 {
            length += read(&mut stream).await.unwrap().len();
        }
        write(&mut stream, OK).await;
        read(&mut stream).await;
    })
    .await;
    let handle = in_front_of(address).await;
    let mut client = Client::connect(handle.address()).await;
    assert_eq!(client.get("a").await.status, 200);
    let body = Bytes::from(vec![b'x'; usize::try_from(REPLAYABLE_BODY).unwrap() + 1]);
    let request = Request::post("/").header("host", "a").body(Full::from(body)).unwrap();
    assert_eq!(client.send(request).await.status, 200);
    assert_eq!(counted(&handle).load_balancer.retried, 0);
}

#[tokio::test]
async fn a_target_that_does_not_answer_in_time_is_504() {
    let address = upstream(|mut stream, _, _| async move {
        read(&mut stream).await;
    })
    .await;
    let balancer = LoadBalancer::new().idle_timeout(Duration::from_millis(50));
    let groups = vec![group("blue", NEVER, &[target("i-1", address)])];
    let handle = start(balancer, split(&[("blue", 1)]), groups).await;
    assert_eq!(visit(&handle, "a", 1).await[0].status, 504);
    let metrics = counted(&handle);
    assert_eq!((metrics.load_balancer.elb_504, metrics.load_balancer.elb_5xx), (1, 1));
    let blue = &metrics.groups["blue"];
    assert_eq!((blue.request_count, blue.target_5xx, blue.target_connection_errors), (1, 0, 0));
    assert_eq!(blue.response_time.count(), 0, "a target that never answered has no response time");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_502() {
    let address = upstream(|mut stream, _, _| async move { write(&mut stream, "what?\r\n\r\n").await }).await;
    let handle = in_front_of(address).await;
    assert_eq!(visit(&handle, "a", 1).await[0].status, 502);
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_client_too() {
    let address = upstream(|mut stream, _, _| async move {
        write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    })
    .await;
    let handle = in_front_of(address).await;
    let mut stream = TcpStream::connect(handle.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("content-length: 10") && !answer.contains("0123456789"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_target_says_it_closes_is_not_used_again() {
    let address = upstream(|mut stream, _, _| async move {
        write(&mut stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    })
    .await;
    let handle = in_front_of(address).await;
    let answers = visit(&handle, "a", 100).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && &answer.body[..] == b"ok"));
    assert!(answers.iter().all(|answer| !answer.headers.contains_key("connection")));
    assert_eq!(counted(&handle).load_balancer.retried, 0);
}

#[tokio::test]
async fn a_client_that_does_not_wait_is_the_load_balancers_own_4xx() {
    let (asked, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let address = upstream(move |mut stream, _, _| {
        asked.send(()).unwrap();
        async move {
            read(&mut stream).await;
        }
    })
    .await;
    let handle = in_front_of(address).await;
    let mut stream = TcpStream::connect(handle.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    hears.recv().await.unwrap();
    drop(stream);
    let gone = std::cell::RefCell::new(load_balancer::Metrics::default());
    until("a 460", || {
        *gone.borrow_mut() = counted(&handle);
        gone.borrow().load_balancer.elb_460 == 1
    })
    .await;
    let gone = gone.into_inner();
    assert_eq!((gone.load_balancer.elb_4xx, gone.load_balancer.elb_5xx), (1, 0));
    assert_eq!(gone.groups.get("blue").map_or(0, |blue| blue.target_4xx + blue.target_5xx), 0);
}
