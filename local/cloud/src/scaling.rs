//! Auto Scaling: instances that come and go. The emulator keeps the groups, their instances live here.
//!
//! Source for the order of things: Auto Scaling user guide, lifecycle hooks and health checks. A launched instance is
//! registered with its target groups after `CodeDeploy`'s lifecycle hook has let it go on, not before; an instance that
//! is gone or marked unhealthy is terminated first and replaced after, and neither while Terminate is suspended. An
//! instance maintenance policy, with which AWS launches first, is not played: terminating first is what hurts more.

use crate::emulator::Emulator;
use crate::instances::{self, Addresses};
use crate::places::Places;
use crate::stack::{self, Machine};
use crate::traffic::Traffic;
use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use aws_sdk_autoscaling::types::AutoScalingGroup;
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use codedeploy::{CodeDeploy, Fleet, Instance, Launch};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How long EC2's status checks take to tell Auto Scaling of an instance that is gone.
const NOTICED: Duration = Duration::from_mins(1);

/// From a launch until an instance's agent answers: what Amazon Linux takes to boot, and its user data to install an
/// engine, nginx and the agent.
const BOOT: Duration = Duration::from_mins(2);

/// Between two looks whether Terminate is still suspended.
const LOOK: Duration = Duration::from_millis(300);

/// How often a launch is tried that `CodeDeploy` abandons.
const LAUNCHES: usize = 5;

/// What an instance boots with.
#[derive(Debug)]
pub struct Booting {
    /// Which address it gets.
    addresses: Addresses,
    /// Where its folder lies.
    places: Places,
    /// Where AWS answers.
    endpoint: String,
    /// How large its disk is.
    disk_mib: u64,
    takes: Duration,
}

impl Booting {
    /// On a clock that runs `speed` times as fast as AWS's.
    pub fn new(addresses: Addresses, disk_mib: u64, places: &Places, endpoint: &str, speed: u32) -> Self {
        let takes = BOOT / speed.max(1);
        Self { addresses, places: places.clone(), endpoint: endpoint.to_owned(), disk_mib, takes }
    }

    /// An instance that was launched is there when this ends, and nothing of it before.
    async fn boot(&self, machine: &Machine) -> Result<Instance> {
        tokio::time::sleep(self.takes).await;
        instances::prepare(machine, self.disk_mib, &self.addresses, &self.places, &self.endpoint)
    }
}

/// Auto Scaling, for all groups.
#[derive(Debug)]
pub struct Scaling {
    emulator: Arc<Emulator>,
    aws: SdkConfig,
    client: aws_sdk_autoscaling::Client,
    load_balancing: aws_sdk_elasticloadbalancingv2::Client,
    codedeploy: CodeDeploy,
    fleet: Fleet,
    traffic: Arc<Traffic>,
    booting: Booting,
    noticed: Duration,
    /// Instances that are booting or have booted: each only once.
    launched: Mutex<BTreeSet<String>>,
    /// Instances that are being replaced: each only once.
    leaving: Mutex<BTreeSet<String>>,
    tasks: Mutex<JoinSet<()>>,
}

impl Scaling {
    /// On a clock that runs `speed` times as fast as AWS's.
    pub fn new(
        emulator: Arc<Emulator>,
        aws: &SdkConfig,
        codedeploy: CodeDeploy,
        fleet: Fleet,
        traffic: Arc<Traffic>,
        booting: Booting,
        speed: u32,
    ) -> Self {
        Self {
            emulator,
            aws: aws.clone(),
            client: aws_sdk_autoscaling::Client::new(aws),
            load_balancing: aws_sdk_elasticloadbalancingv2::Client::new(aws),
            codedeploy,
            fleet,
            traffic,
            booting,
            noticed: NOTICED / speed.max(1),
            launched: Mutex::default(),
            leaving: Mutex::default(),
            tasks: Mutex::default(),
        }
    }

    /// An instance is gone at once, with all that ran on it. Auto Scaling notices later and replaces it. False when
    /// there is no such instance.
    pub async fn lose(self: &Arc<Self>, instance: &str) -> bool {
        let (fleet, id) = (self.fleet.clone(), instance.to_owned());
        // It reads the table of processes, which takes its time.
        let killed = tokio::task::spawn_blocking(move || fleet.kill_instance(&id)).await.unwrap_or(false);
        if killed {
            let (scaling, id) = (Arc::clone(self), instance.to_owned());
            self.spawn(async move {
                tokio::time::sleep(scaling.noticed).await;
                scaling.replace(&id).await;
            });
        }
        killed
    }

    /// Replaces an instance that was marked unhealthy, in the background.
    pub fn replace_later(self: &Arc<Self>, instance: &str) {
        let (scaling, id) = (Arc::clone(self), instance.to_owned());
        self.spawn(async move { scaling.replace(&id).await });
    }

    /// Launches one more instance into a group and answers its id when it is in service.
    ///
    /// # Errors
    /// When the emulator refuses, or `CodeDeploy` abandons every launch.
    pub async fn scale_out(&self, group: &str) -> Result<String> {
        let size = self.group(group).await?.desired_capacity().unwrap_or(0);
        let request = self.client.set_desired_capacity().auto_scaling_group_name(group);
        request.desired_capacity(size + 1).send().await.context("the group cannot grow")?;
        self.launch(group).await
    }

