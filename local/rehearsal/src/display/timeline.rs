//! What happened, in the order in which it happened and not in the order in which it became known.

use super::Line;
use jiff::Timestamp;

/// Something to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// What happened.
    Line(Line),
    /// A new part of the story begins.
    Chapter(Timestamp, String),
}

impl Entry {
    fn at(&self) -> Timestamp {
        match self {
            Self::Line(line) => line.at,
            Self::Chapter(at, _) => *at,
        }
    }
}

/// What is known and not printed yet.
#[derive(Debug, Default)]
pub(super) struct Timeline(Vec<Entry>);

impl Timeline {
    pub(super) fn add(&mut self, entry: Entry) {
        self.0.push(entry);
    }

    /// Takes what happened up to `until`, oldest first. Nothing that happened before may become known later.
    pub(super) fn settled(&mut self, until: Timestamp) -> Vec<Entry> {
        self.0.sort_by_key(Entry::at);
        let later = self.0.split_off(self.0.partition_point(|entry| entry.at() <= until));
        std::mem::replace(&mut self.0, later)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tone;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn line(second: i64, text: &str) -> Entry {
        Entry::Line(Line { at: at(second), service: None, tone: Tone::Plain, text: text.to_owned() })
    }

    #[test]
    fn what_became_known_later_is_told_where_it_belongs() {
        let mut timeline = Timeline::default();
        timeline.add(line(5, "release 3 is live"));
        timeline.add(Entry::Chapter(at(6), "Release 4".to_owned()));
        timeline.add(line(3, "green takes all traffic"));
        assert_eq!(
            timeline.settled(at(5)),
            [line(3, "green takes all traffic"), line(5, "release 3 is live")]
        );
        timeline.add(line(6, "release 4 is uploaded"));
        let chapter = Entry::Chapter(at(6), "Release 4".to_owned());
        assert_eq!(timeline.settled(at(9)), [chapter, line(6, "release 4 is uploaded")]);
        assert_eq!(timeline.settled(at(9)), []);
    }
}
