//! Who visits what, and how often.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::HeaderName;

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
    /// When given, requests say that they come from these addresses.
    pub clients: Option<ClientHeader>,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Plan {
    /// 32 connections, 30 s for an answer.
    pub fn new(target: SocketAddr, hosts: Vec<HostRate>) -> Self {
        Self { target, hosts, connections: 32, clients: None, timeout: Duration::from_secs(30) }
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

/// A header that stands for the client's address, where all clients share one machine.
#[derive(Debug, Clone)]
pub struct ClientHeader {
    /// Its name.
    pub name: HeaderName,
    /// One of them is picked for each request, evenly.
    pub addresses: Vec<IpAddr>,
}
