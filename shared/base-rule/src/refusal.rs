//! Why a base rule cannot be as the template wants it: what whoever deploys reads.

use release::{RuleArn, ServiceName};

/// Why not, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No base rule can stand there.
    #[error(
        "Priority is {priority}: write a number from 3 to 50000; the two before it are reserved for a release and its preview"
    )]
    Priority {
        /// The number.
        priority: u32,
    },
    /// No rule can have so many.
    #[error(
        "Hosts has {count} names: write one to five, none of them empty, which is what a listener rule takes"
    )]
    Hosts {
        /// How many there are.
        count: usize,
    },
    /// Something else stands there.
    #[error("ListenerArn is {found:?}: write the ARN of a listener")]
    NoListener {
        /// What.
        found: String,
    },
    /// Something else stands there.
    #[error("BlueTargetGroupArn and GreenTargetGroupArn must be the ARNs of two target groups")]
    Groups,
    /// A rule stands where the base rule has to be.
    #[error(
        "priority {priority} of the listener is taken by rule {by}, which is not this stack's: give the base rule of {service} another priority, or move that rule"
    )]
    Taken {
        /// Where.
        priority: u32,
        /// The rule.
        by: RuleArn,
        /// The service.
        service: ServiceName,
    },
    /// A rule stands where a release's rule has to be, or a preview's.
    #[error(
        "priority {priority} of the listener is reserved for releases of {service}, and rule {by} stands there: move that rule, or give the base rule of {service} another priority than {base}"
    )]
    ReservedTaken {
        /// Where.
        priority: u32,
        /// The rule.
        by: RuleArn,
        /// The service.
        service: ServiceName,
        /// The priority of its base rule.
        base: u32,
    },
    /// It would have to leave its listener.
    #[error(
        "the base rule of {service} stands on another listener ({rule}) and cannot move with its traffic: keep the listener, or delete the service from the template and add it again"
    )]
    ListenerChanged {
        /// The service.
        service: ServiceName,
        /// The rule.
        rule: RuleArn,
    },
    /// It is the rule of another service.
    #[error(
        "rule {rule} is the base rule of {was:?} and cannot become that of {service}, whose ledger is another one: keep the name, or add {service} beside {was:?} and take that out later"
    )]
    ServiceChanged {
        /// The service that is wanted.
        service: ServiceName,
        /// The service that the rule is tagged with.
        was: String,
        /// The rule.
        rule: RuleArn,
    },
    /// It would have to send traffic to groups without targets.
    #[error(
        "the target groups of {service} were replaced, and rule {rule} still sends its traffic to the old ones; nothing answers in the new ones yet: keep the properties that replace a target group (network, port, protocol), or delete the service from the template and add it again"
    )]
    GroupsChanged {
        /// The service.
        service: ServiceName,
        /// The rule.
        rule: RuleArn,
    },
    /// All weight might go to the wrong colour.
    #[error(
        "the base rule of {service} has to be made, and the ledger does not say which colour is live: {why}. Mend the ledger (docs/operating.md) and deploy again"
    )]
    LiveUnknown {
        /// The service.
        service: ServiceName,
        /// Why not.
        why: String,
    },
}
