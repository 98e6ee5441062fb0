//! What was counted is kept with the open release, and takes it back when it convicts the candidate.

use super::Planning;
use crate::evidence::{Counted, Judgement, Share, Terms};
use crate::{Open, Phase, Purpose, Reading, ReturnCause};
use jiff::Timestamp;

impl Planning<'_> {
    /// Takes what this pass has seen of requests. A release that has something to be compared with begins to be counted with
    /// the first report.
    pub(super) fn count(&mut self) {
        let is_compared = self.ledger.live.is_some();
        let Some(open) = self.ledger.open.as_mut().filter(|open| is_compared && counts(open)) else { return };
        let published = match &self.seen.published {
            Reading::Known(minutes) => Some(minutes),
            Reading::NotRead | Reading::Unknown(_) => None,
        };
        if self.seen.report.is_none() && published.is_none() {
            return;
        }
        let begins = open.counted.is_none();
        let counted = open.counted.get_or_insert_default();
        if let Some(report) = &self.seen.report {
            counted.take_report(report, self.now);
        }
        if let Some(minutes) = published {
            counted.take_published(minutes, self.now);
        }
        if begins && open.had_weight() {
            // What was counted before the first report came is not known, and does not count.
            order(open, self.now);
        }
    }

    /// Why the counts take the release back. What cannot be read convicts nobody, and neither does silence.
    pub(super) fn convicted(&self, open: &Open) -> Option<ReturnCause> {
        let counted = open.counted.as_ref().filter(|_| open.had_weight())?;
        match counted.convicts(&terms(open), self.now)? {
            Judgement::Worse(compared) => Some(ReturnCause::Worse { compared }),
            _ => None,
        }
    }
}

/// A rollback and a settling have no hooks that report, and what is on its way back is judged already.
fn counts(open: &Open) -> bool {
    open.purpose == Purpose::Release && !matches!(open.phase, Phase::Returning(_) | Phase::Settling)
}

/// Remembers the share that this phase asks for, where requests are counted.
pub(super) fn order(open: &mut Open, now: Timestamp) {
    let share = Share::plain(open.intended_percent());
    let Some(mut counted) = open.counted.take() else { return };
    let warm_up = counted.stake(&terms(open), now).warm_up();
    Counted::order(&mut counted, share, warm_up, now);
    open.counted = Some(counted);
}

fn terms(open: &Open) -> Terms<'_> {
    Terms::usual(open.colour, &open.targets, open.bake)
}
