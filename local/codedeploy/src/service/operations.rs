//! Operations that change something.

use std::collections::BTreeSet;

use appspec::FileExistsBehavior;
use serde_json::{Map, Value, json};

use super::{
    CodeDeploy,
    record::{Deployment, Registered, Scope, State, Status, Stop, revision_json},
    request,
};
use crate::{aws::S3Location, clock, error::ApiError};

/// CodeDeploy's own configurations for EC2.
const CONFIGURATIONS: [&str; 3] =
    ["CodeDeployDefault.AllAtOnce", "CodeDeployDefault.HalfAtATime", "CodeDeployDefault.OneAtATime"];

/// Members of a request that `GetDeployment` returns as they came.
const PASSED_ON: [&str; 4] =
    ["autoRollbackConfiguration", "overrideAlarmConfiguration", "ec2DeploymentOptions", "targetInstances"];

const SUSPENDABLE: [&str; 4] = ["Terminate", "AZRebalance", "InstanceRefresh", "ScheduledActions"];

/// What a deployment starts from, whoever creates it.
pub(super) struct Order {
    pub(super) application: String,
    pub(super) group: String,
    pub(super) creator: &'static str,
    pub(super) revision: S3Location,
    pub(super) scope: Scope,
    pub(super) description: Option<String>,
    pub(super) config: Option<String>,
    pub(super) ignore_application_stop_failures: bool,
    pub(super) file_exists_behavior: FileExistsBehavior,
    pub(super) passed_on: Map<String, Value>,
}

impl Order {
    /// What CodeDeploy orders by itself.
    pub(super) fn by_itself(
        creator: &'static str,
        application: &str,
        group: &str,
        revision: S3Location,
        scope: Scope,
        like: Option<&Deployment>,
    ) -> Self {
        Self {
            application: application.to_owned(),
            group: group.to_owned(),
            creator,
            revision,
            scope,
            description: None,
            config: Some("CodeDeployDefault.AllAtOnce".to_owned()),
            ignore_application_stop_failures: like.is_some_and(|like| like.ignore_application_stop_failures),
            file_exists_behavior: like.map(|like| like.file_exists_behavior).unwrap_or_default(),
            passed_on: Map::new(),
        }
    }
}

impl CodeDeploy {
    pub(super) fn create_deployment(&self, body: &Value) -> Result<Value, ApiError> {
        let application = request::application(body)?;
        self.require_application(application)?;
        let group = request::group(body)?;
        self.require_group(application, group)?;
        let order = self.order(body, application, group)?;
        let mut state = self.state();
        if let Some(active) = state.active(application, group) {
            let message =
                format!("The Deployment Group '{group}' already has an active Deployment '{}'", active.id);
            return Err(ApiError::new("DeploymentLimitExceededException", message));
        }
        let id = self.open(&mut state, order);
        drop(state);
        Ok(json!({ "deploymentId": id }))
    }

    fn order(&self, body: &Value, application: &str, group: &str) -> Result<Order, ApiError> {
        let config = request::text(body, "deploymentConfigName");
        if let Some(unknown) = config.filter(|config| !CONFIGURATIONS.contains(config)) {
            let message = format!("No deployment configuration found for name: {unknown}");
            return Err(ApiError::new("DeploymentConfigDoesNotExistException", message));
        }
        if request::text(body, "deploymentMode") == Some("RESTART") {
            let message = "RESTART needs agent 2.1; the agents here are 1.8.1";
            return Err(ApiError::new("InvalidDeploymentModeException", message));
        }
        let outdated_only = request::flag(body, "updateOutdatedInstancesOnly");
        let target_revision = self.state().group(application, group).and_then(|g| g.target_revision.clone());
        let revision = match target_revision {
            Some(revision) if outdated_only && body.get("revision").is_none_or(Value::is_null) => revision,
            _ => request::revision(body)?,
        };
        let file_exists_behavior = match request::text(body, "fileExistsBehavior") {
            None => FileExistsBehavior::default(),
            Some(word) => FileExistsBehavior::parse(word).ok_or_else(|| {
                let message = format!("{word} is not one of DISALLOW, OVERWRITE, RETAIN");
                ApiError::new("InvalidFileExistsBehaviorException", message)
            })?,
        };
        let processes = processes_to_suspend(body);
        if let Some(wrong) = processes.iter().find(|process| !SUSPENDABLE.contains(&process.as_str())) {
            let message = format!("{wrong} is not one of {}", SUSPENDABLE.join(", "));
            return Err(ApiError::new("InvalidAutoScalingGroupProcessToSuspendException", message));
        }
        let given =
            |key: &&str| body.get(*key).filter(|v| !v.is_null()).map(|v| ((*key).to_owned(), v.clone()));
        Ok(Order {
            application: application.to_owned(),
            group: group.to_owned(),
            creator: "user",
            revision,
            scope: if outdated_only { Scope::Outdated } else { Scope::Group },
            description: request::description(body)?,
            config: config.map(str::to_owned),
            ignore_application_stop_failures: request::flag(body, "ignoreApplicationStopFailures"),
            file_exists_behavior,
            passed_on: PASSED_ON.iter().filter_map(given).collect(),
        })
    }

