//! `public/<service>.json`: what each tick tells of a service, without secrets (`shared/release/src/summary.rs`).

use serde::Deserialize;

/// What is told of a service. Members that this version does not know are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Summary {
    phase: String,
    open: Option<UnderWay>,
    waiting: Option<u64>,
    #[serde(default, rename = "frozenUntil")]
    frozen_until: Option<String>,
}

/// The release that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct UnderWay {
    number: u64,
    percent: u8,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    says: Option<String>,
}

/// Where an open release is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) phase: String,
    /// Per cent of the traffic.
    pub(crate) weight: u8,
    /// Whether an operator holds its weight.
    pub(crate) paused: bool,
    /// What its counts say.
    pub(crate) says: Option<String>,
}

impl Summary {
    /// Where one release is, if it is the one under way.
    pub(crate) fn of(&self, number: u64) -> Option<Open> {
        let UnderWay { percent: weight, paused, says, .. } =
            self.open.as_ref().filter(|open| open.number == number)?;
        Some(Open { phase: self.phase.clone(), weight: *weight, paused: *paused, says: says.clone() })
    }

    /// Until when one release waits for the end of a freeze, if it does.
    pub(crate) fn frozen_until(&self, number: u64) -> Option<&str> {
        self.frozen_until.as_deref().filter(|_| self.waiting == Some(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use release::{Colour, Commit, Over, Purpose, ReleaseNumber, ServiceName, UnderWay, VerdictWord};

    #[test]
    fn what_each_tick_tells_is_understood() {
        let commit = Commit::new("3f9c2ab").unwrap();
        let told = release::Summary {
            service: ServiceName::new("backend").unwrap(),
            phase: "shifting",
            live: None,
            open: Some(UnderWay {
                number: ReleaseNumber(14_201),
                commit: commit.clone(),
                purpose: Purpose::Release,
                colour: Colour::Green,
                percent: 10,
                paused: true,
                opened_at: jiff::Timestamp::UNIX_EPOCH,
                says: Some("green failed 0 of 44".to_owned()),
            }),
            waiting: Some(ReleaseNumber(14_301)),
            frozen_until: Some("2026-12-27T06:00:00Z".parse().unwrap()),
            last: Some(Over {
                number: ReleaseNumber(14_101),
                commit,
                verdict: VerdictWord::Rejected,
                closed_at: jiff::Timestamp::UNIX_EPOCH,
            }),
        };
        let summary: Summary = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
        let open = Open {
            phase: "shifting".to_owned(),
            weight: 10,
            paused: true,
            says: Some("green failed 0 of 44".to_owned()),
        };
        assert_eq!((summary.of(14_201), summary.of(14_101)), (Some(open), None));
        assert_eq!(summary.frozen_until(14_301), Some("2026-12-27T06:00:00Z"));
        assert_eq!(summary.frozen_until(14_201), None, "it is open already");
    }
}
