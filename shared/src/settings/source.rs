//! Where raw values come from: the process's environment, or a map in tests.

use std::collections::BTreeMap;

/// Texts by name, such as the variables of an environment.
pub trait Strings {
    /// The text with this name, if it is set. An empty text is set.
    fn get(&self, name: &str) -> Option<String>;

    /// The names that start with `prefix`, in order.
    fn names(&self, prefix: &str) -> Vec<String>;
}

/// The environment of this process. Only a function's `main` uses it.
#[derive(Debug, Clone, Copy)]
pub struct ProcessEnvironment;

impl Strings for ProcessEnvironment {
    fn get(&self, name: &str) -> Option<String> {
        // What is not UTF-8 becomes replacement characters, which no value allows, and so is reported by name.
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn names(&self, prefix: &str) -> Vec<String> {
        let all = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
        let mut names: Vec<String> = all.filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        names
    }
}

impl Strings for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        BTreeMap::get(self, name).cloned()
    }

    fn names(&self, prefix: &str) -> Vec<String> {
        self.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }
}
