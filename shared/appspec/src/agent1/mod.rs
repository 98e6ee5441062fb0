//! `appspec.yml` as the CodeDeploy agent 1.8.1 parses and validates it: same order, same verdicts, same texts.
//!
//! The rules are the agent's (github.com/aws/aws-codedeploy-agent, `application_specification`), the verdicts that the
//! tests hold it to were recorded from the agent itself.

mod permissions;
mod refusal;
mod ruby_calls;

pub use permissions::Permission;
pub use refusal::{ErrorClass, Refusal};

use crate::file_exists_behavior::FileExistsBehavior;
use crate::ruby::{self, Value, path, strip};
use crate::{sentences, tree};
use ruby_calls::{each, each_or_none, index};

/// The name the service sends for EC2; the agent opens no other.
pub const FILE_NAME: &str = "appspec.yml";

/// Seconds a script may take when its `timeout` is absent or null.
pub const DEFAULT_TIMEOUT_SECONDS: u64 = 3600;

/// A parsed file. Unknown keys are ignored, as the agent ignores them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSpec {
    /// `files:`, in order.
    pub files: Vec<FileMapping>,
    /// `hooks:`, in order; names are not checked here but by Install.
    pub hooks: Vec<(String, Vec<Script>)>,
    /// `permissions:`, in order.
    pub permissions: Vec<Permission>,
    /// `file_exists_behavior:`; it beats the deployment's own option.
    pub file_exists_behavior: Option<FileExistsBehavior>,
}

/// One entry of `files:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMapping {
    /// Relative to the bundle's root; empty and `/` mean all of it.
    pub source: String,
    /// Always a folder; relative ones start at the agent's working directory.
    pub destination: String,
}

/// One script of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Relative to the bundle's root.
    pub location: String,
    /// Seconds until TERM, always above 0 and without an upper bound.
    pub timeout: u64,
    /// The user to run as, through `su`; empty is not absent.
    pub runas: Option<String>,
    /// The undocumented `sudo:` flag.
    pub sudo: bool,
}

impl AppSpec {
    /// Reads a file's bytes. The first error wins, in the agent's order: empty, version, os, hooks, files,
    /// permissions, `file_exists_behavior`.
    ///
    /// # Errors
    /// What the agent says, and Ruby's class of the error.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let text =
                format!("(<unknown>): invalid UTF-8 octet sequence after byte {}", error.valid_up_to());
            Refusal::new(ErrorClass::SyntaxError, text)
        })?;
        let document = tree::read(text)?;
        let Some(root) = ruby::load(&document)? else {
            return Err(Refusal::invalid(sentences::empty()));
        };
        check_version(&index(&root, "version")?)?;
        check_os(&index(&root, "os")?)?;
        let hooks = hooks(&index(&root, "hooks")?)?;
        let files = files(&index(&root, "files")?)?;
        let permissions = permissions::parse(&index(&root, "permissions")?)?;
        let file_exists_behavior = file_exists_behavior(&index(&root, "file_exists_behavior")?)?;
        Ok(Self { files, hooks, permissions, file_exists_behavior })
    }

    /// The scripts of a lifecycle event; none when the file does not name it.
    pub fn scripts(&self, event: &str) -> &[Script] {
        self.hooks.iter().find(|(name, _)| name == event).map_or(&[], |(_, scripts)| scripts)
    }
}

fn check_version(version: &Value) -> Result<(), Refusal> {
    match version {
        Value::Float(0.0) | Value::Int(0) => Ok(()),
        other => Err(Refusal::invalid(sentences::version(&other.to_s()))),
    }
}

fn check_os(os: &Value) -> Result<(), Refusal> {
    match os {
        Value::Text(os) if os == "linux" => Ok(()),
        other => Err(Refusal::invalid(sentences::os(&other.to_s()))),
    }
}

fn hooks(value: &Value) -> Result<Vec<(String, Vec<Script>)>, Refusal> {
    if !value.is_truthy() {
        return Ok(Vec::new());
    }
    let Value::Map(entries) = value else { return Err(Refusal::no_method("each_pair", value)) };
    // A hook without a value is none, not even to Install, which asks whether it knows the event.
    let given = entries.iter().filter(|(_, scripts)| scripts.is_truthy());
    given.map(|(event, list)| Ok((event.to_s(), scripts(list)?))).collect()
}

fn scripts(list: &Value) -> Result<Vec<Script>, Refusal> {
    each(list)?.iter().map(script).collect()
}

fn script(item: &Value) -> Result<Script, Refusal> {
    if !matches!(item, Value::Map(_)) {
        return Err(Refusal::no_method("has_key?", item));
    }
    let text = |key: &str| item.get(key).filter(|v| !v.is_nil()).map(|v| strip(&v.to_s()).to_owned());
    let location = text("location")
        .filter(|location| !location.is_empty())
        .ok_or_else(|| Refusal::invalid(sentences::no_location()))?;
    let sudo = item.get("sudo").is_some_and(Value::is_truthy);
    Ok(Script { location, timeout: timeout(item.get("timeout"))?, runas: text("runas"), sudo })
}

fn timeout(value: Option<&Value>) -> Result<u64, Refusal> {
    let Some(value) = value.filter(|value| value.is_truthy()) else { return Ok(DEFAULT_TIMEOUT_SECONDS) };
    let seconds = value.to_i().ok_or_else(|| match value {
        Value::Float(_) => Refusal::new(ErrorClass::FloatDomainError, value.to_s()),
        other => Refusal::no_method("to_i", other),
    })?;
    if seconds <= 0 {
        return Err(Refusal::invalid(sentences::timeout()));
    }
    Ok(seconds.try_into().unwrap_or(u64::MAX))
}

fn files(value: &Value) -> Result<Vec<FileMapping>, Refusal> {
    each_or_none(value)?.iter().map(file_mapping).collect()
}

fn file_mapping(item: &Value) -> Result<FileMapping, Refusal> {
    let (source, destination) = (index(item, "source")?, index(item, "destination")?);
    if source.is_nil() {
        return Err(Refusal::invalid(sentences::no_source()));
    }
    if destination.is_nil() {
        return Err(Refusal::invalid(sentences::no_destination(&source.to_s())));
    }
    Ok(FileMapping { source: path(&source), destination: path(&destination) })
}

fn file_exists_behavior(value: &Value) -> Result<Option<FileExistsBehavior>, Refusal> {
    if value.is_nil() {
        return Ok(None);
    }
    let behavior = if let Value::Text(word) = value { FileExistsBehavior::parse(word) } else { None };
    behavior.map(Some).ok_or_else(|| Refusal::invalid(sentences::file_exists_behavior(&value.to_s())))
}
