//! CodeDeploy's own Lambda hook (ECS and Lambda deployments): answered exactly once on every path.
//!
//! Silence costs the user an hour: CodeDeploy waits that long for
//! `PutLifecycleEventHookExecutionStatus` before it fails the deployment (codedeploy user guide,
//! reference-appspec-file-structure-hooks). It accepts only `Succeeded` and `Failed`.

use futures::FutureExt;
use greenlight::failure::{Class, Failure, chain};
use greenlight::ports::Ports;
use greenlight::settings::Settings;
use release::{Colour, ServiceName, TargetHealth};
use std::future::Future;
use std::panic::AssertUnwindSafe;

/// What CodeDeploy is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookStatus {
    /// `Succeeded`.
    Succeeded,
    /// `Failed`.
    Failed,
}

/// What the application of this stack's own functions adds to the name of the services' (`template.yaml`). A stack's name
/// has no dot.
const OF_FUNCTIONS: &str = ".functions";

/// CodeDeploy's deployments to Lambda and ECS.
pub trait HookExecutions: Sync {
    /// Whether a deployment is of this application. One that this function may not read is of another.
    fn is_of(
        &self,
        application: &str,
        deployment_id: &str,
    ) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// Tells it. An execution that was told already is no failure.
    fn put_status(
        &self,
        deployment_id: &str,
        execution_id: &str,
        status: HookStatus,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Checks and tells CodeDeploy, whatever happens on the way: of a deployment of this function itself, whether it can read
/// what it works on; of any other, the target groups.
///
/// # Errors
/// When CodeDeploy could not be told: Lambda retries, and the deployment still waits.
pub async fn answer_once(
    ports: &(impl Ports + HookExecutions),
    settings: &Settings,
    deployment_id: &str,
    execution_id: &str,
) -> Result<(), Failure> {
    let checked = AssertUnwindSafe(check(ports, settings, deployment_id)).catch_unwind().await;
    let (status, why) = match checked {
        Ok(Ok(why)) => (HookStatus::Succeeded, why.to_owned()),
        Ok(Err(failure)) => (HookStatus::Failed, chain(&failure)),
        Err(_) => (HookStatus::Failed, "the check panicked: see the log above".to_owned()),
    };
    // The execution's id is the right to answer: it stays out of the log.
    tracing::info!(deployment_id, decision = ?status, reason = why, "answers CodeDeploy's hook");
    ports.put_status(deployment_id, execution_id, status).await
}

async fn check(
    ports: &(impl Ports + HookExecutions),
    settings: &Settings,
    deployment_id: &str,
) -> Result<&'static str, Failure> {
    let own = format!("{}{OF_FUNCTIONS}", settings.application);
    if ports.is_of(&own, deployment_id).await? {
        can_work(ports, settings).await?;
        Ok("this version reads its settings and every ledger")
    } else {
        is_healthy(ports, settings).await?;
        Ok("every live target is healthy")
    }
}

/// Whether this version would get as far as a decision. It looks at no target: a sick service is no reason against a version
/// of Greenlight, and there may be no live colour yet. Nor is a ledger of a newer format, because the way back to this version
/// leads through here too; it is known what such a ledger makes of hooks and alarms.
async fn can_work(ports: &impl Ports, settings: &Settings) -> Result<(), Failure> {
    if let Some(fault) = settings.faults.first() {
        let message = format!("a setting is wrong, and this version would open no release: {fault}");
        return Err(Failure::new(Class::Permanent, message));
    }
    for service in settings.services.keys() {
        match ports.read_ledger(service).await {
            Err(failure) if failure.newer_schema().is_none() => return Err(failure),
            Err(_) | Ok(_) => {}
        }
    }
    Ok(())
}

async fn is_healthy(ports: &impl Ports, settings: &Settings) -> Result<(), Failure> {
    for service in settings.services.keys() {
        let rules = ports.rules(service).await?;
        for colour in Colour::BOTH.into_iter().filter(|colour| rules.base.gives(*colour)) {
            let targets = ports.target_health(service, colour).await?;
            judge(service, colour, targets.values().copied())?;
        }
    }
    Ok(())
}

fn judge(
    service: &ServiceName,
    colour: Colour,
    targets: impl Iterator<Item = TargetHealth>,
) -> Result<(), Failure> {
    let (mut healthy, mut unhealthy) = (0, 0);
    for health in targets {
        match health {
            TargetHealth::Healthy => healthy += 1,
            TargetHealth::Unhealthy => unhealthy += 1,
            TargetHealth::Unproven | TargetHealth::Gone => {}
        }
    }
    if healthy == 0 || unhealthy > 0 {
        let message = format!(
            "{service}'s live colour {colour} has {healthy} healthy and {unhealthy} unhealthy targets: see the target group's reason codes"
        );
        return Err(Failure::new(Class::Permanent, message));
    }
    Ok(())
}
