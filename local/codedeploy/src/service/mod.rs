//! The CodeDeploy service: its operations, and the deployments that they start.

mod lists;
mod operations;
mod record;
mod request;
mod run;
mod scale_out;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::{
    error::ApiError,
    events::{Change, Delivery, Events},
    fleet::Fleet,
};
use record::{Deployment, State};
pub use scale_out::Launch;

/// Where a bundle lies, as `revision.s3Location` carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct S3Location {
    /// The bucket's name.
    #[serde(default)]
    pub bucket: String,
    /// The object's key.
    #[serde(default)]
    pub key: String,
    /// `zip`, `tar` or `tgz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle_type: Option<String>,
    /// Absent: whatever is newest when the agent downloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Absent: not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
}

/// A fetched object.
#[derive(Debug, Clone)]
pub struct Object {
    /// The body.
    pub bytes: Bytes,
    /// With or without quotes.
    pub e_tag: String,
}

/// S3's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct S3Error {
    /// `NoSuchKey`, `NoSuchVersion`, `AccessDenied` …
    pub code: String,
    /// What the agent shows.
    pub message: String,
}

/// What CodeDeploy and its agents use of the rest of AWS.
pub trait Aws: Send + Sync + 'static {
    /// `GetObject` with the instance's role: that version when one is named, else the newest.
    fn fetch(&self, location: S3Location) -> BoxFuture<'_, Result<Object, S3Error>>;

    /// `autoscaling:SuspendProcesses` with the service's role; an error fails the deployment before it begins.
    fn suspend_processes(&self, _group: &str, _processes: Vec<String>) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// `autoscaling:ResumeProcesses`; an error fails the deployment and leaves the processes suspended.
    fn resume_processes(&self, _group: &str, _processes: Vec<String>) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What to do with instances that were launched with an older revision while a deployment ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutdatedInstances {
    /// Start a deployment to them: the default.
    #[default]
    Update,
    /// Leave them.
    Ignore,
}

/// A deployment group, as the template declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The application's name.
    pub application: String,
    /// The group's name.
    pub name: String,
    /// The group's id, a UUID on AWS.
    pub id: String,
    /// Names of its Auto Scaling groups.
    pub auto_scaling_groups: Vec<String>,
    /// The default of `deploymentConfigName`.
    pub deployment_config: String,
    /// The service role.
    pub service_role_arn: String,
    /// `outdatedInstancesStrategy`.
    pub outdated_instances: OutdatedInstances,
}

impl Group {
    /// A group with AWS's defaults and an id of its own.
    pub fn new<S: Into<String>>(
        application: impl Into<String>,
        name: impl Into<String>,
        auto_scaling_groups: impl IntoIterator<Item = S>,
    ) -> Self {
        let (high, low) = (random_number(), random_number());
        Self {
            application: application.into(),
            name: name.into(),
            id: format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                high >> 32,
                high >> 16 & 0xffff,
                high & 0xfff,
                low >> 52,
                low & 0xffff_ffff_ffff
            ),
            auto_scaling_groups: auto_scaling_groups.into_iter().map(Into::into).collect(),
            deployment_config: "CodeDeployDefault.OneAtATime".to_owned(),
            service_role_arn: "arn:aws:iam::123456789012:role/codedeploy".to_owned(),
            outdated_instances: OutdatedInstances::Update,
        }
    }
}

/// How fast things go. The defaults are AWS's limits with no waiting between steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// From `CreateDeployment` to `InProgress`.
    pub queue: Duration,
    /// Before each lifecycle event: the agent's polling.
    pub command: Duration,
    /// How long an event may run before the service gives the instance up; 3,600 s on AWS.
    pub event_timeout: Duration,
    /// How long an agent may take to begin an event; 300 s on AWS.
    pub start_timeout: Duration,
    /// Hook time-outs of appspec.yml are multiplied by this.
    pub hook_timeout_scale: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            queue: Duration::ZERO,
            command: Duration::ZERO,
            event_timeout: Duration::from_hours(1),
            start_timeout: Duration::from_mins(5),
            hook_timeout_scale: 1.0,
        }
    }
}

/// What the service is started with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The account's number.
    pub account: String,
    /// The region's name.
    pub region: String,
    /// All deployment groups; their applications follow from them.
    pub groups: Vec<Group>,
    /// Speed.
    pub pace: Pace,
    /// Results in one page of a list.
    pub page_size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            groups: Vec::new(),
            pace: Pace::default(),
            page_size: 100,
        }
    }
}

