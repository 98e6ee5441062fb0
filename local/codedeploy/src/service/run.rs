//! A deployment's course: Created, Queued, `InProgress`, and how it ends.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{sync::Semaphore, task::JoinSet, time};

use super::{
    CodeDeploy,
    operations::{processes_to_suspend, rolls_back_on},
    record::{Deployment, Scope, Status, Target},
};
use crate::{
    agent::Agent, clock, diagnostics::Diagnostics, fleet::Host, lifecycle_events::LIFECYCLE_EVENTS,
    specification::Specification,
};

const NO_INSTANCES: &str = "The deployment failed because no instances were found for your deployment group. Check \
    your deployment group settings to make sure the tags for your Amazon EC2 instances or Auto Scaling groups \
    correctly identify the instances you want to deploy to, and then try again.";

const HEALTH_CONSTRAINTS: &str = "The overall deployment failed because too many individual instances failed \
    deployment, too few healthy instances are available for deployment, or some instances in your deployment group \
    are experiencing problems.";

const NO_AGENT: &str = "CodeDeploy agent was not able to receive the lifecycle event. Check the CodeDeploy agent logs \
    on your host and make sure the agent is running and can connect to the CodeDeploy server.";

/// How many instances a configuration lets be away at once. One that fails stays away, so the deployment ends when
/// as many have failed and others still wait.
fn at_once(config: &str, instances: usize) -> usize {
    let healthy = match config {
        "CodeDeployDefault.AllAtOnce" => 0,
        "CodeDeployDefault.HalfAtATime" => instances.div_ceil(2),
        _ => instances.saturating_sub(1),
    };
    (instances - healthy).max(1)
}

impl CodeDeploy {
    pub(super) async fn run(&self, id: &str) {
        time::sleep(self.inner.settings.pace.queue).await;
        self.advance(id, Status::Created, Status::Queued);
        let Some((deployment, hosts)) = self.begin(id) else { return self.rest(id) };
        if let Err(reason) = self.suspend(&deployment).await {
            self.fail(id, "AUTO_SCALING_CONFIGURATION", reason);
            return self.rest(id);
        }
        self.publish(&deployment, "START", None);
        let away = at_once(&deployment.config, hosts.len());
        let turns = Arc::new(Semaphore::new(away));
        let failed = Arc::new(AtomicUsize::new(0));
        let deployment = Arc::new(deployment);
        let mut targets = JoinSet::new();
        for host in hosts {
            let (service, deployment) = (self.clone(), Arc::clone(&deployment));
            let (turns, failed) = (Arc::clone(&turns), Arc::clone(&failed));
            targets.spawn(async move {
                let instance = host.instance().id.clone();
                let Ok(turn) = turns.acquire().await else {
                    return service.close_target(&deployment, &instance, Status::Skipped);
                };
                let status = service.deploy_to(&deployment, host).await;
                service.close_target(&deployment, &instance, status);
                if status == Status::Failed {
                    turn.forget();
                    if failed.fetch_add(1, Ordering::AcqRel) + 1 == away {
                        turns.close();
                    }
                }
            });
        }
        targets.join_all().await;
        self.end(id).await;
        self.rest(id);
    }

    fn advance(&self, id: &str, from: Status, to: Status) {
        if let Some(deployment) = self.state().deployments.get_mut(id).filter(|d| d.status == from) {
            deployment.status = to;
        }
        self.changed();
    }

    /// Fixes the targets. `None` when it was stopped before, or there is no instance.
    fn begin(&self, id: &str) -> Option<(Deployment, Vec<Arc<Host>>)> {
        let now = clock::now();
        let mut state = self.state();
        let deployment = state.deployments.get(id)?.clone();
        let record = state.group(&deployment.application, &deployment.group)?;
        let mut hosts: Vec<Arc<Host>> = match &deployment.scope {
            Scope::Instances(ids) => ids.iter().filter_map(|id| self.inner.fleet.host(id)).collect(),
            Scope::Group | Scope::Outdated => {
                let groups = record.group.auto_scaling_groups.iter();
                groups.flat_map(|group| self.inner.fleet.hosts_in_service(group)).collect()
            }
        };
        if matches!(deployment.scope, Scope::Outdated) {
            hosts.retain(|host| record.installed.get(&host.instance().id) != Some(&deployment.revision));
        }
        let deployment =
            state.deployments.get_mut(id).filter(|deployment| deployment.status == Status::Queued)?;
        let ids = hosts.iter().map(|host| host.instance().id.clone());
        deployment.targets = Some(ids.map(|id| Target::new(id, now)).collect());
        deployment.started = Some(now);
        deployment.status = Status::InProgress;
        let deployment = deployment.clone();
        drop(state);
        self.changed();
        if hosts.is_empty() {
            self.fail(id, "NO_INSTANCES", NO_INSTANCES.to_owned());
            return None;
        }
        Some((deployment, hosts))
    }

