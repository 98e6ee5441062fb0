//! The AWS emulator: one process, and its API for what no SDK client here covers.

use crate::aws;
use crate::places::Places;
use crate::processes::ProcessGroup;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// How long the emulator may take to answer for the first time. It loads in one to three seconds.
const START: Duration = Duration::from_mins(1);

/// A free port.
///
/// # Errors
/// When the machine has none left.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?.local_addr()?.port())
}

/// The running emulator. Dropping it ends it.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    _process: ProcessGroup,
}

#[cfg(test)]
impl Emulator {
    /// One that answers nothing.
    pub(crate) fn silent(state: &Path) -> Self {
        let mut command = Command::new("sleep");
        command.arg("60");
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            client: Client::builder(TokioExecutor::new()).build_http(),
            _process: ProcessGroup::start(command, state, &state.join("log")).unwrap(),
        }
    }
}

impl Emulator {
    /// Starts it and waits until it answers. What it lacks itself it asks of the gateway.
    ///
    /// # Errors
    /// When it cannot be started or does not answer within a minute; its log says why.
    pub async fn start(places: &Places, gateway: &str) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(places.python());
        command
            .arg(places.emulator("serve.py"))
            .arg(port.to_string())
            .env("LOCAL_CLOUD", gateway)
            .env("LOCAL_CLOUD_RUNTIME", places.runtime_emulator()?)
            .env("LOCAL_CLOUD_BINARIES", &places.binaries)
            .env("LOCAL_CLOUD_FUNCTION_LOG", places.log("{}.jsonl"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let log = places.log("emulator.log");
        let mut process = ProcessGroup::start(command, &places.state, &log)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let answers = async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                if process.has_ended() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            true
        };
        if !matches!(tokio::time::timeout(START, answers).await, Ok(true)) {
            bail!("the AWS emulator does not answer; see {}", log.display());
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { address, client, _process: process })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Turns the SAM template into CloudFormation, creates the stack from it, and answers what was made: see
    /// `deploy.py`. The same is left in `stack.json` of the state folder.
    ///
    /// # Errors
    /// When the template cannot be transformed or CloudFormation refuses it; the message says why.
    pub async fn deploy(
        &self,
        places: &Places,
        stack: &str,
        parameters: &[(String, String)],
    ) -> Result<Value> {
        let transformed = places.state.join("template.json");
        let python = |script: &str| {
            let mut command = Command::new(places.python());
            command
                .arg(places.emulator(script))
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .env("AWS_REGION", aws::REGION);
            command.kill_on_drop(true);
            command
        };
        let mut transform = python("transform.py");
        transform.arg(places.template()).arg(&transformed);
        finish(transform, "the SAM transform", &places.template()).await?;
        let mut deploy = python("deploy.py");
        deploy.arg(self.endpoint()).arg(stack).arg(&transformed).arg(&places.root);
        deploy.args(parameters.iter().map(|(name, value)| format!("{name}={value}")));
        let made = finish(deploy, "the stack", &transformed).await?;
        let listing = places.state.join("stack.json");
        std::fs::write(&listing, &made).with_context(|| format!("cannot write {}", listing.display()))?;
        serde_json::from_slice(&made).context("deploy.py printed no JSON")
    }

    /// Updates the stack with other values of parameters, as `aws cloudformation update-stack` does. Only what refers to
    /// them is updated. `made` is what [`Self::deploy`] answered.
    ///
    /// # Errors
    /// When CloudFormation or a custom resource refuses the update; the message says why.
    pub async fn update(&self, stack: &str, made: &Value, changed: &[(String, String)]) -> Result<()> {
        let is_changed = |name: &str| changed.iter().any(|(changed, _)| changed == name);
        let kept = made["parameters"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let kept = kept.filter(|name| !is_changed(name)).map(|name| (name, "UsePreviousValue", "true"));
        let values = changed.iter().map(|(name, value)| (name.as_str(), "ParameterValue", value.as_str()));
        let mut query = format!("Action=UpdateStack&StackName={stack}&UsePreviousTemplate=true");
        for (index, (name, member, value)) in values.chain(kept).enumerate() {
            let parameter = format!("&Parameters.member.{}", index + 1);
            write!(query, "{parameter}.ParameterKey={name}{parameter}.{member}={value}")?;
        }
        self.query("cloudformation", &query).await.map(drop)
    }

    /// Calls a service with AWS's JSON protocol.
    ///
    /// # Errors
    /// When the emulator answers anything but success.
    pub async fn json(&self, service: &str, target: &str, version: &str, body: &Value) -> Result<Value> {
        let request = Request::post(self.endpoint())
            .header("authorization", aws::authorization(service))
            .header("content-type", format!("application/x-amz-json-{version}"))
            .header("x-amz-target", target)
            .body(Full::from(body.to_string()))?;
        let answer = self.send(request, target).await?;
        Ok(serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    /// Calls a service whose protocol is paths and JSON bodies.
    ///
    /// # Errors
    /// When the emulator answers anything but success.
    pub async fn rest(&self, service: &str, method: Method, path: &str) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint()))
            .header("authorization", aws::authorization(service))
            .body(Full::default())?;
        let answer = self.send(request, path).await?;
        Ok(serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    /// Calls a service of the query protocol; the answer is XML.
    ///
    /// # Errors
    /// When the emulator answers anything but success.
    pub async fn query(&self, service: &str, query: &str) -> Result<String> {
        let request = Request::post(self.endpoint())
            .header("authorization", aws::authorization(service))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(query.to_owned()))?;
        Ok(String::from_utf8_lossy(&self.send(request, query).await?).into_owned())
    }

    async fn send(&self, request: Request<Full<Bytes>>, what: &str) -> Result<Bytes> {
        let response = self
            .client
            .request(request)
            .await
            .with_context(|| format!("the emulator did not answer {what}"))?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("the emulator answered {what} with {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}

/// Runs a script to its end and answers what it printed.
async fn finish(mut command: Command, what: &str, file: &Path) -> Result<Vec<u8>> {
    let output = command.output().await.with_context(|| {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        format!("cannot start {program}; run make to install what is missing")
    })?;
    if !output.status.success() {
        bail!("{what} failed for {}: {}", file.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}
