//! The release policy, checked before a function works by it.

use greenlight::settings::{VARIABLES, Variable, read_policy};
use std::collections::BTreeMap;

/// The prefix of the functions' variables.
const PREFIX: &str = "GREENLIGHT";

/// What is wrong with a policy that is written by the names of the template's parameters: a sentence for whoever
/// deploys. The functions' own reader judges.
pub fn faults(policy: &BTreeMap<String, String>) -> Option<String> {
    let variables: BTreeMap<String, String> =
        policy.iter().map(|(parameter, value)| (variable(parameter), value.clone())).collect();
    let error = read_policy(&variables).err()?;
    let mut names: Vec<(String, String)> = VARIABLES
        .iter()
        .map(|variable| (variable.name.to_owned(), parameter(variable)))
        .chain(policy.keys().map(|parameter| (variable(parameter), parameter.clone())))
        .collect();
    // The longest first, because one name may begin with another.
    names.sort_by_key(|(variable, _)| std::cmp::Reverse(variable.len()));
    let told = error.0.iter().map(|fault| {
        names.iter().fold(fault.to_string(), |text, (variable, parameter)| text.replace(variable, parameter))
    });
    let told: Vec<String> = told.collect();
    Some(format!("the release policy cannot be used, and nothing was changed. {}", told.join("; ")))
}

/// `GREENLIGHT_INSTALL_DEADLINE` for `InstallDeadline`.
fn variable(parameter: &str) -> String {
    let mut name = PREFIX.to_owned();
    for letter in parameter.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// `InstallDeadline` for `GREENLIGHT_INSTALL_DEADLINE`: the name of the template's parameter.
pub fn parameter(variable: &Variable) -> String {
    let words = variable.name.trim_start_matches(PREFIX).split('_');
    let capitalised = words
        .map(|word| word.get(..1).unwrap_or("").to_owned() + &word.get(1..).unwrap_or("").to_lowercase());
    capitalised.collect()
}
