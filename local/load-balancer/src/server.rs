//! The listener: start, connections of clients, and the handle to all of it.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::access::{Access, Admission, Callbacks, RequestFacts};
use crate::forward;
use crate::group::TargetGroup;
use crate::health::TargetHealth;
use crate::locked::lock;
use crate::metrics::Metrics;
use crate::routing::Routing;
use crate::shared::{Limits, Node, Shared};
use crate::weights::Draw;

/// A load balancer that is not started yet.
#[derive(Debug)]
pub struct LoadBalancer {
    callbacks: Callbacks,
    limits: Limits,
    nodes: usize,
    draw: Draw,
}

impl LoadBalancer {
    /// One node that draws by chance, with AWS's limits: 10 s to connect to a target, 60 s for it to answer and for
    /// idle clients.
    pub fn new() -> Self {
        Self {
            callbacks: Callbacks::default(),
            limits: Limits { connect: Duration::from_secs(10), idle: Duration::from_mins(1) },
            nodes: 1,
            draw: Draw::ByChance { seed: 0 },
        }
    }

    /// Of how many nodes it consists, at least one. Each connection of a client belongs to one of them; DNS spreads
    /// clients over them, and here connections take turns.
    #[must_use]
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes.max(1);
        self
    }

    /// How the nodes pick a request's target group.
    #[must_use]
    pub fn draw(mut self, draw: Draw) -> Self {
        self.draw = draw;
        self
    }

    /// Asks `judge` about every request before it is routed, as a web ACL is asked.
    #[must_use]
    pub fn judge(mut self, judge: impl Fn(&RequestFacts<'_>) -> Admission + Send + Sync + 'static) -> Self {
        self.callbacks.judge = Some(Arc::new(judge));
        self
    }

    /// Tells `observer` about every request when the head of its answer is known. It runs on the request's way:
    /// whatever takes time belongs elsewhere.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(&Access<'_>) + Send + Sync + 'static) -> Self {
        self.callbacks.observer = Some(Arc::new(observer));
        self
    }

    /// Derives the client's address from the peer and the headers. Without it the client is the TCP peer, as on
    /// AWS; it is there because many clients on one machine share one address.
    #[must_use]
    pub fn client_address(
        mut self,
        derive: impl Fn(SocketAddr, &HeaderMap) -> IpAddr + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.client_address = Some(Arc::new(derive));
        self
    }

    /// How long a target may take to answer, and a client to send its next request.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.limits.idle = limit;
        self
    }

    /// How long a connection to a target may take.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = limit;
        self
    }

    /// Listens on `listen` (port 0 for any) on the runtime that this is called on. Until it is told otherwise it
    /// answers everything with 503.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(self, listen: SocketAddr) -> io::Result<Handle> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared::new(self.callbacks, self.limits, address.port(), self.nodes, self.draw));
        let (stop, stopping) = watch::channel(());
        tokio::spawn(accept(listener, Arc::clone(&shared), stopping));
        Ok(Handle { shared, address, stop })
    }
}

impl Default for LoadBalancer {
    fn default() -> Self {
        Self::new()
    }
}

/// A running load balancer. Dropping the handle ends it as [`Handle::stop`] does, without waiting.
#[derive(Debug)]
pub struct Handle {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Every connection holds a receiver: when the last is gone, all have ended.
    stop: watch::Sender<()>,
}

impl Handle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Routes every request that begins from now on by `routing`, also those on connections that are open.
    pub fn set_routing(&self, routing: &Routing) {
        let turn = self.shared.take_turn();
        for node in self.shared.nodes() {
            self.shared.set_routing(turn, node.index, routing.clone());
        }
    }

    /// Changes the routing of each node after its delay: an ALB answers a change before it has carried it out, and
    /// does not carry it out everywhere at once. A node without a delay of its own has the last one. An earlier
    /// request never replaces the routing of a later one.
    pub fn set_routing_after(&self, delays: &[Duration], routing: &Routing) {
        let turn = self.shared.take_turn();
        for node in self.shared.nodes() {
            let delay = delays.get(node.index).or(delays.last()).copied().unwrap_or_default();
            let (shared, index, routing) = (Arc::downgrade(&self.shared), node.index, routing.clone());
            tokio::spawn(async move {
                sleep(delay).await;
                if let Some(shared) = shared.upgrade() {
                    shared.set_routing(turn, index, routing);
                }
            });
        }
    }

    /// Replaces all target groups. Targets that stay keep their health and their connections.
    pub fn set_target_groups(&self, groups: Vec<TargetGroup>) {
        self.shared.set_target_groups(groups);
    }

    /// The health of a group's targets, draining ones last; none when there is no such group.
    pub fn target_health(&self, arn: &str) -> Option<Vec<TargetHealth>> {
        self.shared.target_health(arn)
    }

    /// What each node has counted since the last call.
    pub fn take_metrics(&self) -> Vec<Metrics> {
        self.shared.take_metrics()
    }

    /// Stops listening and lets requests in flight finish, for `grace` at most.
    pub async fn stop(&self, grace: Duration) {
        self.shared.stop_checks();
        self.stop.send_replace(());
        if timeout(grace, self.stop.closed()).await.is_err() {
            tracing::warn!("connections were still open when the load balancer stopped");
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopping: watch::Receiver<()>) {
    let mut nodes = shared.nodes().iter().cycle();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.changed() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(node) = nodes.next() else { break };
                lock(&node.metrics).new_connections += 1;
                let (shared, node) = (Arc::clone(&shared), Arc::clone(node));
                tokio::spawn(connection(stream, peer, shared, node, stopping.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others have to close theirs first.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    shared.stop_checks();
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    node: Arc<Node>,
    mut stopping: watch::Receiver<()>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "connection of client is gone");
        return;
    }
    let idle = shared.limits.idle;
    let service = service_fn(move |request| {
        let (shared, node) = (Arc::clone(&shared), Arc::clone(&node));
        async move { Ok::<_, Infallible>(forward::serve(&shared, &node, peer, now(), request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection of client ended");
    }
}

#[expect(clippy::disallowed_methods, reason = "the listener is the edge where requests get their time")]
fn now() -> Timestamp {
    Timestamp::now()
}
