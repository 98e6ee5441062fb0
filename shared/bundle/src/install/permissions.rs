//! The items of `permissions`, on what is copied.

use super::copies::{Copy, is_lost};
use super::paths::expand;
use super::walk::{Laid, Next, What, walk};
use super::{Budget, at};
use crate::tree::Tree;
use appspec::PermissionReference;
use appspec::agent1::Permission;
use appspec::finding::{Code, Findings, Position, shown};
use std::collections::BTreeSet;

const REMEDY: &str = "write type: [directory], and give files a rule of their own";

/// A rule with its object as the agent compares it.
struct Rule<'a> {
    position: Position,
    permission: &'a Permission,
    object: String,
}

/// Reports for each rule the first object that an earlier rule has set, and the first that it cannot be set on.
pub(super) fn check(
    tree: &Tree,
    copies: &[Copy<'_>],
    references: &[PermissionReference],
    budget: &mut Budget,
    findings: &mut Findings,
) {
    let rules: Vec<Rule<'_>> = references
        .iter()
        .map(|PermissionReference { position, permission }| Rule {
            position: *position,
            permission,
            object: expand(&permission.object),
        })
        .collect();
    if rules.is_empty() {
        return;
    }
    let (mut twice, mut of_file, mut of_lost) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for copy in copies {
        let mut visit = |laid: &Laid<'_>, budget: &mut Budget| {
            let is_file = laid.what != What::Folder;
            let mut first: Option<&Rule<'_>> = None;
            for (index, rule) in rules.iter().enumerate() {
                if !budget.step() {
                    return Next::Stop;
                }
                if !rule.sets(laid.place, is_file) {
                    continue;
                }
                if is_file && rule.is_for_folders(laid.place) && of_file.insert(index) {
                    let place = shown(laid.place);
                    let what =
                        format!("a pattern, an exception or a default acl is given to the file {place}");
                    findings.push(at(rule.position, Code::PermissionOfFile, what, REMEDY));
                }
                if is_lost(tree, laid, copies, budget) && of_lost.insert(index) {
                    let what =
                        format!("permissions are set on {}, a link that leads nowhere", shown(laid.place));
                    let remedy = "copy what it leads to, or leave the link out with except";
                    findings.push(at(rule.position, Code::PermissionOfLostLink, what, remedy));
                }
                match first {
                    None => first = Some(rule),
                    Some(first) if twice.insert(index) => {
                        let (place, line) = (shown(laid.place), first.position.line);
                        let what = format!("permissions of {place} are set here and in line {line}");
                        let remedy =
                            "let each file and folder fall under one rule (except takes names, no paths)";
                        findings.push(at(rule.position, Code::PermissionTwice, what, remedy));
                    }
                    Some(_) => {}
                }
            }
            Next::In
        };
        walk(tree, copy, budget, &mut visit).unwrap_or_default();
    }
}

impl Rule<'_> {
    /// Whether the agent sets it on what lies at `place`.
    fn sets(&self, place: &str, is_file: bool) -> bool {
        let wanted = if is_file { self.permission.files } else { self.permission.directories };
        wanted && (is_file && self.object == place || self.permission.covers(&self.object, place))
    }

    /// Whether it holds something that a file cannot have.
    fn is_for_folders(&self, place: &str) -> bool {
        let default = self.permission.acls.iter().flatten().any(|entry| entry.default);
        let is_object = self.object == place;
        default || is_object && (self.permission.pattern != "**" || !self.permission.except.is_empty())
    }
}
