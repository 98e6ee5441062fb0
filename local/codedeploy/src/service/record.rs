//! What the service remembers, and how the API shows it.

use std::collections::{BTreeMap, BTreeSet};

use appspec::FileExistsBehavior;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    aws::S3Location,
    clock::epoch_seconds,
    diagnostics::Diagnostics,
    ids,
    lifecycle_events::LIFECYCLE_EVENTS,
    settings::{Group, OutdatedInstances},
};

/// A deployment's, target's or event's status; each uses some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    Created,
    Queued,
    InProgress,
    Succeeded,
    Failed,
    Stopped,
    Skipped,
}

impl Status {
    pub(crate) const DEPLOYMENT: [&'static str; 8] =
        ["Created", "Queued", "InProgress", "Baking", "Succeeded", "Failed", "Stopped", "Ready"];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Created => "Created",
            Self::Queued => "Queued",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
            Self::Skipped => "Skipped",
        }
    }

    /// Whether a deployment with it is the group's active one.
    pub(crate) fn is_active(self) -> bool {
        matches!(self, Self::Created | Self::Queued | Self::InProgress)
    }
}

/// One lifecycle event on one instance.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) name: &'static str,
    pub(crate) status: Status,
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    pub(crate) diagnostics: Option<Diagnostics>,
}

/// One instance of a deployment.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) instance_id: String,
    pub(crate) status: Status,
    pub(crate) updated: Timestamp,
    pub(crate) events: Vec<Event>,
}

impl Target {
    pub(crate) fn new(instance_id: String, now: Timestamp) -> Self {
        let event = |name| Event { name, status: Status::Pending, start: None, end: None, diagnostics: None };
        Self {
            instance_id,
            status: Status::Pending,
            updated: now,
            events: LIFECYCLE_EVENTS.map(event).to_vec(),
        }
    }

    /// What has not begun never will.
    pub(crate) fn skip_the_rest(&mut self, now: Timestamp) {
        self.updated = now;
        for event in self.events.iter_mut().filter(|event| event.status == Status::Pending) {
            event.status = Status::Skipped;
        }
    }

    pub(crate) fn to_json(&self, deployment_id: &str, arn: &str) -> Value {
        let events: Vec<_> = self.events.iter().map(Event::to_json).collect();
        json!({
            "deploymentTargetType": "InstanceTarget",
            "instanceTarget": {
                "deploymentId": deployment_id,
                "targetId": self.instance_id,
                "targetArn": arn,
                "status": self.status.as_str(),
                "lastUpdatedAt": epoch_seconds(self.updated),
                "lifecycleEvents": events,
            },
        })
    }
}

impl Event {
    fn to_json(&self) -> Value {
        let mut event = json!({ "lifecycleEventName": self.name, "status": self.status.as_str() });
        set_time(&mut event, "startTime", self.start);
        set_time(&mut event, "endTime", self.end);
        if let Some(diagnostics) = &self.diagnostics {
            event["diagnostics"] = json!({
                "errorCode": diagnostics.error_code.as_str(),
                "scriptName": diagnostics.script_name,
                "message": diagnostics.message,
                "logTail": diagnostics.log_tail,
            });
        }
        event
    }
}

fn set_time(object: &mut Value, key: &str, time: Option<Timestamp>) {
    if let Some(time) = time {
        object[key] = epoch_seconds(time);
    }
}

/// Which instances a deployment goes to.
#[derive(Debug, Clone)]
pub(crate) enum Scope {
    /// Those of the group that are in service when it starts.
    Group,
    /// Those of the group that do not have its revision yet.
    Outdated,
    /// These.
    Instances(Vec<String>),
}

/// What `StopDeployment` has asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    /// Whether a rollback follows; the deployment's own configuration says so where this says nothing.
    pub(crate) roll_back: Option<bool>,
}

