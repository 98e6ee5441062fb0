//! appspec.yml as the real agent (1.8.1) parses and validates it: same order, same verdicts, same texts.

mod permissions;
mod selinux;

use std::fmt;

use crate::ruby_yaml::{self, Value};
pub use permissions::{AclEntry, Permission};

/// The name the service sends for EC2; the agent opens no other.
pub const FILE_NAME: &str = "appspec.yml";

/// Seconds a hook may take when its `timeout` is absent or null.
pub const DEFAULT_TIMEOUT_SECONDS: i64 = 3600;

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
    /// Seconds until TERM, always above 0.
    pub timeout: i64,
    /// The user to run as, through `su`; empty is not absent.
    pub runas: Option<String>,
    /// The undocumented `sudo:` flag.
    pub sudo: bool,
}

/// What Install does about a file that is already there and that the last deployment did not lay down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileExistsBehavior {
    /// Fail the deployment: the default.
    #[default]
    Disallow,
    /// Replace it.
    Overwrite,
    /// Leave it and go on.
    Retain,
}

impl FileExistsBehavior {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disallow => "DISALLOW",
            Self::Overwrite => "OVERWRITE",
            Self::Retain => "RETAIN",
        }
    }

    /// From the API's word, upper case only.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Disallow, Self::Overwrite, Self::Retain].into_iter().find(|b| b.as_str() == word)
    }
}

/// The Ruby exception class that ends the agent's reading: only the first kind has a text made for users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The agent's own validation.
    AppSpecValidationException,
    /// Ruby: a list where a map was meant.
    TypeError,
    /// Ruby: a scalar where a list or map was meant.
    NoMethodError,
    /// Psych 4: an alias.
    BadAlias,
    /// Psych 4: a date, a time or a Ruby object.
    DisallowedClass,
    /// libyaml.
    SyntaxError,
}

/// Why the agent refuses the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AppSpecError {
    /// The exception class.
    pub class: ErrorClass,
    /// The text that shows in the console.
    pub message: String,
}

impl AppSpecError {
    pub(crate) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// A sentence of the agent's own, which all begin alike.
    pub(crate) fn invalid(reason: impl fmt::Display) -> Self {
        Self::new(ErrorClass::AppSpecValidationException, format!("The deployment failed because {reason}"))
    }

    pub(crate) fn no_method(method: &str, value: &Value) -> Self {
        let text = format!("undefined method `{method}' for {}:{}", value.inspect(), value.class());
        Self::new(ErrorClass::NoMethodError, text)
    }
}

impl AppSpec {
    /// Reads a file's bytes. The first error wins, in the agent's order: empty, version, os, hooks, files,
    /// permissions, `file_exists_behavior`.
    pub fn parse(bytes: &[u8]) -> Result<Self, AppSpecError> {
        let Some(root) = ruby_yaml::load(bytes)? else {
            return Err(AppSpecError::invalid(
                "the application specification file was empty. Make sure your AppSpec file defines at minimum the \
                 'version' and 'os' properties.",
            ));
        };
        match &root {
            Value::Map(_) | Value::Str(_) | Value::Symbol(_) => {}
            Value::List(_) | Value::Int(_) => return Err(index_of_list()),
            other => return Err(AppSpecError::no_method("[]", other)),
        }
        version(root.get("version"))?;
        os(root.get("os"))?;
        let hooks = hooks(truthy(root.get("hooks")))?;
        let files = files(truthy(root.get("files")))?;
        let permissions = permissions::parse(truthy(root.get("permissions")))?;
        let file_exists_behavior = file_exists_behavior(root.get("file_exists_behavior"))?;
        Ok(Self { files, hooks, permissions, file_exists_behavior })
    }

    /// The scripts of a lifecycle event; none when the file does not name it.
    pub fn scripts(&self, event: &str) -> &[Script] {
        self.hooks.iter().find(|(name, _)| name == event).map_or(&[], |(_, scripts)| scripts)
    }
}

/// Ruby's `value || default`: nil and false count as absent.
fn truthy(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !matches!(value, Value::Nil | Value::Bool(false)))
}

pub(crate) fn index_of_list() -> AppSpecError {
    AppSpecError::new(ErrorClass::TypeError, "no implicit conversion of String into Integer")
}

/// `each` over a list or a map, whose entries come as two-element lists; anything else has no `each`.
pub(crate) fn each(value: &Value) -> Result<Vec<Value>, AppSpecError> {
    match value {
        Value::List(items) => Ok(items.clone()),
        Value::Map(entries) => {
            Ok(entries.iter().map(|(k, v)| Value::List(vec![k.clone(), v.clone()])).collect())
        }
        other => Err(AppSpecError::no_method("each", other)),
    }
}

/// `value['key']`, with Ruby's errors on what is not a map.
pub(crate) fn index<'a>(value: &'a Value, key: &str) -> Result<Option<&'a Value>, AppSpecError> {
    match value {
        Value::Map(_) => Ok(value.get(key).filter(|v| !v.is_nil())),
        Value::Str(_) => Ok(None),
        Value::List(_) | Value::Int(_) => Err(index_of_list()),
        other => Err(AppSpecError::no_method("[]", other)),
    }
}

