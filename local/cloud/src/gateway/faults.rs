//! Faults on demand: AWS that throttles, hangs, or does what was asked and loses the answer.

use super::recognise::Call;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// One rule: what goes wrong with which calls, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `service:Operation`, `service:*` or `*`.
    pub operation: String,
    /// Only calls whose access key id contains this; empty for everybody's. A function's key contains its name in
    /// capitals without hyphens.
    #[serde(default)]
    pub caller: String,
    /// What goes wrong.
    pub kind: FaultKind,
    /// How many calls pass before the first one fails.
    #[serde(default)]
    pub after: u32,
    /// How many calls fail.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Refused with the service's throttling error; not carried out.
    Throttle,
    /// Answered with a server error; not carried out.
    ServerError,
    /// Refused as not allowed; not carried out.
    Refuse,
    /// No answer for a minute; not carried out.
    TimeOut,
    /// Carried out, and the connection is closed without an answer.
    LoseReply,
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Fault>>,
    struck: AtomicU64,
}

impl Faults {
    /// Replaces all rules.
    pub fn set(&self, rules: Vec<Fault>) {
        *self.lock() = rules;
    }

    /// The rules that have not run out.
    pub fn left(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// How many calls went wrong so far.
    pub fn struck(&self) -> u64 {
        self.struck.load(Ordering::Relaxed)
    }

    /// What goes wrong with this call, if anything. Each rule that applies is used up by one.
    pub(super) fn strike(&self, call: &Call) -> Option<FaultKind> {
        let mut rules = self.lock();
        let rule = rules.iter_mut().find(|rule| rule.times > 0 && rule.concerns(call))?;
        if rule.after > 0 {
            rule.after -= 1;
            return None;
        }
        rule.times -= 1;
        self.struck.fetch_add(1, Ordering::Relaxed);
        let kind = rule.kind;
        rules.retain(|rule| rule.times > 0);
        Some(kind)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    fn concerns(&self, call: &Call) -> bool {
        let name = call.name();
        let operation = match self.operation.strip_suffix('*') {
            Some(family) => name.starts_with(family),
            None => name == self.operation,
        };
        operation && call.key.contains(&self.caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str, key: &str) -> Call {
        Call {
            service: "elasticloadbalancing".to_owned(),
            operation: operation.to_owned(),
            key: key.to_owned(),
        }
    }

    #[test]
    fn a_rule_strikes_after_and_as_often_as_it_says() {
        let faults = Faults::default();
        faults.set(vec![Fault {
            operation: "elasticloadbalancing:ModifyRule".to_owned(),
            caller: "LIFECYCLE".to_owned(),
            kind: FaultKind::LoseReply,
            after: 1,
            times: 2,
        }]);
        let ours = call("ModifyRule", "ASIASHOPLIFECYCLE0");
        assert_eq!(faults.strike(&call("DescribeRules", "ASIASHOPLIFECYCLE0")), None);
        assert_eq!(faults.strike(&call("ModifyRule", "AKIAUSER")), None);
        let struck: Vec<_> = (0..4).map(|_| faults.strike(&ours)).collect();
        assert_eq!(struck, [None, Some(FaultKind::LoseReply), Some(FaultKind::LoseReply), None]);
        assert!(faults.left().is_empty());
        assert_eq!(faults.struck(), 2);
    }

    #[test]
    fn a_rule_reads_as_the_control_endpoint_takes_it() {
        let rule: Fault = serde_json::from_str(r#"{"operation":"s3:*","kind":"time-out"}"#).unwrap();
        assert_eq!((rule.times, rule.after, rule.kind), (1, 0, FaultKind::TimeOut));
        assert!(serde_json::from_str::<Fault>(r#"{"operation":"s3:*","kind":"slow"}"#).is_err());
    }
}
