//! Who visits what, and how often.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::addresses::crowd;

/// A steady load.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where all requests go, usually a load balancer.
    pub target: SocketAddr,
    /// The hosts that are asked for, each at its own rate.
    pub hosts: Vec<HostRate>,
    /// Keep-alive connections, shared by all hosts; one request at a time on each. When all are busy, requests wait
    /// and the wait counts as theirs.
    pub connections: usize,
    /// Who visits, one after another: each stays on a connection for some requests, then the next one comes. For a
    /// visitor without a loopback address the system chooses one; see [`crate::addresses`].
    pub clients: Vec<IpAddr>,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Plan {
    /// 32 connections, 30 s for an answer, and a crowd of visitors where the target is on this machine.
    pub fn new(target: SocketAddr, hosts: Vec<HostRate>) -> Self {
        let clients = if target.ip().is_loopback() { crowd() } else { Vec::new() };
        Self { target, hosts, connections: 32, clients, timeout: Duration::from_secs(30) }
    }
}

/// A host and how often it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRate {
    /// The Host header.
    pub host: String,
    /// Requests per second; 0 for none.
    pub per_second: u32,
}
