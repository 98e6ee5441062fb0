//! The `permissions` section: mode, access control lists and `SELinux` context.

use super::files::check_text;
use super::findings::{Lint, PermissionReference};
use super::nodes::{
    as_written, check_keys, get, has_parts, is_mapping, items, present, say_shape, text, value,
};
use crate::acl::{self, AclProblem};
use crate::agent1::Permission;
use crate::finding::{Agent, Code, Fails, shown};
use crate::ruby::{Value, strip};
use crate::selinux::{self, RangeProblem};
use crate::tree::{Content, Node};

pub(super) const CONTEXT_KEYS: [&str; 3] = ["name", "type", "range"];
pub(super) const KEYS: [&str; 9] =
    ["object", "pattern", "except", "type", "owner", "group", "mode", "acls", "context"];

pub(super) fn check(root: &Node, lint: &mut Lint) {
    let permissions = items(get(root, "permissions"), "permissions", "a list of items with an object", lint);
    for item in permissions {
        if is_mapping(item, "an item of permissions", "a mapping with an object", lint) {
            check_keys(item, &KEYS, lint);
            check_item(item, lint);
            if let Ok(permission) = Permission::read(&value(item)) {
                let position = item.position();
                lint.asks.permissions.push(PermissionReference { position, permission });
            }
        }
    }
}

fn check_item(item: &Node, lint: &mut Lint) {
    if present(item, "object").is_none_or(|object| strip(&text(object)).is_empty()) {
        lint.say(item, Code::NoObject, "an item of permissions has no object", "add the path that it is for");
    }
    for key in ["owner", "group"] {
        if let Some(name) = get(item, key).filter(|node| has_parts(node) || value(node).is_truthy()) {
            check_text(name, key, lint);
        }
    }
    if let Some(pattern) =
        present(item, "pattern").filter(|pattern| has_parts(pattern) || value(pattern).is_truthy())
    {
        check_text(pattern, "pattern", lint);
    }
    check_except(item, lint);
    for kind in items(get(item, "type"), "type", "a list of file and directory", lint) {
        if !matches!(value(kind), Value::Text(kind) if matches!(kind.as_str(), "file" | "directory")) {
            let what = format!("permission type {} is neither file nor directory", shown(&text(kind)));
            lint.say(kind, Code::PermissionType, what, "write file or directory");
        }
    }
    if let Some(mode) = present(item, "mode") {
        check_mode(mode, lint);
    }
    if let Some(acls) = present(item, "acls") {
        check_acls(acls, lint);
    }
    if let Some(context) = present(item, "context") {
        check_context(context, lint);
    }
    check_what_is_for_folders(item, lint);
}

fn check_except(item: &Node, lint: &mut Lint) {
    // The agent goes through the entries of a mapping as well, and finds no file of such a name.
    let except = get(item, "except").filter(|except| !matches!(except.content, Content::Map(_)));
    for name in items(except, "except", "a list of patterns", lint) {
        check_text(name, "an item of except", lint);
        if text(name).contains('/') {
            let what =
                format!("except {} is a path, and only names are compared with it", shown(&text(name)));
            let remedy = "write the file's name, and a rule of its own for its folder";
            lint.say(name, Code::ExceptPath, what, remedy);
        }
    }
}

/// Agent 2.x refuses what is for folders as long as the rule could be for a file.
fn check_what_is_for_folders(item: &Node, lint: &mut Lint) {
    const REMEDY: &str = "write type: [directory], and give files a rule of their own";
    let kinds = items(get(item, "type"), "type", "a list of file and directory", &mut Lint::default());
    let could_be_a_file = get(item, "type").is_none_or(|kinds| value(kinds).is_nil())
        || kinds.iter().any(|kind| text(kind) == "file");
    if !could_be_a_file {
        return;
    }
    let fails = Fails::With(Agent::Two);
    let mut say = |at: &Node, what: String| lint.say_of(fails, at, Code::PermissionOfFile, what, REMEDY);
    if let Some(pattern) = present(item, "pattern").filter(|pattern| as_written(pattern) != "**") {
        let what = format!("pattern {} stands in a rule that is for files too", shown(&as_written(pattern)));
        say(pattern, what);
    }
    if let Some(except) = present(item, "except")
        && matches!(&except.content, Content::List(items) if !items.is_empty())
    {
        say(except, "except stands in a rule that is for files too".to_owned());
    }
    let acls = items(get(item, "acls"), "acls", "a list of texts", &mut Lint::default());
    let default =
        acls.iter().find(|entry| acl::parse_for_agent2(&text(entry)).is_ok_and(|entry| entry.default));
    if let Some(entry) = default {
        say(entry, format!("default acl {} stands in a rule that is for files too", shown(&text(entry))));
    }
}

