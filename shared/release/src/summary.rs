//! What anybody who may upload can know of a service's releases: an object that a workflow reads while it waits.
//!
//! It holds numbers, commits, phases, verdicts and counts. Why a release was rejected stands on the bundle's own tag: the sentence
//! may name instances and rules. No ARN, no id, no bucket.

use crate::plan::evidence;
use crate::plan::schedule::{is_paused, since};
use crate::{Colour, Commit, Ledger, Policy, Purpose, ReleaseNumber, ServiceName, VerdictWord};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// How long the end of a release is told again, because a tick may fail to.
const TOLD_AGAIN: Duration = Duration::from_secs(300);

/// A ledger without what is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The service.
    pub service: ServiceName,
    /// The phase of the open release; `idle` when none is open.
    pub phase: &'static str,
    /// The release that carries traffic.
    pub live: Option<Running>,
    /// The release that is under way.
    pub open: Option<UnderWay>,
    /// The number of the newest bundle that waits.
    pub waiting: Option<ReleaseNumber>,
    /// Until when an operator lets no release open. Why is for those who can ask for the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen_until: Option<Timestamp>,
    /// The release that ended last.
    pub last: Option<Over>,
}

/// A release that carries traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Running {
    /// Its number.
    pub number: ReleaseNumber,
    /// Its commit.
    pub commit: Commit,
    /// Its colour.
    pub colour: Colour,
    /// When it took all traffic.
    pub since: Timestamp,
}

/// A release that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnderWay {
    /// Its number.
    pub number: ReleaseNumber,
    /// Its commit.
    pub commit: Commit,
    /// What it is for.
    pub purpose: Purpose,
    /// Its colour.
    pub colour: Colour,
    /// The per cent of the traffic that it is meant to have.
    pub percent: u8,
    /// Whether an operator holds its weight where it is.
    pub paused: bool,
    /// When it opened.
    pub opened_at: Timestamp,
    /// What its counts say while they decide: what is proven, what is missing, and until when. Or that it waits for its gate, and
    /// until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

/// A release that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Over {
    /// Its number.
    pub number: ReleaseNumber,
    /// Its commit.
    pub commit: Commit,
    /// How it ended.
    pub verdict: VerdictWord,
    /// When.
    pub closed_at: Timestamp,
}

impl Summary {
    /// Whether a workflow may still wait for it: a release is open, waits, or has ended just now. At rest nothing is told
    /// again, so that a tick costs no write.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        let has_ended = self.last.as_ref().is_some_and(|last| since(last.closed_at, now) <= TOLD_AGAIN);
        self.open.is_some() || self.waiting.is_some() || has_ended
    }

    /// What a ledger says now.
    pub fn of(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Self {
        Self {
            service: ledger.service.clone(),
            phase: ledger.phase(),
            live: ledger.live.as_ref().map(|live| Running {
                number: live.upload.number,
                commit: live.upload.commit.clone(),
                colour: live.colour,
                since: live.since,
            }),
            open: ledger.open.as_ref().map(|open| UnderWay {
                number: open.upload.number,
                commit: open.upload.commit.clone(),
                purpose: open.purpose,
                colour: open.colour,
                percent: open.intended_percent(),
                paused: is_paused(ledger, open),
                opened_at: open.opened_at,
                says: evidence::said(open, policy, now)
                    .or_else(|| open.waits_for_gate(now))
                    .or_else(|| open.says_preview()),
            }),
            waiting: ledger.pending.as_ref().map(|pending| pending.number),
            frozen_until: ledger.frozen.as_ref().map(|freeze| freeze.until).filter(|until| *until > now),
            last: ledger.releases.last().map(|past| Over {
                number: past.upload.number,
                commit: past.upload.commit.clone(),
                verdict: past.verdict.word(),
                closed_at: past.closed_at,
            }),
        }
    }
}
