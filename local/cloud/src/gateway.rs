//! The one endpoint that plays AWS: it answers what the local cloud has of its own, and passes the rest on.

mod answers;
mod control;
mod faults;
mod load_balancing;
mod logs;
mod recognise;
mod record;
mod uploads;

pub(crate) use control::Control;
pub(crate) use faults::Faults;
pub use faults::{Fault, FaultKind};
pub(crate) use record::Recorder;
pub(crate) use uploads::Uploads;

use crate::firewall::{self, Firewall};
use crate::functions::{Functions, NotInvoked};
use crate::traffic::Traffic;
use answers::{Body, json_answer};
use anyhow::{Context, Result};
use bytes::Bytes;
use codedeploy::CodeDeploy;
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Collected};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use recognise::{Call, form_value, recognise};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// How long a call that times out is kept waiting: longer than any client of the product waits.
const TIME_OUT: Duration = Duration::from_mins(1);

/// Calls whose bodies may be large; they are streamed.
const STREAMED: [&str; 2] = ["PutObject", "UploadPart"];

/// Everything that answers.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// Where the emulator listens.
    emulator: SocketAddr,
    client: Client<HttpConnector, Body>,
    functions: Arc<Functions>,
    codedeploy: CodeDeploy,
    edge: Edge,
    uploads: Uploads,
    control: Control,
    faults: Arc<Faults>,
    recorder: Recorder,
    /// Held while rules change, because the emulator looks and writes without a lock of its own.
    rules: Mutex<()>,
}

/// What stands before the instances.
#[derive(Debug)]
pub(crate) struct Edge {
    /// The load balancer.
    pub traffic: Arc<Traffic>,
    /// The web ACL before it.
    pub firewall: Arc<Firewall>,
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer was lost on purpose")]
struct Lost;

impl Gateway {
    /// Over the emulator and what the local cloud has of its own.
    pub(crate) fn new(
        emulator: SocketAddr,
        functions: Arc<Functions>,
        codedeploy: CodeDeploy,
        edge: Edge,
        uploads: Uploads,
        control: Control,
        recorder: Recorder,
    ) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let faults = control.faults();
        Self {
            emulator,
            client,
            functions,
            codedeploy,
            edge,
            uploads,
            control,
            faults,
            recorder,
            rules: Mutex::default(),
        }
    }

