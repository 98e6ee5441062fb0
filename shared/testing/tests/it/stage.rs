//! The AWS in memory of one service, and the hands by which a story moves it.

use release::{
    AlarmState, Colour, DeploymentStatus, Description, Ledger, ReleaseRule, Revision, Rules, ServiceName,
    TargetHealth, TargetStatus, Weights,
};
use std::sync::{Arc, Mutex};
use testing::{FaultAt, Faulty, World};

pub(crate) struct Stage {
    pub(crate) world: &'static World,
    pub(crate) service: ServiceName,
    ports: Mutex<Arc<Faulty<'static, World>>>,
}

impl Stage {
    pub(crate) fn new(service: &str) -> Self {
        // Leaked, so that the faulty ports can borrow it: a few kilobytes a story.
        let world: &'static World = Box::leak(Box::new(World::new(&[service])));
        let ports = Mutex::new(Arc::new(Faulty::new(world, [])));
        Self { world, service: testing::service(service), ports }
    }

    /// The ports, with the faults that are expected now.
    pub(crate) fn ports(&self) -> Arc<Faulty<'static, World>> {
        self.ports.lock().unwrap().clone()
    }

    /// Forgets the calls made so far and sets the faults of the coming ones.
    pub(crate) fn expect_faults(&self, faults: &[FaultAt]) {
        *self.ports.lock().unwrap() = Arc::new(Faulty::new(self.world, faults.iter().copied()));
        self.world.forget_calls();
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.world.ledger(&self.service).unwrap_or_else(|| Ledger::new(self.service.clone()))
    }

    pub(crate) fn rules(&self) -> Rules {
        let (base, release) = self.world.rules_of(&self.service);
        Rules { base, release, preview: self.world.preview_rule(&self.service) }
    }

    /// Changes the release's rule behind everybody's back.
    pub(crate) fn drift(&self, weights: Weights) {
        let rule = self.rules().release.unwrap();
        self.world.delete_release_rule_by_hand(&self.service);
        self.world.put_release_rule_as(&self.service, ReleaseRule { weights: weights.into(), ..rule });
    }

    pub(crate) fn traffic_per_mille(&self, colour: Colour) -> u16 {
        self.world.traffic(&self.service).per_mille(colour)
    }

    pub(crate) fn set_health(&self, colour: Colour, health: TargetHealth) {
        self.world.set_health(&self.service, colour, health);
    }

    pub(crate) fn set_target_health(&self, instance: &str, colour: Colour, health: TargetHealth) {
        self.world.set_instance_health(&self.service, instance, colour, health);
    }

    pub(crate) fn lose_instance(&self, instance: &str) {
        self.world.remove_instance(&self.service, instance);
    }

    pub(crate) fn join_instance(&self, instance: &str, live: Colour) {
        self.set_target_health(instance, live, TargetHealth::Healthy);
        self.set_target_health(instance, live.other(), TargetHealth::Unhealthy);
    }

    pub(crate) fn set_alarm(&self, colour: Colour, alarm: &str, state: AlarmState) {
        self.world.set_alarm(&self.service, colour, alarm, state);
    }

    /// The newest deployment's description and status.
    pub(crate) fn newest(&self) -> Option<(Option<Description>, DeploymentStatus)> {
        self.world
            .deployments(&self.service)
            .pop()
            .map(|deployment| (deployment.description, deployment.status))
    }

    pub(crate) fn is_deploying(&self) -> bool {
        self.world.active_deployment(&self.service).is_some()
    }

    pub(crate) fn install_newest(&self) {
        if self.is_deploying() {
            self.world.install_done(&self.service);
        }
    }

    pub(crate) fn fail_target(&self, instance: &str, detail: &str) {
        if self.is_deploying() {
            self.world.fail(&self.service, instance, detail);
        }
    }

    pub(crate) fn end_newest(&self, status: DeploymentStatus) {
        let Some(newest) = self.world.deployments(&self.service).pop() else { return };
        let target = match status {
            DeploymentStatus::Succeeded => TargetStatus::Succeeded,
            DeploymentStatus::Active | DeploymentStatus::Failed | DeploymentStatus::Stopped => {
                TargetStatus::Installing
            }
        };
        self.world.end(&self.service, &newest.id, status, &target);
    }

    pub(crate) fn last_successful(&self) -> Option<Revision> {
        self.world.last_successful(&self.service)
    }

    /// The verdict and the reason that an object's tags tell.
    pub(crate) fn told(&self, revision: &Revision) -> Option<(String, String)> {
        let tags = self.world.tags(revision);
        Some((tags.get("greenlight:verdict")?.clone(), tags.get("greenlight:reason")?.clone()))
    }

    pub(crate) fn is_healthy(&self, colour: Colour) -> bool {
        self.world.weight_changes(&self.service).last().is_none_or(|change| {
            *change.healthy.of(colour) > 0 && change.healthy.of(colour) >= change.healthy.of(colour.other())
        })
    }
}
