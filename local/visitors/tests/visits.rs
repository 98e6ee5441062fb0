//! Visitors against a server that speaks just enough HTTP to misbehave in the ways that matter.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use visitors::addresses::stands_for;
use visitors::{Attack, Attacker, Counts, Failure, HostRate, Log, Plan, VisitEnding, Visitors};

const OK: &str = "HTTP/1.1 200 OK\r\nx-release: 2\r\ncontent-length: 2\r\n\r\nok";

/// Serves every connection with `talk`, which gets its number from 0 on.
async fn server<F>(talk: impl Fn(TcpStream, usize) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(stream, number));
        }
    });
    address
}

/// Reads one request; whether there was one. Visitors write a request in one piece.
async fn request(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    matches!(stream.read(&mut buffer).await, Ok(1..))
}

async fn answer_all(mut stream: TcpStream, answer: &'static str) {
    while request(&mut stream).await {
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

fn plan(target: SocketAddr, per_second: u32, connections: usize) -> Plan {
    let host = HostRate { host: "shop.test".to_owned(), per_second };
    Plan { connections, timeout: Duration::from_secs(2), ..Plan::new(target, vec![host]) }
}

async fn visit(plan: Plan, time: Duration) -> Log {
    let visitors = Visitors::start(plan).unwrap();
    sleep(time).await;
    visitors.stop().await
}

#[tokio::test]
async fn a_steady_load_is_answered_and_counted_by_release() {
    let address = server(|stream, _| answer_all(stream, OK)).await;
    let visitors = Visitors::start(plan(address, 200, 4)).unwrap();
    sleep(Duration::from_millis(500)).await;
    let early = visitors.take_log();
    let counts = visitors.counts();
    let late = visitors.stop().await;
    let count = counts.get("shop.test", Some(2));
    assert_eq!(count.served, count.all());
    assert!((60..=101).contains(&count.served), "{count:?}");
    assert!(early.records().len() + late.records().len() >= usize::try_from(count.served).unwrap());
    assert!((150.0..250.0).contains(&early.per_second()), "{}", early.per_second());
    assert_eq!(Counts::of(&early).lost() + Counts::of(&late).lost(), 0);
}

#[tokio::test]
async fn answers_that_no_release_gave_are_lost_and_others_are_errors() {
    let bad_gateway =
        server(|stream, _| answer_all(stream, "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")).await;
    let log = visit(plan(bad_gateway, 100, 1), Duration::from_millis(100)).await;
    assert!(Counts::of(&log).lost() > 0);
    assert_eq!(Counts::of(&log).lost(), Counts::of(&log).requests());

    let bad_release = server(|stream, _| {
        answer_all(stream, "HTTP/1.1 500 Oh\r\nx-release: 3\r\ncontent-length: 0\r\n\r\n")
    })
    .await;
    let counts = Counts::of(&visit(plan(bad_release, 100, 1), Duration::from_millis(100)).await);
    assert_eq!(counts.lost(), 0);
    assert_eq!(counts.get("shop.test", Some(3)).errors, counts.requests());
}

#[tokio::test]
async fn a_reused_connection_that_was_closed_is_retried_and_counted() {
    let address = server(|mut stream, number| async move {
        if request(&mut stream).await {
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
        // The second request on the first connection is read and never answered.
        if number == 0 {
            request(&mut stream).await;
        } else {
            answer_all(stream, OK).await;
        }
    })
    .await;
    let log = visit(plan(address, 50, 1), Duration::from_millis(200)).await;
    assert_eq!(Counts::of(&log).total().retried, 1);
    assert_eq!(Counts::of(&log).lost(), 0);
    assert!(Counts::of(&log).requests() > 3);
}

#[tokio::test]
async fn a_fresh_connection_that_fails_is_lost() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let address = server(move |mut stream, _| {
        let count = Arc::clone(&count);
        async move {
            if request(&mut stream).await {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    })
    .await;
    let log = visit(plan(address, 50, 1), Duration::from_millis(100)).await;
    assert!(log.records().iter().all(|record| record.outcome() == VisitEnding::Failed(Failure::Closed)));
    assert_eq!(Counts::of(&log).lost(), Counts::of(&log).requests());
    assert_eq!(asked.load(Ordering::Relaxed), log.records().len());
}

#[tokio::test]
async fn each_failure_has_its_name() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let broken = server(|mut stream, _| async move {
        if request(&mut stream).await {
            let head = "HTTP/1.1 200 OK\r\nx-release: 2\r\ncontent-length: 10\r\n\r\nhalf";
            stream.write_all(head.as_bytes()).await.unwrap();
        }
    })
    .await;
    let silent = server(|mut stream, _| async move { while request(&mut stream).await {} }).await;
    for (address, failure) in
        [(nobody, Failure::Refused), (broken, Failure::Truncated), (silent, Failure::TimedOut)]
    {
        let plan = Plan { timeout: Duration::from_millis(100), ..plan(address, 20, 4) };
        let log = visit(plan, Duration::from_millis(60)).await;
        assert!(!log.records().is_empty());
        for record in log.records() {
            assert_eq!(record.outcome(), VisitEnding::Failed(failure));
        }
        assert_eq!(Counts::of(&log).lost(), Counts::of(&log).requests());
    }
}

#[tokio::test]
async fn a_slow_server_does_not_slow_the_load() {
    let address = server(|mut stream, _| async move {
        while request(&mut stream).await {
            sleep(Duration::from_millis(100)).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    let log = visit(plan(address, 100, 2), Duration::from_millis(300)).await;
    assert!(log.records().len() >= 25, "{}", log.records().len());
    assert!((80.0..120.0).contains(&log.per_second()), "{}", log.per_second());
    assert!(log.latency(100).unwrap() > Duration::from_millis(300));
}

#[tokio::test]
async fn visitors_come_from_addresses_of_their_own() {
    let seen = Arc::new(Mutex::new(BTreeMap::<IpAddr, usize>::new()));
    let note = Arc::clone(&seen);
    let address = server(move |mut stream, _| {
        let note = Arc::clone(&note);
        async move {
            let client = stands_for(stream.peer_addr().unwrap().ip());
            while request(&mut stream).await {
                *note.lock().unwrap().entry(client).or_default() += 1;
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let log = visit(plan(address, 1_000, 2), Duration::from_millis(600)).await;
    let seen = seen.lock().unwrap();
    assert_eq!(Counts::of(&log).lost(), 0);
    assert!(seen.len() >= 4, "{seen:?}");
    assert!(seen.keys().all(|client| client.to_string().starts_with("203.0.113.")), "{seen:?}");
    assert!(seen.values().all(|requests| *requests <= 100), "{seen:?}");
}

#[tokio::test]
async fn attackers_are_told_apart_by_address_and_by_what_they_reach() {
    let seen = Arc::new(Mutex::new(BTreeMap::<IpAddr, usize>::new()));
    let note = Arc::clone(&seen);
    let address = server(move |mut stream, _| {
        let note = Arc::clone(&note);
        async move {
            let client = stands_for(stream.peer_addr().unwrap().ip());
            let answer =
                if client.is_ipv6() { OK } else { "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n" };
            while request(&mut stream).await {
                *note.lock().unwrap().entry(client).or_default() += 1;
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let scanner = "198.51.100.7".parse().unwrap();
    let attackers = [Attacker::scanner(scanner, 100), Attacker::rotating(100)];
    let attack = Attack::start(address, "shop.test", &attackers).unwrap();
    sleep(Duration::from_millis(300)).await;
    let attempts = attack.stop().await;
    let of = |attacker| attempts.iter().filter(move |attempt| attempt.attacker == attacker);
    assert!(of(0).count() > 5 && of(0).all(visitors::Attempt::was_blocked));
    assert!(of(1).count() > 5 && of(1).all(|attempt| attempt.got_through));
    let seen = seen.lock().unwrap();
    assert!(seen[&scanner] >= of(0).count());
    assert!(seen.len() > of(1).count(), "a fresh address for every request");
}
