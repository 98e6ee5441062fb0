//! What callers can hang into the path of a request: a judge before it, an observer after it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use jiff::Timestamp;

/// A request before it is routed.
#[derive(Debug, Clone, Copy)]
pub struct RequestFacts<'a> {
    /// When its head was read.
    pub time: Timestamp,
    /// The client, as the client-address function tells.
    pub client: IpAddr,
    /// The Host header without port, in lower case.
    pub host: &'a str,
    /// Method, URI, version and headers as the client sent them, with `x-amzn-trace-id` added.
    pub head: &'a Parts,
}

/// What a judge says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Route it.
    Allow,
    /// Answer 403.
    Block,
    /// Answer 202 and `x-amzn-waf-action`, as AWS WAF does to a request that brings no token.
    Challenge,
}

/// A request after the head of its answer was known.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// When the request's head was read.
    pub time: Timestamp,
    /// From then to the head of the answer.
    pub duration: Duration,
    /// The client, as the client-address function tells.
    pub client: IpAddr,
    /// The port that it sent from.
    pub port: u16,
    /// The Host header without port, in lower case.
    pub host: &'a str,
    /// The request's method.
    pub method: &'a Method,
    /// What was asked for, as the client sent it.
    pub uri: &'a Uri,
    /// The request's version.
    pub version: Version,
    /// `User-Agent`, when it is text.
    pub agent: Option<&'a str>,
    /// `X-Amzn-Trace-Id`, as the load balancer sends it on.
    pub trace_id: Option<&'a str>,
    /// Whether the judge ended it.
    pub blocked: bool,
    /// The status that the client gets.
    pub status: StatusCode,
    /// The chosen target group's ARN; none when no rule or only a fixed response matched, or the judge ended it.
    pub target_group: Option<&'a str>,
    /// The chosen target.
    pub target: Option<SocketAddr>,
    /// Whether the target gave the status, not the load balancer.
    pub from_target: bool,
    /// Whether it was sent again over a fresh connection.
    pub retried: bool,
}

type Judge = dyn Fn(&RequestFacts<'_>) -> Admission + Send + Sync;
type Observer = dyn Fn(&Access<'_>) + Send + Sync;
type ClientAddress = dyn Fn(SocketAddr, &HeaderMap) -> IpAddr + Send + Sync;

/// The functions that a caller hung in.
#[derive(Clone, Default)]
pub(crate) struct Callbacks {
    pub(crate) judge: Option<Arc<Judge>>,
    pub(crate) observer: Option<Arc<Observer>>,
    pub(crate) client_address: Option<Arc<ClientAddress>>,
}

impl Callbacks {
    pub(crate) fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        self.client_address.as_ref().map_or(peer.ip(), |derive| derive(peer, headers))
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Callbacks")
            .field("judge", &self.judge.is_some())
            .field("observer", &self.observer.is_some())
            .field("client_address", &self.client_address.is_some())
            .finish()
    }
}
