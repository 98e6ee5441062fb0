//! The text by which a deployment of ours is known again.
//!
//! `CreateDeployment` takes no token. After a lost reply a pass finds the deployment by this description. The way back
//! without a ledger reads the candidate's colour from it.

use crate::{Colour, Commit, ReleaseNumber, ServiceName, Strategy};
use std::fmt;
use std::str::FromStr;

/// What a deployment of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A bundle is to go live.
    Release,
    /// The previous colour takes traffic again; only its rule moves.
    Rollback,
    /// The live revision is deployed once more, so that new instances boot what carries traffic.
    Settle,
    /// The live revision is deployed once more, and taken back by an alarm that Greenlight sets: a fire drill. It never gets
    /// weight.
    Drill,
    /// What a drill has replaced is deployed once more and left running, by a deployment that never succeeds. It never gets
    /// weight.
    Reinstall,
}

impl Purpose {
    const ALL: [Self; 5] = [Self::Release, Self::Rollback, Self::Settle, Self::Drill, Self::Reinstall];

    /// `release`, `rollback`, `settle`, `drill` or `reinstall`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Rollback => "rollback",
            Self::Settle => "settle",
            Self::Drill => "drill",
            Self::Reinstall => "reinstall",
        }
    }

    /// Whether what is deployed for it has no weight at any time, and makes room for any bundle.
    pub fn never_has_weight(self) -> bool {
        matches!(self, Self::Drill | Self::Reinstall)
    }
}

/// A deployment's description, parsed. At most 256 characters as text (`CreateDeployment`'s limit).
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Description {
    /// What it is for.
    pub purpose: Purpose,
    /// The release's number.
    pub number: ReleaseNumber,
    /// The release's commit.
    pub commit: Commit,
    /// The service.
    pub service: ServiceName,
    /// The colour it installs on.
    pub colour: Colour,
    /// How weight will move.
    pub strategy: Strategy,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

/// A text that is no description of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a deployment description written by Greenlight")]
pub struct DescriptionError(pub String);

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { purpose, number, commit, service, colour, strategy, attempt } = self;
        let purpose = purpose.word();
        write!(
            f,
            "greenlight {purpose} {number} {commit} of {service} on {colour} by {strategy} attempt {attempt}"
        )
    }
}

impl FromStr for Description {
    type Err = DescriptionError;

    fn from_str(text: &str) -> Result<Self, DescriptionError> {
        parse(text).ok_or_else(|| DescriptionError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Description> {
    let words: Vec<&str> = text.split(' ').collect();
    let [
        "greenlight",
        purpose,
        number,
        commit,
        "of",
        service,
        "on",
        colour,
        "by",
        strategy,
        "attempt",
        attempt,
    ] = words.as_slice()
    else {
        return None;
    };
    Some(Description {
        purpose: Purpose::ALL.into_iter().find(|known| known.word() == *purpose)?,
        number: ReleaseNumber(number.parse().ok()?),
        commit: Commit::new(*commit).ok()?,
        service: ServiceName::new(*service).ok()?,
        colour: Colour::from_word(colour)?,
        strategy: strategy.parse().ok()?,
        attempt: attempt.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn a_description_reads_back_and_fits(
            number in any::<u64>(), commit in "[0-9a-f]{7,40}", service in "[a-z][a-z0-9-]{0,31}",
            attempt in 1u32.., green in any::<bool>(),
        ) {
            let description = Description {
                purpose: Purpose::Release,
                number: ReleaseNumber(number),
                commit: Commit::new(commit).unwrap(),
                service: ServiceName::new(service).unwrap(),
                colour: if green { Colour::Green } else { Colour::Blue },
                strategy: "Linear10PercentEvery10Minutes".parse().unwrap(),
                attempt,
            };
            let text = description.to_string();
            prop_assert!(text.len() <= 256);
            prop_assert_eq!(text.parse::<Description>(), Ok(description));
        }

        #[test]
        fn any_other_text_is_not_ours(text in ".{0,80}") {
            prop_assert!(text.parse::<Description>().is_err());
        }
    }
}
