//! Operations that only read.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CodeDeploy,
    record::{Deployment, Status},
    request,
};
use crate::{clock, error::ApiError};

/// Ids in one `BatchGetDeploymentTargets`.
const MOST_TARGETS: usize = 25;
/// Ids in one `BatchGetDeployments`.
const MOST_DEPLOYMENTS: usize = 25;

/// A list's answer with its token, if there is more.
fn paged(key: &str, items: impl Into<Value>, token: Option<String>) -> Value {
    let mut answer = json!({ key: items.into() });
    if let Some(token) = token {
        answer["nextToken"] = json!(token);
    }
    answer
}

impl CodeDeploy {
    fn page<T>(&self, all: Vec<T>, body: &Value) -> Result<(Vec<T>, Option<String>), ApiError> {
        request::page(all, self.inner.settings.page_size, body)
    }

    pub(super) fn require_application(&self, name: &str) -> Result<(), ApiError> {
        if self.inner.settings.groups.iter().any(|group| group.application == name) {
            return Ok(());
        }
        Err(ApiError::new(
            "ApplicationDoesNotExistException",
            format!("No application found for name: {name}"),
        ))
    }

    pub(super) fn require_group(&self, application: &str, name: &str) -> Result<(), ApiError> {
        self.require_application(application)?;
        if self.state().group(application, name).is_some() {
            return Ok(());
        }
        let message = format!("No Deployment Group found for name: {name}");
        Err(ApiError::new("DeploymentGroupDoesNotExistException", message))
    }

    pub(super) fn get_deployment(&self, body: &Value) -> Result<Value, ApiError> {
        let id = request::deployment_id(body)?;
        let state = self.state();
        let deployment = state.deployments.get(id).ok_or_else(|| request::unknown_deployment(id))?;
        Ok(json!({ "deploymentInfo": deployment.to_json() }))
    }

    /// Ids that do not exist are left out, as AWS leaves them out.
    pub(super) fn batch_get_deployments(&self, body: &Value) -> Result<Value, ApiError> {
        let ids = request::ids(
            body,
            "deploymentIds",
            MOST_DEPLOYMENTS,
            "DeploymentIdRequiredException",
            "BatchLimitExceededException",
        )?;
        ids.iter().try_for_each(|id| request::valid_deployment_id(id).map(drop))?;
        let state = self.state();
        let infos: Vec<_> =
            ids.iter().filter_map(|id| state.deployments.get(*id)).map(Deployment::to_json).collect();
        Ok(json!({ "deploymentsInfo": infos }))
    }

    /// Newest first.
    pub(super) fn list_deployments(&self, body: &Value) -> Result<Value, ApiError> {
        let application = request::text(body, "applicationName");
        let group = request::text(body, "deploymentGroupName");
        match (application, group) {
            (Some(application), Some(group)) => self.require_group(application, group)?,
            (Some(_), None) => drop(request::group(body)?),
            (None, Some(_)) => drop(request::application(body)?),
            (None, None) => {}
        }
        let statuses = statuses(body)?;
        let (from, until) = created_between(body)?;
        let (now, pace) = (clock::now(), self.inner.settings.pace);
        let mut found: Vec<Deployment> = self
            .state()
            .deployments
            .values()
            .filter(|d| pace.listed.is_zero() || has_passed(d.created, pace.listed, now))
            .filter(|d| application.is_none_or(|name| d.application == name))
            .filter(|d| group.is_none_or(|name| d.group == name))
            .filter(|d| statuses.is_empty() || statuses.contains(&d.status.as_str()))
            .filter(|d| {
                from.is_none_or(|from| d.created >= from) && until.is_none_or(|until| d.created <= until)
            })
            .cloned()
            .collect();
        found.sort_by_key(|deployment| std::cmp::Reverse(deployment.number));
        let ids = found.into_iter().map(|deployment| deployment.id).collect();
        let (ids, token): (Vec<String>, _) = self.page(ids, body)?;
        Ok(paged("deployments", ids, token))
    }

    pub(super) fn list_deployment_targets(&self, body: &Value) -> Result<Value, ApiError> {
        let id = request::deployment_id(body)?;
        let wanted = target_statuses(body)?;
        let ids: Vec<String> = {
            let state = self.state();
            let deployment = state.deployments.get(id).ok_or_else(|| request::unknown_deployment(id))?;
            let Some(targets) = &deployment.targets else {
                return Err(ApiError::new(
                    "DeploymentNotStartedException",
                    format!("The deployment {id} has not started"),
                ));
            };
            let pace = self.inner.settings.pace.targets;
            let are_there = pace.is_zero()
                || deployment.started.is_some_and(|started| has_passed(started, pace, clock::now()));
            let targets = if are_there { targets.as_slice() } else { &[] };
            let chosen =
                targets.iter().filter(|t| wanted.as_ref().is_none_or(|w| w.contains(&t.status.as_str())));
            chosen.map(|target| target.instance_id.clone()).collect()
        };
        let (ids, token) = self.page(ids, body)?;
        Ok(paged("targetIds", ids, token))
    }