fn version(value: Option<&Value>) -> Result<(), AppSpecError> {
    match value {
        Some(Value::Float(0.0) | Value::Int(0)) => Ok(()),
        other => Err(AppSpecError::invalid(format!(
            "an invalid version value ({}) was entered in the application specification file. Make sure your AppSpec \
             file specifies \"0.0\" as the version, and then try again.",
            other.map(Value::to_s).unwrap_or_default()
        ))),
    }
}

fn os(value: Option<&Value>) -> Result<(), AppSpecError> {
    match value {
        Some(Value::Str(os)) if os == "linux" => Ok(()),
        other => Err(AppSpecError::invalid(format!(
            "the application specification file specifies an unsupported operating system ({}). Specify either \
             \"linux\" or \"windows\" in the os section of the AppSpec file, and then try again.",
            other.map(Value::to_s).unwrap_or_default()
        ))),
    }
}

fn hooks(value: Option<&Value>) -> Result<Vec<(String, Vec<Script>)>, AppSpecError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let Value::Map(entries) = value else { return Err(AppSpecError::no_method("each_pair", value)) };
    let mut hooks = Vec::new();
    for (event, scripts) in entries {
        let scripts = match scripts {
            Value::Nil => Vec::new(),
            scripts => each(scripts)?.iter().map(script).collect::<Result<_, _>>()?,
        };
        hooks.push((event.to_s(), scripts));
    }
    Ok(hooks)
}

fn script(item: &Value) -> Result<Script, AppSpecError> {
    if !matches!(item, Value::Map(_)) {
        return Err(AppSpecError::no_method("has_key?", item));
    }
    let text = |key: &str| item.get(key).filter(|v| !v.is_nil()).map(|v| v.to_s().trim().to_owned());
    let location = text("location").filter(|location| !location.is_empty()).ok_or_else(|| {
        AppSpecError::invalid(
            "the application specification file specifies a script with no location value. Specify the location in \
             the hooks section of the AppSpec file, and then try again.",
        )
    })?;
    let timeout = match item.get("timeout").unwrap_or(&Value::Nil) {
        Value::Nil => DEFAULT_TIMEOUT_SECONDS,
        Value::Int(n) => *n,
        #[expect(clippy::cast_possible_truncation, reason = "to_i truncates")]
        Value::Float(x) => *x as i64,
        Value::Str(text) => leading_integer(text),
        other => return Err(AppSpecError::no_method("to_i", other)),
    };
    if timeout <= 0 {
        return Err(AppSpecError::invalid(
            "an invalid timeout value was provided for a script in the application specification file. Make \
             corrections in the hooks section of the AppSpec file, and then try again.",
        ));
    }
    let sudo = truthy(item.get("sudo")).is_some();
    Ok(Script { location, timeout, runas: text("runas"), sudo })
}

/// `String#to_i`: leading digits, underscores between them, 0 for anything else.
fn leading_integer(text: &str) -> i64 {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits: String =
        digits.chars().take_while(|c| c.is_ascii_digit() || *c == '_').filter(char::is_ascii_digit).collect();
    sign * digits.parse::<i64>().unwrap_or(0)
}

fn files(value: Option<&Value>) -> Result<Vec<FileMapping>, AppSpecError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    each(value)?.iter().map(file_mapping).collect()
}

fn file_mapping(item: &Value) -> Result<FileMapping, AppSpecError> {
    let source = index(item, "source")?;
    let destination = index(item, "destination")?;
    let Some(source) = source else {
        return Err(AppSpecError::invalid(
            "the application specification file specifies a destination file, but no source file. Update the files \
             section of the AppSpec file, and then try again.",
        ));
    };
    let Some(destination) = destination else {
        return Err(AppSpecError::invalid(format!(
            "the application specification file specifies only a source file ({}). Add the name of the destination \
             file to the files section of the AppSpec file, and then try again.",
            source.to_s()
        )));
    };
    Ok(FileMapping { source: path(source), destination: path(destination) })
}

/// `File.join` flattens lists.
fn path(value: &Value) -> String {
    match value {
        Value::List(parts) => parts.iter().map(path).collect::<Vec<_>>().join("/"),
        other => other.to_s(),
    }
}

fn file_exists_behavior(value: Option<&Value>) -> Result<Option<FileExistsBehavior>, AppSpecError> {
    let Some(value) = value.filter(|v| !v.is_nil()) else { return Ok(None) };
    let behavior = if let Value::Str(word) = value { FileExistsBehavior::parse(word) } else { None };
    behavior.map(Some).ok_or_else(|| {
        AppSpecError::invalid(format!(
            "an invalid file_exists_behavior value ({}) was entered in the application specification file. Make sure \
             your AppSpec file specifies one of DISALLOW,OVERWRITE,RETAIN as the file_exists_behavior, and then try \
             again.",
            value.to_s()
        ))
    })
}
