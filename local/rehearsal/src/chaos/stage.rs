//! The cloud that a scenario is played on, and the hands by which it breaks things.

use super::excuse::Excuse;
use super::until;
use crate::display::Display;
use crate::product::Product;
use crate::releases::{Releases, ToldVerdict, Upload};
use anyhow::{Context, Result, ensure};
use cloud::{Cloud, Fault, FaultKind, Knobs, Propagation};
use codedeploy::Delivery;
use jiff::Timestamp;
use load_balancer::State;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Longer than one release takes, its second attempt included, when each waits for its whole `InstallDeadline`.
const RELEASE: Duration = Duration::from_secs(170);

/// Longer than a release takes to get to a phase.
const PHASE: Duration = Duration::from_secs(60);

/// For so long after the load balancer has noticed, requests that it had under way may still break.
const UNDER_WAY: Duration = Duration::from_millis(300);

/// Whose calls the faults hit: those of the functions, whose names begin with the stack's.
const FUNCTIONS: &str = "GREENLIGHT";

/// What is live, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    pub(super) colour: String,
    pub(crate) number: u32,
    pub(super) key: String,
    pub(super) version: String,
}

/// One service on a running cloud.
pub(crate) struct Stage<'a> {
    cloud: &'a Cloud,
    display: Arc<Display>,
    product: Product,
    releases: Releases,
    service: String,
    host: String,
    number: u32,
    excuses: Vec<Excuse>,
    struck_before: u64,
}

impl<'a> Stage<'a> {
    /// A service of the stack, the first unless told otherwise.
    pub(crate) fn new(cloud: &'a Cloud, display: Arc<Display>, service: Option<&str>) -> Result<Self> {
        let product = Product::of(&cloud.stack)?;
        let first = product.services.first().map(String::as_str);
        let service = service.or(first).context("the template has no service")?.to_owned();
        let host = product.host_of(&service, &cloud.traffic.history())?;
        let releases = Releases::new(&cloud.aws, &cloud.places, product.clone());
        Ok(Self {
            cloud,
            display,
            product,
            releases,
            service,
            host,
            number: 0,
            excuses: Vec::new(),
            struck_before: 0,
        })
    }