/// One deployment.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    /// Counts creations, for lists.
    pub(crate) number: usize,
    pub(crate) application: String,
    pub(crate) group: String,
    pub(crate) group_id: String,
    pub(crate) config: String,
    pub(crate) revision: S3Location,
    pub(crate) previous_revision: Option<S3Location>,
    pub(crate) description: Option<String>,
    pub(crate) creator: &'static str,
    pub(crate) status: Status,
    pub(crate) created: Timestamp,
    pub(crate) started: Option<Timestamp>,
    pub(crate) completed: Option<Timestamp>,
    pub(crate) error: Option<(&'static str, String)>,
    pub(crate) ignore_application_stop_failures: bool,
    pub(crate) file_exists_behavior: FileExistsBehavior,
    pub(crate) scope: Scope,
    /// Members of the request that are kept as they came: rollback, alarms, EC2 options.
    pub(crate) passed_on: Map<String, Value>,
    /// Fixed when the deployment starts.
    pub(crate) targets: Option<Vec<Target>>,
    /// Auto Scaling processes to resume, by group.
    pub(crate) suspended: Vec<(String, Vec<String>)>,
    pub(crate) rollback: Map<String, Value>,
    pub(crate) follow_ons: Vec<String>,
    pub(crate) root: Option<String>,
    /// It is being stopped.
    pub(crate) stopping: Option<Stop>,
    /// Ended, and no hook of it is running any more.
    pub(crate) at_rest: bool,
}

impl Deployment {
    pub(crate) fn target(&mut self, instance_id: &str) -> Option<&mut Target> {
        self.targets.iter_mut().flatten().find(|target| target.instance_id == instance_id)
    }

    pub(crate) fn count(&self, status: Status) -> usize {
        self.targets.iter().flatten().filter(|target| target.status == status).count()
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut info = json!({
            "applicationName": self.application,
            "deploymentGroupName": self.group,
            "deploymentConfigName": self.config,
            "deploymentId": self.id,
            "revision": revision_json(&self.revision),
            "status": self.status.as_str(),
            "createTime": epoch_seconds(self.created),
            "deploymentOverview": self.overview(),
            "creator": self.creator,
            "ignoreApplicationStopFailures": self.ignore_application_stop_failures,
            "updateOutdatedInstancesOnly": matches!(self.scope, Scope::Outdated),
            "deploymentStyle": { "deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL" },
            "instanceTerminationWaitTimeStarted": false,
            "fileExistsBehavior": self.file_exists_behavior.as_str(),
            "deploymentStatusMessages": [],
            "computePlatform": "Server",
        });
        set_time(&mut info, "startTime", self.started);
        set_time(&mut info, "completeTime", self.completed);
        if let Some(previous) = &self.previous_revision {
            info["previousRevision"] = revision_json(previous);
        }
        if let Some(description) = &self.description {
            info["description"] = json!(description);
        }
        if let Some((code, message)) = &self.error {
            info["errorInformation"] = json!({ "code": code, "message": message });
        }
        if !self.rollback.is_empty() {
            info["rollbackInfo"] = Value::Object(self.rollback.clone());
        }
        if !self.follow_ons.is_empty() || self.root.is_some() {
            let mut related = json!({ "autoUpdateOutdatedInstancesDeploymentIds": self.follow_ons });
            if let Some(root) = &self.root {
                related["autoUpdateOutdatedInstancesRootDeploymentId"] = json!(root);
            }
            info["relatedDeployments"] = related;
        }
        for (key, value) in &self.passed_on {
            info[key] = value.clone();
        }
        info
    }

    fn overview(&self) -> Value {
        let mut overview = json!({ "Ready": 0 });
        for status in
            [Status::Pending, Status::InProgress, Status::Succeeded, Status::Failed, Status::Skipped]
        {
            overview[status.as_str()] = json!(self.count(status));
        }
        overview
    }

    /// `lastSuccessfulDeployment` and `lastAttemptedDeployment` of the group.
    fn as_last(&self) -> Value {
        let mut last = json!({
            "deploymentId": self.id,
            "status": self.status.as_str(),
            "createTime": epoch_seconds(self.created),
        });
        set_time(&mut last, "endTime", self.completed);
        last
    }
}

pub(crate) fn revision_json(revision: &S3Location) -> Value {
    json!({ "revisionType": "S3", "s3Location": revision })
}

