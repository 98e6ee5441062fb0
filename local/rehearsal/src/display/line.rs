//! One line of what is told, and how it looks.

use console::Style;
use decisions::Tone;
use jiff::Timestamp;
use std::time::Duration;

/// How wide a service's name is printed.
const SERVICE: usize = 9;

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Waits => Style::new().dim(),
        Tone::Step => Style::new().cyan(),
        Tone::Good => Style::new().green(),
        Tone::Bad => Style::new().red(),
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The time at which it happened.
    pub at: Timestamp,
    /// To which service; none for what concerns all.
    pub service: Option<String>,
    /// How it is meant.
    pub tone: Tone,
    /// What, in a sentence.
    pub text: String,
}

impl Line {
    /// What happened to a service. What a script or a server said in several lines becomes one.
    pub fn of(service: &str, at: Timestamp, tone: Tone, text: &str) -> Self {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { at, service: Some(service.to_owned()), tone, text }
    }

    /// As it is printed, with the seconds since `began`. `coloured` is for a terminal.
    pub(super) fn printed(&self, began: Timestamp, coloured: bool) -> String {
        let since = Duration::try_from(self.at.duration_since(began)).unwrap_or_default();
        let time = Style::new().dim().force_styling(coloured);
        let name = Style::new().bold().force_styling(coloured);
        let text = style(self.tone).force_styling(coloured).apply_to(&self.text);
        let time = time.apply_to(format!("{:>6.1} s", since.as_secs_f64()));
        match &self.service {
            Some(service) => format!("{time}  {}  {text}", name.apply_to(format!("{service:<SERVICE$}"))),
            None => format!("{time}  {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(tone: Tone) -> Line {
        let at = Timestamp::from_millisecond(12_340).unwrap();
        Line::of("frontend", at, tone, "release 3\n is live")
    }

    #[test]
    fn a_line_has_its_time_its_service_and_one_line_of_text() {
        assert_eq!(
            line(Tone::Good).printed(Timestamp::UNIX_EPOCH, false),
            "  12.3 s  frontend   release 3 is live"
        );
        let of_all = Line { service: None, ..line(Tone::Plain) };
        assert_eq!(of_all.printed(Timestamp::UNIX_EPOCH, false), "  12.3 s  release 3 is live");
    }

    #[test]
    fn on_a_terminal_a_line_has_the_colour_of_its_tone() {
        let printed = |tone| line(tone).printed(Timestamp::UNIX_EPOCH, true);
        assert!(
            printed(Tone::Good).contains("\u{1b}[32mrelease 3 is live\u{1b}[0m"),
            "{:?}",
            printed(Tone::Good)
        );
        assert!(printed(Tone::Bad).contains("\u{1b}[31m"), "{:?}", printed(Tone::Bad));
    }
}