    /// Suspends what `ec2DeploymentOptions` names, on every Auto Scaling group of the deployment group.
    async fn suspend(&self, deployment: &Deployment) -> Result<(), String> {
        let processes = processes_to_suspend(&serde_json::Value::Object(deployment.passed_on.clone()));
        if processes.is_empty() {
            return Ok(());
        }
        let groups = {
            let mut state = self.state();
            let record = state.group(&deployment.application, &deployment.group);
            record.map(|record| record.group.auto_scaling_groups.clone()).unwrap_or_default()
        };
        for group in groups {
            self.inner.aws.suspend_processes(&group, processes.clone()).await?;
            if let Some(deployment) = self.state().deployments.get_mut(&deployment.id) {
                deployment.suspended.push((group, processes.clone()));
            }
        }
        Ok(())
    }

    /// Resumes what was suspended, once.
    pub(super) async fn resume(&self, id: &str) -> Result<(), String> {
        let suspended = {
            let mut state = self.state();
            state.deployments.get_mut(id).map(|deployment| std::mem::take(&mut deployment.suspended))
        };
        for (group, processes) in suspended.into_iter().flatten() {
            self.inner.aws.resume_processes(&group, processes).await?;
        }
        Ok(())
    }

    fn goes_on(&self, id: &str) -> bool {
        let goes_on = |deployment: &Deployment| {
            deployment.status == Status::InProgress && deployment.stopping.is_none()
        };
        self.state().deployments.get(id).is_some_and(goes_on)
    }

    /// Takes one instance through its events and says how that ended.
    async fn deploy_to(&self, deployment: &Deployment, host: Arc<Host>) -> Status {
        let (id, instance) = (deployment.id.as_str(), host.instance().id.clone());
        if !self.goes_on(id) {
            return Status::Skipped;
        }
        self.with_target(id, &instance, |target| target.status = Status::InProgress);
        self.publish(deployment, "START", Some(&instance));
        let specification = Specification {
            deployment_id: deployment.id.clone(),
            application: deployment.application.clone(),
            group: deployment.group.clone(),
            group_id: deployment.group_id.clone(),
            revision: deployment.revision.clone(),
            file_exists_behavior: deployment.file_exists_behavior,
        };
        let agent = Agent {
            host,
            aws: Arc::clone(&self.inner.aws),
            hook_timeout_scale: self.inner.settings.pace.hook_timeout_scale,
        };
        for (n, event) in LIFECYCLE_EVENTS.into_iter().enumerate() {
            time::sleep(self.inner.settings.pace.command).await;
            if !self.goes_on(id) {
                return Status::Skipped;
            }
            let succeeded = self.event(n, event, &agent, &specification).await;
            let ignored = event == "ApplicationStop" && deployment.ignore_application_stop_failures;
            if !succeeded && !ignored {
                return Status::Failed;
            }
        }
        Status::Succeeded
    }

    async fn event(
        &self,
        n: usize,
        event: &'static str,
        agent: &Agent,
        specification: &Specification,
    ) -> bool {
        let (id, instance) = (specification.deployment_id.as_str(), agent.host.instance().id.as_str());
        self.with_target(id, instance, |target| {
            if let Some(event) = target.events.get_mut(n) {
                event.status = Status::InProgress;
                event.start = Some(clock::now());
            }
        });
        let pace = self.inner.settings.pace;
        // An instance that has gone is only missed when its agent does not fetch the command, or does not answer.
        let patience = if agent.host.is_dead() { pace.start_timeout } else { pace.event_timeout };
        let diagnostics = time::timeout(patience, agent.execute(event, specification))
            .await
            .unwrap_or_else(|_| Diagnostics::unknown(NO_AGENT));
        let succeeded = diagnostics.succeeded();
        self.with_target(id, instance, |target| {
            if let Some(event) = target.events.get_mut(n) {
                event.status = if succeeded { Status::Succeeded } else { Status::Failed };
                event.end = Some(clock::now());
                event.diagnostics = Some(diagnostics);
            }
        });
        succeeded
    }

