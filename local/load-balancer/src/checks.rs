//! Health checks over the network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::group::HealthCheck;
use crate::health::{CheckResult, Reason};
use crate::locked::lock;
use crate::table::TargetEntry;

/// Checks one target until the task is aborted, and calls `changed` when its state has changed.
pub(crate) async fn watch(
    entry: Arc<TargetEntry>,
    check: HealthCheck,
    changed: impl Fn(&TargetEntry) + Send + 'static,
) {
    let mut due = interval(check.interval.max(Duration::from_millis(1)));
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let outcome = probe(entry.target.address, &check).await;
        let (before, after) = {
            let mut health = lock(&entry.health);
            let before = health.state();
            health.record(outcome, &check);
            (before, health.state())
        };
        if before != after {
            tracing::info!(
                target_id = entry.target.id,
                address = %entry.target.address,
                state = after.as_str(),
                reason = outcome.err().map(Reason::as_str),
                "target health changed"
            );
            changed(&entry);
        }
    }
}

/// One check, over a connection of its own.
async fn probe(address: SocketAddr, check: &HealthCheck) -> CheckResult {
    let status = timeout(check.timeout, ask(address, &check.path))
        .await
        .map_err(|_| Reason::Timeout)?
        .map_err(|_| Reason::FailedHealthChecks)?
        .as_u16();
    if check.matcher.matches(status) { Ok(()) } else { Err(Reason::ResponseCodeMismatch(status)) }
}

async fn ask(
    address: SocketAddr,
    path: &str,
) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(HOST, address.to_string())
        .header(USER_AGENT, "ELB-HealthChecker/2.0")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request);
    tokio::pin!(answer);
    // The connection is driven here and not in a task of its own, so that it ends with the check.
    tokio::select! {
        answer = &mut answer => Ok(answer?.status()),
        ended = connection => {
            ended?;
            Ok(answer.await?.status())
        }
    }
}