/// The agent judges the mode after Ruby has read it: `0755` has become the number 493 by then.
fn check_mode(mode: &Node, lint: &mut Lint) {
    let (found, read_as) = (as_written(mode), text(mode));
    let octal = matches!(value(mode), Value::Int(_)) && found.starts_with('0') && found.len() > 1;
    let is_mode = |text: &str| text.len() <= 4 && text.chars().all(|c| c.is_digit(8));
    let shown_mode = shown(&found);
    let (one, two) = (!is_mode(&read_as), has_parts(mode) || !is_mode(&found));
    let significant = found.trim_start_matches('0');
    if octal && significant != read_as {
        let what = format!("mode {shown_mode} without quotes is octal and becomes {read_as} in agent 1.x");
        let written = if two { significant } else { found.as_str() };
        let remedy = format!("write mode: '{}'", shown(written));
        match Fails::of(one, two).unwrap_or(Fails::Nowhere) {
            fails @ (Fails::Nowhere | Fails::With(Agent::Two)) => {
                lint.say_of(fails, mode, Code::OtherMode, format!("{what}, which sets other bits"), remedy);
            }
            fails => lint.say_of(fails, mode, Code::Mode, what, remedy),
        }
    } else if let Some(fails) = Fails::of(one, two) {
        let what = format!("mode {shown_mode} is not one to four octal digits");
        lint.say_of(fails, mode, Code::Mode, what, "write it as in mode: '0755'");
    }
}

fn check_acls(acls: &Node, lint: &mut Lint) {
    const EXPECTED: &str = "a list of texts";
    // Unlike in other places, the agent does not take `false` for no entries here.
    if value(acls) == Value::Bool(false) {
        return say_shape(acls, "acls", EXPECTED, lint);
    }
    for node in items(Some(acls), "acls", EXPECTED, lint) {
        let entry = text(node);
        let one = match value(node) {
            Value::Text(_) => acl::parse(&entry).err().map(acl_problem),
            _ => Some("is not a text"),
        };
        let two = acl::parse_for_agent2(&as_written(node)).err().map(acl_problem);
        let Some(fails) = Fails::of(one.is_some(), two.is_some()) else { continue };
        let problem = one.or(two).unwrap_or_default();
        let what = format!("acl {} {problem}", shown(&entry));
        lint.say_of(fails, node, Code::Acl, what, "write it as in 'u:mary:rwx' or 'd:g:ops:r-x'");
    }
}

fn acl_problem(problem: AclProblem) -> &'static str {
    match problem {
        AclProblem::Form => "is not of the form [d:]u|g|m|o:[name]:permissions",
        AclProblem::Named => "gives a name to a mask or to others, who have none",
        AclProblem::Base => "is a base entry, which mode sets",
        AclProblem::Right(_) => "has permissions other than r, w, x, - or one octal digit",
    }
}

fn check_context(context: &Node, lint: &mut Lint) {
    const EXPECTED: &str = "a mapping with name, type and range";
    // Ruby finds the word in a text, where agent 2.x wants a mapping.
    if matches!(value(context), Value::Text(text) if text.contains("type")) {
        let what = format!("context is something else than {EXPECTED}");
        return lint.say_of(Fails::With(Agent::Two), context, Code::Shape, what, format!("write {EXPECTED}"));
    }
    if !is_mapping(context, "context", EXPECTED, lint) {
        return;
    }
    check_keys(context, &CONTEXT_KEYS, lint);
    if present(context, "type").is_none() {
        lint.say(context, Code::Context, "context has no type", "add it");
    }
    if let Some(range) = present(context, "range") {
        let found = text(range);
        let one = match value(range) {
            Value::Text(text) => selinux::check(&text).err().map(|problem| range_problem(&problem)),
            _ => Some("is not a text"),
        };
        let Some(fails) = Fails::of(one.is_some(), !selinux::is_good_for_agent2(&as_written(range))) else {
            return;
        };
        let problem = one.unwrap_or("is none to agent 2.x");
        let what = format!("range {} of the context {problem}", shown(&found));
        lint.say_of(fails, range, Code::Context, what, "write it as in s0-s0:c0.c1023");
    }
}

fn range_problem(problem: &RangeProblem) -> &'static str {
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
