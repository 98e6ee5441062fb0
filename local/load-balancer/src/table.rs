//! Rules, groups and targets, as one request sees them.

use http::HeaderMap;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::group::{Target, TargetGroup};
use crate::health::{Health, State};
use crate::locked::lock;
use crate::metrics::GroupMetrics;
use crate::pool::Pool;
use crate::routing::{FixedResponse, Forward, HostPattern, ListenerAction, Routing, Rule};
use crate::weights::{Drawing, Weights};

/// The counters of each group, by its ARN.
pub(crate) type MetricsByGroup = BTreeMap<Arc<str>, Arc<[Mutex<GroupMetrics>]>>;

/// All groups, by ARN.
pub(crate) type Groups = BTreeMap<Arc<str>, Arc<GroupEntry>>;

/// One state of a node's rules, and the groups that all nodes share. A request takes the table that stands when it
/// arrives and keeps it to its end.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rules: Vec<RuleEntry>,
    default: Option<ActionEntry>,
    pub(crate) groups: Arc<Groups>,
}

#[derive(Debug)]
struct RuleEntry {
    rule: Rule,
    hosts: Vec<HostPattern>,
    action: ActionEntry,
}

#[derive(Debug, Clone)]
enum ActionEntry {
    Forward { forwards: Vec<Forward>, weights: Arc<Weights> },
    Fixed(FixedResponse),
}

/// A target group with what outlives a change of the tables: its turn and its counters.
#[derive(Debug)]
pub(crate) struct GroupEntry {
    pub(crate) arn: Arc<str>,
    pub(crate) in_use: bool,
    pub(crate) definition: TargetGroup,
    pub(crate) targets: Vec<Arc<TargetEntry>>,
    pub(crate) turn: Arc<AtomicUsize>,
    /// One for each node.
    pub(crate) metrics: Arc<[Mutex<GroupMetrics>]>,
}

#[derive(Debug)]
pub(crate) struct TargetEntry {
    pub(crate) target: Target,
    pub(crate) pool: Arc<Pool>,
    pub(crate) health: Mutex<Health>,
}

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Route {
    Fixed(FixedResponse),
    Group(Arc<GroupEntry>),
    /// The action's weights are all 0, or it names a group that is not defined.
    Nowhere,
}

impl Table {
    /// Builds the next table. A rule that did not change keeps its shares.
    pub(crate) fn next(&self, routing: &Routing, groups: Arc<Groups>) -> Self {
        let mut rules: Vec<RuleEntry> = routing
            .rules
            .iter()
            .map(|rule| RuleEntry {
                rule: rule.clone(),
                hosts: rule.hosts.iter().map(|host| HostPattern::new(host)).collect(),
                action: match self.rules.iter().find(|entry| entry.rule == *rule) {
                    Some(entry) => entry.action.clone(),
                    None => ActionEntry::new(&rule.action),
                },
            })
            .collect();
        rules.sort_by_key(|entry| entry.rule.priority);
        let default = match &self.default {
            Some(entry) if entry.is_for(&routing.default) => entry.clone(),
            _ => ActionEntry::new(&routing.default),
        };
        Self { rules, default: Some(default), groups }
    }

    /// `host` without port, in lower case.
    pub(crate) fn route(&self, host: &str, headers: &HeaderMap, drawing: &Drawing) -> Route {
        let matching = self.rules.iter().find(|entry| {
            let asked = entry.rule.headers.iter().all(|condition| condition.matches(headers));
            asked && entry.hosts.iter().any(|pattern| pattern.matches(host))
        });
        match matching.map(|entry| &entry.action).or(self.default.as_ref()) {
            Some(ActionEntry::Fixed(response)) => Route::Fixed(response.clone()),
            Some(ActionEntry::Forward { forwards, weights }) => weights
                .choose(drawing)
                .and_then(|index| forwards.get(index))
                .and_then(|forward| self.groups.get(forward.target_group.as_str()))
                .map_or(Route::Nowhere, |group| Route::Group(Arc::clone(group))),
            None => Route::Nowhere,
        }
    }
}

impl ActionEntry {
    fn new(action: &ListenerAction) -> Self {
        match action {
            ListenerAction::Forward(forwards) => Self::Forward {
                forwards: forwards.clone(),
                weights: Arc::new(Weights::new(forwards.iter().map(|forward| forward.weight))),
            },
            ListenerAction::FixedResponse(response) => Self::Fixed(response.clone()),
        }
    }

    fn is_for(&self, action: &ListenerAction) -> bool {
        match (self, action) {
            (Self::Forward { forwards, .. }, ListenerAction::Forward(asked)) => forwards == asked,
            (Self::Fixed(response), ListenerAction::FixedResponse(asked)) => response == asked,
            _ => false,
        }
    }
}

impl GroupEntry {
    /// The next state of a group on this many nodes. What did not change keeps its state: the turn of the group, the
    /// health and the connections of a target.
    pub(crate) fn next(
        before: Option<&Self>,
        group: &TargetGroup,
        in_use: bool,
        nodes: usize,
        metrics: &mut MetricsByGroup,
    ) -> Self {
        let targets = group
            .targets
            .iter()
            .map(|target| {
                let entry = before
                    .and_then(|before| before.targets.iter().find(|entry| entry.target == *target))
                    .map_or_else(|| Arc::new(TargetEntry::new(target)), Arc::clone);
                lock(&entry.health).set_in_use(in_use);
                entry
            })
            .collect();
        let arn: Arc<str> = group.arn.as_str().into();
        let fresh = || (0..nodes).map(|_| Mutex::default()).collect();
        Self {
            metrics: Arc::clone(metrics.entry(Arc::clone(&arn)).or_insert_with(fresh)),
            arn,
            in_use,
            definition: group.clone(),
            targets,
            turn: before.map(|before| Arc::clone(&before.turn)).unwrap_or_default(),
        }
    }

