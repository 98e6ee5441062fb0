//! What an agent makes of a bundle at Install, worked out without a disk: which files it copies where, and which
//! permissions it sets on them. Both agents build one list of instructions first, by the same rules, and stop at the
//! first contradiction in it (1.8.1: `installer.rb` and `install_instruction.rb`, 2.x: `src/installer`).
//!
//! The instance is taken to have nothing yet at the destinations, which is what a new one has.

mod conflicts;
mod copies;
mod paths;
mod permissions;
mod walk;

use crate::tree::Tree;
use appspec::Asks;
use appspec::finding::{Code, Fails, Finding, Findings, Position};

/// Steps that a simulation may take; an honest bundle takes a few for each entry.
const STEPS: usize = 20_000_000;

/// Says what Install would fail on, or do otherwise than it looks.
pub(crate) fn check(tree: &Tree, asks: &Asks, findings: &mut Findings) {
    let mut budget = Budget { left: STEPS };
    let copies = copies::resolve(tree, &asks.copies, findings);
    let copies = copies::check_each(tree, copies, &mut budget, findings);
    conflicts::check(tree, &copies, &mut budget, findings);
    permissions::check(tree, &copies, &asks.permissions, &mut budget, findings);
    if budget.left == 0 {
        let what = "files and permissions ask for so much that it was not worked out to its end";
        let finding = Finding::new(Code::ManyFiles, what, "write fewer items of files and permissions");
        findings.push(finding.fails(Fails::Nowhere));
    }
}

/// What is left of [`STEPS`].
struct Budget {
    left: usize,
}

impl Budget {
    /// Takes one step; `false` when there is none left.
    fn step(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }
}

/// A finding in the AppSpec file.
fn at(position: Position, code: Code, what: String, remedy: impl Into<String>) -> Finding {
    Finding::new(code, what, remedy).of(appspec::agent1::FILE_NAME).at(position.line, position.column)
}
