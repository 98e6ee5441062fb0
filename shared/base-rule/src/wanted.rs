//! The base rule that a template asks for.

use crate::{Refusal, Rule, Tags};
use release::{Colour, PerColour, ServiceName};
use std::collections::BTreeSet;

/// Values that the conditions of one rule may have (Elastic Load Balancing quotas, "Condition values per rule").
const MOST_HOSTS: usize = 5;

/// A listener's highest priority (ELB API reference, `CreateRule`).
const LAST_PRIORITY: u32 = 50_000;

const SERVICE: &str = "greenlight:service";
const STACK: &str = "greenlight:stack";
const RESOURCE: &str = "greenlight:resource";
const RELEASE: &str = "greenlight:release";
const PREVIEW: &str = "greenlight:preview";

/// The first priority that leaves room for a release's rule, and for a preview's before it.
const FIRST_PRIORITY: u32 = 3;

/// The resource of a stack that a base rule is. The rule's tags say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The ARN of the stack that has the resource, which no later stack of the same name has. A service is a nested stack of
    /// its own, so this keeps the services of an application apart, whose base rules have the same logical id.
    pub stack: String,
    /// The resource's logical id.
    pub resource: String,
}

impl Owner {
    /// What a base rule is tagged with when it is made.
    pub fn tags(&self, service: &ServiceName) -> Tags {
        [(SERVICE, service.as_str()), (STACK, &self.stack), (RESOURCE, &self.resource)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    pub(crate) fn owns(&self, rule: &Rule) -> bool {
        rule.is_tagged(STACK, &self.stack) && rule.is_tagged(RESOURCE, &self.resource)
    }
}

/// A base rule as the template describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whose traffic it divides.
    pub service: ServiceName,
    /// The ARN of the listener that it stands on.
    pub listener: String,
    /// Its priority, 3 to 50,000. The one before it is reserved for a release, and the one before that for a preview.
    pub priority: u32,
    /// The host names that it answers for, one to five.
    pub hosts: Vec<String>,
    /// The ARNs of the two target groups.
    pub groups: PerColour<String>,
}

impl Wanted {
    /// Whether AWS could make such a rule, as far as the template alone tells.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), Refusal> {
        if !(FIRST_PRIORITY..=LAST_PRIORITY).contains(&self.priority) {
            return Err(Refusal::Priority { priority: self.priority });
        }
        if self.hosts.is_empty() || self.hosts.len() > MOST_HOSTS || self.hosts.iter().any(String::is_empty) {
            return Err(Refusal::Hosts { count: self.hosts.len() });
        }
        if !self.listener.contains(":listener/") {
            return Err(Refusal::NoListener { found: self.listener.clone() });
        }
        let is_group = |colour: Colour| self.groups.of(colour).contains(":targetgroup/");
        if !Colour::BOTH.into_iter().all(is_group) || self.groups.blue == self.groups.green {
            return Err(Refusal::Groups);
        }
        Ok(())
    }

    /// The tags of such a rule are worth reading: it names one of the service's groups.
    pub fn concerns(&self, rule: &Rule) -> bool {
        Colour::BOTH.into_iter().any(|colour| rule.groups.contains(self.groups.of(colour)))
    }

    /// The priority that a release's rule has.
    pub(crate) fn reserved(&self) -> u32 {
        self.priority - 1
    }

    /// The priority that a preview's rule has.
    pub(crate) fn reserved_for_preview(&self) -> u32 {
        self.priority - 2
    }

    /// Whether a rule is that of a release of the service: the tags that `create_release_rule` gives it say so, and it
    /// names the service's groups. Another stack may have a service of the same name on the same listener.
    pub(crate) fn is_release_rule(&self, rule: &Rule) -> bool {
        self.is_of_release(rule) && !rule.tags.contains_key(PREVIEW)
    }

    /// The same of a preview's rule.
    pub(crate) fn is_preview_rule(&self, rule: &Rule) -> bool {
        self.is_of_release(rule) && rule.tags.contains_key(PREVIEW)
    }

    fn is_of_release(&self, rule: &Rule) -> bool {
        rule.is_tagged(SERVICE, self.service.as_str())
            && rule.tags.contains_key(RELEASE)
            && self.concerns(rule)
    }

    /// The service whose base rule it is, when that is another one.
    pub(crate) fn another_service_than<'a>(&self, base: &'a Rule) -> Option<&'a str> {
        base.tags.get(SERVICE).map(String::as_str).filter(|service| *service != self.service.as_str())
    }

    pub(crate) fn has_groups_of(&self, rule: &Rule) -> bool {
        rule.groups.len() == Colour::BOTH.len()
            && Colour::BOTH.into_iter().all(|colour| rule.groups.contains(self.groups.of(colour)))
    }

    pub(crate) fn has_hosts_of(&self, rule: &Rule) -> bool {
        names(&self.hosts) == names(&rule.hosts)
    }
}

/// Host names in no order and in small letters, as a load balancer compares them (ELB user guide, host conditions).
pub(crate) fn names(hosts: &[String]) -> BTreeSet<String> {
    hosts.iter().map(|host| host.to_lowercase()).collect()
}

/// The ARN of the listener that a rule with this ARN stands on; `None` for what is no rule's ARN.
pub fn listener_of(rule: &str) -> Option<String> {
    let (listener, _) = rule.rsplit_once('/')?;
    let (account, rest) = listener.split_once(":listener-rule/")?;
    Some(format!("{account}:listener/{rest}"))
}
