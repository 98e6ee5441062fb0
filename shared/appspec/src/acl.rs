//! Entries of access control lists, as `permissions:` holds them.

/// An entry in setfacl's long form.
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

/// Why an agent refuses an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AclProblem {
    /// Too few or too many fields, or a word in one that has no meaning there.
    Form,
    /// The mask and the others have no name.
    Named,
    /// The entry that `mode` sets.
    Base,
    /// None of `rwx-`.
    Right(char),
}

/// As agent 1.x reads it: `[d:][u|g|m|o]:[name]:rights`, two to four fields, from the right.
pub(crate) fn parse(text: &str) -> Result<AclEntry, AclProblem> {
    let fields: Vec<&str> = text.rsplit(':').collect();
    let (rights, name, kind, default) = match fields.as_slice() {
        [rights, name] => (rights, name, None, None),
        [rights, name, kind] => (rights, name, Some(*kind), None),
        [rights, name, kind, default] => (rights, name, Some(*kind), Some(*default)),
        _ => return Err(AclProblem::Form),
    };
    let is_default = |field: &str| matches!(field, "d" | "default");
    if default.is_some_and(|field| !is_default(field)) {
        return Err(AclProblem::Form);
    }
    let (kind, is_default) = match kind {
        Some(field) if is_default(field) && default.is_none() => (None, true),
        Some(field) => (Some(kind_of(field).ok_or(AclProblem::Form)?), default.is_some()),
        None => (None, false),
    };
    let (kind, name) = match (kind, kind_of(name)) {
        (None, Some(found @ ("mask" | "other"))) => (found, ""),
        (kind, Some(found @ ("mask" | "other"))) => (kind.unwrap_or("user"), found),
        (kind, _) => (kind.unwrap_or("user"), *name),
    };
    if matches!(kind, "mask" | "other") && !name.is_empty() {
        return Err(AclProblem::Named);
    }
    if !is_default && kind != "mask" && name.is_empty() {
        return Err(AclProblem::Base);
    }
    let rights = rights_of(rights).map_err(AclProblem::Right)?;
    Ok(AclEntry { default: is_default, kind, name: name.to_owned(), rights })
}

/// As agent 2.x reads it: `[d:]u|g|m|o:[name]:rights`, three or four fields, from the left. It takes an entry for the
/// others without a name, which is the one that `mode` sets.
pub(crate) fn parse_for_agent2(text: &str) -> Result<AclEntry, AclProblem> {
    let fields: Vec<&str> = text.split(':').collect();
    if !(3..=4).contains(&fields.len()) {
        return Err(AclProblem::Form);
    }
    let (default, fields) = match fields.as_slice() {
        ["d" | "default", rest @ ..] => (true, rest),
        fields => (false, fields),
    };
    // A fourth field behind an entry that is no default one is not looked at.
    let [kind, name, rights, ..] = fields else { return Err(AclProblem::Form) };
    if matches!(rights.as_bytes(), [b'8' | b'9']) {
        return Err(AclProblem::Form);
    }
    let rights = rights_of(rights).map_err(AclProblem::Right)?;
    let kind = kind_of(kind).ok_or(AclProblem::Form)?;
    match kind {
        "user" | "group" if !default && name.is_empty() => Err(AclProblem::Base),
        "mask" | "other" if !name.is_empty() => Err(AclProblem::Named),
        _ => Ok(AclEntry { default, kind, name: (*name).to_owned(), rights }),
    }
}

fn kind_of(field: &str) -> Option<&'static str> {
    match field {
        "m" | "mask" => Some("mask"),
        "o" | "other" => Some("other"),
        "g" | "group" => Some("group"),
        "u" | "user" => Some("user"),
        _ => None,
    }
}

/// One octal digit, or any of `rwx-` in any order; the first other character is the error.
fn rights_of(text: &str) -> Result<String, char> {
    let (read, write, execute) = if let [digit @ b'0'..=b'7'] = text.as_bytes() {
        (digit & 4 != 0, digit & 2 != 0, digit & 1 != 0)
    } else {
        if let Some(other) = text.chars().find(|c| !matches!(c, 'r' | 'w' | 'x' | '-')) {
            return Err(other);
        }
        (text.contains('r'), text.contains('w'), text.contains('x'))
    };
    let letter = |set: bool, letter: char| if set { letter } else { '-' };
    Ok([letter(read, 'r'), letter(write, 'w'), letter(execute, 'x')].iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acl_entries_have_two_to_four_fields() {
        for (text, expected) in [
            ("mary:rw", "user:mary:rw-"),
            ("g:ops:5", "group:ops:r-x"),
            ("d:u:mary:rwx", "default:user:mary:rwx"),
            ("d:mary:r", "default:user:mary:r--"),
            ("m::rw", "mask::rw-"),
            ("m:rw", "mask::rw-"),
            ("d:o:r", "default:other::r--"),
            ("u:m:r", "user:mask:r--"),
        ] {
            assert_eq!(parse(text).unwrap().text(), expected, "{text}");
        }
        for text in ["rwx", "d:u:mary:x:y", "x:mary:r", "m:mary:r", "d:d:mary:r"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn agent_2_wants_the_kind_and_takes_a_base_entry_for_the_others() {
        for text in ["mary:rw", "d:mary:r", "m:rw", "d:o:r"] {
            assert_eq!(parse_for_agent2(text), Err(AclProblem::Form), "{text}");
        }
        assert_eq!(parse("o::r"), Err(AclProblem::Base));
        assert_eq!(parse_for_agent2("o::r").unwrap().text(), "other::r--");
        assert_eq!(parse_for_agent2("u:mary:rw:x").unwrap().text(), "user:mary:rw-");
    }
}
