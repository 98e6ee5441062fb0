//! The `permissions:` section.

use super::{AppSpecError, each, selinux};
use crate::ruby_yaml::Value;

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
    /// Whether a path below the object is meant. Both are absolute and clean.
    pub fn covers(&self, object: &str, path: &str) -> bool {
        let base = if object.ends_with('/') { object.to_owned() } else { format!("{object}/") };
        let Some(relative) = path.strip_prefix(&base) else { return false };
        let wanted = self.pattern == "**" || simple_glob(relative, &self.pattern);
        wanted && !self.except.iter().any(|pattern| simple_glob(relative, pattern))
    }
}

/// `*` for any run of characters within one name; a path with a slash never matches.
fn simple_glob(name: &str, pattern: &str) -> bool {
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

/// An access control entry in setfacl's long form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclEntry {
    /// A default entry, for folders only.
    pub default: bool,
    /// `user`, `group`, `mask` or `other`.
    pub kind: &'static str,
    /// The user's or group's name; empty in a default or mask entry.
    pub name: String,
    /// Like `rw-`.
    pub rights: String,
}

impl AclEntry {
    /// What is handed to setfacl.
    pub fn text(&self) -> String {
        let default = if self.default { "default:" } else { "" };
        format!("{default}{}:{}:{}", self.kind, self.name, self.rights)
    }
}

pub(super) fn parse(value: Option<&Value>) -> Result<Vec<Permission>, AppSpecError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    each(value)?.iter().map(permission).collect()
}

fn permission(item: &Value) -> Result<Permission, AppSpecError> {
    if !matches!(item, Value::Map(_)) {
        return Err(AppSpecError::no_method("has_key?", item));
    }
    let given = |key: &str| item.get(key).filter(|v| !v.is_nil());
    let object = given("object").map(|v| v.to_s().trim().to_owned()).filter(|object| !object.is_empty());
    let object = object.ok_or_else(|| {
        AppSpecError::invalid(
            "a permission listed in the application specification file has no object value. Update the permissions \
             section of the AppSpec file, and then try again.",
        )
    })?;
    let except = match given("except") {
        Some(list) => each(list)?.iter().map(Value::to_s).collect(),
        None => Vec::new(),
    };
    let (files, directories) = types(given("type"))?;
    Ok(Permission {
        object,
        pattern: given("pattern").map_or_else(|| "**".to_owned(), Value::to_s),
        except,
        files,
        directories,
        owner: given("owner").map(Value::to_s),
        group: given("group").map(Value::to_s),
        mode: given("mode").map(mode).transpose()?,
        acls: given("acls").map(acls).transpose()?,
        context: given("context").map(selinux::context).transpose()?,
    })
}

fn types(value: Option<&Value>) -> Result<(bool, bool), AppSpecError> {
    let Some(value) = value else { return Ok((true, true)) };
    let (mut files, mut directories) = (false, false);
    for kind in each(value)? {
        match &kind {
            Value::Str(kind) if kind == "file" => files = true,
            Value::Str(kind) if kind == "directory" => directories = true,
            other => {
                return Err(AppSpecError::invalid(format!(
                    "the application specification filespecifies a permission for an object type not supported for \
                     permissions ({}). Update the permissions section of the AppSpec file, and then try again.",
                    other.to_s()
                )));
            }
        }
    }
    Ok((files, directories))
}

fn mode(value: &Value) -> Result<String, AppSpecError> {
    let mode = format!("{:0>3}", value.to_s());
    if mode.chars().count() > 4 {
        return Err(AppSpecError::invalid(format!(
            "the length of a permissions mode ({mode}) in the application specification file is invalid. Permissions \
             modes must be between one and four characters long. Update the permissions section of the AppSpec file, \
             and then try again."
        )));
    }
    match mode.chars().find(|c| !('0'..='7').contains(c)) {
        Some(c) => Err(AppSpecError::invalid(format!(
            "the permissions mode ({mode}) in the application specification file contains an invalid character ({c}). \
             Update the permissions section of the AppSpec file, and then try again."
        ))),
        None => Ok(mode),
    }
}

fn acls(value: &Value) -> Result<Vec<AclEntry>, AppSpecError> {
    each(value)?
        .iter()
        .map(|entry| match entry {
            Value::Str(text) => acl_entry(text),
            other => Err(AppSpecError::no_method("split", other)),
        })
        .collect()
}

