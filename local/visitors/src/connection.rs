//! One keep-alive connection of the visitors.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};

use crate::addresses::loopback_of;
use crate::log::{Failure, VisitEnding};

/// The header in which a service tells its version.
const RELEASE: &str = "x-release";

/// A connection that is opened when it is needed.
#[derive(Debug)]
pub(crate) struct Connection {
    target: SocketAddr,
    source: Option<IpAddr>,
    sender: Option<http1::SendRequest<Full<Bytes>>>,
}

/// What came back, from which version, and whether it took a second connection.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) outcome: VisitEnding,
    pub(crate) release: Option<u32>,
    pub(crate) retried: bool,
}

impl Connection {
    /// From `source`, when there is a loopback address that stands for it; otherwise from where the system likes.
    pub(crate) fn new(target: SocketAddr, source: Option<IpAddr>) -> Self {
        Self { target, source, sender: None }
    }

    /// Sends a request and reads its answer to the end. A connection whose exchange is given up is not used again.
    pub(crate) async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Exchange {
        let mut retried = false;
        // Reused: the server may have closed it in the meantime, which is nobody's fault.
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            match self.send(sender, request.clone()).await {
                (VisitEnding::Failed(Failure::Closed), _) => retried = true,
                (outcome, release) => return Exchange { outcome, release, retried },
            }
        }
        let (outcome, release) = match self.connect().await {
            Some(sender) => self.send(sender, request).await,
            None => (VisitEnding::Failed(Failure::Refused), None),
        };
        Exchange { outcome, release, retried }
    }

    async fn connect(&self) -> Option<http1::SendRequest<Full<Bytes>>> {
        let stream = match self.source.and_then(loopback_of) {
            Some(source) => {
                let socket = TcpSocket::new_v4().ok()?;
                socket.bind((source, 0).into()).ok()?;
                socket.connect(self.target).await.ok()?
            }
            None => TcpStream::connect(self.target).await.ok()?,
        };
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        // How it ended is seen by the request that was on it.
        tokio::spawn(async move { connection.await.ok() });
        Some(sender)
    }

    async fn send(
        &mut self,
        mut sender: http1::SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
    ) -> (VisitEnding, Option<u32>) {
        let Ok(response) = sender.send_request(request).await else {
            return (VisitEnding::Failed(Failure::Closed), None);
        };
        let stays = !says_close(response.headers());
        let (status, release) = (response.status().as_u16(), release(response.headers()));
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return (VisitEnding::Failed(Failure::Truncated), release);
            }
        }
        self.sender = stays.then_some(sender);
        (VisitEnding::Answered(status), release)
    }
}

/// Whether the server ends the connection with this answer.
fn says_close(headers: &HeaderMap) -> bool {
    headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

fn release(headers: &HeaderMap) -> Option<u32> {
    headers.get(RELEASE)?.to_str().ok()?.parse().ok()
}
