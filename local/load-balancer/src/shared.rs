//! What the handle, the connections and the health checks share.

use std::collections::{BTreeMap, BTreeSet};
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
use crate::table::{GroupEntry, Groups, MetricsByGroup, Table};
use crate::weights::{Draw, Drawing};

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
    nodes: Vec<Arc<Node>>,
    control: Mutex<Control>,
}

/// One of the machines that a load balancer consists of: it learns of new rules by itself, draws by itself and counts
/// by itself. Groups, targets and their health are the same for all.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) index: usize,
    pub(crate) drawing: Drawing,
    pub(crate) metrics: Mutex<LoadBalancerMetrics>,
    table: RwLock<Arc<Table>>,
}

impl Node {
    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the caller handed over, and what runs because of it.
#[derive(Debug, Default)]
struct Control {
    /// One for each node.
    rules: Vec<Rules>,
    groups: Vec<TargetGroup>,
    entries: Arc<Groups>,
    checks: BTreeMap<(Arc<str>, Target), Check>,
    draining: Vec<Draining>,
    /// Those of groups that are gone stay until they are taken.
    metrics: MetricsByGroup,
    asked: u64,
}

/// The rules that a node goes by, and the turn in which they were asked for.
#[derive(Debug, Default)]
struct Rules {
    routing: Routing,
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
    pub(crate) fn new(callbacks: Callbacks, limits: Limits, port: u16, nodes: usize, draw: Draw) -> Self {
        let node = |index| Node {
            index,
            drawing: Drawing::new(draw, index),
            metrics: Mutex::default(),
            table: RwLock::default(),
        };
        let rules = (0..nodes).map(|_| Rules::default()).collect();
        Self {
            callbacks,
            limits,
            port,
            nodes: (0..nodes).map(|index| Arc::new(node(index))).collect(),
            control: Mutex::new(Control { rules, ..Control::default() }),
        }
    }

    pub(crate) fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    pub(crate) fn take_turn(&self) -> Turn {
        let mut control = lock(&self.control);
        control.asked += 1;
        Turn(control.asked)
    }

    /// Applies a routing to one node, unless a later one has been applied there already.
    pub(crate) fn set_routing(self: &Arc<Self>, turn: Turn, node: usize, routing: Routing) {
        let mut control = lock(&self.control);
        let Some(rules) = control.rules.get_mut(node).filter(|rules| turn.0 >= rules.applied) else { return };
        *rules = Rules { routing, applied: turn.0 };
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
        let in_use: BTreeSet<&str> =
            control.rules.iter().flat_map(|rules| rules.routing.groups_in_use()).collect();
        let mut groups = Groups::new();
        for group in &control.groups {
            let before = control.entries.get(group.arn.as_str()).map(|entry| &**entry);
            let in_use = in_use.contains(group.arn.as_str());
            let entry = GroupEntry::next(before, group, in_use, self.nodes.len(), &mut control.metrics);
            groups.insert(Arc::clone(&entry.arn), Arc::new(entry));
        }
        control.entries = Arc::new(groups);
        for (node, rules) in self.nodes.iter().zip(&control.rules) {
            let table = node.table().next(&rules.routing, Arc::clone(&control.entries));
            *node.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
        }
        self.reconcile_checks(control);
        for group in control.entries.values() {
            group.note_hosts();
        }
        for (arn, metrics) in &control.metrics {
            if !control.entries.contains_key(arn) {
                metrics.iter().for_each(|metrics| lock(metrics).forget_hosts());
            }
        }
    }

    /// Starts the checks that are missing and stops those that are not needed any more.
    fn reconcile_checks(self: &Arc<Self>, control: &mut Control) {
        let mut running = std::mem::take(&mut control.checks);
        for group in control.entries.values().filter(|group| group.in_use) {
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
        let control = lock(&self.control);
        let group = control.entries.get(arn)?;
        let registered = group.targets.iter().map(|entry| {
            let health = *lock(&entry.health);
            TargetHealth { target: entry.target.clone(), state: health.state(), reason: health.reason() }
        });
        let now = Instant::now();
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

    /// Of each node.
    pub(crate) fn take_metrics(&self) -> Vec<Metrics> {
        let mut control = lock(&self.control);
        let of_node = |node: &Arc<Node>| {
            let groups = control
                .metrics
                .iter()
                .filter_map(|(arn, metrics)| Some((arn.to_string(), lock(metrics.get(node.index)?).take())))
                .filter(|(_, metrics)| !metrics.is_empty())
                .collect();
            Metrics { load_balancer: std::mem::take(&mut *lock(&node.metrics)), groups }
        };
        let taken = self.nodes.iter().map(of_node).collect();
        let Control { metrics, entries, .. } = &mut *control;
        metrics.retain(|arn, _| entries.contains_key(arn));
        taken
    }

    /// Stops all health checks.
    pub(crate) fn stop_checks(&self) {
        lock(&self.control).checks.clear();
    }
}

fn note_hosts(shared: &Weak<Shared>, arn: &str) {
    let group = shared.upgrade().and_then(|shared| lock(&shared.control).entries.get(arn).cloned());
    if let Some(group) = group {
        group.note_hosts();
    }
}

impl GroupEntry {
    /// Brings the gauges up to date.
    fn note_hosts(&self) {
        for metrics in &*self.metrics {
            let mut metrics = lock(metrics);
            if self.in_use {
                HostCount::see(&mut metrics.healthy_hosts, self.count(State::Healthy));
                HostCount::see(&mut metrics.unhealthy_hosts, self.count(State::Unhealthy));
            } else {
                metrics.forget_hosts();
            }
        }
    }
}
