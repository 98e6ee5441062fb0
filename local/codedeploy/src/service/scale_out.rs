//! Instances that Auto Scaling launches: the last successful revision, and what comes after.

use super::{
    CodeDeploy,
    operations::Order,
    record::{Scope, Status},
};
use crate::{fleet::Instance, settings::OutdatedInstances};

/// What Auto Scaling hears of a new instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launch {
    /// CONTINUE: it is in service; with the deployments that went to it, none when no revision succeeded yet.
    Continue(Vec<String>),
    /// ABANDON: a deployment failed and the instance was killed; Auto Scaling launches another.
    Abandon(Vec<String>),
}

impl CodeDeploy {
    /// Takes in an instance that Auto Scaling launches. It is not in service, and no target of other deployments,
    /// until the last successful revision is installed on it; a deployment that runs does not keep it waiting.
    pub async fn instance_launched(&self, instance: Instance) -> std::io::Result<Launch> {
        let (id, auto_scaling_group) = (instance.id.clone(), instance.auto_scaling_group.clone());
        self.inner.fleet.add(instance, false)?;
        let (deployments, groups) = self.deploy_at_launch(&id, &auto_scaling_group);
        let mut succeeded = true;
        for deployment in &deployments {
            succeeded &= self.finished(deployment).await == Some(Status::Succeeded.as_str());
        }
        if !succeeded {
            self.inner.fleet.kill_instance(&id);
            return Ok(Launch::Abandon(deployments));
        }
        self.inner.fleet.put_in_service(&id);
        for (application, group) in groups {
            self.follow_on(&application, &group);
        }
        Ok(Launch::Continue(deployments))
    }

    fn deploy_at_launch(&self, id: &str, auto_scaling_group: &str) -> (Vec<String>, Vec<(String, String)>) {
        let mut state = self.state();
        let concerned: Vec<_> = state
            .groups
            .iter()
            .filter(|record| record.group.auto_scaling_groups.iter().any(|name| name == auto_scaling_group))
            .map(|record| {
                (
                    record.group.application.clone(),
                    record.group.name.clone(),
                    record.target_revision.clone(),
                    record.last_successful.clone(),
                )
            })
            .collect();
        let mut deployments = Vec::new();
        for (application, group, revision, last) in &concerned {
            if state.active(application, group).is_some()
                && let Some(record) = state.group(application, group)
            {
                record.launched_meanwhile.insert(id.to_owned());
            }
            let Some(revision) = revision.clone() else { continue };
            let like = last.as_ref().and_then(|last| state.deployments.get(last)).cloned();
            let scope = Scope::Instances(vec![id.to_owned()]);
            let order = Order::by_itself("autoscaling", application, group, revision, scope, like.as_ref());
            deployments.push(self.open(&mut state, order));
        }
        (deployments, concerned.into_iter().map(|(application, group, ..)| (application, group)).collect())
    }

    /// Brings instances that were launched while a deployment ran to its revision, when nothing runs any more.
    pub(super) fn follow_on(&self, application: &str, group: &str) {
        let mut state = self.state();
        if state.active(application, group).is_some() {
            return;
        }
        let Some(record) = state.group(application, group) else { return };
        let Some(revision) = record.target_revision.clone() else { return };
        let in_service: Vec<String> = record
            .group
            .auto_scaling_groups
            .iter()
            .flat_map(|name| self.inner.fleet.in_service(name))
            .map(|instance| instance.id)
            .collect();
        let ready: Vec<String> =
            record.launched_meanwhile.iter().filter(|id| in_service.contains(id)).cloned().collect();
        record.launched_meanwhile.retain(|id| !ready.contains(id));
        let outdated: Vec<String> =
            ready.into_iter().filter(|id| record.installed.get(id) != Some(&revision)).collect();
        if outdated.is_empty() || record.group.outdated_instances == OutdatedInstances::Ignore {
            return;
        }
        let root = record.last_successful.clone();
        let like = root.as_ref().and_then(|root| state.deployments.get(root)).cloned();
        let scope = Scope::Instances(outdated);
        let order =
            Order::by_itself("CodeDeployAutoUpdate", application, group, revision, scope, like.as_ref());
        let id = self.open(&mut state, order);
        if let Some(deployment) = state.deployments.get_mut(&id) {
            deployment.root.clone_from(&root);
        }
        if let Some(root) = root.and_then(|root| state.deployments.get_mut(&root)) {
            root.follow_ons.push(id);
        }
    }
}
