//! Reads single values and collects what is wrong with them.

use super::variables::RENAMED;
use super::{SettingFault, SettingsError, Strings, Variable};
use std::collections::BTreeSet;
use std::time::Duration;

/// Reads values one by one, so that one bad value does not hide the next.
#[derive(Debug)]
pub struct Reader<'a, S> {
    source: &'a S,
    known: BTreeSet<String>,
    faults: Vec<SettingFault>,
}

impl<'a, S: Strings> Reader<'a, S> {
    /// Nothing read yet.
    pub fn new(source: &'a S) -> Self {
        Self { source, known: BTreeSet::new(), faults: Vec::new() }
    }

    /// The value as `parse` understands it; a fault when it does not, or when it is missing and has no default. Where there
    /// is a default, it stands in for a value that is wrong.
    pub fn value<T>(&mut self, variable: &Variable, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let name = variable.name;
        self.known.insert(name.to_owned());
        let found = self.source.get(name);
        let parsed = found.as_deref().or(variable.default).and_then(&parse);
        if parsed.is_none() {
            self.fault(name, found, format!("{}, such as {}", variable.format, variable.example));
        }
        parsed.or_else(|| variable.default.and_then(&parse))
    }

    /// A time. Zero only where `zero` allows it.
    pub fn time(&mut self, variable: &Variable, zero: Zero) -> Option<Duration> {
        self.value(variable, |text| {
            duration::parse(text).filter(|time| zero == Zero::Allowed || !time.is_zero())
        })
    }

    /// A comma-separated list without empty or repeated items; spaces around an item do not count.
    pub fn list<T>(&mut self, variable: &Variable, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        self.value(variable, |text| {
            let items: Vec<&str> = text.split(',').map(str::trim).collect();
            let distinct: BTreeSet<&str> = items.iter().copied().collect();
            if distinct.len() < items.len() { None } else { items.into_iter().map(&item).collect() }
        })
    }

    /// Remembers what is wrong with a list whose items are legal by themselves.
    pub(super) fn fault_of_list(&mut self, variable: &Variable, expected: String) {
        self.fault(variable.name, self.source.get(variable.name), expected);
    }

    /// Remembers what is wrong with a value that is legal by itself.
    pub fn fault(&mut self, variable: impl Into<String>, found: Option<String>, expected: impl Into<String>) {
        self.faults.push(SettingFault { variable: variable.into(), found, expected: expected.into() });
    }

    /// Reports the variables with `prefix` that were not read: a mistyped name would otherwise leave a default in force
    /// without a word. `is_foreign` names those that somebody else reads; `otherwise` is what to look for when no
    /// name that was read is similar.
    pub fn refuse_unknown_names(&mut self, prefix: &str, is_foreign: impl Fn(&str) -> bool, otherwise: &str) {
        for name in self.source.names(prefix) {
            if !self.known.contains(&name) && !is_foreign(&name) {
                let renamed = RENAMED.iter().find(|(old, _)| *old == name).map(|(_, new)| (*new).to_owned());
                let expected = match renamed.or_else(|| nearest(&name, &self.known).cloned()) {
                    Some(near) => format!("no variable of this name, is {near} meant?"),
                    None => format!("no variable of this name, {otherwise}"),
                };
                let found = self.source.get(&name);
                self.fault(name, found, expected);
            }
        }
    }

    /// What is wrong so far.
    pub fn faults(&self) -> &[SettingFault] {
        &self.faults
    }

    /// The settings, when nothing is wrong with them.
    ///
    /// # Errors
    /// All faults, when there is any. `settings` may be `None` only if there is.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, SettingsError> {
        settings.filter(|_| self.faults.is_empty()).ok_or(SettingsError(self.faults))
    }
}

/// Whether a time of zero makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zero {
    /// It switches something off, or means at once.
    Allowed,
    /// It would mean nothing.
    Refused,
}

/// The known name that is at most three letters away.
fn nearest<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    let near = known.iter().map(|candidate| (distance(name, candidate), candidate)).min()?;
    (near.0 <= 3).then_some(near.1)
}

/// How many letters must be inserted, removed or replaced to make one text of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, wanted) in other.chars().enumerate() {
            let replaced = diagonal + usize::from(letter != wanted);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_letters() {
        for (one, other, letters) in [
            ("", "", 0),
            ("BAKE", "BAKE", 0),
            ("BAEK", "BAKE", 2),
            ("BAK", "BAKE", 1),
            ("BAKES", "BAKE", 1),
            ("", "AB", 2),
        ] {
            assert_eq!(distance(one, other), letters, "{one} {other}");
        }
    }
}
