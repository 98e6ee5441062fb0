//! The `permissions` section: mode, access control lists and `SELinux` context.

use super::psych::Value;
use super::yaml::{Content, Node};
use super::{AppSpecFault, AppSpecWarning, is_mapping, items, present};
use crate::bundle::fault::Findings;

/// The highest `SELinux` category that the agent knows.
const LAST_CATEGORY: u32 = 1023;

pub(super) fn check(root: &Node, findings: &mut Findings) {
    for item in items(root.get("permissions"), "permissions", "a list of items with an object", findings) {
        if !is_mapping(item, "an item of permissions", "a mapping with an object", findings) {
            continue;
        }
        if present(item, "object").is_none_or(|object| object.text().trim().is_empty()) {
            findings.appspec_fault(item.line, AppSpecFault::ObjectMissing);
        }
        items(item.get("except"), "except", "a list of patterns", findings);
        for kind in items(item.get("type"), "type", "a list of file and directory", findings) {
            let found = kind.text();
            if !["file", "directory"].contains(&found.as_str()) {
                findings.appspec_fault(kind.line, AppSpecFault::PermissionType { found });
            }
        }
        if let Some(mode) = present(item, "mode") {
            check_mode(mode, findings);
        }
        for entry in items(present(item, "acls"), "acls", "a list of texts", findings) {
            check_acl(entry, findings);
        }
        if let Some(context) = present(item, "context") {
            check_context(context, findings);
        }
    }
}

/// The agent judges the mode after Ruby has read it: `0755` has become the number 493 by then.
fn check_mode(mode: &Node, findings: &mut Findings) {
    let found = if let Content::Scalar(scalar) = &mode.content { scalar.text.clone() } else { mode.text() };
    let read_as = mode.text();
    let octal = matches!(mode.value(), Some(Value::Int(_))) && found.starts_with('0') && found.len() > 1;
    if !(1..=4).contains(&read_as.chars().count()) || !read_as.chars().all(|c| c.is_digit(8)) {
        findings.appspec_fault(mode.line, AppSpecFault::Mode { found, octal });
    } else if octal && found.trim_start_matches('0') != read_as {
        findings.appspec_warn(mode.line, AppSpecWarning::Mode { found, read_as });
    }
}

fn check_acl(node: &Node, findings: &mut Findings) {
    let why =
        if let Some(Value::Text(entry)) = node.value() { acl_fault(&entry) } else { Some("is not a text") };
    if let Some(why) = why {
        findings.appspec_fault(node.line, AppSpecFault::Acl { entry: node.text(), why });
    }
}

/// `[d[efault]:][u[ser]|g[roup]|m[ask]|o[ther]:][name]:permissions`
fn acl_fault(entry: &str) -> Option<&'static str> {
    const FORM: Option<&str> = Some("is not of the form [d:][u|g|m|o]:[name]:permissions");
    let is_default = |word: &str| matches!(word, "d" | "default");
    let mut parts: Vec<&str> = entry.split(':').collect();
    let (Some(permissions), 2..=4) = (parts.pop(), parts.len() + 1) else { return FORM };
    let mut default = false;
    if parts.len() == 3 {
        if !parts.first().is_some_and(|word| is_default(word)) {
            return FORM;
        }
        default = true;
        parts.remove(0);
    }
    let mut kind = None;
    if parts.len() == 2 {
        let word = parts.remove(0);
        if is_default(word) && !default {
            default = true;
        } else {
            let Some(found) = acl_kind(word) else { return FORM };
            kind = Some(found);
        }
    }
    let mut name = parts.first().copied().unwrap_or_default();
    if kind.is_none()
        && let Some(found @ ('m' | 'o')) = acl_kind(name)
    {
        kind = Some(found);
        name = "";
    }
    let nameless = matches!(kind, Some('m' | 'o'));
    if nameless && !name.is_empty() {
        return Some("gives a name to a mask or to others, who have none");
    }
    if !default && kind != Some('m') && name.is_empty() {
        return Some("is a base entry, which mode sets");
    }
    let digit = matches!(permissions.as_bytes(), [b'0'..=b'7']);
    let letters = permissions.chars().all(|c| "rwx-".contains(c));
    (!digit && !letters).then_some("has permissions other than r, w, x, - or one octal digit")
}

fn acl_kind(word: &str) -> Option<char> {
    match word {
        "u" | "user" => Some('u'),
        "g" | "group" => Some('g'),
        "m" | "mask" => Some('m'),
        "o" | "other" => Some('o'),
        _ => None,
    }
}

fn check_context(context: &Node, findings: &mut Findings) {
    if !is_mapping(context, "context", "a mapping with name, type and range", findings) {
        return;
    }
    if present(context, "type").is_none() {
        findings.appspec_fault(context.line, AppSpecFault::ContextType);
    }
    if let Some(range) = present(context, "range") {
        let why = if let Some(Value::Text(text)) = range.value() {
            range_fault(&text)
        } else {
            Some("is not a text")
        };
        if let Some(why) = why {
            findings.appspec_fault(range.line, AppSpecFault::Range { found: range.text(), why });
        }
    }
}

/// `s#[-s#][:c#[.c#][,c#[.c#]]…]`
fn range_fault(range: &str) -> Option<&'static str> {
    const SENSITIVITY: Option<&str> = Some("has a sensitivity that is not s and a number, low before high");
    const CATEGORY: Option<&str> =
        Some("has a category that is not c and a number up to 1023, low before high");
    let (sensitivities, categories) =
        range.split_once(':').map_or((range, None), |(low, rest)| (low, Some(rest)));
    let (low, high) = sensitivities.split_once('-').unwrap_or((sensitivities, sensitivities));
    let (Some(low), Some(high)) = (number_after(low, 's'), number_after(high, 's')) else {
        return SENSITIVITY;
    };
    if low > high {
        return SENSITIVITY;
    }
    let mut seen = std::collections::BTreeSet::new();
    for part in categories.into_iter().flat_map(|categories| categories.split(',')) {
        let (low, high) = part.split_once('.').unwrap_or((part, part));
        let (Some(low), Some(high)) = (number_after(low, 'c'), number_after(high, 'c')) else {
            return CATEGORY;
        };
        if low > high || high > LAST_CATEGORY {
            return CATEGORY;
        }
        if (low..=high).any(|category| !seen.insert(category)) {
            return Some("names a category twice");
        }
    }
    None
}

fn number_after(text: &str, letter: char) -> Option<u32> {
    let digits = text.strip_prefix(letter)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}
