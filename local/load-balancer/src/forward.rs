//! The way of one request: judged, routed, forwarded, observed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::request::Parts;
use http::{Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Incoming};
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use crate::access::{Access, Admission, RequestFacts};
use crate::answer::{self, AnswerBody, TargetBody};
use crate::headers;
use crate::locked::lock;
use crate::pool::{ConnectError, RequestBody, Sender};
use crate::routing::host_of;
use crate::shared::{Node, Shared};
use crate::table::{GroupEntry, Route, TargetEntry};

/// The longest request body, in bytes, that is read whole before it is sent, so that it can be sent twice.
pub const REPLAYABLE_BODY: u64 = 64 * 1024;

/// What came of a request.
struct Forwarded {
    response: Response<AnswerBody>,
    group: Option<Arc<GroupEntry>>,
    target: Option<SocketAddr>,
    from_target: bool,
    retried: bool,
}

impl Forwarded {
    fn own(response: Response<AnswerBody>) -> Self {
        Self { response, group: None, target: None, from_target: false, retried: false }
    }
}

/// Answers one request of a client.
pub(crate) async fn serve(
    shared: &Shared,
    node: &Node,
    peer: SocketAddr,
    time: Timestamp,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let begun = Instant::now();
    let mut waiting = Waiting { node, answered: false };
    let (mut head, body) = request.into_parts();
    let client = shared.callbacks.client(peer, &head.headers);
    headers::add_trace_id(&mut head.headers, time);
    let host = host_of(
        head.headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .or_else(|| head.uri.host())
            .unwrap_or_default(),
    );
    let facts = RequestFacts { time, client, host: &host, head: &head };
    let admission = shared.callbacks.judge.as_ref().map_or(Admission::Allow, |judge| judge(&facts));
    let (method, uri, version) = (head.method.clone(), head.uri.clone(), head.version);
    let (agent, trace_id) =
        (head.headers.get(USER_AGENT).cloned(), head.headers.get("x-amzn-trace-id").cloned());

    let outcome = match admission {
        Admission::Block => {
            lock(&node.metrics).blocked += 1;
            Forwarded::own(answer::own(StatusCode::FORBIDDEN))
        }
        Admission::Challenge => Forwarded::own(answer::challenge()),
        Admission::Allow => match node.table().route(&host, &head.headers, &node.drawing) {
            Route::Fixed(response) => Forwarded::own(answer::fixed(&response)),
            Route::Nowhere => Forwarded::own(answer::own(StatusCode::SERVICE_UNAVAILABLE)),
            Route::Group(group) => {
                headers::remove_hop_by_hop(&mut head.headers);
                headers::add_forwarded(&mut head.headers, client, shared.port);
                to_group(shared, node, group, head, body).await
            }
        },
    };
    waiting.answered = true;
    let status = outcome.response.status();
    if !outcome.from_target {
        lock(&node.metrics).count_own(status);
    }
    if let Some(observer) = &shared.callbacks.observer {
        observer(&Access {
            time,
            duration: begun.elapsed(),
            client,
            port: peer.port(),
            host: &host,
            method: &method,
            uri: &uri,
            version,
            agent: agent.as_ref().and_then(|agent| agent.to_str().ok()),
            trace_id: trace_id.as_ref().and_then(|id| id.to_str().ok()),
            blocked: admission != Admission::Allow,
            status,
            target_group: outcome.group.as_ref().map(|group| &*group.arn),
            target: outcome.target,
            from_target: outcome.from_target,
            retried: outcome.retried,
        });
    }
    outcome.response
}

/// A client that waits for its answer. If it goes away first, that is 460: one of the load balancer's own 4xx.
struct Waiting<'a> {
    node: &'a Node,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            lock(&self.node.metrics).count_client_gone();
        }
    }
}

/// Sends a request to the next target of its group. There is no second target and no second group.
async fn to_group(
    shared: &Shared,
    node: &Node,
    group: Arc<GroupEntry>,
    head: Parts,
    body: Incoming,
) -> Forwarded {
    let Some((entry, fail_open)) = group.choose().map(|(entry, open)| (Arc::clone(entry), open)) else {
        let response = answer::own(StatusCode::SERVICE_UNAVAILABLE);
        return Forwarded { group: Some(group), ..Forwarded::own(response) };
    };
    lock(&node.metrics).request_count += 1;
    group.count_at(node.index, |metrics| {
        metrics.request_count += 1;
        metrics.unhealthy_routing_requests += u64::from(fail_open);
    });
    let mut attempt = Attempt { shared, node, group: &group, entry: &entry, retried: false };
    let answered = attempt.run(head, body).await;
    let (from_target, retried) = (answered.is_ok(), attempt.retried);
    lock(&node.metrics).retried += u64::from(retried);
    let response = answered.unwrap_or_else(answer::own);
    Forwarded { response, target: Some(entry.target.address), group: Some(group), from_target, retried }
}

