//! What a lint finds, and what an AppSpec file refers to.

use super::fault::{AppSpecFault, AppSpecWarning};

/// What was found in an AppSpec file, each list from top to bottom.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Lint {
    /// What fails a deployment.
    pub faults: Vec<Finding<AppSpecFault>>,
    /// What its author should know.
    pub warnings: Vec<Finding<AppSpecWarning>>,
    /// The scripts that hooks name.
    pub scripts: Vec<ScriptReference>,
    /// What Install copies.
    pub copies: Vec<CopyReference>,
}

impl Lint {
    pub(super) fn fault(&mut self, line: usize, what: AppSpecFault) {
        self.faults.push(Finding { line, what });
    }

    pub(super) fn warn(&mut self, line: usize, what: AppSpecWarning) {
        self.warnings.push(Finding { line, what });
    }
}

/// Something found in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<T> {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong or odd there.
    pub what: T,
}

/// A script of a lifecycle event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptReference {
    /// Counted from 1.
    pub line: usize,
    /// The lifecycle event.
    pub event: String,
    /// Where the script should be, from the bundle's root.
    pub location: String,
}

/// An item of `files`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyReference {
    /// Counted from 1.
    pub line: usize,
    /// From the bundle's root; empty and `/` are all of it.
    pub source: String,
    /// The folder on the instance.
    pub destination: String,
}