    /// Serves until it is dropped.
    ///
    /// # Errors
    /// Never by itself; connections that break are their clients' business.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<Infallible> {
        loop {
            let (stream, _) = listener.accept().await.context("the gateway's listener broke")?;
            let gateway = Arc::clone(&self);
            tokio::spawn(async move {
                let answer = service_fn(move |request| {
                    let gateway = Arc::clone(&gateway);
                    async move { gateway.handle(request).await }
                });
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection to the gateway ended");
                }
            });
        }
    }

    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Body>, Lost> {
        if let Some(path) = request.uri().path().strip_prefix("/_local/") {
            let (path, method) = (path.to_owned(), request.method().clone());
            let body = request.into_body().collect().await.map(Collected::to_bytes).unwrap_or_default();
            return Ok(self.control.answer(&method, &path, &body).await);
        }
        let (parts, body) = request.into_parts();
        let first = recognise(&parts.method, &parts.uri, &parts.headers, None);
        let streamed = first.service == "s3" && STREAMED.contains(&first.operation.as_str());
        let (body, known) = if streamed {
            (body.boxed(), Bytes::new())
        } else {
            let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
            (answers::whole(bytes.clone()), bytes)
        };
        let form = form(&parts.headers, &known);
        let call = recognise(&parts.method, &parts.uri, &parts.headers, form);
        self.functions.journal().call(&call.key, &call.name());
        self.recorder.call(&call, &parts, &known);
        let uri = parts.uri.clone();
        let request = Request::from_parts(parts, body);
        let answer = match self.faults.strike(&call) {
            None => self.answer(&call, request, &known, form).await,
            Some(FaultKind::Throttle) => answers::throttled(&call),
            Some(FaultKind::Refuse) => answers::refused(&call),
            Some(FaultKind::ServerError) => answers::server_error(&call),
            Some(FaultKind::TimeOut) => {
                tokio::time::sleep(TIME_OUT).await;
                return Err(Lost);
            }
            Some(FaultKind::LoseReply) => {
                let carried_out = self.answer(&call, request, &known, form).await;
                tracing::info!(call = call.name(), status = %carried_out.status(), "carried out, answer lost on purpose");
                return Err(Lost);
            }
        };
        Ok(self.recorder.answer(&call, &uri, answer).await)
    }

    async fn answer(
        &self,
        call: &Call,
        request: Request<Body>,
        known: &Bytes,
        form: Option<&str>,
    ) -> Response<Body> {
        match (call.service.as_str(), call.operation.as_str()) {
            ("codedeploy", operation) => self.codedeploy(operation, known).await,
            ("lambda", "Invoke") => self.invoke(call, &request, known.clone()).await,
            ("logs", operation) => match self.log(operation, known).await {
                Some(answer) => json_answer(StatusCode::OK, &answer),
                None => self.pass_on(call, request).await,
            },
            ("wafv2", operation) if firewall::is_change(operation) => {
                let response = self.pass_on(call, request).await;
                self.after(response, self.edge.firewall.changed()).await
            }
            ("elasticloadbalancing", "DescribeTargetHealth") => {
                let (traffic, fleet) = (&self.edge.traffic, &self.control.fleet);
                load_balancing::target_health(
                    call,
                    form.unwrap_or_default(),
                    |arn| traffic.target_health(arn),
                    |instance| fleet.instance(instance).is_some(),
                )
            }
            ("elasticloadbalancing", operation) if load_balancing::changes_routing(operation) => {
                if let Some((code, message)) = form.and_then(load_balancing::objection) {
                    return answers::error(call, StatusCode::BAD_REQUEST, code, &message);
                }
                let _one_at_a_time = self.rules.lock().await;
                let response = self.pass_on(call, request).await;
                self.after(response, self.edge.traffic.rules_changed()).await
            }
            ("elasticloadbalancing", operation) if load_balancing::changes_targets(operation) => {
                let response = self.pass_on(call, request).await;
                self.after(response, self.edge.traffic.load_targets()).await
            }
            ("autoscaling", "SetInstanceHealth") => {
                let unhealthy = form.and_then(unhealthy_instance);
                let response = self.pass_on(call, request).await;
                if let (true, Some(instance)) = (response.status().is_success(), unhealthy) {
                    self.control.scaling.replace_later(&instance);
                }
                response
            }
            ("s3", operation) => {
                let watched = self.uploads.watch(operation, request.uri(), &call.key);
                let response = self.pass_on(call, request).await;
                if let (true, Some(watched)) = (response.status().is_success(), watched) {
                    self.uploads.happened(watched, response.headers()).await;
                }
                response
            }
            _ => self.pass_on(call, request).await,
        }
    }

    /// Lets the data plane learn of a change that the emulator has accepted.
    async fn after(
        &self,
        response: Response<Body>,
        learn: impl Future<Output = Result<()>>,
    ) -> Response<Body> {
        if response.status().is_success()
            && let Err(error) = learn.await
        {
            tracing::error!(error = %format!("{error:#}"), "the load balancer could not learn of a change");
        }
        response
    }

    /// What CloudWatch Logs knows of functions, and of the agents on instances: none for what the emulator knows.
    async fn log(&self, operation: &str, body: &Bytes) -> Option<Value> {
        match operation {
            "FilterLogEvents" => {
                let asked: logs::Asked = serde_json::from_slice(body).ok()?;
                let log = self.functions.log(asked.function()?)?;
                // A function that has not run has written none.
                let text = tokio::fs::read(log).await.unwrap_or_default();
                Some(asked.of(&String::from_utf8_lossy(&text)))
            }
            "DescribeLogStreams" => {
                let asked: Value = serde_json::from_slice(body).ok()?;
                let name = asked["logStreamNamePrefix"].as_str()?;
                self.control.fleet.instance(name.strip_suffix("/agent")?)?;
                Some(json!({ "logStreams": [{ "logStreamName": name }] }))
            }
            _ => None,
        }
    }

    async fn codedeploy(&self, operation: &str, body: &Bytes) -> Response<Body> {
        let body = serde_json::from_slice(body).unwrap_or(Value::Null);
        match self.codedeploy.call(operation, body).await {
            Ok(value) => json_answer(StatusCode::OK, &value),
            Err(error) => {
                let status = StatusCode::from_u16(error.http_status).unwrap_or(StatusCode::BAD_REQUEST);
                json_answer(status, &error.body())
            }
        }
    }

    /// `POST /2015-03-31/functions/<name or ARN>/invocations`.
    async fn invoke(&self, call: &Call, request: &Request<Body>, payload: Bytes) -> Response<Body> {
        let named = request.uri().path().split('/').nth(3).unwrap_or_default().replace("%3A", ":");
        let name = crate::stack::function_name(&named);
        let kind = request.headers().get("x-amz-invocation-type").and_then(|value| value.to_str().ok());
        let outcome = match kind {
            Some("Event") => self
                .functions
                .invoke_later(name, &payload)
                .map(|()| answers::answer(StatusCode::ACCEPTED, "application/json", Bytes::new())),
            Some("DryRun") => Ok(answers::answer(StatusCode::NO_CONTENT, "application/json", Bytes::new())),
            _ => self.functions.invoke(name, payload).await.map(|answer| {
                let mut response = answers::answer(StatusCode::OK, "application/json", answer.payload);
                if answer.failed {
                    response
                        .headers_mut()
                        .insert("x-amz-function-error", http::HeaderValue::from_static("Unhandled"));
                }
                response
                    .headers_mut()
                    .insert("x-amz-executed-version", http::HeaderValue::from_static("$LATEST"));
                response
            }),
        };
        outcome.unwrap_or_else(|error| {
            let (status, code) = match &error {
                NotInvoked::NoSuchFunction(_) => (StatusCode::NOT_FOUND, "ResourceNotFoundException"),
                NotInvoked::TooManyExecutions => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
            };
            answers::error(call, status, code, &error.to_string())
        })
    }

    async fn pass_on(&self, call: &Call, mut request: Request<Body>) -> Response<Body> {
        let mut target = request.uri().clone().into_parts();
        target.scheme = Some(Scheme::HTTP);
        target.authority = Authority::try_from(self.emulator.to_string()).ok();
        if let Ok(target) = Uri::from_parts(target) {
            *request.uri_mut() = target;
        }
        request.headers_mut().remove(EXPECT);
        request.headers_mut().remove(CONNECTION);
        match self.client.request(request).await {
            Ok(response) => {
                let mut response = response.map(BodyExt::boxed);
                response.headers_mut().remove(CONNECTION);
                response.headers_mut().remove(TRANSFER_ENCODING);
                response
            }
            Err(error) => {
                tracing::error!(%error, call = call.name(), "the emulator did not answer");
                answers::server_error(call)
            }
        }
    }
}

/// The instance that a `SetInstanceHealth` gives up.
fn unhealthy_instance(form: &str) -> Option<String> {
    let gives_up = form_value(form, "HealthStatus")? == "Unhealthy";
    form_value(form, "InstanceId").filter(|_| gives_up)
}

/// The body of a request of the query protocol.
fn form<'a>(headers: &HeaderMap, body: &'a Bytes) -> Option<&'a str> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    if kind.starts_with("application/x-www-form-urlencoded") { std::str::from_utf8(body).ok() } else { None }
}
