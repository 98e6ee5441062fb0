//! What was seen of a stack. What it means is judged elsewhere.

use jiff::Timestamp;
use release::{Deployment, InstanceId, Ledger, PerColour, RuleOwner, Rules, ServiceName, TargetHealth};
use std::collections::{BTreeMap, BTreeSet};

/// What was seen, or why nothing could be.
pub(crate) type Looked<T> = Result<T, String>;

/// All that was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The stack's name.
    pub(crate) name: String,
    /// Whether the stack has alarms about Greenlight itself.
    pub(crate) watched: bool,
    pub(crate) stack: Looked<Stack>,
    /// What is wrong with the functions' settings, a sentence each.
    pub(crate) settings: Looked<Vec<String>>,
    pub(crate) functions: Vec<Function>,
    /// The aliases of the lifecycle function; none in a stack that has none yet.
    pub(crate) aliases: Looked<Vec<Alias>>,
    /// By function: what CloudWatch has counted in the last hour.
    pub(crate) last_hour: Looked<BTreeMap<String, Counts>>,
    /// By name: for how many days each keeps what is written to it; for ever without a number.
    pub(crate) log_groups: Looked<BTreeMap<String, Option<i32>>>,
    pub(crate) queues: Vec<Queue>,
    /// By name.
    pub(crate) alarms: Looked<BTreeMap<String, Alarm>>,
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) topic: Looked<Topic>,
    /// None in a stack without a firewall.
    pub(crate) firewall: Option<Firewall>,
    pub(crate) services: Vec<Service>,
}

/// What CloudFormation says.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    /// The ARN.
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    /// When drift was last looked for.
    pub(crate) drift_checked: Option<Timestamp>,
    /// What differed from the template then: name in the template, name in AWS, how.
    pub(crate) drifted: Vec<(String, String, String)>,
}

/// A function, `STACK-upload` and its like.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) state: Looked<FunctionState>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct FunctionState {
    /// `Active` when it can run.
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    /// Why its last update failed, if it did.
    pub(crate) update_failed: Option<String>,
    /// How many executions are reserved for it, which are also the most that it gets.
    pub(crate) reserved: Option<i32>,
}

/// A name by which the lifecycle function is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alias {
    pub(crate) name: &'static str,
    /// The version that answers, or most of the calls while another one is tried.
    pub(crate) version: String,
    pub(crate) canary: Option<Canary>,
}

/// A version that is being tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Canary {
    pub(crate) version: String,
    /// Of the calls.
    pub(crate) percent: u8,
    /// It is tried since, or later.
    pub(crate) published_at: Option<Timestamp>,
}

/// What CloudWatch has counted of a function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) errors: u64,
    pub(crate) throttles: u64,
}

/// Where the events lie that a function gave up on.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    /// Its name in the template.
    pub(crate) name: &'static str,
    /// The function's name, without the stack's.
    pub(crate) function: &'static str,
    pub(crate) held: Looked<Held>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    pub(crate) url: String,
    pub(crate) count: u64,
    /// Some of them.
    pub(crate) samples: Vec<Sample>,
}

/// An event that a function gave up on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Which, as an object's URI or the kind of an event.
    pub(crate) what: String,
    /// The function's last words about it.
    pub(crate) why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AlarmState {
    Ok,
    Firing,
    NoData,
}

#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    pub(crate) state: AlarmState,
    pub(crate) actions_enabled: bool,
    /// How many hear of it.
    pub(crate) actions: usize,
}

/// A rule of EventBridge.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// Its name in the template.
    pub(crate) name: &'static str,
    /// What stands still without it.
    pub(crate) without_it: &'static str,
    pub(crate) rule: Looked<Rule>,
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) enabled: bool,
    /// How many it wakes.
    pub(crate) targets: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    /// Whether it keeps what is overwritten.
    pub(crate) versions: Looked<bool>,
    /// Of the bucket that bundles are uploaded to: whether the upload function hears of each.
    pub(crate) tells: Option<Looked<bool>>,
}

/// Who has subscribed.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) arn: String,
    pub(crate) confirmed: usize,
    pub(crate) pending: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Firewall {
    /// The name of the web ACL before the load balancer, if one is.
    pub(crate) before: Looked<Option<String>>,
    /// Whether the stack's web ACL logs; none where it was not found.
    pub(crate) logs: Option<Looked<bool>>,
}

/// A service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) name: ServiceName,
    pub(crate) ledger: Looked<Ledger>,
    pub(crate) rules: Looked<Rules>,
    /// Whose the rule at a release's place is, where there is one; none without tags of ours.
    pub(crate) rule_owner: Option<Looked<Option<RuleOwner>>>,
    pub(crate) health: PerColour<Looked<BTreeMap<InstanceId, TargetHealth>>>,
    /// The names that its alarms must have.
    pub(crate) alarms: PerColour<Vec<String>>,
    /// The deployment that may still change instances.
    pub(crate) active: Looked<Option<Deployment>>,
    pub(crate) group: Looked<Group>,
    /// Instances whose agent has written a log, with the agent's version where the log says it.
    pub(crate) agents: Looked<BTreeMap<InstanceId, Option<String>>>,
    /// The line of agents that the stack asks for, `1` or `2`.
    pub(crate) agent_line: &'static str,
}

/// An Auto Scaling group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) desired: usize,
    /// Those that are in service.
    pub(crate) in_service: BTreeSet<InstanceId>,
    pub(crate) suspended: Vec<String>,
}
