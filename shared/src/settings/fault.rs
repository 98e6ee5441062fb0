//! What is wrong with the settings, all of it at once.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// The variable's name.
    pub variable: String,
    /// Its value; `None` when it is not set.
    pub found: Option<String>,
    /// What it should be.
    pub expected: String,
}

impl fmt::Display for SettingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Some(found) => write!(f, "{} is {found:?}: expected {}", self.variable, self.expected),
            None => write!(f, "{} is not set: expected {}", self.variable, self.expected),
        }
    }
}

/// Everything that is wrong with settings that a function does not start with.
#[derive(Clone, PartialEq, Eq)]
pub struct SettingsError(pub Vec<SettingFault>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the function's environment has {} fault(s), set each variable in template.yaml",
            self.0.len()
        )?;
        self.0.iter().try_for_each(|fault| write!(f, "; {fault}"))
    }
}

/// What a function that does not start leaves in its log, where people read it: the same words.
impl fmt::Debug for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for SettingsError {}
