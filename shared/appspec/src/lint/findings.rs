//! What a lint has to say, and what an AppSpec file asks for.

use crate::agent1::Permission;
use crate::finding::{Code, Fails, Finding, Findings, Position};
use crate::tree::Node;

/// What was found in an AppSpec file, and what it asks for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Lint {
    /// What is wrong or odd.
    pub findings: Findings,
    /// What hooks, files and permissions ask for.
    pub asks: Asks,
}

/// What an AppSpec file asks an agent to do, as far as it can be read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Asks {
    /// The scripts that hooks name.
    pub scripts: Vec<ScriptReference>,
    /// What Install copies.
    pub copies: Vec<CopyReference>,
    /// What Install sets on what it has copied.
    pub permissions: Vec<PermissionReference>,
}

/// A script of a lifecycle event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptReference {
    /// Where the location stands.
    pub position: Position,
    /// The lifecycle event.
    pub event: String,
    /// Whether the event ever runs scripts.
    pub runs: bool,
    /// Where the script should be, from the bundle's root.
    pub location: String,
    /// Seconds until the agent ends it.
    pub timeout: u64,
    /// Whether it runs as a user of its own, through `su`.
    pub runas: bool,
}

/// An item of `files`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyReference {
    /// Where the item stands.
    pub position: Position,
    /// From the bundle's root; empty and `/` are all of it.
    pub source: String,
    /// The folder on the instance.
    pub destination: String,
}

/// An item of `permissions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionReference {
    /// Where the item stands.
    pub position: Position,
    /// What it says, as agent 1.x reads it.
    pub permission: Permission,
}

impl Lint {
    pub(super) fn say(&mut self, at: &Node, code: Code, what: impl Into<String>, remedy: impl Into<String>) {
        self.findings.push(Finding::new(code, what, remedy).at_node(at));
    }

    /// Says it of other agents than the rule usually means.
    pub(super) fn say_of(
        &mut self,
        fails: Fails,
        at: &Node,
        code: Code,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.findings.push(Finding::new(code, what, remedy).at_node(at).fails(fails));
    }
}
