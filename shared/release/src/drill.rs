//! A drill: the way back, played without users.
//!
//! The live revision is installed once more, on the idle colour, behind a rule of its own that gives it nothing. Then
//! Greenlight sets an alarm of that colour, and the way back has to be taken as it would be for a release that went bad. It
//! leaves no verdict and no receipt, only [`Drilled`].

use crate::plan::rollback::is_watched;
use crate::plan::schedule::since;
use crate::stored::UnknownFields;
use crate::times::DRILL_BACK_WITHIN;
use crate::{
    Command, CommandAnswer, DeploymentId, Ledger, Live, Open, Policy, Previous, ReleaseNumber, ReturnCause,
    Statement, accept_command_with, command::named,
};
use jiff::Timestamp;
use jiff::fmt::serde::unsigned_duration::friendly::compact::optional as duration;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A drill that an operator asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct DrillAsked {
    /// What was said with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Statement>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// The alarm that a drill sets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AlarmSet {
    /// The alarm's name.
    pub alarm: String,
    /// When it was first decided to set it. What a drill measures counts from here.
    pub at: Timestamp,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// How the last drill went. It is no release: it has no verdict, and nothing is told to whoever uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Drilled {
    /// The release that it was held with: the one that was live.
    pub number: ReleaseNumber,
    /// The number of its attempt, which no other deployment of that release may have.
    pub attempt: u32,
    /// Its deployment, if it got one.
    pub deployment: Option<DeploymentId>,
    /// What was said with the command, and who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Statement>,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it ended.
    pub closed_at: Timestamp,
    /// The alarm that it set, if it came so far.
    pub alarm: Option<String>,
    /// From the setting of the alarm until its rule was seen gone.
    #[serde(with = "duration", default)]
    pub rule_gone_after: Option<Duration>,
    /// From the setting of the alarm until its deployment had stopped as well, and everything was as before, but for what it
    /// has replaced.
    #[serde(with = "duration", default)]
    pub as_before_after: Option<Duration>,
    /// How it ended.
    #[serde(flatten)]
    pub end: DrillEnd,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// How a drill ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "ended", content = "why", rename_all = "snake_case")]
pub enum DrillEnd {
    /// The way back was taken in time.
    Passed,
    /// Something came between that says nothing of the way back.
    GivenUp(String),
    /// The way back was not taken, or not in time, or could not be tried.
    Failed(String),
}

impl Drilled {
    /// What an ended drill leaves.
    pub(crate) fn of(open: &Open, cause: &ReturnCause, rule_gone: Option<Timestamp>, now: Timestamp) -> Self {
        let after = |end: Timestamp| open.alarm_set.as_ref().map(|set| in_millis(since(set.at, end)));
        let rule_gone_after = rule_gone.and_then(after);
        let end = match cause {
            ReturnCause::Drilled { .. } => match rule_gone_after {
                Some(time) if time <= DRILL_BACK_WITHIN => DrillEnd::Passed,
                _ => DrillEnd::Failed(format!(
                    "the rule was not gone within {} s: see the logs of the functions alarm and lifecycle",
                    DRILL_BACK_WITHIN.as_secs()
                )),
            },
            ReturnCause::Aborted | ReturnCause::Superseded { .. } | ReturnCause::InstanceLost { .. } => {
                DrillEnd::GivenUp(cause.to_string())
            }
            cause => DrillEnd::Failed(cause.to_string()),
        };
        Self {
            number: open.upload.number,
            attempt: open.attempt,
            deployment: open.deployment.clone(),
            said: open.said.clone(),
            opened_at: open.opened_at,
            closed_at: now,
            alarm: open.alarm_set.as_ref().map(|set| set.alarm.clone()),
            rule_gone_after,
            as_before_after: after(now),
            end,
            unknown_fields: UnknownFields::default(),
        }
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<&str> {
        match &self.end {
            DrillEnd::Failed(why) => Some(why),
            DrillEnd::Passed | DrillEnd::GivenUp(_) => None,
        }
    }
}

/// Passes are seconds apart, and nobody reads nanoseconds.
fn in_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// A time in seconds, to the tenth: passes are seconds apart.
fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "unknown".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
}

/// In a sentence.
impl fmt::Display for Drilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match &self.end {
            DrillEnd::Passed => write!(f, "the drill with release {number} passed"),
            DrillEnd::GivenUp(why) => write!(f, "the drill with release {number} was given up: {why}"),
            DrillEnd::Failed(why) => write!(f, "the drill with release {number} failed: {why}"),
        }?;
        if let Some(alarm) = &self.alarm {
            write!(
                f,
                "; from the setting of alarm {alarm} the rule was gone after {}, and all was as before after {}",
                seconds(self.rule_gone_after),
                seconds(self.as_before_after)
            )?;
        }
        f.write_str(&Statement::bracketed(self.said.as_ref()))
    }
}

