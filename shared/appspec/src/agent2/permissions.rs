//! The `permissions:` section.

use super::reading::{Item, Misshapen};
use super::refusal::Refusal;
use crate::acl;
use crate::selinux;
use crate::sentences;

#[derive(Default)]
pub(super) struct RawPermission {
    object: Option<String>,
    pattern: Option<String>,
    except: Option<Vec<String>>,
    types: Option<Vec<String>>,
    mode: Option<String>,
    acls: Option<Vec<String>>,
    context: Option<RawContext>,
}

impl RawPermission {
    pub(super) fn read(item: Item<'_, '_>) -> Result<Self, Misshapen> {
        const FIELDS: [&str; 9] =
            ["object", "pattern", "except", "type", "owner", "group", "mode", "acls", "context"];
        let texts = |item: Item<'_, '_>| item.optional(|item| item.list(Item::text));
        let mut permission = Self::default();
        item.fields("RawPermission", &FIELDS, |field, item| {
            match field {
                "object" => permission.object = item.optional(Item::text)?,
                "pattern" => permission.pattern = item.optional(Item::text)?,
                "except" => permission.except = texts(item)?,
                "type" => permission.types = texts(item)?,
                "mode" => permission.mode = item.optional(Item::text)?,
                "acls" => permission.acls = texts(item)?,
                "context" => permission.context = item.optional(RawContext::read)?,
                _ => drop(item.optional(Item::text)?),
            }
            Ok(())
        })?;
        Ok(permission)
    }

    pub(super) fn check(&self) -> Result<(), Refusal> {
        let object = self.object.as_deref().map(str::trim).filter(|object| !object.is_empty());
        let object = object.ok_or_else(|| Refusal::because(sentences::no_object()))?;
        let for_files = self.is_for_files()?;
        self.mode.as_deref().map_or(Ok(()), check_mode)?;
        let mut has_default_acl = false;
        for entry in self.acls.iter().flatten() {
            has_default_acl |= acl::parse_for_agent2(entry)
                .map_err(|problem| Refusal::because(sentences::acl(entry, problem)))?
                .default;
        }
        self.context.as_ref().map_or(Ok(()), RawContext::check)?;
        if for_files { self.check_for_files(object, has_default_acl) } else { Ok(()) }
    }

    /// Files and folders when nothing is said.
    fn is_for_files(&self) -> Result<bool, Refusal> {
        let unknown = |kind: &&String| !matches!(kind.as_str(), "file" | "directory");
        if let Some(kind) = self.types.iter().flatten().find(unknown) {
            return Err(Refusal::because(format!(
                "the application specification file specifies a permission for an object type not supported for \
                 permissions ({kind}). Update the permissions section of the AppSpec file, and then try again."
            )));
        }
        Ok(self.types.as_ref().is_none_or(|types| types.iter().any(|kind| kind == "file")))
    }

    /// What agent 1.x asks at Install, and then only of an object that is a file, agent 2.x asks of every permission
    /// that could be a file's.
    fn check_for_files(&self, object: &str, has_default_acl: bool) -> Result<(), Refusal> {
        if let Some(pattern) = self.pattern.as_deref().filter(|pattern| *pattern != "**") {
            return Err(Refusal::because(format!(
                "the application specification file includes an object ({object}) with an invalid pattern \
                 ({pattern}), such as a pattern for a file applied to a directory. Correct the permissions section \
                 of the AppSpec file, and then try again."
            )));
        }
        if let Some(except) = self.except.as_ref().filter(|except| !except.is_empty()) {
            return Err(Refusal::because(format!(
                "the except parameter for a pattern in the permissions section ({except:?}) for the object named \
                 {object} contains an invalid format. Update the AppSpec file, and then try again."
            )));
        }
        if has_default_acl {
            return Err(Refusal::because(
                "the -d parameter has been specified to apply an acl setting to a file. This parameter is supported \
                 for directories only. Update the AppSpec file, and then try again.",
            ));
        }
        Ok(())
    }
}

/// One to four octal digits, counted in bytes.
fn check_mode(mode: &str) -> Result<(), Refusal> {
    if mode.len() > 4 {
        return Err(Refusal::because(sentences::mode_length(mode)));
    }
    match mode.chars().find(|c| !('0'..='7').contains(c)) {
        Some(c) => Err(Refusal::because(sentences::mode_character(mode, c))),
        None => Ok(()),
    }
}

/// The agent prints it as Rust's `Debug` does, so its names are the agent's.
#[derive(Debug, Default)]
struct RawContext {
    name: Option<String>,
    type_: Option<String>,
    range: Option<String>,
}

impl RawContext {
    fn read(item: Item<'_, '_>) -> Result<Self, Misshapen> {
        let mut context = Self::default();
        item.fields("RawContext", &["name", "type", "range"], |field, item| {
            let text = item.optional(Item::text)?;
            match field {
                "name" => context.name = text,
                "type" => context.type_ = text,
                _ => context.range = text,
            }
            Ok(())
        })?;
        Ok(context)
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.type_.is_none() {
            return Err(Refusal::because(sentences::context_type(&format!(
                "SELinux context missing required 'type' field: {self:?}"
            ))));
        }
        match self.range.as_deref().filter(|range| !selinux::is_good_for_agent2(range)) {
            Some(range) => Err(Refusal::because(sentences::selinux_range(range))),
            None => Ok(()),
        }
    }
}
