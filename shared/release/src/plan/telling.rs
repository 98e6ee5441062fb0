//! Telling whoever uploaded how it ended, by the tags of the uploaded object.
//!
//! It comes after everything else that a pass does and decides nothing: a tag that hangs, or that can never be written,
//! delays no release and no way back. What is told of an object is the last verdict of the ledger about it.

use super::{Action, Planning, schedule::since};
use crate::{Past, Purpose, Reason, Revision};
use std::time::Duration;

/// How long after one try another is made for the same object. Longer than a function lives (30 s, template.yaml), so
/// that no tag of an earlier verdict can arrive after that of a later one: `PutObjectTagging` has no precondition.
const BETWEEN_TRIES: Duration = Duration::from_secs(60);

impl Planning<'_> {
    /// Verdicts that no tag carries yet. A crash between the commit and the tag heals here.
    ///
    /// One at a time, because each may hang for as long as two calls do, and in the last pass of a wake, because the
    /// passes before it are followed by another at once.
    pub(super) fn tell_verdicts(&mut self) {
        if self.again {
            return;
        }
        for index in 0..self.ledger.releases.len() {
            self.settle_what_cannot_be_told(index);
        }
        let due = self.ledger.releases.iter().enumerate().filter(|(_, past)| self.is_due(past));
        let Some((index, _)) = due.min_by_key(|(_, past)| past.tell_tried_at) else { return };
        let past = &mut self.ledger.releases[index];
        past.tell_tried_at = Some(self.now);
        self.forward.push(Action::TellVerdict {
            revision: past.upload.revision.clone(),
            verdict: past.verdict.clone(),
        });
    }

    /// A verdict that a later one of the same object has overtaken, or whose object can carry none, is told no more.
    fn settle_what_cannot_be_told(&mut self, index: usize) {
        let past = &self.ledger.releases[index];
        if past.told {
            return;
        }
        let is_overtaken =
            self.ledger.releases[index + 1..].iter().any(|later| is_about(later, &past.upload.revision));
        if let Some(why) = past.untold_for.clone().filter(|_| !is_overtaken) {
            self.because(Reason::VerdictUntold { number: past.upload.number, why });
        } else if !is_overtaken {
            return;
        }
        self.ledger.releases[index].told = true;
    }

    fn is_due(&self, past: &Past) -> bool {
        let revision = &past.upload.revision;
        let open = self.ledger.open.as_ref().filter(|open| open.purpose == Purpose::Release);
        let under_way = open.map(|open| &open.upload).into_iter().chain(&self.ledger.pending);
        let about = self.ledger.releases.iter().filter(|other| is_about(other, revision));
        let tried = about.filter_map(|other| other.tell_tried_at).max();
        !past.told
            && under_way.into_iter().all(|upload| upload.revision != *revision)
            && tried.is_none_or(|tried| since(tried, self.now) >= BETWEEN_TRIES)
    }
}

/// Whether it is a release of this object.
pub(super) fn is_about(past: &Past, revision: &Revision) -> bool {
    past.purpose == Purpose::Release && past.upload.revision == *revision
}
