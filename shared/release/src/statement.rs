//! What an operator says with a command: why, and who they say they are. It decides nothing.

use crate::stored::UnknownFields;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bytes of a reason at most, as of a freeze's.
const LONGEST_REASON: usize = 256;

/// Bytes of a name at most.
const LONGEST_NAME: usize = 64;

/// Why a command was given, for whoever finds later what it did.
///
/// A reason that is too long is cut, and control characters are escaped: what gives traffic back must not fail for its
/// wording.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Statement {
    /// Why, in the operator's words.
    pub why: String,
    /// Who the operator says they are. Nobody has checked that: who it was `CloudTrail` knows, where it records data events of
    /// Lambda.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

impl Statement {
    /// From what was typed. `None` without a reason: who it was says nothing alone.
    pub fn new(why: &str, by: Option<&str>) -> Option<Self> {
        let why = line(why, LONGEST_REASON)?;
        let by = by.and_then(|by| line(by, LONGEST_NAME));
        Some(Self { why, by, unknown_fields: UnknownFields::default() })
    }

    /// What is put behind a sentence about the command: a blank and the statement in brackets, or nothing.
    pub fn bracketed(said: Option<&Self>) -> String {
        said.map(|said| format!(" ({said})")).unwrap_or_default()
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            Some(by) => write!(f, "{by}: {}", self.why),
            None => f.write_str(&self.why),
        }
    }
}

/// A sentence, and what was said with the command that it tells of.
pub(crate) fn with(sentence: impl fmt::Display, said: Option<&Statement>) -> String {
    format!("{sentence}{}", Statement::bracketed(said))
}

/// The beginning of a text on one line; nothing of an empty one.
fn line(text: &str, longest: usize) -> Option<String> {
    let mut line = String::new();
    for letter in text.trim().chars() {
        let before = line.len();
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
        if line.len() > longest {
            line.truncate(before);
            line.push('…');
            break;
        }
    }
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(why: &str, by: Option<&str>) -> Option<String> {
        Statement::new(why, by).map(|said| said.to_string())
    }

    #[test]
    fn a_reason_is_one_line_that_moves_no_cursor_and_has_an_end() {
        assert_eq!(said(" totals are wrong\n", Some("anna")).unwrap(), "anna: totals are wrong");
        assert_eq!(said("a\nb\u{1b}[2J", Some("\n")).unwrap(), r"a\nb\u{1b}[2J");
        let long = said(&"ü".repeat(1_000), Some(&"x".repeat(1_000))).unwrap();
        assert_eq!(long.matches('ü').count(), 128);
        assert_eq!(long.matches('x').count(), 64);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn whoever_gives_no_reason_says_nothing() {
        for nothing in ["", "  ", "\n"] {
            assert_eq!(said(nothing, Some("anna")), None);
        }
    }
}