    pub(super) fn batch_get_deployment_targets(&self, body: &Value) -> Result<Value, ApiError> {
        let id = request::deployment_id(body)?;
        let ids = request::ids(
            body,
            "targetIds",
            MOST_TARGETS,
            "DeploymentTargetIdRequiredException",
            "DeploymentTargetListSizeExceededException",
        )?;
        let state = self.state();
        let deployment = state.deployments.get(id).ok_or_else(|| request::unknown_deployment(id))?;
        let Some(targets) = &deployment.targets else {
            return Err(ApiError::new(
                "DeploymentNotStartedException",
                format!("The deployment {id} has not started"),
            ));
        };
        let settings = &self.inner.settings;
        let target_json = |wanted: &&str| {
            let target = targets.iter().find(|target| target.instance_id == **wanted).ok_or_else(|| {
                let message = format!("The deployment {id} has no target {wanted}");
                ApiError::new("DeploymentTargetDoesNotExistException", message)
            })?;
            let arn = format!("arn:aws:ec2:{}:{}:instance/{wanted}", settings.region, settings.account);
            Ok(target.to_json(id, &arn))
        };
        let targets: Vec<Value> = ids.iter().map(target_json).collect::<Result<_, ApiError>>()?;
        Ok(json!({ "deploymentTargets": targets }))
    }

    pub(super) fn get_deployment_group(&self, body: &Value) -> Result<Value, ApiError> {
        let (application, name) = (request::application(body)?, request::group(body)?);
        self.require_group(application, name)?;
        let mut state = self.state();
        let record = state.group(application, name).cloned();
        Ok(json!({ "deploymentGroupInfo": record.map(|record| state.group_json(&record)) }))
    }

    pub(super) fn list_deployment_groups(&self, body: &Value) -> Result<Value, ApiError> {
        let application = request::application(body)?;
        self.require_application(application)?;
        let groups = self.inner.settings.groups.iter().filter(|group| group.application == application);
        let (names, token): (Vec<String>, _) =
            self.page(groups.map(|group| group.name.clone()).collect(), body)?;
        let mut answer = paged("deploymentGroups", names, token);
        answer["applicationName"] = json!(application);
        Ok(answer)
    }

    pub(super) fn list_applications(&self, body: &Value) -> Result<Value, ApiError> {
        let mut names: Vec<String> =
            self.inner.settings.groups.iter().map(|group| group.application.clone()).collect();
        names.sort();
        names.dedup();
        let (names, token) = self.page(names, body)?;
        Ok(paged("applications", names, token))
    }
}

/// Whether so long a time has passed since then.
fn has_passed(since: Timestamp, pace: Duration, now: Timestamp) -> bool {
    since.saturating_add(pace).is_ok_and(|until| until <= now)
}

fn words<'a>(list: Option<&'a Value>) -> Vec<&'a str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect::<Vec<&'a str>>()
}

fn statuses(body: &Value) -> Result<Vec<&str>, ApiError> {
    let statuses = words(body.get("includeOnlyStatuses"));
    match statuses.iter().find(|status| !Status::DEPLOYMENT.contains(*status)) {
        Some(wrong) => Err(ApiError::new(
            "InvalidDeploymentStatusException",
            format!("{wrong} is not a deployment status"),
        )),
        None => Ok(statuses),
    }
}

/// `targetFilters.TargetStatus`; `None` without one.
fn target_statuses(body: &Value) -> Result<Option<Vec<&str>>, ApiError> {
    let Some(filters) = body.get("targetFilters").and_then(Value::as_object) else { return Ok(None) };
    if let Some(other) =
        filters.keys().find(|key| !matches!(key.as_str(), "TargetStatus" | "ServerInstanceLabel"))
    {
        return Err(ApiError::new(
            "InvalidTargetFilterNameException",
            format!("{other} is not a target filter"),
        ));
    }
    Ok(filters.get("TargetStatus").map(|list| words(Some(list))))
}

/// `createTimeRange`, in seconds since the epoch.
fn created_between(body: &Value) -> Result<(Option<Timestamp>, Option<Timestamp>), ApiError> {
    let bound = |key: &str| -> Result<Option<Timestamp>, ApiError> {
        let Some(value) = body.pointer(&format!("/createTimeRange/{key}")).filter(|v| !v.is_null()) else {
            return Ok(None);
        };
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of any sensible date fit")]
        let millis = value.as_f64().map(|seconds| (seconds * 1000.0) as i64);
        let time = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        time.map(Some).ok_or_else(|| {
            ApiError::new(
                "InvalidTimeRangeException",
                format!("{key} of the time range is not a time: {value}"),
            )
        })
    };
    let (from, until) = (bound("start")?, bound("end")?);
    if from.zip(until).is_some_and(|(from, until)| from > until) {
        return Err(ApiError::new("InvalidTimeRangeException", "The time range ends before it starts"));
    }
    Ok((from, until))
}