    pub(super) fn cloud(&self) -> &'a Cloud {
        self.cloud
    }

    pub(super) fn display(&self) -> Arc<Display> {
        Arc::clone(&self.display)
    }

    pub(super) fn product(&self) -> &Product {
        &self.product
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn excuses(&self) -> &[Excuse] {
        &self.excuses
    }

    /// A scenario begins.
    pub(super) fn begin(&mut self) {
        self.excuses.clear();
        self.struck_before = self.cloud.faults.struck();
    }

    /// AWS works again.
    pub(super) fn calm(&self) {
        self.cloud.faults.set(Vec::new());
        self.cloud.uploads.set(Knobs::default());
        self.cloud.events.set(Knobs::default());
        self.cloud.codedeploy.deliver_events(Delivery::default());
        self.cloud.traffic.set_propagation(Propagation::AsOnAws);
        self.cloud.alarms.set_lateness(None);
        self.cloud.functions.take_elsewhere(0);
    }

    // --- Releases ---

    /// Before visitors come.
    pub(super) async fn first_release(&mut self) -> Result<()> {
        let upload = self.push(0).await?;
        self.ended(&upload).await.map(drop)
    }

    /// Uploads the next release; `error_one_in` 0 for a good one.
    pub(super) async fn push(&mut self, error_one_in: u32) -> Result<Upload> {
        self.push_as(&json!({ "errorOneIn": error_one_in })).await
    }

    /// Uploads the next release, which behaves like this.
    pub(super) async fn push_as(&mut self, behaviour: &Value) -> Result<Upload> {
        self.number += 1;
        let upload = self.releases.upload(&self.service, self.number, behaviour).await?;
        self.display.line(&format!("release {} uploaded", self.number));
        Ok(upload)
    }

    /// Waits for the end of a release.
    pub(super) async fn ended(&self, upload: &Upload) -> Result<ToldVerdict> {
        self.ends_as(upload, &["live", "rejected", "superseded"]).await
    }

    /// Waits until a release has one of these verdicts.
    pub(super) async fn ends_as(&self, upload: &Upload, words: &[&str]) -> Result<ToldVerdict> {
        let verdict = self.releases.until(upload, words, RELEASE).await?;
        self.display.line(&format!("release {}: {} - {}", upload.number, verdict.word, verdict.reason));
        Ok(verdict)
    }

    /// Releases until a new release is live on this colour, so that both colours run.
    pub(super) async fn go_live_on(&mut self, colour: &str) -> Result<()> {
        loop {
            let upload = self.push(0).await?;
            self.ends_as(&upload, &["live"]).await?;
            if self.live().await?.colour == colour {
                return Ok(());
            }
        }
    }

    /// The ledger; null where it cannot be read.
    pub(super) async fn ledger(&self) -> Result<Value> {
        let ledgers = self.releases.ledgers().await?;
        Ok(ledgers.into_iter().find(|(name, _)| *name == self.service).map_or(Value::Null, |(_, it)| it))
    }

    pub(crate) async fn live(&self) -> Result<Live> {
        let ledger = self.ledger().await?;
        let live = &ledger["live"];
        let upload = &live["upload"];
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let read = || {
            Some(Live {
                colour: text(&live["colour"])?,
                number: upload["number"].as_u64()?.try_into().ok()?,
                key: text(&upload["revision"]["key"])?,
                version: text(&upload["revision"]["version"])?,
            })
        };
        read().with_context(|| format!("the ledger names nothing live: {ledger}"))
    }

    /// Waits until the open release is in this phase; in `shifting`, until it has traffic.
    pub(super) async fn reaches(&self, phase: &str) -> Result<()> {
        until(&format!("a release of {} in phase {phase}", self.service), PHASE, || async {
            let ledger = self.ledger().await?;
            let open = &ledger["open"];
            let there = open["phase"] == phase && open["deployment"].is_string();
            Ok(there && (phase != "shifting" || self.both_carry()))
        })
        .await?;
        self.display.line(phase);
        Ok(())
    }

    /// Sends an operator's command to the lifecycle function. Through the alias that instances have it is refused before.
    pub(super) async fn command(&self, command: &str) -> Result<Value> {
        let functions = &self.cloud.functions;
        let name = functions.names().find(|name| name.ends_with("lifecycle"));
        let name = name.context("the stack has no function that ends with lifecycle")?;
        let payload = json!({ "command": command, "service": self.service }).to_string();
        let refused = functions.invoke(&format!("{name}:hooks"), payload.clone().into()).await?;
        ensure!(refused.failed, "an instance may send {command}: {refused:?}");
        let answer = functions.invoke(&format!("{name}:operators"), payload.into()).await?;
        self.display.line(&format!("operator: {command}"));
        serde_json::from_slice(&answer.payload)
            .with_context(|| format!("{command} was answered with no JSON"))
    }

    /// Every change of the weights of the rule that wins, so far.
    pub(super) fn changes_of_weight(&self) -> Vec<Vec<u16>> {
        let history = self.cloud.traffic.history();
        let of_host =
            |weights: &cloud::Weights| Some(weights.hosts.get(&self.host)?.values().copied().collect());
        history.iter().filter_map(of_host).collect()
    }

    /// The weights of the rule that wins, by target group.
    fn weights(&self) -> Vec<u16> {
        let history = self.cloud.traffic.history();
        let groups = history.last().and_then(|last| last.hosts.get(&self.host));
        groups.into_iter().flatten().map(|(_, weight)| *weight).collect()
    }

    /// Whether a target group has all weight.
    pub(super) fn carries_all(&self, group: &str) -> bool {
        let history = self.cloud.traffic.history();
        let groups = history.last().and_then(|last| last.hosts.get(&self.host));
        groups.is_some_and(|groups| groups.iter().all(|(arn, weight)| (arn == group) == (*weight > 0)))
    }

    /// The colour of the open release.
    pub(super) async fn candidate(&self) -> Result<String> {
        let ledger = self.ledger().await?;
        let colour = ledger["open"]["colour"].as_str().map(ToOwned::to_owned);
        colour.with_context(|| format!("no release of {} is open", self.service))
    }

    fn both_carry(&self) -> bool {
        self.weights().iter().filter(|weight| **weight > 0).count() > 1
    }

    /// Waits until one colour has everything.
    pub(super) async fn all_weight_back(&self, limit: Duration) -> Result<()> {
        until("all weight on one colour", limit, || async { Ok(!self.both_carry()) }).await
    }

    // --- What breaks ---

    /// Sets what goes wrong with the functions' calls: operation, kind, how many pass before, how many it hits.
    pub(super) fn faults(&self, faults: &[(&str, FaultKind, u32, u32)]) {
        let rule = |(operation, kind, after, times): &(&str, FaultKind, u32, u32)| Fault {
            operation: (*operation).to_owned(),
            caller: FUNCTIONS.to_owned(),
            kind: *kind,
            after: *after,
            times: *times,
        };
        self.cloud.faults.set(faults.iter().map(rule).collect());
    }

    /// How many calls went wrong in this scenario.
    pub(super) fn struck(&self) -> u64 {
        self.cloud.faults.struck() - self.struck_before
    }

    /// Kills the processes of the functions whose names end with this; empty for all.
    pub(super) fn kill_functions(&self, ending: &str) -> usize {
        let functions = &self.cloud.functions;
        functions
            .names()
            .filter(|name| name.ends_with(ending))
            .filter_map(|name| functions.kill(name).ok())
            .sum()
    }

    /// The instances of the service that are in service, in order.
    pub(super) fn instances(&self) -> Result<Vec<codedeploy::Instance>> {
        Ok(self.cloud.fleet.in_service(self.product.auto_scaling_group(&self.service)?))
    }

    pub(crate) fn an_instance(&self) -> Result<codedeploy::Instance> {
        self.instances()?.into_iter().next().context("no instance is in service")
    }

    /// An instance is gone. What the load balancer sends to it until it notices is lost to the data plane.
    pub(super) async fn lose(&mut self, instance: &str) -> Result<()> {
        let from = cloud::now();
        anyhow::ensure!(self.cloud.scaling.lose(instance).await, "{instance} is gone already");
        self.display.line(&format!("{instance} is gone"));
        self.noticed(
            instance,
            from,
            &format!("open requests of {instance}, and those sent until it was seen unhealthy"),
        )
        .await
    }

    /// nginx is gone from an instance, on both ports.
    pub(super) async fn kill_nginx(&mut self, instance: &codedeploy::Instance) -> Result<()> {
        let file = instance.root.join("opt/greenlight/nginx/nginx.pid");
        let text = std::fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
        let master = text.trim().parse().ok().and_then(Pid::from_raw).context("nginx.pid holds no number")?;
        let from = cloud::now();
        kill_process_group(master, Signal::KILL).context("nginx could not be killed")?;
        self.display.line(&format!("nginx on {} is gone", instance.id));
        let why =
            format!("open requests of nginx on {}, and those sent until it was seen unhealthy", instance.id);
        self.noticed(&instance.id, from, &why).await
    }

    /// Instances are switched off, and on again once the load balancer has seen it: then what their boot runs brings back
    /// what ran. While none is left, requests are lost to the data plane.
    pub(super) async fn reboot(&mut self, instances: &[codedeploy::Instance]) -> Result<()> {
        let from = self.switch_off(instances).await?;
        self.switch_on(instances).await?;
        if instances.len() == self.instances()?.len() {
            self.excuse(from, "no instance was left");
        }
        Ok(())
    }

    /// Answers since when they are off, once the load balancer has seen it.
    pub(crate) async fn switch_off(&mut self, instances: &[codedeploy::Instance]) -> Result<Timestamp> {
        let from = cloud::now();
        for instance in instances {
            let (fleet, id) = (self.cloud.fleet.clone(), instance.id.clone());
            // It reads the table of processes, which takes its time.
            anyhow::ensure!(tokio::task::spawn_blocking(move || fleet.reboot_instance(&id)).await?);
            self.display.line(&format!("{} is switched off", instance.id));
        }
        for instance in instances {
            let why = format!("requests to {} until it was seen unhealthy", instance.id);
            self.noticed(&instance.id, from, &why).await?;
        }
        Ok(from)
    }

    /// Runs what a boot runs, and waits until they are healthy.
    pub(crate) async fn switch_on(&self, instances: &[codedeploy::Instance]) -> Result<()> {
        for instance in instances {
            let mut boot = tokio::process::Command::new("bash");
            boot.arg(self.cloud.places.root.join("instance/boot/greenlight.sh")).arg("resume");
            let said = boot.env_clear().envs(&instance.environment).output().await?;
            anyhow::ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
        }
        let ids: Vec<&str> = instances.iter().map(|instance| instance.id.as_str()).collect();
        until("what was switched off is healthy again", PHASE, || async {
            let healthy = self.healthy().await?;
            Ok(ids.iter().all(|id| healthy.iter().any(|one| one == id)))
        })
        .await?;
        self.display.line("what was switched off is healthy again");
        Ok(())
    }

    /// What is healthy on the live colour.
    pub(super) async fn healthy(&self) -> Result<Vec<String>> {
        let group = self.product.target_group(&self.service, &self.live().await?.colour)?;
        let health = self.cloud.traffic.target_health(group).unwrap_or_default();
        let healthy = health.into_iter().filter(|one| matches!(one.state, State::Healthy));
        Ok(healthy.map(|one| one.target.id).collect())
    }

    /// What was lost since then was lost to the data plane.
    pub(super) fn excuse(&mut self, from: Timestamp, why: &str) {
        let until = cloud::now().saturating_add(UNDER_WAY).unwrap_or(Timestamp::MAX);
        self.excuses.push(Excuse { from, until, why: why.to_owned() });
    }

    /// Waits until the load balancer sends an instance nothing any more.
    async fn noticed(&mut self, instance: &str, from: Timestamp, why: &str) -> Result<()> {
        let groups = ["blue", "green"].map(|colour| self.product.target_group(&self.service, colour));
        until(&format!("{instance} seen unhealthy"), PHASE, || async {
            let mut gets_requests = false;
            for group in &groups {
                let group = group.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
                let health = self.cloud.traffic.target_health(group).unwrap_or_default();
                let of_instance = |one: &load_balancer::TargetHealth| {
                    one.target.id == instance && matches!(one.state, State::Healthy | State::Initial)
                };
                gets_requests |= health.iter().any(of_instance);
            }
            Ok(!gets_requests)
        })
        .await?;
        self.excuse(from, why);
        Ok(())
    }

    /// What runs on a colour of an instance behaves differently from its next health check on.
    pub(super) fn misbehave(
        &self,
        instance: &codedeploy::Instance,
        colour: &str,
        behaviour: &Value,
    ) -> Result<()> {
        crate::misbehave(instance, &self.service, colour, behaviour)
    }
}
