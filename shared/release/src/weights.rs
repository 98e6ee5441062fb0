//! The weights of a rule's forward action.

use crate::Colour;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a rule divides traffic between the two colours.
///
/// An ALB takes weights of 0 to 999 and divides by their sum
/// (aws-sdk-elasticloadbalancingv2, `TargetGroupTuple`). The ones we write add up to 100, in an evidence step to a prime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Weights {
    blue: u16,
    green: u16,
}

/// Weights that an ALB would not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// Above 999.
    #[error("weight {0} is above 999, the most that a load balancer takes")]
    TooLarge(u32),
    /// Both zero: every request would be answered with 503.
    #[error("both colours have weight 0, so no request would be served")]
    AllZero,
}

impl Weights {
    /// Weights as a rule has them.
    ///
    /// # Errors
    /// A weight above 999, or none above 0.
    pub fn new(blue: u32, green: u32) -> Result<Self, WeightsError> {
        let legal = |weight: u32| {
            u16::try_from(weight).ok().filter(|weight| *weight <= 999).ok_or(WeightsError::TooLarge(weight))
        };
        let weights = Self { blue: legal(blue)?, green: legal(green)? };
        if blue == 0 && green == 0 { Err(WeightsError::AllZero) } else { Ok(weights) }
    }

    /// All traffic on `colour`.
    pub fn all_on(colour: Colour) -> Self {
        Self::share(colour, 100)
    }

    /// `percent` (at most 100) of the traffic on `colour`, the rest on the other.
    pub fn share(colour: Colour, percent: u8) -> Self {
        let part = u16::from(percent.min(100));
        match colour {
            Colour::Blue => Self { blue: part, green: 100 - part },
            Colour::Green => Self { blue: 100 - part, green: part },
        }
    }

    /// The weight of one colour, 0 to 999.
    pub fn of(self, colour: Colour) -> u16 {
        match colour {
            Colour::Blue => self.blue,
            Colour::Green => self.green,
        }
    }

    /// The share of one colour in thousandths, rounded up: 0 only when it gets nothing.
    pub fn per_mille(self, colour: Colour) -> u16 {
        let sum = u32::from(self.blue) + u32::from(self.green);
        if sum == 0 {
            return 0;
        }
        u16::try_from((u32::from(self.of(colour)) * 1000).div_ceil(sum)).unwrap_or(1000)
    }

    /// Whether `colour` gets everything.
    pub fn are_all_on(self, colour: Colour) -> bool {
        self.of(colour) > 0 && self.of(colour.other()) == 0
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blue {} green {}", self.blue, self.green)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};

    #[test]
    fn weights_that_a_load_balancer_refuses_are_refused() {
        assert_eq!(Weights::new(1000, 0), Err(WeightsError::TooLarge(1000)));
        assert_eq!(Weights::new(0, 0), Err(WeightsError::AllZero));
    }

    proptest! {
        #[test]
        fn a_share_and_the_rest_make_a_hundred(percent in 0u8..=100) {
            let weights = Weights::share(Colour::Green, percent);
            prop_assert_eq!(weights.of(Colour::Green) + weights.of(Colour::Blue), 100);
            prop_assert_eq!(weights.per_mille(Colour::Green), u16::from(percent) * 10);
        }
    }
}