/// `[d:][u|g|m|o]:[name]:rights`, two to four fields, read from the right as the agent does.
fn acl_entry(text: &str) -> Result<AclEntry, AppSpecError> {
    const PROBLEM: &str =
        "of a problem with the acls permission settings in the application specification file.";
    let malformed = || AppSpecError::invalid(format!("{PROBLEM} Invalid acl entry ({text})."));
    let fields: Vec<&str> = text.split(':').collect();
    let is_default = |field: &str| field == "d" || field == "default";
    let (rest, rights) = match fields.as_slice() {
        [rest @ .., rights] if (1..=3).contains(&rest.len()) => (rest, *rights),
        _ => return Err(malformed()),
    };
    let (default, rest) = match rest {
        [first, rest @ ..] if rest.len() == 2 => {
            if !is_default(first) {
                return Err(malformed());
            }
            (true, rest)
        }
        [first, rest @ ..] if rest.len() == 1 && is_default(first) => (true, rest),
        rest => (false, rest),
    };
    let (kind, name) = match rest {
        [kind, name] => (Some(acl_kind(kind).ok_or_else(malformed)?), *name),
        [name] => (None, *name),
        _ => return Err(malformed()),
    };
    let (kind, name) = match (kind, name) {
        (None, "m" | "mask") => ("mask", ""),
        (None, "o" | "other") => ("other", ""),
        (Some(kind), "m") => (kind, "mask"),
        (Some(kind), "o") => (kind, "other"),
        (kind, name) => (kind.unwrap_or("user"), name),
    };
    if matches!(kind, "mask" | "other") && !name.is_empty() {
        return Err(malformed());
    }
    if !default && kind != "mask" && name.is_empty() {
        return Err(AppSpecError::invalid(format!(
            "{PROBLEM} Use mode to set the base acl entry ({text}). Update the permissions section of the AppSpec \
             file, and then try again."
        )));
    }
    Ok(AclEntry { default, kind, name: name.to_owned(), rights: acl_rights(text, rights)? })
}

fn acl_kind(field: &str) -> Option<&'static str> {
    match field {
        "m" | "mask" => Some("mask"),
        "o" | "other" => Some("other"),
        "g" | "group" => Some("group"),
        "u" | "user" => Some("user"),
        _ => None,
    }
}

fn acl_rights(entry: &str, rights: &str) -> Result<String, AppSpecError> {
    let (read, write, execute) = if let [digit @ b'0'..=b'7'] = rights.as_bytes() {
        (digit & 4 != 0, digit & 2 != 0, digit & 1 != 0)
    } else {
        if let Some(c) = rights.chars().find(|c| !matches!(c, 'r' | 'w' | 'x' | '-')) {
            return Err(AppSpecError::invalid(format!(
                "the access control list (ACL) named {entry} in the application specification file contains an \
                 invalid character ({c}). Correct the ACL in the hooks section of the AppSpec file, and then try \
                 again."
            )));
        }
        (rights.contains('r'), rights.contains('w'), rights.contains('x'))
    };
    let letter = |set: bool, letter: char| if set { letter } else { '-' };
    Ok([letter(read, 'r'), letter(write, 'w'), letter(execute, 'x')].iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_direct_children_only() {
        assert!(simple_glob("run.sh", "*.sh"));
        assert!(simple_glob("run.sh", "r*.*h"));
        assert!(!simple_glob("bin/run.sh", "*.sh"));
        assert!(!simple_glob("run.sh", "run"));
        assert!(simple_glob("run", "run"));
    }

    #[test]
    fn acl_entries_have_two_to_four_fields() {
        for (text, expected) in [
            ("mary:rw", "user:mary:rw-"),
            ("g:ops:5", "group:ops:r-x"),
            ("d:u:mary:rwx", "default:user:mary:rwx"),
            ("d:mary:r", "default:user:mary:r--"),
            ("m::rw", "mask::rw-"),
        ] {
            assert_eq!(acl_entry(text).unwrap().text(), expected, "{text}");
        }
        for text in ["rwx", "d:u:mary:x:y", "x:mary:r", "m:mary:r", "d:d:mary:r"] {
            assert!(acl_entry(text).is_err(), "{text}");
        }
    }
}