    /// Takes an instance out of its target groups and ends it; the group becomes smaller by one.
    ///
    /// # Errors
    /// When the emulator refuses.
    pub async fn scale_in(&self, instance: &str) -> Result<()> {
        self.terminate(instance, true).await.map(drop)
    }

    /// Instances that are being replaced now.
    pub fn is_replacing(&self) -> bool {
        !self.leaving().is_empty()
    }

    async fn replace(&self, instance: &str) {
        if !self.leaving().insert(instance.to_owned()) {
            return;
        }
        let replaced = async {
            let group = self.terminate(instance, false).await?;
            self.launch(&group).await
        };
        if let Err(error) = replaced.await {
            tracing::warn!(error = %format!("{error:#}"), instance, "an instance could not be replaced");
        }
        self.leaving().remove(instance);
    }

    /// Ends an instance, once Terminate is not suspended, and answers its group.
    async fn terminate(&self, instance: &str, shrink: bool) -> Result<String> {
        let name = self.group_of(instance).await?;
        let group = loop {
            let group = self.group(&name).await?;
            let suspended = |process: &str| process == "Terminate";
            if !group.suspended_processes().iter().filter_map(|one| one.process_name()).any(suspended) {
                break group;
            }
            tokio::time::sleep(LOOK).await;
        };
        for arn in group.target_group_arns() {
            let target = TargetDescription::builder().id(instance).build();
            let request = self.load_balancing.deregister_targets().target_group_arn(arn).targets(target);
            request.send().await.context("an instance cannot leave its target group")?;
        }
        self.traffic.load_targets().await?;
        let request = self.client.terminate_instance_in_auto_scaling_group().instance_id(instance);
        request.should_decrement_desired_capacity(shrink).send().await.context("the group keeps it")?;
        let (fleet, id) = (self.fleet.clone(), instance.to_owned());
        let _was_gone = tokio::task::spawn_blocking(move || fleet.kill_instance(&id)).await;
        Ok(name)
    }

    /// Boots what the emulator has added to a group; into the target groups it comes when it is in service.
    async fn launch(&self, group: &str) -> Result<String> {
        for _ in 0..LAUNCHES {
            let machines = stack::machines(&self.emulator, &self.aws).await?;
            let of_group = machines.into_iter().filter(|one| one.auto_scaling_group == group);
            let machine = of_group.into_iter().find(|one| self.is_new(&one.id));
            let machine = machine.with_context(|| format!("the emulator has added nothing to {group}"))?;
            match self.codedeploy.instance_launched(self.booting.boot(&machine).await?).await? {
                Launch::Continue(_) => {
                    self.traffic.load_targets().await?;
                    return Ok(machine.id);
                }
                Launch::Abandon(deployments) => {
                    tracing::warn!(
                        ?deployments,
                        instance = machine.id,
                        "CodeDeploy abandoned a new instance"
                    );
                    self.terminate(&machine.id, false).await?;
                }
            }
        }
        bail!("CodeDeploy has abandoned {LAUNCHES} instances of {group} one after another")
    }

    /// Whether an instance is not one of ours yet; from now on it is.
    fn is_new(&self, instance: &str) -> bool {
        self.booting.addresses.of(instance).is_none()
            && !self.leaving().contains(instance)
            && self.launched.lock().unwrap_or_else(PoisonError::into_inner).insert(instance.to_owned())
    }

    async fn group(&self, name: &str) -> Result<AutoScalingGroup> {
        let described =
            self.client.describe_auto_scaling_groups().auto_scaling_group_names(name).send().await?;
        let group = described.auto_scaling_groups().first().cloned();
        group.with_context(|| format!("there is no Auto Scaling group {name}"))
    }

    async fn group_of(&self, instance: &str) -> Result<String> {
        let described = self.client.describe_auto_scaling_instances().instance_ids(instance).send().await?;
        let found = described.auto_scaling_instances().first();
        let name = found.and_then(|found| found.auto_scaling_group_name());
        Ok(name.with_context(|| format!("{instance} belongs to no Auto Scaling group"))?.to_owned())
    }

    fn leaving(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are forgotten.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::DISK_MIB;
    use crate::limits::tests::State;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    #[tokio::test(start_paused = true)]
    async fn an_instance_is_there_two_minutes_after_its_launch_and_not_before() {
        let state = State::new();
        let places =
            Places { root: PathBuf::new(), state: state.0.path().to_owned(), binaries: PathBuf::new() };
        let (addresses, speed) = (Addresses::default(), 10);
        let booting = Booting::new(addresses.clone(), DISK_MIB, &places, "", speed);
        let machine = Machine {
            id: "i-1".to_owned(),
            auto_scaling_group: "backend".to_owned(),
            environment: BTreeMap::new(),
        };
        let began = tokio::time::Instant::now();
        let nearly = Duration::from_secs(119) / speed;
        assert!(tokio::time::timeout(nearly, booting.boot(&machine)).await.is_err());
        assert_eq!(addresses.of("i-1"), None);
        let instance = booting.boot(&machine).await.unwrap();
        assert_eq!(began.elapsed(), nearly + Duration::from_mins(2) / speed);
        assert!(addresses.of("i-1").is_some() && instance.root.is_dir());
    }
}