    fn with_target(&self, id: &str, instance: &str, change: impl FnOnce(&mut Target)) {
        if let Some(target) = self.state().deployments.get_mut(id).and_then(|d| d.target(instance)) {
            target.updated = clock::now();
            change(target);
        }
        self.changed();
    }

    fn close_target(&self, deployment: &Deployment, instance: &str, status: Status) {
        self.with_target(&deployment.id, instance, |target| {
            target.status = status;
            target.skip_the_rest(clock::now());
        });
        let state = match status {
            Status::Succeeded => "SUCCESS",
            Status::Failed => "FAILURE",
            _ => return,
        };
        if status == Status::Succeeded
            && let Some(group) = self.state().group(&deployment.application, &deployment.group)
        {
            group.installed.insert(instance.to_owned(), deployment.revision.clone());
        }
        self.publish(deployment, state, Some(instance));
    }

    async fn end(&self, id: &str) {
        let Some(deployment) = self.state().deployments.get(id).cloned() else { return };
        if deployment.status != Status::InProgress {
            return;
        }
        let targets = deployment.targets.as_ref().map_or(0, Vec::len);
        // A stop that comes when the last hooks are ending comes too late.
        if deployment.stopping.is_some() && deployment.count(Status::Succeeded) < targets {
            return self.stopped(id);
        }
        let resumed = self.resume(id).await;
        if deployment.count(Status::Succeeded) == 0 || deployment.count(Status::Skipped) > 0 {
            return self.fail(id, "HEALTH_CONSTRAINTS", HEALTH_CONSTRAINTS.to_owned());
        }
        if let Err(reason) = resumed {
            return self.fail(id, "AUTO_SCALING_CONFIGURATION", reason);
        }
        {
            let mut state = self.state();
            let Some(running) = state.deployments.get_mut(id).filter(|d| d.status == Status::InProgress)
            else {
                return;
            };
            running.status = Status::Succeeded;
            running.completed = Some(clock::now());
            let whole_group = matches!(running.scope, Scope::Group | Scope::Outdated);
            if let Some(group) = state.group(&deployment.application, &deployment.group)
                && whole_group
            {
                group.target_revision = Some(deployment.revision.clone());
                group.last_successful = Some(id.to_owned());
            }
        }
        self.changed();
        self.publish(&deployment, "SUCCESS", None);
    }

    fn fail(&self, id: &str, code: &'static str, message: String) {
        let failed = {
            let mut state = self.state();
            let Some(deployment) = state.deployments.get_mut(id).filter(|d| d.status.is_active()) else {
                return;
            };
            deployment.status = Status::Failed;
            deployment.completed = Some(clock::now());
            deployment.error = Some((code, message));
            deployment.clone()
        };
        self.changed();
        self.publish(&failed, "FAILURE", None);
        if rolls_back_on(&failed, "DEPLOYMENT_FAILURE") {
            self.roll_back(id);
        }
    }

    /// The last thing that happens to a deployment.
    fn rest(&self, id: &str) {
        let group = {
            let mut state = self.state();
            state.deployments.get_mut(id).map(|deployment| {
                deployment.at_rest = true;
                (deployment.application.clone(), deployment.group.clone())
            })
        };
        self.changed();
        if let Some((application, group)) = group {
            self.follow_on(&application, &group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::at_once;

    #[test]
    fn configurations_say_how_many_may_be_away() {
        for (config, instances, expected) in [
            ("CodeDeployDefault.AllAtOnce", 3, 3),
            ("CodeDeployDefault.HalfAtATime", 5, 2),
            ("CodeDeployDefault.HalfAtATime", 1, 1),
            ("CodeDeployDefault.OneAtATime", 3, 1),
            ("CodeDeployDefault.OneAtATime", 1, 1),
        ] {
            assert_eq!(at_once(config, instances), expected, "{config} of {instances}");
        }
    }
}
