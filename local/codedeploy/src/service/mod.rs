//! The CodeDeploy service: its operations, and the deployments that they start.

mod lists;
mod operations;
mod record;
mod request;
mod run;
pub(crate) mod scale_out;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::{
    aws::Aws,
    error::ApiError,
    events::{Change, Delivery, Events},
    fleet::Fleet,
    settings::Settings,
};
use record::{Deployment, State};

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
