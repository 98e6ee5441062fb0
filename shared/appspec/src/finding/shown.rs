//! Names and values out of a bundle, made safe to print.

use std::fmt::Write as _;

/// Bytes of a name or value that are repeated.
pub const NAME_BYTES: usize = 256;

/// Bytes of a path that are repeated: S3's longest key.
const PATH_BYTES: usize = 1024;

/// Bytes of a whole sentence.
const SENTENCE_BYTES: usize = 2048;

/// A name or value as a sentence may hold it: escaped, and no longer than [`NAME_BYTES`].
pub fn shown(text: &str) -> String {
    beginning(text, NAME_BYTES)
}

pub(super) fn path(text: &str) -> String {
    beginning(text, PATH_BYTES)
}

/// A sentence in which a name may stand that nobody has escaped.
pub(super) fn printable(text: &str) -> String {
    beginning(text, SENTENCE_BYTES)
}

fn beginning(text: &str, bytes: usize) -> String {
    let mut shown = String::new();
    for letter in text.chars() {
        let before = shown.len();
        if letter.is_control() || turns_text_round(letter) {
            write!(shown, "\\u{{{:x}}}", u32::from(letter)).unwrap_or_default();
        } else {
            shown.push(letter);
        }
        if shown.len() > bytes {
            shown.truncate(before);
            write!(shown, "… ({} bytes)", text.len()).unwrap_or_default();
            return shown;
        }
    }
    shown
}

/// What changes the direction of the text around it, breaks its line, or takes no room: a name with it looks like
/// another one (Unicode Technical Report 36, section 2.10).
fn turns_text_round(letter: char) -> bool {
    matches!(
        letter,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_or_an_eye_is_escaped() {
        assert_eq!(shown("a\u{1b}[31m\nb"), r"a\u{1b}[31m\u{a}b");
        assert_eq!(shown("gpj.\u{202e}sh"), r"gpj.\u{202e}sh");
        assert_eq!(shown("Zürich ☃"), "Zürich ☃");
    }

    #[test]
    fn what_is_repeated_is_bounded_and_whole() {
        assert_eq!(shown(&"é".repeat(300)), format!("{}… (600 bytes)", "é".repeat(128)));
        assert_eq!(shown(&"\u{7}".repeat(10_000)).len(), NAME_BYTES / 5 * 5 + "… (10000 bytes)".len());
    }
}
