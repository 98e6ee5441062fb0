//! What CloudWatch's minutes say of answers.

use super::{Published, PublishedMinute, Slots};
use crate::Colour;
use std::collections::BTreeMap;

/// CloudWatch's minutes by their number. One that it did not publish had no requests.
#[derive(Debug)]
pub(super) struct Minutes(BTreeMap<i64, PublishedMinute>);

impl Minutes {
    /// Of two with the same number the later one holds: CloudWatch corrects.
    pub(super) fn new(minutes: &[PublishedMinute]) -> Self {
        Self(minutes.iter().map(|minute| (minute.minute, *minute)).collect())
    }

    pub(super) fn of(&self, colour: Colour, minute: i64) -> Published {
        self.0.get(&minute).map(|minute| minute.of(colour)).unwrap_or_default()
    }

    pub(super) fn has(&self, minute: i64) -> bool {
        self.0.contains_key(&minute)
    }

    /// The numbers of those that were published, oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = i64> {
        self.0.keys().copied()
    }

    /// Requests of each of these minutes that got no good answer: what is not explained has failed, be it an answer of the
    /// load balancer's own, a client that left, or a number that is late.
    ///
    /// An answer that comes after its minute's end is published in a later one. There are then more answers than requests,
    /// and those explain what was missing before: all together are never fewer than have failed.
    pub(super) fn unanswered(&self, colour: Colour, minutes: &[i64]) -> Vec<u64> {
        let mut late = 0;
        let mut unanswered: Vec<u64> = minutes
            .iter()
            .rev()
            .map(|minute| {
                let Published { requests, answered, .. } = self.of(colour, *minute);
                // Answers without any request: the number of requests itself is late.
                late += if requests > 0 { answered.saturating_sub(requests) } else { 0 };
                let missing = requests.saturating_sub(answered);
                let explained = missing.min(late);
                late -= explained;
                missing - explained
            })
            .collect();
        unanswered.reverse();
        unanswered
    }

    /// Of both colours together: the minute, its requests, and those that got no good answer.
    pub(super) fn slots(&self, minutes: &[i64]) -> impl Iterator<Item = (i64, u64, u64)> {
        let [blue, green] = Colour::BOTH.map(|colour| self.unanswered(colour, minutes));
        let failed = blue.into_iter().zip(green).map(|(blue, green)| blue.saturating_add(green));
        let requests = |minute: i64| {
            let [blue, green] = Colour::BOTH.map(|colour| self.of(colour, minute).requests);
            blue.saturating_add(green)
        };
        minutes.iter().zip(failed).map(move |(minute, failed)| (*minute, requests(*minute), failed))
    }

    /// The same as slots, but for the newest one: what failed in it may be late.
    pub(super) fn judged(&self, minutes: &[i64], newest: Option<i64>) -> Vec<(i64, Slots)> {
        let old = self.slots(minutes).filter(|(minute, ..)| Some(*minute) != newest);
        old.map(|(minute, requests, failed)| (minute, Slots::of(requests, failed))).collect()
    }

    /// Requests of a minute that the target did not take.
    pub(super) fn refused(&self, colour: Colour, minute: i64) -> u64 {
        let of = self.of(colour, minute);
        of.refused.min(of.requests.saturating_sub(of.failed).saturating_sub(of.answered))
    }
}

#[cfg(test)]
mod tests;
