//! The part of the scripts' output that goes back to the service.

use std::collections::VecDeque;

/// The agent's buffer, in characters.
const BUFFER: usize = 2048;

/// The last lines that fit. A single line as long as the buffer empties it, as in the real agent.
#[derive(Debug, Default)]
pub(super) struct ScriptLog {
    lines: VecDeque<String>,
}

impl ScriptLog {
    pub(super) fn append(&mut self, line: String) {
        self.lines.push_back(line);
        let mut kept = 0;
        let fitting = self
            .lines
            .iter()
            .rev()
            .take_while(|line| {
                kept += line.chars().count();
                kept < BUFFER
            })
            .count();
        self.lines.drain(..self.lines.len() - fitting);
    }

    pub(super) fn tail(&self) -> String {
        self.lines.iter().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_under_2048_characters_are_kept() {
        let mut log = ScriptLog::default();
        for n in 0..100 {
            log.append(format!("{n:0>99}\n"));
        }
        let tail = log.tail();
        assert!(tail.len() < BUFFER && tail.len() > BUFFER - 100, "{}", tail.len());
        assert!(tail.ends_with("99\n"));
    }

    #[test]
    fn one_line_as_long_as_the_buffer_empties_it() {
        let mut log = ScriptLog::default();
        log.append("before\n".to_owned());
        log.append("x".repeat(BUFFER));
        assert_eq!(log.tail(), "");
    }
}