/// One request on its way to one target.
struct Attempt<'a> {
    shared: &'a Shared,
    node: &'a Node,
    group: &'a GroupEntry,
    entry: &'a TargetEntry,
    retried: bool,
}

impl Attempt<'_> {
    /// The target's answer, or the status to answer in its place.
    async fn run(&mut self, mut head: Parts, body: Incoming) -> Result<Response<AnswerBody>, StatusCode> {
        head.version = Version::HTTP_11;
        head.uri = origin_form(&head.uri);
        let limit = self.shared.limits.idle;
        if body.size_hint().upper().is_none_or(|length| length > REPLAYABLE_BODY) {
            let sender = self.connect().await?;
            let (response, _) = self.send(sender, head, Either::Right(body)).await?;
            // The body may still be on its way when the answer has been read: such a connection is not kept.
            return Ok(response.map(|body| AnswerBody::Target(TargetBody::new(body, None))));
        }
        let body = read_whole(body, limit).await?;
        let whole = || Either::Left(Full::new(body.clone()));
        if let Some(sender) = self.entry.pool.reuse().await {
            match self.send(sender, head.clone(), whole()).await {
                Err(Unanswered::Closed) => self.retried = true,
                Err(other) => return Err(other.into()),
                Ok((response, sender)) => return Ok(self.keep(response, sender)),
            }
        }
        let sender = self.connect().await?;
        let (response, sender) = self.send(sender, head, whole()).await?;
        Ok(self.keep(response, sender))
    }

    /// A connection that the target is about to close is not kept.
    fn keep(&self, response: Response<Incoming>, sender: Option<Sender>) -> Response<AnswerBody> {
        let connection = sender.map(|sender| (Arc::clone(&self.entry.pool), sender));
        response.map(|body| AnswerBody::Target(TargetBody::new(body, connection)))
    }

    async fn connect(&self) -> Result<Sender, StatusCode> {
        self.entry.pool.connect(self.shared.limits.connect).await.map_err(|error| {
            self.group.count_at(self.node.index, |metrics| metrics.target_connection_errors += 1);
            match error {
                ConnectError::Refused(error) => {
                    tracing::debug!(address = %self.entry.target.address, %error, "target refused the connection");
                    StatusCode::BAD_GATEWAY
                }
                ConnectError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            }
        })
    }

    async fn send(
        &self,
        mut sender: Sender,
        head: Parts,
        body: RequestBody,
    ) -> Result<(Response<Incoming>, Option<Sender>), Unanswered> {
        let sent = Instant::now();
        let mut response =
            timeout(self.shared.limits.idle, sender.send_request(Request::from_parts(head, body)))
                .await
                .map_err(|_| Unanswered::TimedOut)?
                .map_err(|error| if error.is_parse() { Unanswered::Garbled } else { Unanswered::Closed })?;
        let (status, time) = (response.status(), sent.elapsed());
        self.group.count_at(self.node.index, |metrics| metrics.count_answer(status, time));
        let stays = response.version() == Version::HTTP_11 && !headers::says_close(response.headers());
        headers::remove_hop_by_hop(response.headers_mut());
        *response.version_mut() = Version::HTTP_11;
        Ok((response, stays.then_some(sender)))
    }
}

/// Why a target that was reached did not answer.
enum Unanswered {
    /// It closed the connection before the head of its answer was there.
    Closed,
    /// It answered something that is not HTTP.
    Garbled,
    TimedOut,
}

impl From<Unanswered> for StatusCode {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Closed | Unanswered::Garbled => Self::BAD_GATEWAY,
            Unanswered::TimedOut => Self::GATEWAY_TIMEOUT,
        }
    }
}

async fn read_whole(body: Incoming, limit: Duration) -> Result<Bytes, StatusCode> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let read = timeout(limit, body.collect()).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
    read.map(http_body_util::Collected::to_bytes).map_err(|_| StatusCode::BAD_REQUEST)
}

/// Path and query only: targets are asked as servers, not as proxies.
fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query().map_or_else(|| Uri::from_static("/"), |path| Uri::from(path.clone()))
}