    /// Counts something at one node.
    pub(crate) fn count_at(&self, node: usize, count: impl FnOnce(&mut GroupMetrics)) {
        if let Some(metrics) = self.metrics.get(node) {
            count(&mut lock(metrics));
        }
    }

    /// The next healthy target in turn; when none is healthy, the next of all ("fail open"), told by `true`. None
    /// without targets.
    pub(crate) fn choose(&self) -> Option<(&Arc<TargetEntry>, bool)> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let healthy = self.count(State::Healthy);
        if healthy > 0 {
            let mut among = self.targets.iter().filter(|entry| entry.is(State::Healthy));
            // A check may have taken one away since it was counted.
            if let Some(entry) = among.nth(turn % healthy) {
                return Some((entry, false));
            }
        }
        let index = turn.checked_rem(self.targets.len())?;
        self.targets.get(index).map(|entry| (entry, true))
    }

    pub(crate) fn count(&self, state: State) -> usize {
        self.targets.iter().filter(|entry| entry.is(state)).count()
    }
}

impl TargetEntry {
    fn new(target: &Target) -> Self {
        Self {
            target: target.clone(),
            pool: Arc::new(Pool::new(target.address)),
            health: Mutex::new(Health::unused()),
        }
    }

    fn is(&self, state: State) -> bool {
        lock(&self.health).state() == state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::HealthCheck;

    fn next(table: &Table, routing: &Routing, groups: &[TargetGroup]) -> Table {
        let entries = groups.iter().map(|group| {
            let before = table.groups.get(group.arn.as_str()).map(|entry| &**entry);
            let entry = GroupEntry::next(before, group, true, 1, &mut MetricsByGroup::new());
            (Arc::clone(&entry.arn), Arc::new(entry))
        });
        table.next(routing, Arc::new(entries.collect()))
    }

    fn route(table: &Table, host: &str) -> Route {
        table.route(host, &HeaderMap::new(), &Drawing::InTurn)
    }

    fn group(arn: &str, ports: &[u16]) -> TargetGroup {
        ports.iter().fold(TargetGroup::new(arn, HealthCheck::default()), |group, port| {
            group.with_target(Target { id: format!("i-{port}"), address: ([127, 0, 0, 1], *port).into() })
        })
    }

    fn rule(priority: u32, host: &str, forwards: &[(&str, u16)]) -> Rule {
        let forwards = forwards
            .iter()
            .map(|(group, weight)| Forward { target_group: (*group).to_owned(), weight: *weight })
            .collect();
        let action = ListenerAction::Forward(forwards);
        Rule { priority, hosts: vec![host.to_owned()], headers: Vec::new(), action }
    }

    fn arn(route: &Route) -> &str {
        match route {
            Route::Group(group) => &group.arn,
            Route::Fixed(_) => "fixed",
            Route::Nowhere => "nowhere",
        }
    }

    #[test]
    fn the_lowest_priority_that_matches_wins() {
        let routing =
            Routing::new(vec![rule(20, "*", &[("rest", 1)]), rule(10, "shop.example.com", &[("shop", 1)])]);
        let table = next(&Table::default(), &routing, &[group("rest", &[]), group("shop", &[])]);
        assert_eq!(arn(&route(&table, "shop.example.com")), "shop");
        assert_eq!(arn(&route(&table, "else.example.com")), "rest");
    }

    #[test]
    fn without_a_match_the_default_action_answers() {
        let table = next(&Table::default(), &Routing::default(), &[]);
        assert!(matches!(route(&table, "a"), Route::Fixed(response) if response.status == 503));
        assert!(matches!(route(&Table::default(), "a"), Route::Nowhere));
    }

    #[test]
    fn an_action_without_weight_or_with_an_unknown_group_leads_nowhere() {
        let routing = Routing::new(vec![rule(1, "a", &[("blue", 0)]), rule(2, "b", &[("unknown", 1)])]);
        let table = next(&Table::default(), &routing, &[group("blue", &[1])]);
        assert!(matches!(route(&table, "a"), Route::Nowhere));
        assert!(matches!(route(&table, "b"), Route::Nowhere));
    }

    #[test]
    fn handing_over_the_same_rules_again_does_not_disturb_the_shares() {
        let routing = Routing::new(vec![rule(1, "*", &[("blue", 9), ("green", 1)])]);
        let groups = [group("blue", &[]), group("green", &[])];
        let mut table = Table::default();
        let mut green = 0;
        for _ in 0..100 {
            table = next(&table, &routing, &groups);
            green += usize::from(arn(&route(&table, "a")) == "green");
        }
        assert_eq!(green, 10);
    }

    #[test]
    fn healthy_targets_take_turns_and_sick_ones_only_when_none_is_healthy() {
        let routing = Routing::new(vec![rule(1, "*", &[("blue", 1)])]);
        let table = next(&Table::default(), &routing, &[group("blue", &[1, 2, 3])]);
        let group = &table.groups["blue"];
        let chosen = || -> Vec<(u16, bool)> {
            (0..4)
                .filter_map(|_| group.choose())
                .map(|(entry, open)| (entry.target.address.port(), open))
                .collect()
        };
        let mut open: Vec<u16> =
            chosen().into_iter().map(|(port, open)| if open { port } else { 0 }).collect();
        open.sort_unstable();
        open.dedup();
        assert_eq!(open, [1, 2, 3]);
        for index in [0, 2] {
            lock(&group.targets[index].health).record(Ok(()), &HealthCheck::default());
        }
        let mut ports = chosen();
        ports.sort_unstable();
        assert_eq!(ports, [(1, false), (1, false), (3, false), (3, false)]);
    }
}
