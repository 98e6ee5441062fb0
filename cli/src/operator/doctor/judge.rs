//! What is wrong with a stack, of which object, and what to do next. Decides by facts alone.

mod services;
mod stack;
#[cfg(test)]
mod tests;

use super::facts::{Facts, Looked};
use serde::Serialize;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// A stable word for it.
    pub(crate) kind: &'static str,
    /// The object.
    pub(crate) object: String,
    /// What is wrong with it.
    pub(crate) says: String,
    /// What to do next.
    pub(crate) todo: String,
}

/// Everything that is wrong: first what stops releases of all services, then each service's own.
pub(crate) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut found = Found { stack: &facts.name, findings: Vec::new() };
    stack::judge(facts, &mut found);
    for service in &facts.services {
        services::judge(service, facts, &mut found);
    }
    found.findings
}

/// What was found so far.
struct Found<'a> {
    /// The stack's name, for commands.
    stack: &'a str,
    findings: Vec<Finding>,
}

impl Found<'_> {
    fn say(
        &mut self,
        kind: &'static str,
        object: impl Into<String>,
        says: impl Into<String>,
        todo: impl Into<String>,
    ) {
        self.findings.push(Finding { kind, object: object.into(), says: says.into(), todo: todo.into() });
    }

    /// What was seen; else that it could not be, which is a finding of its own. `right` is what looking needs.
    fn seen<'f, T>(&mut self, object: &str, looked: &'f Looked<T>, right: &str) -> Option<&'f T> {
        match looked {
            Ok(seen) => Some(seen),
            Err(why) => {
                self.say(
                    "could_not_look",
                    object,
                    format!("could not be looked at: {why}"),
                    format!("look with credentials that allow {right}, in the stack's account and region"),
                );
                None
            }
        }
    }
}

/// `3 events`, `1 event`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
pub(super) use tests::sound;
