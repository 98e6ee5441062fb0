//! The first weight waits for a preview, and for its rule to be gone: CloudWatch counts by group and not by rule.
//!
//! A preview's rule takes no request from anybody who does not ask for it, so nothing that takes a release back waits for it.

use super::Planning;
use super::missing::GRACE;
use super::schedule::{latest_resume, since};
use crate::times::LATE_CREATION;
use crate::{Action, Open, Reading, Reason};
use jiff::Timestamp;

/// What a release that is otherwise ready for its first weight has to do with a preview.
pub(super) enum Previewing {
    /// Nothing, or nothing any more.
    Over,
    /// It is previewed, and waits.
    Stands,
    /// It is over, and its rule is not known to be gone: this is waited for.
    Leaves(String),
}

impl Planning<'_> {
    /// Ends a preview whose time is over, whatever else its release waits for.
    pub(super) fn times_preview(&mut self) {
        let Some(open) = self.ledger.open.as_mut().filter(|open| open.may_be_previewed()) else { return };
        let Some(preview) = open.preview.as_mut().filter(|preview| !preview.ended) else { return };
        if preview.is_over(self.now)
            && let Some(why) = preview.refused.clone()
        {
            self.because(Reason::NoPreview { why });
        }
    }

    /// Begins the preview of a release that waits for its first weight, and has its rule made.
    pub(super) fn previews(&mut self, open: &mut Open) -> Previewing {
        let Some(seen) = self.seen.rules.known().map(|rules| rules.preview.clone()) else {
            return Previewing::Over;
        };
        if !open.may_be_previewed() {
            return Previewing::Over;
        }
        let begin = open.could_begin_at();
        let latest = begin.saturating_add(latest_resume(open, self.now)).unwrap_or(Timestamp::MAX);
        let is_healthy = open.targets.iter().all(|instance| self.seen.is_healthy(open.colour, instance));
        let release = open.description(&self.ledger.service);
        if let Some(preview) = open.preview.as_mut().filter(|preview| !preview.ended) {
            if preview.begun_at.is_none() && !is_healthy {
                // What is missing is said by what the raise has to prove.
                return Previewing::Over;
            }
            preview.begins(latest, self.now);
            let until = preview.until.unwrap_or(latest);
            if until > self.now {
                let stands = seen.is_some() && seen == preview.rule;
                let is_due = preview.asked_at.is_none_or(|asked| since(asked, self.now) >= GRACE);
                // One that is not this preview's goes first.
                if seen.is_none() && is_due {
                    preview.asked_at = Some(self.now);
                    self.ledger.preview_asked_at = Some(self.now);
                    self.forward.push(Action::CreatePreviewRule { release });
                    self.again = true;
                }
                self.because(Reason::Previews { until, stands });
                return Previewing::Stands;
            }
            preview.ended = true;
        }
        let preview = open.preview.as_ref();
        if let Some(rule) = seen.or_else(|| preview?.rule.clone()) {
            return Previewing::Leaves(format!("the preview's rule {rule} to be deleted"));
        }
        let asked = self.ledger.preview_asked_at;
        let left = asked.map(|asked| LATE_CREATION.saturating_sub(since(asked, self.now)));
        match left.filter(|left| !left.is_zero()) {
            Some(left) => {
                let seconds = left.as_millis().div_ceil(1000);
                Previewing::Leaves(format!(
                    "{seconds} s, in which a late call may still make the preview's rule"
                ))
            }
            None => Previewing::Over,
        }
    }

    /// Has a preview's rule deleted that no preview explains, whatever else this pass has decided. By the ARN that the ledger
    /// knows where the rules cannot be read. After the commit, and after everything else.
    pub(super) fn clears_previews(&mut self) {
        let open = self.ledger.open.as_ref();
        let preview = open.and_then(|open| open.preview.as_ref());
        let known = preview.and_then(|preview| preview.rule.clone());
        let stands = open.is_some_and(|open| open.previewed().is_some());
        // Whoever makes it has not come to write it down yet.
        let is_new = preview
            .and_then(|preview| preview.asked_at)
            .is_some_and(|asked| known.is_none() && since(asked, self.now) < GRACE);
        let found = match &self.seen.rules {
            Reading::Known(rules) => rules.preview.clone(),
            Reading::Unknown(_) | Reading::NotRead => None,
        };
        let found = found.filter(|found| !stands || (known.as_ref() != Some(found) && !is_new));
        let known = known.filter(|known| !stands && found.as_ref() != Some(known));
        let waits_for_weight = open.is_some_and(Open::may_be_previewed);
        for rule in [found, known].into_iter().flatten() {
            self.reasons.retain(|reason| *reason != Reason::NothingToDo);
            self.because(Reason::DeletesPreview { rule: rule.clone() });
            self.forward.push(Action::DeletePreviewRule { rule });
            self.again |= waits_for_weight;
        }
    }
}
