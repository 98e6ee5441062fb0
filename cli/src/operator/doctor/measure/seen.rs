//! What was seen while it was measured. What it says of a belief is told elsewhere.

use crate::operator::doctor::{Alias, Group, Looked};
use jiff::Timestamp;
use release::{Colour, InstanceId, Ledger, PerColour, Rules, ServiceName, TargetHealth};
use std::collections::{BTreeMap, BTreeSet};

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Whether it is known which services there are.
    pub(crate) known: Looked<()>,
    /// What was looked at again and again, the first look first.
    pub(crate) looks: Vec<Look>,
    pub(crate) expressions: Looked<Vec<Expression>>,
    pub(crate) transitions: Looked<Vec<Transition>>,
    pub(crate) conditions: Looked<Vec<Condition>>,
    pub(crate) deployments: Looked<Vec<Made>>,
    pub(crate) boots: Looked<BTreeMap<InstanceId, Boot>>,
    pub(crate) versions: Looked<Versions>,
    pub(crate) account: Looked<Account>,
    /// Milliseconds that a start of a function took, by function.
    pub(crate) starts: Looked<BTreeMap<String, Vec<u64>>>,
    pub(crate) uploads: Looked<Vec<Told>>,
    pub(crate) clocks: Looked<Vec<Clock>>,
    /// The variable `AWS_ENDPOINT_URL` of the upload function.
    pub(crate) endpoint: Looked<Option<String>>,
    /// Of each log of the firewall, seconds from the beginning of its time to its delivery; none in a stack without one.
    pub(crate) firewall_logs: Looked<Option<Vec<i64>>>,
}

/// A look at the services.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) at: Timestamp,
    pub(crate) services: BTreeMap<ServiceName, ServiceLook>,
}

#[derive(Debug, Clone)]
pub(crate) struct ServiceLook {
    /// None before the first release.
    pub(crate) ledger: Looked<Option<Ledger>>,
    /// Requests of both colours, by the minute's number.
    pub(crate) minutes: Looked<BTreeMap<i64, u64>>,
    pub(crate) rules: Looked<Rules>,
    pub(crate) health: PerColour<Looked<BTreeMap<InstanceId, TargetHealth>>>,
    pub(crate) group: Looked<Group>,
}

impl ServiceLook {
    /// Whether it is known that no release is open and none waits; there may not have been one yet.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.ledger, Ok(None)) || self.at_rest().is_some()
    }

    /// The ledger, while no release is open and none waits.
    pub(super) fn at_rest(&self) -> Option<&Ledger> {
        let ledger = self.ledger.as_ref().ok()?.as_ref()?;
        (ledger.open.is_none() && ledger.pending.is_none() && !ledger.unsettled).then_some(ledger)
    }

    /// The colour without traffic, while no release is open.
    pub(super) fn idle(&self) -> Option<Colour> {
        let live = self.at_rest()?.live.as_ref()?.colour;
        self.rules.as_ref().ok()?.base.are_all_on(live).then(|| live.other())
    }
}

/// An alarm's expression over metrics of which one was never published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expression {
    pub(crate) alarm: String,
    /// Metrics without a value in the time that was looked at.
    pub(crate) empty: usize,
    /// Minutes in which another metric has a value.
    pub(crate) minutes: usize,
    /// Those of them in which the expression has none.
    pub(crate) without_value: usize,
}

/// An alarm went into ALARM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transition {
    pub(crate) alarm: String,
    /// Seconds from the end of the newest minute that it judged.
    pub(crate) seconds: i64,
}

/// A condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) rule: String,
    /// Members that have something, but for the field's name, values and the hosts.
    pub(crate) others: Vec<&'static str>,
}

/// A deployment of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) id: String,
    /// By whom, in CodeDeploy's word.
    pub(crate) creator: String,
    pub(crate) has_description: bool,
    pub(crate) has_succeeded: bool,
}

/// What an instance's boot has said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boot {
    Ready,
    Failed,
    /// Neither: its log does not say.
    Silent,
}

/// Which version has what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) aliases: Vec<Alias>,
    /// Of each alias: the variables that its version has otherwise than the function.
    pub(crate) others: BTreeMap<&'static str, BTreeSet<String>>,
}

/// What the account lets functions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    /// Executions at a time, all functions of the region together.
    pub(crate) executions: i32,
    /// How often one was refused in the last day.
    pub(crate) throttles: u64,
}

/// An upload of which the function was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) key: String,
    /// Seconds from S3's time of the object to the first line about it.
    pub(crate) seconds: i64,
    /// Invocations that spoke of it.
    pub(crate) times: usize,
}

/// The clock of an execution environment, by what it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) environment: String,
    /// Milliseconds by which CloudWatch's clock was ahead of it when it took a line in, the least of all lines: the lines'
    /// way is part of it.
    pub(crate) behind: i64,
}
