//! What is remembered of an open release for its receipt alone. It decides nothing.

use crate::evidence::Sums;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The bytes of a reason that are kept.
const LONGEST: usize = 512;

/// How a release went so far, its earlier attempts included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Course {
    /// When its first attempt opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// Its raises, oldest first, at most [`Course::STEPS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Held>,
    /// How often CloudWatch was asked for counts.
    #[serde(skip_serializing_if = "is_zero")]
    pub reads: u32,
}

/// A share of the traffic that the candidate was given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Held {
    /// In which attempt.
    pub attempt: u32,
    /// The share, in percent.
    pub percent: u8,
    /// From when.
    pub since: Timestamp,
    /// Why it was given.
    pub reason: String,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What was counted in this attempt until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Sums>,
}

impl Course {
    /// How many steps are kept: those of `linear:1%` and a few more.
    pub const STEPS: usize = 110;

    /// The beginning of a release.
    pub(crate) fn begun(now: Timestamp) -> Self {
        Self { opened_at: Some(now), ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.opened_at.is_none() && self.steps.is_empty() && self.reads == 0
    }

    /// The candidate has this share from now on.
    pub(crate) fn raised(&mut self, step: Held, counted: Option<Sums>) {
        let is_same = |last: &&Held| {
            (last.attempt, last.percent) == (step.attempt, step.percent) && last.until.is_none()
        };
        // A raise that did not arrive is decided again.
        if self.steps.last().as_ref().is_some_and(is_same) {
            return;
        }
        self.ended(step.since, counted);
        if self.steps.len() < Self::STEPS {
            let mut step = step;
            step.reason.truncate(step.reason.floor_char_boundary(LONGEST));
            self.steps.push(step);
        }
    }

    /// The candidate has its last share no longer.
    pub(crate) fn ended(&mut self, now: Timestamp, counted: Option<Sums>) {
        if let Some(last) = self.steps.last_mut().filter(|last| last.until.is_none()) {
            (last.until, last.requests) = (Some(now), counted);
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}
