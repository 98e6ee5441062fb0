//! Targets that can misbehave, and clients that tell what they got.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use load_balancer::{
    Draw, Forward, Handle, HealthCheck, ListenerAction, LoadBalancer, Metrics, Reason, Routing, Rule, State,
    Target, TargetGroup,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// Long enough that checks come only when a test wants them.
pub(crate) const NEVER: Duration = Duration::from_hours(1);

/// A target that answers everything with its name in the header `x-name`.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

struct Seen {
    name: &'static str,
    status: AtomicU16,
    health: AtomicU16,
    checks: AtomicUsize,
    connections: AtomicUsize,
    requests: Mutex<Vec<(String, HeaderMap, Bytes)>>,
}

impl Upstream {
    pub(crate) async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let seen = Arc::new(Seen {
            name,
            status: 200.into(),
            health: 200.into(),
            checks: 0.into(),
            connections: 0.into(),
            requests: Mutex::default(),
        });
        let upstream = Self { address: listener.local_addr().unwrap(), seen: Arc::clone(&seen) };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let service = service_fn(|request| {
                        let seen = Arc::clone(&seen);
                        async move { Ok::<_, Infallible>(seen.answer(request).await) }
                    });
                    seen.connections.fetch_add(1, Ordering::Relaxed);
                    let server = hyper::server::conn::http1::Builder::new();
                    server.serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        upstream
    }

    /// What requests are answered from now on.
    pub(crate) fn answers(&self, status: u16) {
        self.seen.status.store(status, Ordering::Relaxed);
    }

    /// What health checks are answered from now on.
    pub(crate) fn answers_checks(&self, status: u16) {
        self.seen.health.store(status, Ordering::Relaxed);
    }

    pub(crate) fn checks(&self) -> usize {
        self.seen.checks.load(Ordering::Relaxed)
    }

    /// Connections that carried requests, or checks.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// Path and query, headers and body of every request.
    pub(crate) fn requests(&self) -> Vec<(String, HeaderMap, Bytes)> {
        self.seen.requests.lock().unwrap().clone()
    }

    pub(crate) fn target(&self) -> Target {
        target(self.seen.name, self.address)
    }
}

impl Seen {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.name));
        response.headers_mut().insert("x-name", self.name.parse().unwrap());
        let status = if request.uri().path() == "/healthz" {
            self.checks.fetch_add(1, Ordering::Relaxed);
            &self.health
        } else {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            self.requests.lock().unwrap().push((head.uri.to_string(), head.headers, body));
            &self.status
        };
        *response.status_mut() = StatusCode::from_u16(status.load(Ordering::Relaxed)).unwrap();
        response
    }
}

pub(crate) fn target(id: &str, address: SocketAddr) -> Target {
    Target { id: id.to_owned(), address }
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A group that is checked every `interval` at `/healthz`; 3 passes and 2 failures make a change.
pub(crate) fn group(arn: &str, interval: Duration, targets: &[Target]) -> TargetGroup {
    TargetGroup {
        targets: targets.to_vec(),
        ..TargetGroup::new(
            arn,
            HealthCheck {
                path: "/healthz".to_owned(),
                interval,
                timeout: Duration::from_millis(200),
                healthy_threshold: 3,
                ..HealthCheck::default()
            },
        )
    }
}

pub(crate) fn rule(priority: u32, host: &str, forwards: &[(&str, u16)]) -> Rule {
    let forward =
        |(group, weight): &(&str, u16)| Forward { target_group: (*group).to_owned(), weight: *weight };
    Rule {
        priority,
        hosts: vec![host.to_owned()],
        headers: Vec::new(),
        action: ListenerAction::Forward(forwards.iter().map(forward).collect()),
    }
}

/// One rule for every host.
pub(crate) fn split(forwards: &[(&str, u16)]) -> Routing {
    Routing::new(vec![rule(1, "*", forwards)])
}

/// Weighs in turn, so that shares are exact.
pub(crate) async fn start(balancer: LoadBalancer, routing: Routing, groups: Vec<TargetGroup>) -> Handle {
    let handle = balancer.draw(Draw::InTurn).start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    handle.set_target_groups(groups);
    handle.set_routing(&routing);
    handle
}

/// What the only node has counted.
pub(crate) fn counted(handle: &Handle) -> Metrics {
    let mut nodes = handle.take_metrics();
    assert_eq!(nodes.len(), 1);
    nodes.remove(0)
}

/// A load balancer in front of one group with one target.
pub(crate) async fn in_front_of(address: SocketAddr) -> Handle {
    let groups = vec![group("blue", NEVER, &[target("i-1", address)])];
    start(LoadBalancer::new(), split(&[("blue", 1)]), groups).await
}

/// One keep-alive connection to a load balancer.
pub(crate) struct Client(SendRequest<Full<Bytes>>);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The name of the target that answered.
    pub(crate) fn name(&self) -> &str {
        self.headers.get("x-name").map_or("", |name| name.to_str().unwrap())
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(crate) async fn get(&mut self, host: &str) -> Reply {
        self.send(Request::get("/").header("host", host).body(Full::default()).unwrap()).await
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Reply {
        self.0.ready().await.unwrap();
        let (head, body) = self.0.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// `count` answers over one connection.
pub(crate) async fn visit(handle: &Handle, host: &str, count: usize) -> Vec<Reply> {
    let mut client = Client::connect(handle.address()).await;
    let mut answers = Vec::new();
    for _ in 0..count {
        answers.push(client.get(host).await);
    }
    answers
}

pub(crate) fn state(handle: &Handle, arn: &str) -> Vec<(State, Option<Reason>)> {
    handle.target_health(arn).unwrap().into_iter().map(|health| (health.state, health.reason)).collect()
}

pub(crate) const HEALTHY: (State, Option<Reason>) = (State::Healthy, None);

/// Waits until it is so, five seconds at most.
pub(crate) async fn until(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(5), "{what} did not come");
        sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) async fn until_healthy(handle: &Handle, arns: &[&str]) {
    for arn in arns {
        until("healthy targets", || state(handle, arn).iter().all(|state| *state == HEALTHY)).await;
    }
}