/// A registered revision of an application.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) application: String,
    pub(crate) revision: S3Location,
    pub(crate) description: Option<String>,
    pub(crate) time: Timestamp,
    pub(crate) first_used: Option<Timestamp>,
    pub(crate) last_used: Option<Timestamp>,
    pub(crate) groups: BTreeSet<String>,
}

impl Registered {
    pub(crate) fn to_json(&self) -> Value {
        let mut info = json!({ "deploymentGroups": self.groups, "registerTime": epoch_seconds(self.time) });
        if let Some(description) = &self.description {
            info["description"] = json!(description);
        }
        set_time(&mut info, "firstUsedTime", self.first_used);
        set_time(&mut info, "lastUsedTime", self.last_used);
        info
    }
}

/// A group with what has happened to it.
#[derive(Debug, Clone)]
pub(crate) struct GroupRecord {
    pub(crate) group: Group,
    pub(crate) target_revision: Option<S3Location>,
    pub(crate) last_successful: Option<String>,
    pub(crate) last_attempted: Option<String>,
    /// What each instance has installed last, successfully.
    pub(crate) installed: BTreeMap<String, S3Location>,
    /// Instances that were launched while a deployment ran, and have had no other deployment since.
    pub(crate) launched_meanwhile: BTreeSet<String>,
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) groups: Vec<GroupRecord>,
    pub(crate) deployments: BTreeMap<String, Deployment>,
    pub(crate) revisions: Vec<Registered>,
    /// Answers of Lambda hooks by deployment and execution.
    pub(crate) hook_answers: BTreeMap<(String, String), Option<String>>,
}

impl State {
    pub(crate) fn new(groups: &[Group]) -> Self {
        let record = |group: &Group| GroupRecord {
            group: group.clone(),
            target_revision: None,
            last_successful: None,
            last_attempted: None,
            installed: BTreeMap::new(),
            launched_meanwhile: BTreeSet::new(),
        };
        Self { groups: groups.iter().map(record).collect(), ..Self::default() }
    }

    pub(crate) fn group(&mut self, application: &str, name: &str) -> Option<&mut GroupRecord> {
        self.groups
            .iter_mut()
            .find(|record| record.group.application == application && record.group.name == name)
    }

    /// The deployment that keeps others of the group from being created.
    pub(crate) fn active(&self, application: &str, group: &str) -> Option<&Deployment> {
        self.deployments.values().find(|deployment| {
            deployment.application == application
                && deployment.group == group
                && deployment.status.is_active()
        })
    }

    /// An id that no deployment has.
    pub(crate) fn free_id(&self) -> String {
        loop {
            let id = ids::deployment_id();
            if !self.deployments.contains_key(&id) {
                return id;
            }
        }
    }

    pub(crate) fn group_json(&self, record: &GroupRecord) -> Value {
        let group = &record.group;
        let auto_scaling: Vec<_> = group
            .auto_scaling_groups
            .iter()
            .map(|name| json!({ "name": name, "hook": format!("CodeDeploy-managed-automatic-launch-deployment-hook-{}", group.name) }))
            .collect();
        let strategy = match group.outdated_instances {
            OutdatedInstances::Update => "UPDATE",
            OutdatedInstances::Ignore => "IGNORE",
        };
        let mut info = json!({
            "applicationName": group.application,
            "deploymentGroupId": group.id,
            "deploymentGroupName": group.name,
            "deploymentConfigName": group.deployment_config,
            "ec2TagFilters": [],
            "onPremisesInstanceTagFilters": [],
            "autoScalingGroups": auto_scaling,
            "serviceRoleArn": group.service_role_arn,
            "triggerConfigurations": [],
            "deploymentStyle": { "deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL" },
            "outdatedInstancesStrategy": strategy,
            "computePlatform": "Server",
            "terminationHookEnabled": false,
        });
        if let Some(revision) = &record.target_revision {
            info["targetRevision"] = revision_json(revision);
        }
        let last = |id: &Option<String>| {
            id.as_ref().and_then(|id| self.deployments.get(id)).map(Deployment::as_last)
        };
        if let Some(last) = last(&record.last_successful) {
            info["lastSuccessfulDeployment"] = last;
        }
        if let Some(last) = last(&record.last_attempted) {
            info["lastAttemptedDeployment"] = last;
        }
        info
    }
}
