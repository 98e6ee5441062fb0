//! A preview: before a release has its first weight, whoever sends a header with a secret in it reaches its candidate, through
//! the load balancer and the certificate that everybody uses.
//!
//! It has a rule of its own, one before the release's. What it carries is no evidence, so it is gone before the first weight.

use crate::command::named;
use crate::plan::schedule::{latest_resume, since};
use crate::stored::UnknownFields;
use crate::times::LATE_CREATION;
use crate::{CommandAnswer, Ledger, Open, Phase, Purpose, Request, RuleArn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A preview of an open release. It is remembered until the release ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Preview {
    /// For how long it was asked for.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub lasts: Duration,
    /// When this one began. Until the candidate is installed there is nothing that could be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Timestamp>,
    /// When it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// It is over: its time, by an operator's word, or for want of a rule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// Its rule, from the load balancer's answer until it is known to be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleArn>,
    /// When that rule was last asked for. A call that was slow may make it a while later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// What stands where its rule has to be, in the load balancer's words. It may be this one's own, which is not listed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_the_way: Option<String>,
    /// Why there is no rule, in the load balancer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

impl Preview {
    /// The header that leads to the candidate.
    pub const HEADER: &str = "X-Greenlight-Preview";

    /// How long one lasts where nobody says how long.
    pub const USUAL: Duration = Duration::from_secs(10 * 60);

    /// The shortest one.
    pub const SHORTEST: Duration = Duration::from_secs(60);

    /// The longest one.
    pub const LONGEST: Duration = Duration::from_secs(30 * 60);

    /// How long its rule is waited for that the load balancer does not list. Then the release goes on without a preview.
    pub const PATIENCE: Duration = Duration::from_secs(60);

    fn of(lasts: Duration) -> Self {
        Self {
            lasts,
            begun_at: None,
            until: None,
            ended: false,
            rule: None,
            asked_at: None,
            in_the_way: None,
            refused: None,
            unknown_fields: UnknownFields::default(),
        }
    }

    /// Begins, if it has not. `latest`: when the release has to go on, so that the rest of it fits.
    pub(crate) fn begins(&mut self, latest: Timestamp, now: Timestamp) {
        if self.begun_at.is_none() {
            let until = now.saturating_add(self.lasts).unwrap_or(Timestamp::MAX).min(latest);
            // People read it.
            self.until = Some(Timestamp::from_second(until.as_second()).unwrap_or(until));
            self.begun_at = Some(now);
        }
    }

    /// Whether it is over now, and why. What is over stays so, and its time ends here.
    pub(crate) fn is_over(&mut self, now: Timestamp) -> bool {
        let had_no_rule = |start: Timestamp| self.rule.is_none() && since(start, now) >= Self::PATIENCE;
        if self.refused.is_none() && !self.ended && self.begun_at.is_some_and(had_no_rule) {
            let unsaid = || format!("none within {} s", Self::PATIENCE.as_secs());
            self.refused = Some(self.in_the_way.take().unwrap_or_else(unsaid));
        }
        self.ended |= self.refused.is_some() || self.until.is_some_and(|until| until <= now);
        if self.ended {
            self.until = self.until.map(|until| until.min(now));
        }
        self.ended
    }

    /// Until when the first weight waits for it at least: until no call can make its rule any more. `None`: it has not begun.
    pub(crate) fn holds_until(&self) -> Option<Timestamp> {
        let late = self.asked_at.and_then(|asked| asked.checked_add(LATE_CREATION).ok());
        self.until.max(late)
    }

    /// What is left of it for another attempt: that it was asked for.
    pub(crate) fn once_more(&self) -> Option<Self> {
        (!self.ended && self.refused.is_none()).then(|| Self::of(self.lasts))
    }
}

impl Open {
    /// Whether its candidate may be asked by a preview, before its first weight. What goes back to an older version waits for
    /// nobody.
    pub(crate) fn may_be_previewed(&self) -> bool {
        let is_release = self.purpose == Purpose::Release && self.rolls_back.is_none();
        let waits = matches!(self.phase, Phase::Installing | Phase::Shifting(_) | Phase::Baking(_));
        is_release && waits && !self.had_weight()
    }

    /// The preview that has begun and is not over: its rule may stand.
    pub(crate) fn previewed(&self) -> Option<&Preview> {
        let preview = self.preview.as_ref().filter(|_| self.may_be_previewed())?;
        (preview.begun_at.is_some() && !preview.ended && preview.refused.is_none()).then_some(preview)
    }

    /// Ends its preview, or what was asked for. Whether there was one.
    pub(crate) fn ends_preview(&mut self) -> bool {
        let may = self.may_be_previewed();
        let preview = self.preview.as_mut().filter(|preview| may && !preview.ended);
        preview.map(|preview| preview.ended = true).is_some()
    }

    /// That it is previewed, for whoever may upload and for operators: without the secret, which nothing here knows.
    pub(crate) fn says_preview(&self) -> Option<String> {
        let preview = self.preview.as_ref().filter(|preview| self.may_be_previewed() && !preview.ended)?;
        Some(match preview.until {
            Some(until) => format!("a preview stands, no traffic before it is over at {until}"),
            None => {
                format!("a preview of {} is asked for, once it is installed", duration::show(preview.lasts))
            }
        })
    }
}

/// Asks for a preview of so long; `None`: the one that is there already, or else one of the usual length. Refused where it
/// cannot be, or could not end in time.
pub fn accept_preview(ledger: &Ledger, lasts: Option<Duration>, now: Timestamp) -> (Ledger, CommandAnswer) {
    let mut next = ledger.clone();
    let is_there = ledger.open.as_ref().is_some_and(|open| open.says_preview().is_some());
    let new = lasts.or_else(|| (!is_there).then_some(Preview::USUAL));
    let fits = new.map_or(Ok(()), |lasts| fits(ledger, lasts, now));
    let taken = fits.and_then(|()| ask(&mut next, lasts.map(|lasts| (lasts, now))));
    let (changed, refused) = (next != *ledger, taken.is_err());
    let (Ok(says) | Err(says)) = taken;
    (next, CommandAnswer { changed, refused, says })
}

/// Whether it may be so long, and the rest of the release still fits.
fn fits(ledger: &Ledger, lasts: Duration, now: Timestamp) -> Result<(), String> {
    let [shortest, longest] = [Preview::SHORTEST, Preview::LONGEST].map(duration::show);
    if !(Preview::SHORTEST..=Preview::LONGEST).contains(&lasts) {
        return Err(format!("no preview: it lasts {shortest} at least and {longest} at most"));
    }
    let Some(open) = ledger.open.as_ref().filter(|open| open.may_be_previewed()) else { return Ok(()) };
    let left = latest_resume(open, now).saturating_sub(since(open.could_begin_at(), now));
    if left < lasts {
        let left = Duration::from_secs(left.as_secs());
        let todo = if left < Preview::SHORTEST {
            "abort, and preview the next one sooner".to_owned()
        } else {
            format!("ask for {} or less", duration::show(left))
        };
        return Err(format!(
            "no preview: of the hour that a hook waits, release {} has {} to spare; {todo}",
            open.upload.number,
            duration::show(left)
        ));
    }
    Ok(())
}

/// Asks for one of so long, at this time. The time begins when the candidate is installed. Whoever says no time changes
/// nothing of one that is there.
pub(crate) fn ask(next: &mut Ledger, asked: Option<(Duration, Timestamp)>) -> Result<String, String> {
    let nothing_live = next.live.is_none();
    let Some(open) = &mut next.open else {
        return Err(
            "nothing to preview: no release is open; ask while the next one is being installed".to_owned()
        );
    };
    let name = named(open);
    if open.is_requested(Request::Abort) {
        return Err(format!("nothing to preview: {name} is being given up"));
    }
    if nothing_live {
        return Err(format!(
            "nothing to preview: {name} is the first of its service, and takes all traffic as soon as it is installed"
        ));
    }
    if !open.may_be_previewed() {
        let why = match open.purpose {
            Purpose::Release if open.rolls_back.is_none() => "a preview is for before a release has traffic",
            _ => "a preview is for releases alone",
        };
        return Err(format!("nothing to preview while {name} is {}: {why}", open.phase.word()));
    }
    if open.is_requested(Request::Hurry) {
        return Err(format!(
            "nothing to preview: promote was said, and {name} takes traffic as soon as it can"
        ));
    }
    let there = open.preview.as_ref().filter(|preview| !preview.ended);
    let lasts = asked.map(|(lasts, _)| lasts).or_else(|| there.map(|preview| preview.lasts));
    let lasts = lasts.unwrap_or(Preview::USUAL);
    let length = duration::show(lasts);
    let when = match &open.phase {
        Phase::Installing => format!("for {length} from when every instance of it is healthy"),
        _ => format!("for {length}"),
    };
    let holds = format!(
        "{name} can be asked with the header {when}, and gets no traffic before that is over; resume ends it sooner"
    );
    if let Some(preview) = there.filter(|preview| preview.lasts == lasts) {
        return Ok(preview
            .until
            .map_or(holds, |until| format!("{name} can be asked with the header until {until}")));
    }
    let sooner = there.zip(asked).and_then(|(before, (_, now))| match before.until {
        Some(until) => {
            let is_sooner = now.saturating_add(lasts).is_ok_and(|end| end < until);
            is_sooner.then(|| format!("; that is sooner than before: it was until {until}"))
        }
        None => {
            let is_sooner = lasts < before.lasts;
            is_sooner.then(|| format!("; that is less than before: it was {}", duration::show(before.lasts)))
        }
    });
    let holds = format!("{holds}{}", sooner.unwrap_or_default());
    let before = open.preview.take().unwrap_or_else(|| Preview::of(lasts));
    open.preview = Some(Preview {
        lasts,
        begun_at: None,
        until: None,
        ended: false,
        in_the_way: None,
        refused: None,
        ..before
    });
    Ok(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_header_is_one_that_a_load_balancer_compares_with_as_it_stands() {
        // 40 characters at most, and no wildcard (ELB API reference, `HttpHeaderConditionConfig`).
        assert!(Preview::HEADER.len() <= 40 && !Preview::HEADER.contains(['*', '?']));
    }

    #[test]
    fn a_preview_ends_with_its_time_with_what_the_release_needs_and_for_want_of_a_rule() {
        let begun = |lasts, latest| {
            let mut preview = Preview::of(Duration::from_secs(lasts));
            preview.begins(second(latest), second(0));
            preview.rule = Some(RuleArn("rule".to_owned()));
            preview
        };
        let over = |mut preview: Preview, at| preview.is_over(second(at));
        assert!(!over(begun(300, 900), 299) && over(begun(300, 900), 300));
        assert!(!over(begun(300, 200), 199) && over(begun(300, 200), 200), "the release has to go on");
        let without_rule = Preview { rule: None, ..begun(300, 900) };
        assert!(!over(without_rule.clone(), 59) && over(without_rule, 60));
        let mut early = Preview { ended: true, ..begun(300, 900) };
        assert!(early.is_over(second(100)));
        assert_eq!((early.until, early.holds_until()), (Some(second(100)), Some(second(100))));
        assert!(early.is_over(second(1)), "what is over stays so");
        let late = Preview { asked_at: Some(second(90)), ..early };
        assert_eq!(late.holds_until(), Some(second(126)), "a late call may still make its rule");
    }

    #[test]
    fn a_stored_preview_keeps_what_another_version_has_written() {
        let stored = serde_json::json!({
            "lasts": "10m", "begun_at": "2026-03-02T10:00:00Z",
            "until": "2026-03-02T10:10:00Z", "rule": "arn", "asked_at": "2026-03-02T10:00:05Z", "viewers": 3,
        });
        let preview: Preview = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(serde_json::to_value(&preview).unwrap(), stored);
    }
}
