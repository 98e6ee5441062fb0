//! The control endpoint, for tests and for people who want to see what happens when something breaks.
//!
//! | request | does |
//! | --- | --- |
//! | `GET /_local/faults`, `PUT /_local/faults` | the fault rules, see [`super::Fault`] |
//! | `GET /_local/deliveries/<s3\|events>`, `PUT` the same | how events arrive, see [`crate::deliveries::Knobs`] |
//! | `PUT /_local/propagation` with `{"seconds":[2,60]}` | how late each node of the load balancer carries a change out |
//! | `PUT /_local/lateness` with `{"seconds":[240,240]}` | how long after its end a minute of a metric is there |
//! | `POST /_local/metric-data` with a `GetMetricData` | its results, for the emulator |
//! | `PUT /_local/executions` with `{"elsewhere":9}` | how many of the account's executions other functions take |
//! | `POST /_local/functions/<name>/kill` | kills the function's processes |
//! | `POST /_local/instances/<id>/kill` | the instance is gone, with all that ran on it; Auto Scaling replaces it |
//! | `POST /_local/instances/<id>/restart-agent` | stops and starts its `CodeDeploy` agent |
//! | `GET /_local/invocations` | all invocations with the AWS calls they made |

use super::answers::{Body, json_answer};
use super::faults::{Fault, Faults};
use crate::alarms::Alarms;
use crate::deliveries::{Deliveries, Knobs};
use crate::functions::Functions;
use crate::scaling::Scaling;
use crate::traffic::{Propagation, Traffic};
use bytes::Bytes;
use codedeploy::Fleet;
use http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What the control endpoint controls.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    /// Killed on demand.
    pub functions: Arc<Functions>,
    /// Their agents are restarted on demand.
    pub fleet: Fleet,
    /// Instances are killed on demand, and replaced.
    pub scaling: Arc<Scaling>,
    /// Slowed down on demand.
    pub traffic: Arc<Traffic>,
    /// S3's notifications.
    pub uploads: Arc<Deliveries>,
    /// `EventBridge`'s events.
    pub events: Arc<Deliveries>,
    /// What goes wrong.
    pub faults: Arc<Faults>,
    /// The metrics, and how late they are.
    pub alarms: Arc<Alarms>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seconds {
    /// On AWS's clock; none for as on AWS.
    seconds: Option<[f64; 2]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Executions {
    elsewhere: usize,
}

impl Seconds {
    fn durations(&self) -> Result<Option<[Duration; 2]>, (StatusCode, String)> {
        let duration = |seconds| {
            Duration::try_from_secs_f64(seconds).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
        };
        self.seconds.map(|[first, second]| Ok([duration(first)?, duration(second)?])).transpose()
    }
}

impl Control {
    pub(super) fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.faults)
    }

    /// Answers a request; `path` is what follows `/_local/`.
    pub(super) async fn answer(&self, method: &Method, path: &str, body: &Bytes) -> Response<Body> {
        let parts: Vec<&str> = path.split('/').collect();
        let outcome = match (method.as_str(), parts.as_slice()) {
            ("GET", ["faults"]) => Ok(json!(self.faults.left())),
            ("PUT", ["faults"]) => read::<Vec<Fault>>(body).map(|rules| {
                self.faults.set(rules);
                json!(self.faults.left())
            }),
            ("GET", ["deliveries", source]) => {
                self.deliveries(source).map(|deliveries| json!(deliveries.knobs()))
            }
            ("PUT", ["deliveries", source]) => self.deliveries(source).and_then(|deliveries| {
                deliveries.set(read::<Knobs>(body)?);
                Ok(json!(deliveries.knobs()))
            }),
            ("PUT", ["propagation"]) => read::<Seconds>(body).and_then(|seconds| {
                let delays = seconds.durations()?;
                self.traffic.set_propagation(delays.map_or(Propagation::AsOnAws, Propagation::After));
                Ok(Value::Null)
            }),
            ("PUT", ["lateness"]) => read::<Seconds>(body).and_then(|seconds| {
                self.alarms.set_lateness(seconds.durations()?.map(|[earliest, latest]| earliest..=latest));
                Ok(Value::Null)
            }),
            ("POST", ["metric-data"]) => read::<Value>(body).and_then(|request| {
                let refused = |error: anyhow::Error| (StatusCode::BAD_REQUEST, format!("{error:#}"));
                self.alarms.metric_data(&request).map_err(refused)
            }),
            ("PUT", ["executions"]) => read::<Executions>(body).map(|executions| {
                self.functions.take_elsewhere(executions.elsewhere);
                Value::Null
            }),
            ("POST", ["functions", name, "kill"]) => match self.functions.kill(name) {
                Ok(killed) => Ok(json!({ "killed": killed })),
                Err(error) => Err((StatusCode::NOT_FOUND, error.to_string())),
            },
            ("POST", ["instances", id, "kill"]) => done(self.scaling.lose(id).await, "no such instance"),
            ("POST", ["instances", id, "restart-agent"]) => {
                done(self.fleet.restart_agent(id), "no such instance")
            }
            ("GET", ["invocations"]) => Ok(self.functions.journal().look(|invocations| json!(invocations))),
            _ => Err((StatusCode::NOT_FOUND, format!("{method} /_local/{path} is not known"))),
        };
        match outcome {
            Ok(value) => json_answer(StatusCode::OK, &value),
            Err((status, message)) => json_answer(status, &json!({ "error": message })),
        }
    }

    fn deliveries(&self, source: &str) -> Result<&Deliveries, (StatusCode, String)> {
        match source {
            "s3" => Ok(&self.uploads),
            "events" => Ok(&self.events),
            other => Err((StatusCode::NOT_FOUND, format!("{other} delivers nothing; s3 and events do"))),
        }
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, (StatusCode, String)> {
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

fn done(done: bool, otherwise: &str) -> Result<Value, (StatusCode, String)> {
    if done { Ok(Value::Null) } else { Err((StatusCode::NOT_FOUND, otherwise.to_owned())) }
}