/// The service. Clones share it. Its deployments run as tasks, so it must be called inside a tokio runtime.
#[derive(Clone)]
pub struct CodeDeploy {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    fleet: Fleet,
    aws: Arc<dyn Aws>,
    state: Mutex<State>,
    events: Events,
    changes: watch::Sender<u64>,
}

impl std::fmt::Debug for CodeDeploy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeDeploy").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl CodeDeploy {
    /// Starts the service over a fleet.
    pub fn new(settings: Settings, fleet: Fleet, aws: Arc<dyn Aws>) -> Self {
        let state = Mutex::new(State::new(&settings.groups));
        let inner =
            Inner { settings, fleet, aws, state, events: Events::default(), changes: watch::Sender::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// Answers one operation, named as in `X-Amz-Target` behind the dot, with the JSON that an SDK parses.
    #[expect(
        clippy::unused_async,
        reason = "callers await it as a remote call; it need not answer at once for ever"
    )]
    pub async fn call(&self, operation: &str, body: Value) -> Result<Value, ApiError> {
        match operation {
            "CreateDeployment" => self.create_deployment(&body),
            "GetDeployment" => self.get_deployment(&body),
            "BatchGetDeployments" => self.batch_get_deployments(&body),
            "ListDeployments" => self.list_deployments(&body),
            "ListDeploymentTargets" => self.list_deployment_targets(&body),
            "BatchGetDeploymentTargets" => self.batch_get_deployment_targets(&body),
            "StopDeployment" => self.stop_deployment(&body),
            "GetDeploymentGroup" => self.get_deployment_group(&body),
            "ListDeploymentGroups" => self.list_deployment_groups(&body),
            "ListApplications" => self.list_applications(&body),
            "RegisterApplicationRevision" => self.register_application_revision(&body),
            "GetApplicationRevision" => self.get_application_revision(&body),
            "PutLifecycleEventHookExecutionStatus" => self.put_hook_status(&body),
            other => Err(ApiError::new(
                "UnknownOperationException",
                format!("{other} is not answered here: only what releases on EC2 instances call is"),
            )),
        }
    }

    /// State changes from now on, in EventBridge's shape.
    pub fn events(&self) -> mpsc::UnboundedReceiver<Value> {
        self.inner.events.subscribe()
    }

    /// Changes how well events arrive; for those published from now on.
    pub fn deliver_events(&self, delivery: Delivery) {
        self.inner.events.deliver(delivery);
    }

    /// Waits until a deployment has ended with all its hooks and gives its status; `None` for an unknown id.
    /// A stopped deployment's running hooks are waited for.
    pub async fn finished(&self, deployment_id: &str) -> Option<&'static str> {
        let mut changes = self.inner.changes.subscribe();
        loop {
            changes.borrow_and_update();
            match self.state().deployments.get(deployment_id) {
                None => return None,
                Some(deployment) if deployment.at_rest => return Some(deployment.status.as_str()),
                Some(_) => {}
            }
            changes.changed().await.ok()?;
        }
    }

    /// Lets a Lambda hook of an ECS or Lambda deployment wait for its answer through
    /// `PutLifecycleEventHookExecutionStatus`.
    pub fn expect_hook_answer(&self, deployment_id: &str, execution_id: &str) {
        let key = (deployment_id.to_owned(), execution_id.to_owned());
        self.state().hook_answers.insert(key, None);
    }

    /// The answer that a Lambda hook has given, once it has.
    pub fn hook_answer(&self, deployment_id: &str, execution_id: &str) -> Option<String> {
        let key = (deployment_id.to_owned(), execution_id.to_owned());
        self.state().hook_answers.get(&key).cloned().flatten()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait that something has changed.
    fn changed(&self) {
        self.inner.changes.send_modify(|n| *n += 1);
    }

    fn publish(&self, deployment: &Deployment, state: &'static str, instance_id: Option<&str>) {
        self.inner.events.publish(&Change {
            account: &self.inner.settings.account,
            region: &self.inner.settings.region,
            application: &deployment.application,
            group: &deployment.group,
            group_id: &deployment.group_id,
            deployment_id: &deployment.id,
            state,
            instance_id,
        });
    }
}

/// A number that nobody can guess, from the seeds that the standard library draws for its hash maps.
pub(crate) fn random_number() -> u64 {
    RandomState::new().hash_one(0_u8)
}