    /// Records a deployment and sets it going.
    pub(super) fn open(&self, state: &mut State, order: Order) -> String {
        let now = clock::now();
        let id = state.free_id();
        let number = state.deployments.len();
        register(state, &order.application, &order.revision, Some(&order.group), None);
        let (group_id, config, previous_revision) = match state.group(&order.application, &order.group) {
            Some(record) => {
                record.last_attempted = Some(id.clone());
                (
                    record.group.id.clone(),
                    record.group.deployment_config.clone(),
                    record.target_revision.clone(),
                )
            }
            None => Default::default(),
        };
        let deployment = Deployment {
            id: id.clone(),
            number,
            application: order.application,
            group: order.group,
            group_id,
            config: order.config.unwrap_or(config),
            revision: order.revision,
            previous_revision,
            description: order.description,
            creator: order.creator,
            status: Status::Created,
            created: now,
            started: None,
            completed: None,
            error: None,
            ignore_application_stop_failures: order.ignore_application_stop_failures,
            file_exists_behavior: order.file_exists_behavior,
            scope: order.scope,
            passed_on: order.passed_on,
            targets: None,
            suspended: Vec::new(),
            rollback: Map::new(),
            follow_ons: Vec::new(),
            root: None,
            stopping: None,
            at_rest: false,
        };
        state.deployments.insert(id.clone(), deployment);
        let (service, running) = (self.clone(), id.clone());
        tokio::spawn(async move { service.run(&running).await });
        self.changed();
        id
    }

    /// No event begins any more, and a hook that runs goes on to its end. The deployment has stopped when none runs any
    /// more, or at [`crate::Pace::stop`].
    pub(super) fn stop_deployment(&self, body: &Value) -> Result<Value, ApiError> {
        let id = request::deployment_id(body)?;
        let waits = {
            let mut state = self.state();
            let deployment = state.deployments.get_mut(id).ok_or_else(|| request::unknown_deployment(id))?;
            if !deployment.status.is_active() {
                let message =
                    format!("The deployment {id} has already ended as {}", deployment.status.as_str());
                return Err(ApiError::new("DeploymentAlreadyCompletedException", message));
            }
            let roll_back = body.get("autoRollbackEnabled").and_then(Value::as_bool);
            deployment.stopping = Some(Stop { roll_back });
            deployment.status == Status::InProgress && !self.inner.settings.pace.stop.is_zero()
        };
        if !waits {
            self.stopped(id);
            return Ok(json!({
                "status": "Succeeded",
                "statusMessage": "No more commands will be scheduled for execution in the deployment instances",
            }));
        }
        let (service, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move {
            // When its hooks end before, it ends by itself.
            tokio::time::sleep(service.inner.settings.pace.stop).await;
            service.stopped(&id);
        });
        Ok(json!({ "status": "Pending", "statusMessage": "The deployment is being stopped" }))
    }

    /// A deployment that is being stopped has stopped, if it has not ended yet.
    pub(super) fn stopped(&self, id: &str) {
        let now = clock::now();
        let deployment = {
            let mut state = self.state();
            let Some(deployment) = state.deployments.get_mut(id).filter(|d| d.status.is_active()) else {
                return;
            };
            deployment.status = Status::Stopped;
            deployment.completed = Some(now);
            deployment.error = Some(("MANUAL_STOP", "The deployment was stopped by a user".to_owned()));
            for target in deployment.targets.iter_mut().flatten() {
                target.skip_the_rest(now);
                if target.status == Status::Pending {
                    target.status = Status::Skipped;
                }
            }
            deployment.clone()
        };
        self.publish(&deployment, "STOP", None);
        self.changed();
        let service = self.clone();
        let asked = deployment.stopping.and_then(|stop| stop.roll_back);
        let roll_back = asked.unwrap_or_else(|| rolls_back_on(&deployment, "DEPLOYMENT_STOP_ON_REQUEST"));
        tokio::spawn(async move {
            tokio::time::sleep(service.inner.settings.pace.resumed).await;
            if let Err(reason) = service.resume(&deployment.id).await {
                tracing::warn!(deployment = deployment.id, reason, "Auto Scaling's processes stay suspended");
            }
            if roll_back {
                service.roll_back(&deployment.id);
            }
        });
    }

