//! A time in which no release opens: an operator's word before a holiday or a move of the database. What is open goes on, and
//! every way back stays open.

use crate::stored::UnknownFields;
use crate::{CommandAnswer, Ledger};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Bytes of a reason at most.
const LONGEST_REASON: usize = 256;

/// Days that a freeze may last. Who meant more has mistyped a year, and what nobody can deploy is not noticed until it burns.
const LONGEST_DAYS: i64 = 90;

/// Until when no release opens, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Freeze {
    /// When it was asked for.
    pub since: Timestamp,
    /// From then on releases open again.
    pub until: Timestamp,
    /// Why, in the operator's words.
    pub reason: String,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// Writes a freeze into the ledger. A later one takes the place of an earlier one.
///
/// Refused: one that has ended already, one that ends in more than 90 days, and one without a reason, or with one that is longer than 256 bytes or holds control
/// characters: whoever finds the service frozen at night has nothing else to go by.
pub fn accept_freeze(
    ledger: &Ledger,
    until: Timestamp,
    reason: &str,
    now: Timestamp,
) -> (Ledger, CommandAnswer) {
    let refused = |says: String| CommandAnswer { changed: false, refused: true, says };
    let reason = reason.trim();
    if until <= now {
        return (ledger.clone(), refused(format!("no freeze: {until} is over already")));
    }
    if until.duration_since(now) > SignedDuration::from_hours(24 * LONGEST_DAYS) {
        let says = format!(
            "no freeze: {until} is more than {LONGEST_DAYS} days away; freeze for {LONGEST_DAYS}d at most, and once more before \
             that is over"
        );
        return (ledger.clone(), refused(says));
    }
    if reason.is_empty() || reason.len() > LONGEST_REASON || reason.contains(char::is_control) {
        let says = format!("no freeze: say why, in one line of at most {LONGEST_REASON} bytes");
        return (ledger.clone(), refused(says));
    }
    let is_so = |freeze: &Freeze| freeze.until == until && freeze.reason == reason;
    if ledger.frozen.as_ref().is_some_and(is_so) {
        let says = format!("frozen until {until} already");
        return (ledger.clone(), CommandAnswer { changed: false, refused: false, says });
    }
    let mut next = ledger.clone();
    let reason = reason.to_owned();
    next.frozen = Some(Freeze { since: now, until, reason, unknown_fields: UnknownFields::default() });
    let open = match &ledger.open {
        Some(open) => format!("; {} goes on to its end, abort gives it up", crate::command::named(open)),
        None => String::new(),
    };
    let says = format!(
        "no release opens until {until}, or until thaw; what is uploaded waits, and the newest opens then; rollbacks go on{open}"
    );
    (next, CommandAnswer { changed: true, refused: false, says })
}

/// Ends a freeze.
pub fn accept_thaw(ledger: &Ledger, now: Timestamp) -> (Ledger, CommandAnswer) {
    let mut next = ledger.clone();
    let was_frozen = next.frozen.take().is_some_and(|freeze| freeze.until > now);
    let says = match (&next.pending, was_frozen) {
        (_, false) => "not frozen: nothing to thaw".to_owned(),
        (Some(pending), true) => format!("thawed: release {} opens next", pending.number),
        (None, true) => "thawed: releases open again".to_owned(),
    };
    (
        if was_frozen { next } else { ledger.clone() },
        CommandAnswer { changed: was_frozen, refused: false, says },
    )
}
