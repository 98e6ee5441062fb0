//! Connections, and the way they end.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use crate::service::Service;

/// How long open requests may take after the stop was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until `stopped`, then accepts nothing more, finishes what is open, and returns within [`GRACE`].
pub(crate) async fn run(listener: TcpListener, service: Service, stopped: impl Future<Output = ()>) {
    let service = Rc::new(service);
    let (stop, stopping) = watch::channel(());
    let connections = LocalSet::new();
    connections
        .run_until(async {
            tokio::pin!(stopped);
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = &mut stopped => break,
                };
                match accepted {
                    Ok((stream, _)) => serve(stream, &service, &stopping),
                    // Out of file descriptors, most likely: others have to close theirs first.
                    Err(_) => sleep(Duration::from_millis(50)).await,
                }
            }
            // The kernel has completed these connections already; closing the listener would reset them.
            while let Ok(Ok((stream, _))) = timeout(Duration::ZERO, listener.accept()).await {
                serve(stream, &service, &stopping);
            }
            drop(listener);
            drop(stopping);
            stop.send_replace(());
            timeout(GRACE, stop.closed()).await.ok();
        })
        .await;
}

/// Every connection holds a receiver of `stopping`: when the last is gone, all have ended.
fn serve(stream: TcpStream, service: &Rc<Service>, stopping: &watch::Receiver<()>) {
    let (service, mut stopping) = (Rc::clone(service), stopping.clone());
    tokio::task::spawn_local(async move {
        stream.set_nodelay(true).ok();
        let service = service_fn(move |request| {
            let service = Rc::clone(&service);
            async move { Ok::<_, Infallible>(service.answer(request).await) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        // An error here is the client's going away.
        tokio::select! {
            ended = connection.as_mut() => ended.ok(),
            _ = stopping.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await.ok()
            }
        };
    });
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;
    use crate::behaviour::BehaviourFile;

    async fn read_to_end(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn a_stop_finishes_what_is_open_and_refuses_what_is_new() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("behaviour.json"), r#"{"latencyMs": 150}"#).unwrap();
        let file = BehaviourFile::beside(folder.path());
        let behaviour = file.read().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = run(listener, Service::new(7, file, behaviour), async move {
            stopped.await.ok();
        });
        let visit = async {
            let idle = TcpStream::connect(address).await.unwrap();
            let mut busy = TcpStream::connect(address).await.unwrap();
            busy.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            sleep(Duration::from_millis(50)).await;
            stop.send(()).unwrap();
            let (answer, nothing) = tokio::join!(read_to_end(busy), read_to_end(idle));
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
            assert!(answer.contains("x-release: 7"), "{answer}");
            assert_eq!(nothing, "");
            assert!(TcpStream::connect(address).await.is_err());
        };
        tokio::join!(timeout(GRACE, running), visit).0.unwrap();
    }
}
