//! Text for people: bounded, without what would distort it, and times that mean the same to everybody.

use jiff::Timestamp;
use maud::{Markup, html};
use release::{Purpose, ReleaseNumber};
use std::time::Duration;

/// The beginning of a text that somebody else has written, in at most `longest` characters. What cannot be seen and yet
/// changes what is seen, such as a control character or one that turns the direction of writing, is shown by its number.
pub(crate) fn beginning(text: &str, longest: usize) -> String {
    let mut shown: String = text.chars().take(longest).map(Shown).map(|shown| shown.to_string()).collect();
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}

struct Shown(char);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            // Unicode Standard Annex 9: the characters that embed, override and isolate directions, and the marks.
            '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => {
                write!(f, "{}", self.0.escape_unicode())
            }
            control if control.is_control() => write!(f, "{}", control.escape_unicode()),
            other => write!(f, "{other}"),
        }
    }
}

/// What a release was for, and its number, as the beginning of a sentence.
pub(crate) fn named(purpose: Purpose, number: ReleaseNumber) -> String {
    let what = match purpose {
        Purpose::Release => "Release",
        Purpose::Rollback => "Rollback to",
        Purpose::Settle => "Settling of",
        Purpose::Drill => "Drill with release",
        Purpose::Reinstall => "Reinstallation of release",
    };
    format!("{what} {number}")
}

/// A moment, in UTC.
pub(crate) fn at(time: Timestamp) -> Markup {
    html! { time datetime=(time.strftime("%Y-%m-%dT%H:%M:%SZ")) { (time.strftime("%Y-%m-%d %H:%M UTC")) } }
}

/// The time between two moments.
pub(crate) fn lasted(from: Timestamp, until: Timestamp) -> String {
    in_units(Duration::try_from(until.duration_since(from)).unwrap_or_default())
}

/// A time in its two largest units.
pub(crate) fn in_units(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}
