//! Connections to one target.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::locked::lock;

/// What is sent to targets: a body that was read to its end, or one that passes through.
pub(crate) type RequestBody = Either<Full<Bytes>, Incoming>;
pub(crate) type Sender = http1::SendRequest<RequestBody>;

/// How long a connection may lie idle: below the 75 s after which nginx closes it, so that it is closed from here.
const IDLE: Duration = Duration::from_mins(1);

/// Idle connections to one target; the one used last is used next.
#[derive(Debug)]
pub(crate) struct Pool {
    address: SocketAddr,
    idle: Mutex<VecDeque<(Sender, Instant)>>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    Refused(io::Error),
    TimedOut,
}

impl Pool {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    /// An idle connection that the target has not closed, as far as can be seen from here.
    pub(crate) async fn reuse(&self) -> Option<Sender> {
        loop {
            let (mut sender, since) = lock(&self.idle).pop_back()?;
            if since.elapsed() < IDLE && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    pub(crate) async fn connect(&self, limit: Duration) -> Result<Sender, ConnectError> {
        let stream = timeout(limit, TcpStream::connect(self.address))
            .await
            .map_err(|_| ConnectError::TimedOut)?
            .map_err(ConnectError::Refused)?;
        stream.set_nodelay(true).map_err(ConnectError::Refused)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ConnectError::Refused(io::Error::other(error)))?;
        let address = self.address;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%address, %error, "connection to target ended");
            }
        });
        Ok(sender)
    }

    /// Takes a connection whose exchange is over into the pool, and closes those that were idle for long.
    pub(crate) fn give_back(&self, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = lock(&self.idle);
        idle.push_back((sender, Instant::now()));
        while idle.front().is_some_and(|(sender, since)| sender.is_closed() || since.elapsed() >= IDLE) {
            idle.pop_front();
        }
    }
}
