//! What the handle, the connections and the health checks share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::access::Callbacks;
use crate::checks;
use crate::group::{HealthCheck, Target, TargetGroup};
use crate::health::{Reason, State, TargetHealth};
use crate::locked::lock;
use crate::metrics::{HostCount, LoadBalancerMetrics, Metrics};
use crate::routing::Routing;
use crate::table::{GroupEntry, MetricsByGroup, Table};

/// Time limits towards targets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) idle: Duration,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) callbacks: Callbacks,
    pub(crate) limits: Limits,
    pub(crate) port: u16,
    pub(crate) metrics: Mutex<LoadBalancerMetrics>,
    table: RwLock<Arc<Table>>,
    control: Mutex<Control>,
}

/// What the caller handed over, and what runs because of it.
#[derive(Debug, Default)]
struct Control {
    routing: Routing,
    groups: Vec<TargetGroup>,
    checks: BTreeMap<(Arc<str>, Target), Check>,
    draining: Vec<Draining>,
    /// Those of groups that are gone stay until they are taken.
    metrics: MetricsByGroup,
    asked: u64,
    applied: u64,
}

#[derive(Debug)]
struct Check {
    definition: HealthCheck,
    task: AbortHandle,
}

impl Drop for Check {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Draining {
    group: String,
    target: Target,
    until: Instant,
}

/// The place of a routing in the order in which callers asked for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn(u64);

impl Shared {
    pub(crate) fn new(callbacks: Callbacks, limits: Limits, port: u16) -> Self {
        Self {
            callbacks,
            limits,
            port,
            metrics: Mutex::default(),
            table: RwLock::default(),
            control: Mutex::default(),
        }
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn take_turn(&self) -> Turn {
        let mut control = lock(&self.control);
        control.asked += 1;
        Turn(control.asked)
    }

    /// Applies a routing unless a later one has been applied already.
    pub(crate) fn set_routing(self: &Arc<Self>, turn: Turn, routing: Routing) {
        let mut control = lock(&self.control);
        if turn.0 < control.applied {
            return;
        }
        control.applied = turn.0;
        control.routing = routing;
        self.rebuild(&mut control);
    }

    pub(crate) fn set_target_groups(self: &Arc<Self>, groups: Vec<TargetGroup>) {
        let mut control = lock(&self.control);
        let now = Instant::now();
        control.draining.retain(|draining| draining.until > now);
        for before in std::mem::take(&mut control.groups) {
            let Some(after) = groups.iter().find(|group| group.arn == before.arn) else { continue };
            let gone = before.targets.into_iter().filter(|target| !after.targets.contains(target));
            control.draining.extend(gone.map(|target| Draining {
                group: before.arn.clone(),
                target,
                until: now + before.deregistration_delay,
            }));
        }
        control.draining.retain(|draining| {
            !groups
                .iter()
                .any(|group| group.arn == draining.group && group.targets.contains(&draining.target))
        });
        control.groups = groups;
        self.rebuild(&mut control);
    }

    fn rebuild(self: &Arc<Self>, control: &mut Control) {
        let before = self.table();
        let table = Arc::new(before.next(&control.routing, &control.groups, &mut control.metrics));
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&table);
        self.reconcile_checks(control, &table);
        for group in table.groups.values() {
            group.note_hosts();
        }
        for (arn, metrics) in &control.metrics {
            if !table.groups.contains_key(arn) {
                lock(metrics).forget_hosts();
            }
        }
    }

    /// Starts the checks that are missing and stops those that are not needed any more.
    fn reconcile_checks(self: &Arc<Self>, control: &mut Control, table: &Table) {
        let mut running = std::mem::take(&mut control.checks);
        for group in table.groups.values().filter(|group| group.in_use) {
            for entry in &group.targets {
                let key = (Arc::clone(&group.arn), entry.target.clone());
                let definition = &group.definition.health_check;
                let check = match running.remove(&key) {
                    Some(check) if check.definition == *definition => check,
                    _ => {
                        let (shared, arn) = (Arc::downgrade(self), Arc::clone(&group.arn));
                        let changed = move |_: &_| note_hosts(&shared, &arn);
                        let watch = checks::watch(Arc::clone(entry), definition.clone(), changed);
                        Check { definition: definition.clone(), task: tokio::spawn(watch).abort_handle() }
                    }
                };
                control.checks.insert(key, check);
            }
        }
    }

    pub(crate) fn target_health(&self, arn: &str) -> Option<Vec<TargetHealth>> {
        let table = self.table();
        let group = table.groups.get(arn)?;
        let registered = group.targets.iter().map(|entry| {
            let health = *lock(&entry.health);
            TargetHealth { target: entry.target.clone(), state: health.state(), reason: health.reason() }
        });
        let now = Instant::now();
        let control = lock(&self.control);
        let draining = control
            .draining
            .iter()
            .filter(|draining| draining.group == arn && draining.until > now && group.in_use)
            .map(|draining| TargetHealth {
                target: draining.target.clone(),
                state: State::Draining,
                reason: Some(Reason::DeregistrationInProgress),
            });
        Some(registered.chain(draining).collect())
    }

    pub(crate) fn take_metrics(&self) -> Metrics {
        let table = self.table();
        let mut control = lock(&self.control);
        let groups = control
            .metrics
            .iter()
            .map(|(arn, metrics)| (arn.to_string(), lock(metrics).take()))
            .filter(|(_, metrics)| !metrics.is_empty())
            .collect();
        control.metrics.retain(|arn, _| table.groups.contains_key(arn));
        Metrics { load_balancer: std::mem::take(&mut *lock(&self.metrics)), groups }
    }

    /// Stops all health checks.
    pub(crate) fn stop_checks(&self) {
        lock(&self.control).checks.clear();
    }
}

fn note_hosts(shared: &Weak<Shared>, arn: &str) {
    if let Some(group) = shared.upgrade().and_then(|shared| shared.table().groups.get(arn).cloned()) {
        group.note_hosts();
    }
}

impl GroupEntry {
    /// Brings the gauges up to date.
    fn note_hosts(&self) {
        let mut metrics = lock(&self.metrics);
        if self.in_use {
            HostCount::see(&mut metrics.healthy_hosts, self.count(State::Healthy));
            HostCount::see(&mut metrics.unhealthy_hosts, self.count(State::Unhealthy));
        } else {
            metrics.forget_hosts();
        }
    }
}
