//! The `permissions` section: mode, access control lists and `SELinux` context.

use super::fault::{AppSpecFault, AppSpecWarning};
use super::findings::Lint;
use super::nodes::{as_written, get, is_mapping, items, present, text, value};
use crate::acl::{self, AclProblem};
use crate::ruby::{Value, strip};
use crate::selinux::{self, RangeProblem};
use crate::tree::{Content, Node};

pub(super) fn check(root: &Node, findings: &mut Lint) {
    let permissions =
        items(get(root, "permissions"), "permissions", "a list of items with an object", findings);
    for item in permissions {
        if is_mapping(item, "an item of permissions", "a mapping with an object", findings) {
            check_item(item, findings);
        }
    }
}

fn check_item(item: &Node, findings: &mut Lint) {
    if present(item, "object").is_none_or(|object| strip(&text(object)).is_empty()) {
        findings.fault(item.line(), AppSpecFault::ObjectMissing);
    }
    // The agent goes through the entries of a mapping as well, and finds no file of such a name.
    let except = get(item, "except").filter(|except| !matches!(except.content, Content::Map(_)));
    items(except, "except", "a list of patterns", findings);
    for kind in items(get(item, "type"), "type", "a list of file and directory", findings) {
        if !matches!(value(kind), Value::Text(kind) if matches!(kind.as_str(), "file" | "directory")) {
            findings.fault(kind.line(), AppSpecFault::PermissionType { found: text(kind) });
        }
    }
    if let Some(mode) = present(item, "mode") {
        check_mode(mode, findings);
    }
    if let Some(acls) = present(item, "acls") {
        check_acls(acls, findings);
    }
    if let Some(context) = present(item, "context") {
        check_context(context, findings);
    }
}

/// The agent judges the mode after Ruby has read it: `0755` has become the number 493 by then.
fn check_mode(mode: &Node, findings: &mut Lint) {
    let (found, read_as) = (as_written(mode), text(mode));
    let octal = matches!(value(mode), Value::Int(_)) && found.starts_with('0') && found.len() > 1;
    if read_as.chars().count() > 4 || !read_as.chars().all(|c| c.is_digit(8)) {
        findings.fault(mode.line(), AppSpecFault::Mode { found, octal });
    } else if octal && found.trim_start_matches('0') != read_as {
        findings.warn(mode.line(), AppSpecWarning::Mode { found, read_as });
    }
}

fn check_acls(acls: &Node, findings: &mut Lint) {
    const EXPECTED: &str = "a list of texts";
    // Unlike in other places, the agent does not take `false` for no entries here.
    if value(acls) == Value::Bool(false) {
        let what = "acls".to_owned();
        return findings.fault(acls.line(), AppSpecFault::Shape { what, expected: EXPECTED });
    }
    for node in items(Some(acls), "acls", EXPECTED, findings) {
        let why = match value(node) {
            Value::Text(entry) => acl::parse(&entry).err().map(acl_fault),
            _ => Some("is not a text"),
        };
        if let Some(why) = why {
            findings.fault(node.line(), AppSpecFault::Acl { entry: text(node), why });
        }
    }
}

fn acl_fault(problem: AclProblem) -> &'static str {
    match problem {
        AclProblem::Form => "is not of the form [d:][u|g|m|o]:[name]:permissions",
        AclProblem::Named => "gives a name to a mask or to others, who have none",
        AclProblem::Base => "is a base entry, which mode sets",
        AclProblem::Right(_) => "has permissions other than r, w, x, - or one octal digit",
    }
}

fn check_context(context: &Node, findings: &mut Lint) {
    if !is_mapping(context, "context", "a mapping with name, type and range", findings) {
        return;
    }
    if present(context, "type").is_none() {
        findings.fault(context.line(), AppSpecFault::ContextType);
    }
    if let Some(range) = present(context, "range") {
        let why = match value(range) {
            Value::Text(text) => selinux::check(&text).err().map(|problem| range_fault(&problem)),
            _ => Some("is not a text"),
        };
        if let Some(why) = why {
            findings.fault(range.line(), AppSpecFault::Range { found: text(range), why });
        }
    }
}

fn range_fault(problem: &RangeProblem) -> &'static str {
    const SENSITIVITY: &str = "has a sensitivity that is not s and a number, low before high";
    const CATEGORY: &str = "has a category that is not c and a number up to 1023, low before high";
    match problem {
        // Nothing stands before or behind a separator: a full stop and what follows a colon are the categories'.
        RangeProblem::Part(part) if part.starts_with(':') || !part.contains([':', '.']) => SENSITIVITY,
        RangeProblem::Part(_) | RangeProblem::Category(_) | RangeProblem::CategoriesSwapped { .. } => {
            CATEGORY
        }
        RangeProblem::Sensitivity(_) | RangeProblem::SensitivitiesSwapped => SENSITIVITY,
        RangeProblem::CategoryTwice => "names a category twice",
    }
}
