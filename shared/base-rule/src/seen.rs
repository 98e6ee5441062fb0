//! What a look at the listener shows.

use release::{Colour, Reading, RuleArn};
use std::collections::{BTreeMap, BTreeSet};

/// The tags of a rule.
pub type Tags = BTreeMap<String, String>;

/// The listener's rules, and what the ledger says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Every rule but the default one. None where the listener itself is gone.
    pub rules: Vec<Rule>,
    /// The live colour; none where no release has succeeded yet. Read only when [`crate::Next::ReadLedger`] asks for it.
    pub live: Reading<Option<Colour>>,
}

/// A rule of the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its ARN.
    pub arn: RuleArn,
    /// Its priority.
    pub priority: u32,
    /// The host names that it answers for.
    pub hosts: Vec<String>,
    /// The target groups that its actions name, with weight or without.
    pub groups: BTreeSet<String>,
    /// Its tags, read where [`crate::Wanted::concerns`] says so and of the rule that the stack knows.
    pub tags: Tags,
}

impl Rule {
    pub(crate) fn is_tagged(&self, key: &str, value: &str) -> bool {
        self.tags.get(key).is_some_and(|found| found == value)
    }
}

impl Seen {
    pub(crate) fn rule(&self, arn: &RuleArn) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.arn == *arn)
    }

    pub(crate) fn at(&self, priority: u32) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.priority == priority)
    }
}
