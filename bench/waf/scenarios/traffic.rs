//! An hour of requests, and who of those who send them is an attacker.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::random::Random;

/// Length of a scenario, milliseconds.
pub const HOUR: u32 = 3_600_000;

/// A minute, milliseconds.
pub const MINUTE: u32 = 60_000;

/// What the web ACL does with a request that our own rule lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firewall {
    /// It goes to the application.
    Allow,
    /// A rule blocks it.
    Block(&'static str),
    /// A rule asks for a token that it does not bring.
    Challenge,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Milliseconds since the beginning.
    pub at: u32,
    /// Its sender.
    pub sender: usize,
    /// Where it comes from.
    pub from: IpAddr,
    /// Method.
    pub method: &'static str,
    /// Path.
    pub path: String,
    /// What the application answers.
    pub status: u16,
    /// User agent.
    pub agent: &'static str,
    /// What the web ACL does.
    pub firewall: Firewall,
}

/// Who sends requests: one address, or one network with many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// Whether it attacks.
    pub is_attacker: bool,
}

/// Requests and their senders.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// Who sends.
    pub senders: Vec<Sender>,
    /// What, in order of time once [`Traffic::in_order`] was called.
    pub requests: Vec<Request>,
}

/// Browsers.
pub const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
];

/// A sender at work: adds its requests to the traffic.
#[derive(Debug)]
pub struct Pen<'t> {
    traffic: &'t mut Traffic,
    sender: usize,
    /// Where the next request comes from.
    pub from: IpAddr,
    /// What it calls itself.
    pub agent: &'static str,
}

impl Traffic {
    /// A new sender.
    pub fn sender(&mut self, is_attacker: bool, from: IpAddr, agent: &'static str) -> Pen<'_> {
        let sender = self.senders.len();
        self.senders.push(Sender { is_attacker });
        Pen { traffic: self, sender, from, agent }
    }

    /// By time.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.requests.retain(|request| request.at < HOUR);
        self.requests.sort_by_key(|request| request.at);
        self
    }
}

impl Pen<'_> {
    /// One request.
    pub fn ask(&mut self, at: u32, method: &'static str, path: impl Into<String>, status: u16) {
        self.ask_through(at, method, path, status, Firewall::Allow);
    }

    /// One request with which the web ACL does something.
    pub fn ask_through(
        &mut self,
        at: u32,
        method: &'static str,
        path: impl Into<String>,
        status: u16,
        firewall: Firewall,
    ) {
        let (sender, from, agent) = (self.sender, self.from, self.agent);
        self.traffic.requests.push(Request {
            at,
            sender,
            from,
            method,
            path: path.into(),
            status,
            agent,
            firewall,
        });
    }

    /// A page with what belongs to it.
    pub fn page(&mut self, random: &mut Random, at: u32) {
        let path = format!("/products/{}", random.below(500));
        self.ask(at, "GET", path, 200);
        for part in 0..random.below(6) {
            let path = format!("/assets/part-{}.js", random.below(40));
            self.ask(at + 200 + part * 40, "GET", path, if random.per_mille(300) { 304 } else { 200 });
        }
        if random.per_mille(10) {
            self.ask(at + 900, "GET", format!("/images/gone-{}.png", random.below(200)), 404);
        }
    }

    /// Somebody logs in, and is mistaken at first so often in a thousand times.
    pub fn log_in(&mut self, random: &mut Random, at: u32, mistaken: u32) {
        self.ask(at, "GET", "/login", 200);
        let mut at = at + 6_000;
        while random.per_mille(mistaken) {
            self.ask(at, "POST", "/login", 401);
            at += 5_000 + random.below(10_000);
        }
        self.ask(at, "POST", "/login", 200);
    }
}

/// An address of somebody at home, in one of the big networks that everybody comes from.
pub fn home(random: &mut Random) -> IpAddr {
    if random.per_mille(300) {
        let part = |random: &mut Random| u16::try_from(random.below(65_536)).unwrap_or(1);
        let (site, subnet, host) = (part(random), part(random), part(random));
        return Ipv6Addr::new(0x2a02, 0x0908, site, subnet, 1, 2, 3, host).into();
    }
    let [a, b, c, _] = random.below(u32::MAX).to_be_bytes();
    Ipv4Addr::new(80 + a % 16, b, c, u8::try_from(1 + random.below(254)).unwrap_or(1)).into()
}
