//! What a rule does with requests, as far as it can be understood.

use crate::{Colour, PerColour, Weights};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a rule does with requests.
///
/// A rule that somebody changed by hand must not hide the other one, so what cannot be understood is a value of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Routing {
    /// One forward action divides them between the two colours.
    Divides(Weights),
    /// Something else.
    Odd(Odd),
}

/// A rule that does not divide requests between the two colours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Odd {
    /// What it is instead, and what to do about it.
    pub why: String,
    /// The colours that it gives requests all the same.
    pub gives: PerColour<bool>,
    /// Whether it has one forward action to the two groups and nothing else, so that setting weights loses nothing.
    pub plain: bool,
    /// Whether there is no such rule: without another one nobody reaches the service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

impl Routing {
    /// Whether it was understood, and `colour` gets everything.
    pub fn are_all_on(&self, colour: Colour) -> bool {
        matches!(self, Self::Divides(weights) if weights.are_all_on(colour))
    }

    /// Whether `colour` gets anything.
    pub fn gives(&self, colour: Colour) -> bool {
        match self {
            Self::Divides(weights) => weights.of(colour) > 0,
            Self::Odd(odd) => *odd.gives.of(colour),
        }
    }

    /// The share of one colour in thousandths; an estimate where requests are not divided by weights.
    pub fn per_mille(&self, colour: Colour) -> u16 {
        match self {
            Self::Divides(weights) => weights.per_mille(colour),
            Self::Odd(_) if !self.gives(colour) => 0,
            Self::Odd(_) => 1000 / (1 + u16::from(self.gives(colour.other()))),
        }
    }

    /// Whether there is no such rule.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Odd(odd) if odd.gone)
    }

    /// Whether setting weights loses nothing that somebody may have meant.
    pub fn is_plain(&self) -> bool {
        match self {
            Self::Divides(_) => true,
            Self::Odd(odd) => odd.plain,
        }
    }
}

impl From<Weights> for Routing {
    fn from(weights: Weights) -> Self {
        Self::Divides(weights)
    }
}

impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Divides(weights) => weights.fmt(f),
            Self::Odd(odd) => f.write_str(&odd.why),
        }
    }
}
