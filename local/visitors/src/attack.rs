//! People with bad intentions: what they ask for, from where, and how far they get.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, InvalidHeaderValue, USER_AGENT};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::addresses::subscriber;
use crate::connection::{Connection, Exchange};
use crate::log::{Failure, VisitEnding};

/// How long an attacker waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests that an attacker with many addresses has under way at most.
const MOST_OPEN: usize = 64;

/// What scanners look for. Some of it every web ACL blocks, some looks like any other path.
const SCANNED: [&str; 12] = [
    "/.env",
    "/actuator/env",
    "/server-status",
    "/.git/config",
    "/backup.zip",
    "/wp-login.php",
    "/solr/admin/info/system",
    "/.aws/credentials",
    "/cgi-bin/status",
    "/phpinfo.php",
    "/console/",
    "/config.json",
];

/// An attacker.
#[derive(Debug, Clone)]
pub struct Attacker {
    /// What people call it.
    pub name: String,
    /// Requests per second.
    pub per_second: u32,
    sources: Vec<IpAddr>,
    requests: Vec<(Method, String, &'static str)>,
}

impl Attacker {
    /// Looks for things that are left lying about, a dozen different paths one after another.
    pub fn scanner(address: IpAddr, per_second: u32) -> Self {
        let requests = SCANNED.iter().map(|path| (Method::GET, (*path).to_owned(), "")).collect();
        Self { name: "scanner".to_owned(), per_second, sources: vec![address], requests }
    }

    /// Tries passwords at `/login`, which it spells in several ways.
    pub fn brute_force(address: IpAddr, per_second: u32) -> Self {
        let attempt = |path: &str| (Method::POST, path.to_owned(), r#"{"user":"admin","password":"guess"}"#);
        let requests = ["/login", "/Login/", "/%6cogin", "//login"].map(attempt).into();
        Self { name: "brute force".to_owned(), per_second, sources: vec![address], requests }
    }

    /// No attacker: an office behind one address, where people log in all day, and now and then are mistaken.
    pub fn office(address: IpAddr, per_second: u32) -> Self {
        let page = |path: &str| (Method::GET, path.to_owned(), "");
        let log_in = |body| (Method::POST, "/login".to_owned(), body);
        let (right, wrong) =
            (r#"{"user":"kim","password":"correct"}"#, r#"{"user":"kim","password":"mistyped"}"#);
        let requests =
            vec![page("/"), log_in(right), page("/api/items/7"), log_in(wrong), log_in(right), log_in(right)];
        Self { name: "office".to_owned(), per_second, sources: vec![address], requests }
    }

    /// No attacker either: a client that asks for the same page again and again, whatever the answer.
    pub fn broken_link(address: IpAddr, per_second: u32) -> Self {
        let requests = vec![(Method::GET, "/api/broken".to_owned(), "")];
        Self { name: "broken link".to_owned(), per_second, sources: vec![address], requests }
    }

    /// Copies the catalogue, each page from another address of one IPv6 subscriber's /64.
    pub fn rotating(per_second: u32) -> Self {
        let sources = (1..=u16::MAX).map(subscriber).collect();
        let requests = (0..500).map(|item| (Method::GET, format!("/api/items/{item}"), "")).collect();
        Self { name: "rotating /64".to_owned(), per_second, sources, requests }
    }

    /// Where its first request comes from.
    pub fn address(&self) -> Option<IpAddr> {
        self.sources.first().copied()
    }

    fn request(&self, host: &HeaderValue, number: usize) -> Option<Request<Full<Bytes>>> {
        let (method, path, body) = self.requests.get(number.checked_rem(self.requests.len())?)?;
        let mut request = Request::new(Full::from(*body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = path.parse().ok()?;
        let headers = request.headers_mut();
        headers.insert(HOST, host.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static("attacker"));
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Some(request)
    }
}

/// One request of an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Which attacker, in the order in which they were given.
    pub attacker: usize,
    /// When it was sent, from the start of the attack.
    pub sent: Duration,
    /// What came back.
    pub outcome: VisitEnding,
    /// Whether a version of the service answered.
    pub got_through: bool,
}

impl Attempt {
    /// Whether it was turned away before the service.
    pub fn was_blocked(&self) -> bool {
        self.outcome == VisitEnding::Answered(403) && !self.got_through
    }
}

/// A running attack. Dropping it ends it.
#[derive(Debug)]
pub struct Attack {
    tasks: JoinSet<()>,
    attempts: Arc<Mutex<Vec<Attempt>>>,
}

impl Attack {
    /// Lets all attackers loose on one host, on the runtime that this is called on.
    ///
    /// # Errors
    /// When the host cannot be a Host header.
    pub fn start(target: SocketAddr, host: &str, attackers: &[Attacker]) -> Result<Self, InvalidHeaderValue> {
        let host = HeaderValue::from_str(host)?;
        let (start, attempts) = (Instant::now(), Arc::default());
        let mut tasks = JoinSet::new();
        for (number, attacker) in attackers.iter().enumerate() {
            let notebook = Notebook { attacker: number, start, attempts: Arc::clone(&attempts) };
            tasks.spawn(attacking(target, host.clone(), attacker.clone(), notebook));
        }
        Ok(Self { tasks, attempts })
    }

    /// What was attempted and answered so far, in the order in which it was sent.
    pub fn attempts(&self) -> Vec<Attempt> {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        attempts.sort_by_key(|attempt| attempt.sent);
        attempts
    }

    /// Ends the attack and gives all that was attempted and answered.
    pub async fn stop(mut self) -> Vec<Attempt> {
        self.tasks.shutdown().await;
        self.attempts()
    }
}

/// Where attempts are noted, and for whom.
#[derive(Debug, Clone)]
struct Notebook {
    attacker: usize,
    start: Instant,
    attempts: Arc<Mutex<Vec<Attempt>>>,
}

impl Notebook {
    async fn attempt(&self, connection: &mut Connection, request: Request<Full<Bytes>>) {
        let sent = self.start.elapsed();
        let exchange = timeout(PATIENCE, connection.exchange(request)).await;
        let timed_out =
            Exchange { outcome: VisitEnding::Failed(Failure::TimedOut), release: None, retried: false };
        let Exchange { outcome, release, .. } = exchange.unwrap_or(timed_out);
        let attempt = Attempt { attacker: self.attacker, sent, outcome, got_through: release.is_some() };
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).push(attempt);
    }
}

/// One attacker, until it is stopped. With one address it uses one connection. With several, each request comes from
/// the next address over a connection of its own, and none waits for another.
async fn attacking(target: SocketAddr, host: HeaderValue, attacker: Attacker, notebook: Notebook) {
    if attacker.per_second == 0 {
        return;
    }
    let mut ticks = interval(Duration::from_secs(1) / attacker.per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = Connection::new(target, attacker.address());
    let mut open = JoinSet::new();
    for (count, source) in attacker.sources.iter().cycle().enumerate() {
        ticks.tick().await;
        let Some(request) = attacker.request(&host, count) else { return };
        if attacker.sources.len() == 1 {
            notebook.attempt(&mut connection, request).await;
            continue;
        }
        while open.len() >= MOST_OPEN {
            open.join_next().await;
        }
        while open.try_join_next().is_some() {}
        let (notebook, mut own) = (notebook.clone(), Connection::new(target, Some(*source)));
        open.spawn(async move { notebook.attempt(&mut own, request).await });
    }
}
