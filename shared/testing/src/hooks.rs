//! What tests do to deployments: hooks that come far, succeed and fail.

use super::world::{Listed, StoredDeployment, World};
use release::{
    Creator, Deployment, DeploymentId, DeploymentStatus, Description, Revision, ServiceName, TargetHealth,
    TargetStatus,
};

impl World {
    /// Every deployment, oldest first.
    pub fn deployments(&self, service: &ServiceName) -> Vec<Deployment> {
        self.change(service, |service| {
            service.deployments.iter().map(|record| record.deployment.clone()).collect()
        })
    }

    /// The deployment that may still change instances.
    pub fn active_deployment(&self, service: &ServiceName) -> Option<Deployment> {
        self.change(service, |service| service.active().map(|record| record.deployment.clone()))
    }

    /// What a new instance would install: the revision of the deployment that succeeded last.
    pub fn last_successful(&self, service: &ServiceName) -> Option<Revision> {
        self.change(service, |service| {
            let succeeded =
                |record: &&StoredDeployment| record.deployment.status == DeploymentStatus::Succeeded;
            service.deployments.iter().rev().find(succeeded).map(|record| record.revision.clone())
        })
    }

    /// Opens a deployment on all instances that is not ours: by Auto Scaling, CodeDeploy, or a person.
    pub fn add_deployment(
        &self,
        service: &ServiceName,
        creator: Creator,
        description: Option<Description>,
        revision: Revision,
    ) -> DeploymentId {
        self.state().new_deployment(service, creator, description, revision)
    }

    /// Which of CodeDeploy's answers show this deployment from now on.
    pub fn list_deployment(&self, id: &DeploymentId, listed: Listed) {
        let mut state = self.state();
        let records = state.services.values_mut().flat_map(|service| &mut service.deployments);
        records.filter(|record| record.deployment.id == *id).for_each(|record| record.listed = listed);
    }

    /// The active deployment reached `ValidateService` on every instance that has not failed, and the colour that it
    /// installs on is healthy there.
    pub fn install_done(&self, service: &ServiceName) {
        self.change(service, |service| {
            let Some(record) = service.active_mut() else { panic!("no deployment is active") };
            let colour = record.colour();
            let waiting = record.move_on(&TargetStatus::Installing, &TargetStatus::Validating);
            service.set_health(&waiting, colour, TargetHealth::Healthy);
        });
    }

    /// One instance of the active deployment reached `ValidateService`; nothing is said of its health.
    pub fn validate(&self, service: &ServiceName, instance: &str) {
        self.set_target(service, instance, TargetStatus::Validating);
    }

    /// One instance of the active deployment failed. The deployment ends when this was the last one under way.
    pub fn fail(&self, service: &ServiceName, instance: &str, detail: &str) {
        self.set_target(service, instance, TargetStatus::Failed(detail.to_owned()));
    }

    /// Every waiting hook of the active deployment exited with 0. The deployment ends when no instance is left.
    pub fn hooks_heard_succeeded(&self, service: &ServiceName) {
        self.change(service, |service| {
            let Some(record) = service.active_mut() else { panic!("no deployment is active") };
            record.move_on(&TargetStatus::Validating, &TargetStatus::Succeeded);
            record.end_when_done();
        });
    }

    /// CodeDeploy ends a deployment, with the same status for all instances that are still under way.
    pub fn end(
        &self,
        service: &ServiceName,
        id: &DeploymentId,
        status: DeploymentStatus,
        target: &TargetStatus,
    ) {
        self.change(service, |service| {
            let Some(record) = service.deployments.iter_mut().find(|record| record.deployment.id == *id)
            else {
                panic!("there is no deployment {id}")
            };
            record.end(status, target);
        });
    }

    fn set_target(&self, service: &ServiceName, instance: &str, status: TargetStatus) {
        self.change(service, |service| {
            let Some(record) = service.active_mut() else { panic!("no deployment is active") };
            let Some(target) = record.targets.iter_mut().find(|target| target.instance.0 == instance) else {
                panic!("the active deployment has no instance {instance}")
            };
            target.status = status;
            record.count_failures();
            record.end_when_done();
        });
    }
}
