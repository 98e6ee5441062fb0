//! CodeDeploy's deployments of a service.

use super::Aws;
use super::classify::{failed, failure, incomplete};
use super::target_status::target_status;
use crate::failure::{Class, Failure};
use crate::ports::{Deployments, PortResult};
use aws_sdk_codedeploy::operation::batch_get_deployment_targets::BatchGetDeploymentTargetsError;
use aws_sdk_codedeploy::operation::create_deployment::CreateDeploymentError;
use aws_sdk_codedeploy::operation::get_deployment::GetDeploymentError;
use aws_sdk_codedeploy::operation::list_deployment_targets::ListDeploymentTargetsError;
use aws_sdk_codedeploy::operation::list_deployments::builders::ListDeploymentsFluentBuilder as ListDeployments;
use aws_sdk_codedeploy::operation::stop_deployment::StopDeploymentError;
use aws_sdk_codedeploy::types::{
    AutoRollbackConfiguration, AutoScalingGroupProcess, BundleType, DeploymentCreator, DeploymentInfo,
    DeploymentOverview, DeploymentStatus as Status, Ec2DeploymentOptions, FileExistsBehavior,
    RevisionLocation, RevisionLocationType, S3Location, TimeRange,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::retry::RetryConfig;
use jiff::Timestamp;
use release::{
    Creator, Deployment, DeploymentId, DeploymentStatus, Description, InstanceId, Revision, ServiceName,
    Target,
};
use std::time::Duration;

/// The most that `BatchGetDeployments` takes (CodeDeploy API reference).
const DEPLOYMENTS_PER_CALL: usize = 25;

/// How far CodeDeploy's clock may be behind that of the function that opened a release.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// The most that `BatchGetDeploymentTargets` takes (CodeDeploy API reference).
const TARGETS_PER_CALL: usize = 25;

/// The statuses in which a deployment may still change instances (CodeDeploy API reference, `DeploymentStatus`).
const ACTIVE: [Status; 5] =
    [Status::Created, Status::Queued, Status::InProgress, Status::Baking, Status::Ready];

impl Deployments for Aws {
    async fn deployment(&self, id: &DeploymentId) -> PortResult<Option<Deployment>> {
        let attempt = format!("reading deployment {id}");
        let output = match self.codedeploy.get_deployment().deployment_id(&id.0).send().await {
            Ok(output) => output,
            Err(error) if error.as_service_error().is_some_and(is_not_known) => return Ok(None),
            Err(error) => return Err(failure(attempt, error)),
        };
        let info = output.deployment_info.ok_or_else(|| incomplete(&attempt, "the deployment"))?;
        if info.application_name.as_ref().is_some_and(|application| *application != self.settings.application)
        {
            return Ok(None);
        }
        described(info, &attempt).map(Some)
    }

    /// `ListDeployments` and `BatchGetDeployments`, of those that were created after this release opened. The list may
    /// lag behind. If it does not have the deployment yet, a pass creates it once more, and CodeDeploy refuses the
    /// second one, because the group has an active one.
    async fn find_deployment(
        &self,
        description: &Description,
        opened_at: Timestamp,
    ) -> PortResult<Option<Deployment>> {
        let group = &self.service(&description.service)?.deployment_group;
        let attempt = format!("looking for a deployment of group {group} described as \"{description}\"");
        let since_opened = |list: ListDeployments| {
            let start = DateTime::from_secs((opened_at - CLOCK_SKEW).as_second());
            list.create_time_range(TimeRange::builder().start(start).build())
        };
        let wanted = description.to_string();
        let is_wanted = |info: &DeploymentInfo| info.description.as_ref() == Some(&wanted);
        let found = self.first_listed(group, since_opened, is_wanted, &attempt).await?;
        found.map(|info| described(info, &attempt)).transpose()
    }

    /// `ListDeployments` by status and `BatchGetDeployments`. A group has one active deployment at most (CodeDeploy
    /// user guide, limits).
    async fn active_deployment(&self, service: &ServiceName) -> PortResult<Option<Deployment>> {
        let group = &self.service(service)?.deployment_group;
        let attempt = format!("looking for the active deployment of group {group}");
        let active = |list: ListDeployments| list.set_include_only_statuses(Some(ACTIVE.to_vec()));
        let is_active = |info: &DeploymentInfo| {
            info.status.as_ref().is_none_or(|status| deployment_status(status) == DeploymentStatus::Active)
        };
        let found = self.first_listed(group, active, is_active, &attempt).await?;
        found.map(|info| described(info, &attempt)).transpose()
    }

    async fn deployment_targets(&self, id: &DeploymentId) -> PortResult<Vec<Target>> {
        let attempt = format!("reading the targets of deployment {id}");
        let mut targets = Vec::new();
        for ids in self.target_ids(id, &attempt).await?.chunks(TARGETS_PER_CALL) {
            let call = self
                .codedeploy
                .batch_get_deployment_targets()
                .deployment_id(&id.0)
                .set_target_ids(Some(ids.to_vec()));
            let output = match call.send().await {
                Ok(output) => output,
                Err(error)
                    if matches!(
                        error.as_service_error(),
                        Some(BatchGetDeploymentTargetsError::DeploymentNotStartedException(_))
                    ) =>
                {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(failure(attempt, error)),
            };
            for target in output.deployment_targets.unwrap_or_default() {
                let target =
                    target.instance_target.ok_or_else(|| incomplete(&attempt, "an instance target"))?;
                let instance =
                    target.target_id.clone().ok_or_else(|| incomplete(&attempt, "a target's id"))?;
                targets.push(Target { instance: InstanceId(instance), status: target_status(&target) });
            }
        }
        Ok(targets)
    }

    /// The one call that the SDK never repeats, because it takes no token. After a lost reply the next pass looks for
    /// the deployment with [`Self::find_deployment`]. `overrideAlarmConfiguration` is not set: it would require
    /// `codedeploy:UpdateDeploymentGroup` (CodeDeploy user guide, permissions reference), and the group has no alarms.
    async fn create_deployment(
        &self,
        description: &Description,
        revision: &Revision,
    ) -> PortResult<DeploymentId> {
        let group = &self.service(&description.service)?.deployment_group;
        let attempt = format!("creating the deployment of {revision} in group {group}");
        let call = self
            .codedeploy
            .create_deployment()
            .application_name(&self.settings.application)
            .deployment_group_name(group)
            .description(description.to_string())
            .revision(location(revision))
            .deployment_config_name("CodeDeployDefault.AllAtOnce")
            .file_exists_behavior(FileExistsBehavior::Overwrite)
            .ignore_application_stop_failures(true)
            .auto_rollback_configuration(AutoRollbackConfiguration::builder().enabled(false).build())
            .ec2_deployment_options(suspended_processes());
        let once = aws_sdk_codedeploy::config::Builder::new().retry_config(RetryConfig::disabled());
        match call.customize().config_override(once).send().await {
            Ok(output) => output
                .deployment_id
                .map(DeploymentId)
                .ok_or_else(|| incomplete(attempt, "the deployment's id")),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(CreateDeploymentError::DeploymentLimitExceededException(_))
                ) =>
            {
                let next = "another deployment of the group is active: it is waited for";
                Err(failed(Class::Conflict, attempt, next, error))
            }
            Err(error) => Err(failure(attempt, error)),
        }
    }

    async fn stop_deployment(&self, id: &DeploymentId) -> PortResult<()> {
        match self.codedeploy.stop_deployment().deployment_id(&id.0).auto_rollback_enabled(false).send().await
        {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(StopDeploymentError::DeploymentAlreadyCompletedException(_))
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(failure(format!("stopping deployment {id}"), error)),
        }
    }
}

impl Aws {
    /// The first deployment of a group that fits, on every page: nothing is said of their order, and Auto Scaling may
    /// have created many.
    async fn first_listed(
        &self,
        group: &str,
        which: impl Fn(ListDeployments) -> ListDeployments,
        fits: impl Fn(&DeploymentInfo) -> bool,
        attempt: &str,
    ) -> Result<Option<DeploymentInfo>, Failure> {
        let mut page = None;
        loop {
            let list = self
                .codedeploy
                .list_deployments()
                .application_name(&self.settings.application)
                .deployment_group_name(group)
                .set_next_token(page);
            let listed = which(list).send().await.map_err(|error| failure(attempt, error))?;
            for ids in listed.deployments.unwrap_or_default().chunks(DEPLOYMENTS_PER_CALL) {
                let batch = self.codedeploy.batch_get_deployments().set_deployment_ids(Some(ids.to_vec()));
                let output = batch.send().await.map_err(|error| failure(attempt, error))?;
                if let Some(found) = output.deployments_info.unwrap_or_default().into_iter().find(&fits) {
                    return Ok(Some(found));
                }
            }
            page = listed.next_token;
            if page.is_none() {
                return Ok(None);
            }
        }
    }

    /// Every page; empty while CodeDeploy has not started the deployment.
    async fn target_ids(&self, id: &DeploymentId, attempt: &str) -> Result<Vec<String>, Failure> {
        let mut ids = Vec::new();
        let mut page = None;
        loop {
            let call = self.codedeploy.list_deployment_targets().deployment_id(&id.0).set_next_token(page);
            let output = match call.send().await {
                Ok(output) => output,
                Err(error)
                    if matches!(
                        error.as_service_error(),
                        Some(ListDeploymentTargetsError::DeploymentNotStartedException(_))
                    ) =>
                {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(failure(attempt, error)),
            };
            ids.extend(output.target_ids.unwrap_or_default());
            page = output.next_token;
            if page.is_none() {
                return Ok(ids);
            }
        }
    }
}

fn is_not_known(error: &GetDeploymentError) -> bool {
    // A hook's payload is a hint: an id that CodeDeploy would never have given out is unknown too.
    matches!(
        error,
        GetDeploymentError::DeploymentDoesNotExistException(_)
            | GetDeploymentError::InvalidDeploymentIdException(_)
    )
}

fn described(info: DeploymentInfo, attempt: &str) -> Result<Deployment, Failure> {
    let id = info.deployment_id.ok_or_else(|| incomplete(attempt, "the deployment's id"))?;
    let status = info.status.as_ref().ok_or_else(|| incomplete(attempt, "the deployment's status"))?;
    let creator = info.creator.as_ref().ok_or_else(|| incomplete(attempt, "the deployment's creator"))?;
    let error = info.error_information.map(|error| {
        let code = error.code.as_ref().map_or("no code", |code| code.as_str());
        format!("{code}: {}", error.message.as_deref().unwrap_or("no message"))
    });
    let failed = info
        .deployment_overview
        .as_ref()
        .map_or(0, |DeploymentOverview { failed, skipped, .. }| failed + skipped);
    let group = info.deployment_group_name.ok_or_else(|| incomplete(attempt, "the deployment's group"))?;
    Ok(Deployment {
        id: DeploymentId(id),
        group,
        status: deployment_status(status),
        creator: match creator {
            DeploymentCreator::User => Creator::User,
            other => Creator::Service(other.as_str().to_owned()),
        },
        description: info.description.and_then(|text| text.parse().ok()),
        error,
        failed: u32::try_from(failed).unwrap_or(0),
    })
}

fn deployment_status(status: &Status) -> DeploymentStatus {
    match status {
        Status::Succeeded => DeploymentStatus::Succeeded,
        Status::Failed => DeploymentStatus::Failed,
        Status::Stopped => DeploymentStatus::Stopped,
        // Created, Queued, InProgress, Baking, Ready; one that AWS adds later may change instances too.
        _ => DeploymentStatus::Active,
    }
}

fn location(revision: &Revision) -> RevisionLocation {
    let object = S3Location::builder()
        .bucket(&revision.bucket)
        .key(&revision.key)
        .bundle_type(BundleType::Zip)
        .version(&revision.version)
        .e_tag(&revision.etag);
    RevisionLocation::builder().revision_type(RevisionLocationType::S3).s3_location(object.build()).build()
}

/// An instance that goes away inside a hook keeps a deployment open for up to an hour, so scale-in waits.
fn suspended_processes() -> Ec2DeploymentOptions {
    Ec2DeploymentOptions::builder()
        .auto_scaling_group_processes_to_suspend(AutoScalingGroupProcess::Terminate)
        .auto_scaling_group_processes_to_suspend(AutoScalingGroupProcess::AzRebalance)
        .auto_scaling_group_processes_to_suspend(AutoScalingGroupProcess::InstanceRefresh)
        .auto_scaling_group_processes_to_suspend(AutoScalingGroupProcess::ScheduledActions)
        .build()
}

#[cfg(test)]
mod tests;
