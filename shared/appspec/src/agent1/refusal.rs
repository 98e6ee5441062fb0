//! How agent 1.8.1 says no: its own sentences, and those of Ruby where it does not catch Ruby's errors.

use crate::ruby::{Unloadable, Value};
use crate::tree::SyntaxError;
use std::fmt;

/// The Ruby exception class that ends the agent's reading: only the first kind has a text made for users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The agent's own validation.
    AppSpecValidationException,
    /// Ruby: a list where a map was meant.
    TypeError,
    /// Ruby: a scalar where a list or map was meant.
    NoMethodError,
    /// Ruby: what looked like a number is none.
    ArgumentError,
    /// Ruby: an endless time-out.
    FloatDomainError,
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
pub struct Refusal {
    /// The exception class.
    pub class: ErrorClass,
    /// The text that shows in the console.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// A sentence of the agent's own, which all begin alike but a few about `SELinux` ranges.
    pub(super) fn invalid(reason: impl fmt::Display) -> Self {
        Self::new(ErrorClass::AppSpecValidationException, format!("The deployment failed because {reason}"))
    }

    pub(super) fn no_method(method: &str, value: &Value) -> Self {
        let text = format!("undefined method `{method}' for {}:{}", value.inspect(), value.class());
        Self::new(ErrorClass::NoMethodError, text)
    }

    /// `list['key']` and `5['key']`.
    pub(super) fn no_index() -> Self {
        Self::new(ErrorClass::TypeError, "no implicit conversion of String into Integer")
    }
}

impl From<SyntaxError> for Refusal {
    fn from(error: SyntaxError) -> Self {
        let SyntaxError { place, detail } = error;
        let text = format!("(<unknown>): {detail} at line {} column {}", place.line, place.column);
        Self::new(ErrorClass::SyntaxError, text)
    }
}

impl From<Unloadable> for Refusal {
    fn from(unloadable: Unloadable) -> Self {
        match unloadable {
            Unloadable::Alias => Self::new(ErrorClass::BadAlias, "Unknown alias: aliases are not enabled"),
            Unloadable::Class(class) => {
                Self::new(ErrorClass::DisallowedClass, format!("Tried to load unspecified class: {class}"))
            }
            Unloadable::Number { class, text } => {
                Self::new(ErrorClass::ArgumentError, format!("invalid value for {class}(): {text:?}"))
            }
        }
    }
}