pub(crate) const NOTHING_LIVE: &str = "no release is live yet, so there is nothing to play it with";

/// What the ledger alone says against a drill now.
pub(crate) fn against(ledger: &Ledger) -> Option<String> {
    if ledger.live.is_none() {
        return Some(NOTHING_LIVE.to_owned());
    }
    if let Some(open) = &ledger.open {
        return Some(format!("{} is {}: wait for its end", named(open), open.phase.word()));
    }
    if let Some(previous) = ledger.previous.as_ref().filter(|previous| previous.comes_back) {
        let number = previous.upload.number;
        return Some(format!("release {number} is to be installed again after the last one: wait for that"));
    }
    if let Some(pending) = &ledger.pending {
        return Some(format!("release {} waits: let it end first", pending.number));
    }
    if ledger.rollback {
        return Some("a rollback is asked for: let it end first".to_owned());
    }
    if ledger.paused {
        return Some("paused: say resume first".to_owned());
    }
    if ledger.unsettled {
        let why =
            "new instances would boot another version than the live one: push again, which settles that";
        return Some(why.to_owned());
    }
    ledger.drifted_at.map(|_| {
        "the traffic is or was a moment ago not where the ledger says: see status, and wait until it is"
            .to_owned()
    })
}

/// What time and settings say against a drill now, with a release live and nothing open.
pub(crate) fn against_now(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Option<String> {
    let live = ledger.live.as_ref()?;
    if let Some(freeze) = ledger.frozen.as_ref().filter(|freeze| freeze.until > now) {
        return Some(format!("frozen until {}, or until thaw: {}", freeze.until, freeze.reason));
    }
    if !policy.is_sound {
        return Some("a setting of the functions is wrong: their log names it".to_owned());
    }
    let runs = ledger.previous.as_ref().filter(|previous| !previous.overwritten);
    if let Some(previous) = runs.filter(|_| is_watched(live, policy, now)) {
        return Some(stands_by(live, previous, policy, now));
    }
    // Nothing is replaced while a drill is open. Where nothing heals, nobody keeps this up to date.
    let ailing = ledger.ailing.as_ref().filter(|_| !policy.heal_after.is_zero());
    if let Some(ailing) = ailing {
        let instance = &ailing.instance;
        return Some(format!("{instance} of {} is ill: wait until it is healed or replaced", live.colour));
    }
    let drains = ledger.emptied_at.map(|emptied| policy.drain.saturating_sub(since(emptied, now)));
    drains.filter(|drains| !drains.is_zero()).map(|drains| {
        format!("{} still answers late requests for {} s", live.colour.other(), whole_seconds(drains))
    })
}

/// For what the previous version must stand by, while an alarm or the minutes of the live one may still start a rollback.
fn stands_by(live: &Live, previous: &Previous, policy: &Policy, now: Timestamp) -> String {
    let (number, before) = (live.upload.number, previous.upload.number);
    let guarded = policy.rollback_window.saturating_sub(since(live.since, now));
    if guarded.is_zero() {
        return format!(
            "release {number} went live because little was at stake, and too few requests have come since to judge it by: release {before} must stand by until they have, for a day at most"
        );
    }
    format!(
        "release {number} went live lately, and release {before} must stand by for another {} s (RollbackWindow): drill after that",
        whole_seconds(guarded)
    )
}

fn whole_seconds(time: Duration) -> u128 {
    time.as_millis().div_ceil(1000)
}

/// What will happen, before it does.
pub(crate) fn beforehand(live: &Live, previous: Option<&Previous>) -> String {
    let (number, idle) = (live.upload.number, live.colour.other());
    let replaced = match previous.filter(|previous| !previous.overwritten) {
        Some(previous) => format!(
            "release {} there is replaced, and installed again after the drill if it can take the traffic now; until then a rollback to it takes an installation",
            previous.upload.number
        ),
        None => "what is there is replaced and taken down".to_owned(),
    };
    format!(
        "a drill: release {number} is installed once more, on {idle}, without traffic; {replaced}; then an alarm of {idle} is set, and the way back has to be taken within {} s",
        DRILL_BACK_WITHIN.as_secs()
    )
}

/// Asks for a drill, if nothing speaks against it now.
pub fn accept_drill(
    ledger: &Ledger,
    policy: &Policy,
    said: Option<&Statement>,
    now: Timestamp,
) -> (Ledger, CommandAnswer) {
    match against_now(ledger, policy, now).filter(|_| against(ledger).is_none()) {
        Some(why) => (
            ledger.clone(),
            CommandAnswer { changed: false, refused: true, says: format!("no drill: {why}") },
        ),
        None => accept_command_with(ledger, Command::Drill, said),
    }
}
