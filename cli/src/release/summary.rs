//! `public/<service>.json`: what each tick tells of a service, without secrets (`shared/release/src/summary.rs`).

use serde::Deserialize;

/// What is told of a service. Members that this version does not know are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Summary {
    phase: String,
    open: Option<UnderWay>,
}

/// The release that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct UnderWay {
    number: u64,
    percent: u8,
    #[serde(default)]
    paused: bool,
}

/// Where an open release is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) phase: String,
    /// Per cent of the traffic.
    pub(crate) weight: u8,
    /// Whether an operator holds its weight.
    pub(crate) paused: bool,
}

impl Summary {
    /// Where one release is, if it is the one under way.
    pub(crate) fn of(&self, number: u64) -> Option<Open> {
        let UnderWay { percent: weight, paused, .. } =
            *self.open.as_ref().filter(|open| open.number == number)?;
        Some(Open { phase: self.phase.clone(), weight, paused })
    }
}
