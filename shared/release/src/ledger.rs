//! What is remembered of a service between two passes: one JSON object, replaced only by compare-and-swap.

use crate::drill::{DrillAsked, Drilled};
use crate::evidence::Watched;
use crate::reinstall::Reinstalled;
use crate::stored::{Aside, Schema, UnknownFields};
use crate::{
    Colour, Commit, Exposure, Freeze, Open, Purpose, Receipt, ReleaseNumber, Revision, Statement, Verdict,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// CodeDeploy's id of a deployment (`d-` and nine characters).
    DeploymentId
);
text_id!(
    /// EC2's id of an instance.
    InstanceId
);
text_id!(
    /// The ARN of a listener rule. A rule made anew has another one, which is what makes late writers harmless.
    RuleArn
);

/// A service's name: a lower-case letter, then letters, digits and dashes, 32 characters at most
/// (it becomes part of target group names, which AWS limits to 32).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(String);

/// A text that is no service name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "service name {0:?} is not a lower-case letter followed by at most 31 lower-case letters, digits or dashes"
)]
pub struct ServiceNameError(pub String);

impl ServiceName {
    /// Checks the text.
    ///
    /// # Errors
    /// Anything but a lower-case letter followed by at most 31 lower-case letters, digits or dashes.
    pub fn new(text: impl Into<String>) -> Result<Self, ServiceNameError> {
        let text = text.into();
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.len() <= 32
            && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
            && text.bytes().all(legal)
        {
            Ok(Self(text))
        } else {
            Err(ServiceNameError(text))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ServiceName {
    type Error = ServiceNameError;
    fn try_from(text: String) -> Result<Self, ServiceNameError> {
        Self::new(text)
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A bundle on its way to being live.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Upload {
    /// Its number.
    pub number: ReleaseNumber,
    /// Its commit.
    pub commit: Commit,
    /// Its bytes.
    pub revision: Revision,
    /// Whether its own kit asks what its `smoke.txt` names, and so will tell it: the first weight waits for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tells_smoke: bool,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// The release that carries traffic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Live {
    /// The colour it runs on.
    pub colour: Colour,
    /// What it is.
    pub upload: Upload,
    /// When it took all traffic.
    pub since: Timestamp,
    /// By what its minutes are judged, as long as it may be taken back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<Watched>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// The release that carried traffic until the live one did, on the other colour.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Previous {
    /// The colour it ran on.
    pub colour: Colour,
    /// What it is.
    pub upload: Upload,
    /// When it took all traffic.
    pub since: Timestamp,
    /// Something else was installed on that colour since: its targets then prove nothing for this release.
    pub overwritten: bool,
    /// A drill has replaced it where it stood by: it is installed again as soon as nothing else is open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub comes_back: bool,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

impl From<Live> for Previous {
    fn from(Live { colour, upload, since, watched: _, unknown_fields }: Live) -> Self {
        Self { colour, upload, since, overwritten: false, comes_back: false, unknown_fields }
    }
}

/// A release that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Past {
    /// What it was for.
    pub purpose: Purpose,
    /// What it was.
    pub upload: Upload,
    /// Where it was installed.
    pub colour: Colour,
    /// The number of its last attempt.
    pub attempt: u32,
    /// Its deployment, if it got one.
    pub deployment: Option<DeploymentId>,
    /// How it ended.
    pub verdict: Verdict,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it ended.
    pub closed_at: Timestamp,
    /// Whether nothing is left to be told: the uploaded object carries this verdict or a later one, or can carry none.
    pub told: bool,
    /// When it was last tried to tell the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tell_tried_at: Option<Timestamp>,
    /// Why the object can carry no verdict, in S3's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold_for: Option<String>,
    /// What it leaves, as long as it may have to be written.
    #[serde(default, skip_serializing_if = "is_none")]
    pub receipt: Aside<Option<Box<Receipt>>>,
    /// What users had of it, if it was rejected with traffic. The receipt goes before.
    #[serde(default, skip_serializing_if = "is_none")]
    pub exposure: Aside<Option<Exposure>>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

fn is_none<T>(aside: &Aside<Option<T>>) -> bool {
    aside.0.is_none()
}

/// An upload that was not taken. It is no release: it has no attempt, and its number stays free.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refused {
    /// What it was.
    pub upload: Upload,
    /// Why it was not taken.
    pub verdict: Verdict,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// Everything that is remembered of one service.
///
/// [`Ledger::from_json`] reads what any version wrote up to [`Schema::CURRENT`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Ledger {
    /// The format in which it is written.
    pub schema: Schema,
    /// The service.
    pub service: ServiceName,
    /// The release that carries traffic. `None` until the first release has succeeded.
    pub live: Option<Live>,
    /// What ran before it, on the other colour.
    pub previous: Option<Previous>,
    /// When the colour that is idle now lost its weight to the live one. It serves late requests for the drain, and
    /// nothing is installed on it before.
    pub emptied_at: Option<Timestamp>,
    /// CodeDeploy's last successful revision is not the live one, and new instances would boot it.
    pub unsettled: bool,
    /// The release that is under way.
    pub open: Option<Open>,
    /// The newest bundle that waits.
    pub pending: Option<Upload>,
    /// Whether an operator holds the weights where they are.
    pub paused: bool,
    /// What was said with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_said: Option<Statement>,
    /// Whether an operator asked for the previous colour back.
    pub rollback: bool,
    /// What was said with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_said: Option<Statement>,
    /// The drill that an operator asked for. The next pass begins it or says why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillAsked>,
    /// How the last drill went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drilled: Option<Box<Drilled>>,
    /// How the last reinstallation went, which follows a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reinstalled: Option<Box<Reinstalled>>,
    /// Until when an operator lets no release open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Freeze>,
    /// The last releases that ended, oldest first, at most [`Ledger::REMEMBERED`].
    pub releases: Vec<Past>,
    /// The last uploads that were not taken, oldest first, at most [`Ledger::REMEMBERED`]. The same object version stays
    /// refused, however often its event comes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
    /// When a hook's question last made a pass look at AWS for the open release; polls within the look interval are
    /// answered from here. Also set when the shift begins: the silence of the hooks counts from here.
    pub looked_at: Option<Timestamp>,
    /// The instance that is unhealthy on the live colour while no release is open.
    pub ailing: Option<Ailing>,
    /// Since when each instance serves neither colour, while an alarm of the live colour may still roll back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dead_since: BTreeMap<InstanceId, Timestamp>,
    /// When an instance was last handed over for replacement.
    pub healed_at: Option<Timestamp>,
    /// When the base rule was last found, or put, not as `live` says, with no release open or while
    /// one is taken back.
    pub drifted_at: Option<Timestamp>,
    /// When a pass last went forward that had nothing else to remember. Writing it proves that the pass was not overtaken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted_at: Option<Timestamp>,
    /// When a preview's rule was last asked for. Its release may be over before a slow call has made it, and the next one gets
    /// no weight before none can any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_asked_at: Option<Timestamp>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// An instance that may have to be replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ailing {
    /// The instance.
    pub instance: InstanceId,
    /// Since when it is seen unhealthy.
    pub since: Timestamp,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

impl Ledger {
    /// How many ended releases are remembered, and how many refused uploads. More than can arrive twice through S3 within a day of pushes.
    pub const REMEMBERED: usize = 20;

    /// A service that never had a release.
    pub fn new(service: ServiceName) -> Self {
        Self {
            schema: Schema::CURRENT,
            service,
            live: None,
            previous: None,
            emptied_at: None,
            unsettled: false,
            open: None,
            pending: None,
            paused: false,
            pause_said: None,
            rollback: false,
            rollback_said: None,
            drill: None,
            drilled: None,
            reinstalled: None,
            frozen: None,
            releases: Vec::new(),
            refused: Vec::new(),
            looked_at: None,
            ailing: None,
            dead_since: BTreeMap::new(),
            healed_at: None,
            drifted_at: None,
            acted_at: None,
            preview_asked_at: None,
            unknown_fields: UnknownFields::default(),
        }
    }

    /// The phase's word; `idle` when no release is open.
    pub fn phase(&self) -> &'static str {
        self.open.as_ref().map_or("idle", |open| open.phase.word())
    }

    /// The bundle that waits for its turn. One that an operator's freeze keeps from opening takes nobody's place meanwhile.
    pub(crate) fn next_upload(&self, now: Timestamp) -> Option<&Upload> {
        let is_frozen = self.frozen.as_ref().is_some_and(|freeze| freeze.until > now);
        self.pending.as_ref().filter(|_| !is_frozen)
    }

    /// Whether this upload takes the open release's place. It takes none from the version that a rollback waits for, which is a
    /// way back.
    pub(crate) fn makes_room(&self, open: &Open, newer: ReleaseNumber) -> bool {
        let is_waited_for = self.rollback && open.purpose == Purpose::Reinstall;
        open.yields_to(newer) && !is_waited_for
    }

    /// The number of an attempt for which no deployment and no rule exists yet.
    pub(super) fn next_attempt(&self, number: ReleaseNumber) -> u32 {
        let tried = self.releases.iter().filter(|past| past.upload.number == number).map(|past| past.attempt);
        let drilled = self.drilled.iter().filter(|last| last.number == number).map(|last| last.attempt);
        let reinstalled = self.reinstalled.iter().filter(|last| last.number == number);
        tried.chain(drilled).chain(reinstalled.map(|last| last.attempt)).max().unwrap_or(0) + 1
    }

    /// Whether the last attempt of this release was rejected. Then it gets weight again only by `retry` or a new
    /// upload.
    pub(super) fn is_rejected(&self, release: &Upload) -> bool {
        let tried = |past: &&Past| past.purpose == Purpose::Release && past.upload == *release;
        let last = self.releases.iter().rev().find(tried);
        last.is_some_and(|past| matches!(past.verdict, Verdict::Rejected { .. }))
    }

    /// Remembers an ended release and forgets the oldest, and the receipts that are written or given up.
    pub(super) fn remember(&mut self, past: Past) {
        for earlier in &mut self.releases {
            earlier.receipt.0.take_if(|receipt| !receipt.is_tried(past.closed_at));
        }
        push(&mut self.releases, past);
    }

    /// Remembers an upload that was not taken and forgets the oldest.
    pub(super) fn remember_refused(&mut self, upload: Upload, verdict: Verdict) {
        push(&mut self.refused, Refused { upload, verdict, unknown_fields: UnknownFields::default() });
    }

    /// The end of the release with this deployment, if it is remembered.
    pub fn past_of(&self, deployment: &DeploymentId) -> Option<&Past> {
        self.releases.iter().rev().find(|past| past.deployment.as_ref() == Some(deployment))
    }
}

fn push<T>(remembered: &mut Vec<T>, item: T) {
    remembered.push(item);
    if remembered.len() > Ledger::REMEMBERED {
        remembered.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    mod rejected;

    #[test]
    fn a_service_name_becomes_part_of_other_names_and_is_narrow() {
        for bad in ["", "Backend", "9lives", "a_b", &"a".repeat(33)] {
            assert!(ServiceName::new(bad).is_err(), "{bad}");
        }
        assert!(ServiceName::new("backend-2").is_ok());
    }
}
