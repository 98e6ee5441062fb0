//! The `permissions:` section.

use super::refusal::{ErrorClass, Refusal};
use super::ruby_calls::{each, each_or_none, index};
use crate::acl::{self, AclEntry};
use crate::ruby::{Value, strip};
use crate::selinux::{self, RangeProblem};
use crate::sentences;

/// One entry of `permissions:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// A file or a folder.
    pub object: String,
    /// `**` is everything below; otherwise a pattern with `*` for direct children only.
    pub pattern: String,
    /// Patterns to leave out.
    pub except: Vec<String>,
    /// Whether it applies to files.
    pub files: bool,
    /// Whether it applies to folders.
    pub directories: bool,
    /// The owner's name.
    pub owner: Option<String>,
    /// The group's name.
    pub group: Option<String>,
    /// Three or four octal digits.
    pub mode: Option<String>,
    /// Access control entries.
    pub acls: Option<Vec<AclEntry>>,
    /// The arguments for `semanage fcontext -a`.
    pub context: Option<Vec<String>>,
}

impl Permission {
    /// One item, as the agent reads it.
    pub(crate) fn read(item: &Value) -> Result<Self, Refusal> {
        if !matches!(item, Value::Map(_)) {
            return Err(Refusal::no_method("has_key?", item));
        }
        let no_object = || Refusal::invalid(sentences::no_object());
        let given = |key: &str| item.get(key).filter(|v| !v.is_nil());
        let object = given("object").map(|object| strip(&object.to_s()).to_owned()).ok_or_else(no_object)?;
        let except = each_or_none(given("except").unwrap_or(&Value::Nil))?.iter().map(Value::to_s).collect();
        let (files, directories) = types(given("type").unwrap_or(&Value::Nil))?;
        let permission = Self {
            object,
            pattern: given("pattern").filter(|v| v.is_truthy()).map_or_else(|| "**".to_owned(), Value::to_s),
            except,
            files,
            directories,
            owner: given("owner").map(Value::to_s),
            group: given("group").map(Value::to_s),
            mode: given("mode").map(mode).transpose()?,
            acls: given("acls").map(acls).transpose()?,
            context: given("context").map(context).transpose()?,
        };
        if permission.object.is_empty() { Err(no_object()) } else { Ok(permission) }
    }

    /// Whether a path below the object is meant. Both are absolute and clean.
    pub fn covers(&self, object: &str, path: &str) -> bool {
        let base = if object.ends_with('/') { object.to_owned() } else { format!("{object}/") };
        let Some(relative) = path.strip_prefix(&base) else { return false };
        let wanted = self.pattern == "**" || matches_simple_glob(relative, &self.pattern);
        wanted && !self.except.iter().any(|pattern| matches_simple_glob(relative, pattern))
    }
}

/// `*` for any run of characters within one name; a path with a slash never matches.
fn matches_simple_glob(name: &str, pattern: &str) -> bool {
    if name.contains('/') {
        return false;
    }
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

pub(super) fn parse(value: &Value) -> Result<Vec<Permission>, Refusal> {
    each_or_none(value)?.iter().map(Permission::read).collect()
}

fn types(value: &Value) -> Result<(bool, bool), Refusal> {
    if !value.is_truthy() {
        return Ok((true, true));
    }
    let (mut files, mut directories) = (false, false);
    for kind in each(value)? {
        match &kind {
            Value::Text(kind) if kind == "file" => files = true,
            Value::Text(kind) if kind == "directory" => directories = true,
            other => {
                return Err(Refusal::invalid(format!(
                    "the application specification filespecifies a permission for an object type not supported for \
                     permissions ({}). Update the permissions section of the AppSpec file, and then try again.",
                    other.to_s()
                )));
            }
        }
    }
    Ok((files, directories))
}

fn mode(value: &Value) -> Result<String, Refusal> {
    let mode = format!("{:0>3}", value.to_s());
    if mode.chars().count() > 4 {
        return Err(Refusal::invalid(sentences::mode_length(&mode)));
    }
    match mode.chars().find(|c| !('0'..='7').contains(c)) {
        Some(c) => Err(Refusal::invalid(sentences::mode_character(&mode, c))),
        None => Ok(mode),
    }
}

fn acls(value: &Value) -> Result<Vec<AclEntry>, Refusal> {
    let entry = |entry: &Value| match entry {
        Value::Text(text) => {
            acl::parse(text).map_err(|problem| Refusal::invalid(sentences::acl(text, problem)))
        }
        other => Err(Refusal::no_method("split", other)),
    };
    each(value)?.iter().map(entry).collect()
}

/// The arguments for `semanage fcontext -a`, validated. The user comes from `name`, not from `user`.
fn context(value: &Value) -> Result<Vec<String>, Refusal> {
    let kind = index(value, "type")?;
    if kind.is_nil() {
        return Err(Refusal::invalid(sentences::context_type(&value.inspect())));
    }
    let (user, range) = (index(value, "name")?, index(value, "range")?);
    let mut arguments = Vec::new();
    if !user.is_nil() {
        arguments.extend(["-s".to_owned(), user.to_s()]);
    }
    arguments.extend(["-t".to_owned(), kind.to_s()]);
    match &range {
        Value::Nil => {}
        Value::Text(text) => {
            selinux::check(text).map_err(|problem| range_refusal(text, problem))?;
            arguments.extend(["-r".to_owned(), text.clone()]);
        }
        other => {
            let method = if matches!(other, Value::List(_) | Value::Map(_)) { "split" } else { "include?" };
            return Err(Refusal::no_method(method, other));
        }
    }
    Ok(arguments)
}

fn range_refusal(range: &str, problem: RangeProblem) -> Refusal {
    let bare = |text: String| Refusal::new(ErrorClass::AppSpecValidationException, text);
    match problem {
        RangeProblem::Part(part) => bare(format!("invalid range part {part}")),
        RangeProblem::Sensitivity(part) => bare(format!("invalid sensitivity {part}")),
        RangeProblem::SensitivitiesSwapped => Refusal::invalid(sentences::selinux_range(range)),
        RangeProblem::Category(part) => bare(format!("invalid category {part}")),
        RangeProblem::CategoriesSwapped { first, last } => {
            bare(format!("invalid category range {first}.{last}"))
        }
        RangeProblem::CategoryTwice => bare("duplicate categories".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_direct_children_only() {
        assert!(matches_simple_glob("run.sh", "*.sh"));
        assert!(matches_simple_glob("run.sh", "r*.*h"));
        assert!(!matches_simple_glob("bin/run.sh", "*.sh"));
        assert!(!matches_simple_glob("run.sh", "run"));
        assert!(matches_simple_glob("run", "run"));
    }
}