    /// Deploys the last successful revision again, as automatic rollback does; nothing when there is none.
    pub(super) fn roll_back(&self, failed_id: &str) {
        let mut state = self.state();
        let Some(failed) = state.deployments.get(failed_id).cloned() else { return };
        if failed.creator == "codeDeployRollback" {
            return;
        }
        let target =
            state.group(&failed.application, &failed.group).and_then(|group| group.target_revision.clone());
        let Some(revision) = target else { return };
        let order = Order::by_itself(
            "codeDeployRollback",
            &failed.application,
            &failed.group,
            revision,
            Scope::Group,
            Some(&failed),
        );
        let id = self.open(&mut state, order);
        if let Some(rollback) = state.deployments.get_mut(&id) {
            rollback.rollback.insert("rollbackTriggeringDeploymentId".to_owned(), json!(failed_id));
        }
        if let Some(failed) = state.deployments.get_mut(failed_id) {
            failed.rollback.insert("rollbackDeploymentId".to_owned(), json!(id));
        }
    }

    pub(super) fn register_application_revision(&self, body: &Value) -> Result<Value, ApiError> {
        let application = request::application(body)?;
        self.require_application(application)?;
        let revision = request::revision(body)?;
        let description = request::description(body)?;
        register(&mut self.state(), application, &revision, None, description);
        Ok(json!({}))
    }

    pub(super) fn get_application_revision(&self, body: &Value) -> Result<Value, ApiError> {
        let application = request::application(body)?;
        self.require_application(application)?;
        let revision = request::revision(body)?;
        let state = self.state();
        let found = state.revisions.iter().find(|r| r.application == application && r.revision == revision);
        let found = found.ok_or_else(|| {
            let message =
                format!("No revision {}/{} is registered with {application}", revision.bucket, revision.key);
            ApiError::new("RevisionDoesNotExistException", message)
        })?;
        Ok(json!({
            "applicationName": application,
            "revision": revision_json(&revision),
            "revisionInfo": found.to_json(),
        }))
    }

    /// Belongs to ECS and Lambda deployments; on EC2 it is refused.
    pub(super) fn put_hook_status(&self, body: &Value) -> Result<Value, ApiError> {
        let id = request::deployment_id(body)?;
        let mut state = self.state();
        if state.deployments.contains_key(id) {
            let message = format!("The deployment {id} is on EC2 instances, whose hooks are scripts");
            return Err(ApiError::new("UnsupportedActionForDeploymentTypeException", message));
        }
        if !state.hook_answers.keys().any(|(deployment, _)| deployment == id) {
            return Err(request::unknown_deployment(id));
        }
        let status = request::text(body, "status").unwrap_or_default();
        if !matches!(status, "Succeeded" | "Failed") {
            let message = format!("The status must be Succeeded or Failed, not '{status}'");
            return Err(ApiError::new("InvalidLifecycleEventHookExecutionStatusException", message));
        }
        let execution = request::text(body, "lifecycleEventHookExecutionId").unwrap_or_default();
        match state.hook_answers.get_mut(&(id.to_owned(), execution.to_owned())) {
            None => Err(ApiError::new(
                "InvalidLifecycleEventHookExecutionIdException",
                format!("The deployment {id} waits for no hook execution '{execution}'"),
            )),
            Some(Some(answer)) => Err(ApiError::new(
                "LifecycleEventAlreadyCompletedException",
                format!("The hook execution was already answered with {answer}"),
            )),
            Some(answer) => {
                *answer = Some(status.to_owned());
                Ok(json!({ "lifecycleEventHookExecutionId": execution }))
            }
        }
    }
}

pub(super) fn processes_to_suspend(body: &Value) -> Vec<String> {
    let list =
        body.pointer("/ec2DeploymentOptions/autoScalingGroupProcessesToSuspend").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether the deployment's own configuration asks for a rollback on that.
pub(super) fn rolls_back_on(deployment: &Deployment, event: &str) -> bool {
    let Some(configuration) = deployment.passed_on.get("autoRollbackConfiguration") else { return false };
    let events = configuration.get("events").and_then(Value::as_array);
    request::flag(configuration, "enabled") && events.is_some_and(|events| events.iter().any(|e| e == event))
}

fn register(
    state: &mut State,
    application: &str,
    revision: &S3Location,
    used_by: Option<&str>,
    description: Option<String>,
) {
    let now = clock::now();
    let known = state.revisions.iter().position(|r| r.application == application && r.revision == *revision);
    let at = known.unwrap_or_else(|| {
        state.revisions.push(Registered {
            application: application.to_owned(),
            revision: revision.clone(),
            description: None,
            time: now,
            first_used: None,
            last_used: None,
            groups: BTreeSet::new(),
        });
        state.revisions.len() - 1
    });
    if let Some(registered) = state.revisions.get_mut(at) {
        registered.description = description.or(registered.description.take());
        if let Some(group) = used_by {
            registered.first_used = registered.first_used.or(Some(now));
            registered.last_used = Some(now);
            registered.groups.insert(group.to_owned());
        }
    }
}
