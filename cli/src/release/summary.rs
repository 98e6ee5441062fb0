//! `public/<service>.json`: what each pass of the functions tells of a service, without secrets.

use serde::Deserialize;

/// What is told of a service. Members that this version does not know are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Summary {
    /// The release that is under way.
    pub(crate) open: Option<Open>,
}

/// An open release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Open {
    pub(crate) number: u64,
    pub(crate) phase: String,
    /// Percent of the traffic.
    pub(crate) weight: u8,
    /// What it waits for.
    #[serde(default)]
    pub(crate) reason: String,
}

impl Summary {
    /// Where one release is, if it is the one under way.
    pub(crate) fn of(&self, number: u64) -> Option<&Open> {
        self.open.as_ref().filter(|open| open.number == number)
    }
}
