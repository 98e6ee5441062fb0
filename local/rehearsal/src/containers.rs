//! What `sam local invoke` needs to run a function in a container on the local cloud: a way to its gateway, and the
//! environment that the stack gives the functions.

use anyhow::{Context, Result};
use cloud::Cloud;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// The address by which containers of Docker's default network reach this machine; none where no Docker runs.
async fn bridge() -> Option<Ipv4Addr> {
    let mut ip = Command::new("ip");
    let output =
        ip.args(["-4", "-oneline", "address", "show", "docker0"]).kill_on_drop(true).output().await.ok()?;
    // `5: docker0    inet 172.17.0.1/16 brd ...`
    let said = String::from_utf8_lossy(&output.stdout);
    said.split_whitespace().skip_while(|word| *word != "inet").nth(1)?.split('/').next()?.parse().ok()
}

/// Writes the environment of all functions for `sam local invoke --env-vars`, and lets containers reach the gateway as
/// long as the answered relay is polled. `None`: no Docker runs.
///
/// # Errors
/// When the file cannot be written, or the port is taken on Docker's side.
pub(crate) async fn open(cloud: &Cloud) -> Result<Option<(PathBuf, Relay)>> {
    let Some(address) = bridge().await else { return Ok(None) };
    let gateway: SocketAddr = cloud.endpoint.trim_start_matches("http://").parse()?;
    let from = SocketAddr::from((address, gateway.port()));
    let listener =
        TcpListener::bind(from).await.with_context(|| format!("containers cannot be served at {from}"))?;
    let endpoint = format!("http://{from}");
    // What two functions are both told, both are told alike.
    let told = cloud.stack.functions.iter().flat_map(|function| &function.environment);
    let variables: BTreeMap<&str, &str> = told
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain([("AWS_ENDPOINT_URL", endpoint.as_str())])
        .collect();
    let file = cloud.places.state.join("environment.json");
    std::fs::write(&file, serde_json::to_vec_pretty(&json!({ "Parameters": variables }))?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Some((file, Relay { listener, gateway })))
}

/// Passes connections of containers on to the gateway.
#[derive(Debug)]
pub(crate) struct Relay {
    listener: TcpListener,
    gateway: SocketAddr,
}

impl Relay {
    /// Does so until it is dropped or its listener breaks.
    ///
    /// # Errors
    /// When the listener breaks.
    pub(crate) async fn run(self) -> Result<()> {
        loop {
            let (mut container, _) =
                self.listener.accept().await.context("the containers' listener broke")?;
            let gateway = self.gateway;
            tokio::spawn(async move {
                if let Ok(mut gateway) = TcpStream::connect(gateway).await {
                    // A connection that breaks is its ends' business.
                    let _ended = tokio::io::copy_bidirectional(&mut container, &mut gateway).await;
                }
            });
        }
    }
}
