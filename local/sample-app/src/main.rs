//! The web service of the demo: answers everything, says which release it is, and misbehaves when told to.
//!
//! `PORT` and `HOST` say where it listens (3000 on 127.0.0.1), `RELEASE` which release it is; without `RELEASE` the
//! number is read from a file `release` beside the binary. `GREENLIGHT_ROOT` is what is `/` on its machine. A file `behaviour.json` there may make it a bad release,
//! see [`behaviour::Behaviour`].

mod behaviour;
mod server;
mod service;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::behaviour::BehaviourFile;
use crate::service::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let binary = env::current_exe().context("the binary's own path is not known")?;
    let folder = binary.parent().context("the binary lies in no folder")?;
    let address = SocketAddr::new(
        setting("HOST", "an IP address")?.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        setting("PORT", "a port")?.unwrap_or(3000),
    );
    let release = match setting("RELEASE", "a whole number")? {
        Some(release) => release,
        None => release_beside(folder)?,
    };
    let mut stop = signal(SignalKind::terminate()).context("SIGTERM cannot be awaited")?;

    let file = BehaviourFile::beside(folder);
    let behaviour = file.read()?;
    tokio::select! {
        () = sleep(behaviour.start_after()) => {}
        _ = stop.recv() => return Ok(()),
    }
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let stopped = async move {
        stop.recv().await;
    };
    let root = setting("GREENLIGHT_ROOT", "a folder")?.unwrap_or_else(|| PathBuf::from("/"));
    let service = Service::new(release, file, behaviour).with_shared_memory(root.join("dev/shm"));
    server::run(listener, service, stopped).await;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the settings of this binary are read here and nowhere else")]
fn setting<T>(name: &str, expected: &str) -> anyhow::Result<Option<T>>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    match env::var(name) {
        Ok(text) => {
            let value = text.parse().with_context(|| format!("{name}={text} is not {expected}"))?;
            Ok(Some(value))
        }
        Err(env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{name} is not text")),
    }
}

fn release_beside(folder: &Path) -> anyhow::Result<u32> {
    let path = folder.join("release");
    let text = fs::read_to_string(&path)
        .with_context(|| format!("RELEASE is not set and {} cannot be read", path.display()))?;
    text.trim().parse().with_context(|| format!("{} holds no release number", path.display()))
}
