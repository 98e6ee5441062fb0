//! What happened, in the order in which it happened and not in the order in which it became known.

use jiff::Timestamp;

/// What is known and not told yet.
#[derive(Debug)]
pub(crate) struct Timeline<T>(Vec<(Timestamp, T)>);

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Timeline<T> {
    /// Adds what happened at a moment.
    pub(crate) fn add(&mut self, at: Timestamp, what: T) {
        self.0.push((at, what));
    }

    /// Takes what happened up to `until`, oldest first. What becomes known later has to be younger.
    pub(crate) fn settled(&mut self, until: Timestamp) -> impl Iterator<Item = T> + use<T> {
        self.0.sort_by_key(|(at, _)| *at);
        let later = self.0.split_off(self.0.partition_point(|(at, _)| *at <= until));
        std::mem::replace(&mut self.0, later).into_iter().map(|(_, what)| what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_known_later_is_told_where_it_belongs() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut timeline = Timeline::default();
        timeline.add(at(5), "release 3 is live");
        timeline.add(at(6), "Release 4");
        timeline.add(at(3), "green takes all traffic");
        assert!(timeline.settled(at(5)).eq(["green takes all traffic", "release 3 is live"]));
        timeline.add(at(6), "release 4 is uploaded");
        assert!(timeline.settled(at(9)).eq(["Release 4", "release 4 is uploaded"]));
        assert!(timeline.settled(at(9)).next().is_none());
    }
}
