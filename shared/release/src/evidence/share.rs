//! How much of the traffic a candidate gets, and how much must be proven of it.

use super::odds::real;
use crate::{ByEvidence, Colour, Weights};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A share of the traffic as a rule's weights say it: so many parts of so many.
///
/// The weights of an evidence step add up to a prime number and the share is not near one in a whole number. So a client
/// that asks regularly does not fall into step with a load balancer that takes strict turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Share {
    part: u16,
    whole: u16,
}

const WHOLE: u16 = 997;
/// By then the alarms have looked at a minute: see "How short a step may be" in docs/strategies.md.
const ALARMS_LOOK: Duration = Duration::from_secs(300);

impl Share {
    /// Nothing.
    pub const NONE: Self = Self { part: 0, whole: 100 };
    /// About 1 %.
    pub const ONE: Self = Self { part: 10, whole: WHOLE };
    /// About 3 %.
    pub const THREE: Self = Self { part: 30, whole: WHOLE };
    /// About 10 %.
    pub const TEN: Self = Self { part: 96, whole: WHOLE };
    /// About 30 %: more would prove less with each failure.
    pub const THIRTY: Self = Self { part: 295, whole: WHOLE };
    /// About 90 %: the rest stays on live, so that there is a coin.
    pub const NINETY: Self = Self { part: 897, whole: WHOLE };
    /// Everything.
    pub const ALL: Self = Self { part: 100, whole: 100 };
    /// Those of an evidence step.
    pub const STEPS: [Self; 4] = [Self::ONE, Self::THREE, Self::TEN, Self::THIRTY];

    /// So many percent, as an evidence step has it.
    pub fn of_percent(percent: u8) -> Self {
        let named =
            [(1, Self::ONE), (3, Self::THREE), (10, Self::TEN), (30, Self::THIRTY), (90, Self::NINETY)];
        let found = named.iter().find(|(of, _)| *of == percent);
        found.map_or(Self::plain(percent), |(_, share)| *share)
    }

    /// So many of a hundred parts.
    pub fn plain(percent: u8) -> Self {
        Self { part: u16::from(percent.min(100)), whole: 100 }
    }

    /// In percent, rounded.
    pub fn percent(self) -> u8 {
        let (part, whole) = (u32::from(self.part), u32::from(self.whole.max(1)));
        u8::try_from((part * 200 + whole) / (2 * whole)).unwrap_or(100)
    }

    /// 0 to 1.
    pub fn fraction(self) -> f64 {
        (f64::from(self.part) / f64::from(self.whole.max(1))).min(1.0)
    }

    /// Whether the live colour keeps a part, to be compared with.
    pub fn leaves_some(self) -> bool {
        self.part < self.whole
    }

    /// The weights that give `colour` this share. Parts above 999, which only a ledger that was changed by hand has, are
    /// rounded to whole percents.
    pub fn weights(self, colour: Colour) -> Weights {
        let (part, rest) = (u32::from(self.part), u32::from(self.whole.saturating_sub(self.part)));
        let weights = match colour {
            Colour::Blue => Weights::new(part, rest),
            Colour::Green => Weights::new(rest, part),
        };
        weights.unwrap_or(Weights::share(colour, self.percent()))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.percent())
    }
}

/// What a release puts at stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stake {
    /// How many failed requests a bad version may cost.
    pub harm: u64,
    /// Requests a minute. `None`: unknown, and taken for many.
    pub rate: Option<u64>,
    /// Whether instances report, so that failures are known within seconds.
    pub reported: bool,
}

impl Stake {
    /// How long a failure stays unknown, in minutes.
    fn delay(&self) -> f64 {
        if self.reported { 0.25 } else { 3.0 }
    }

    /// The share of extra failures that would cost the harm until the bake is over: what must be proven not to be there,
    /// 0 to 1.
    pub fn margin(&self, bake: Duration) -> f64 {
        let floor = match self.rate {
            Some(0..6_000) => 0.01,
            Some(6_000..60_000) => 0.005,
            Some(60_000..) | None => 0.003,
        };
        let requests = self.rate.map_or(f64::INFINITY, real) * (bake.as_secs_f64() / 60.0);
        if requests > 0.0 { (real(self.harm) / requests).clamp(floor, 0.20) } else { 0.20 }
    }

    /// How many of `hour` requests an hour come from the first weight until the alarms have looked at the candidate after its
    /// bake, if that is no more than the harm.
    pub fn little(&self, hour: u64, bake: Duration) -> Option<u64> {
        let seconds = (ByEvidence::LEAST + bake + ALARMS_LOOK).as_secs();
        let requests = hour.saturating_mul(seconds).div_ceil(3_600);
        (requests <= self.harm).then_some(requests)
    }

    /// The first share.
    pub fn first_share(&self) -> Share {
        let is_low = self.rate.is_some_and(|rate| rate <= if self.reported { 120 } else { 10 });
        let most = if is_low { Share::THIRTY } else { Share::TEN };
        smaller(self.affordable(1.0), most)
    }

    /// The share after a look without suspicion, with a candidate that is at most so much worse (0 to 1). Never less than
    /// the present one.
    pub fn next_share(&self, present: Share, at_most_worse_by: f64) -> Share {
        larger(present, larger(Share::TEN, self.affordable(at_most_worse_by)))
    }

    /// The largest share at which a version that is worse by so much costs no more than the harm until that is known.
    fn affordable(&self, worse_by: f64) -> Share {
        let Some(rate) = self.rate else { return Share::ONE };
        let costs = |share: &Share| share.fraction() * worse_by * real(rate) * self.delay();
        let fits = Share::STEPS.iter().rev().find(|share| costs(share) <= real(self.harm));
        fits.copied().unwrap_or(Share::ONE)
    }

    /// How much of the beginning does not count, while a version that has just started still warms up.
    pub fn warm_up(&self) -> Duration {
        Duration::from_secs(if self.rate.is_none_or(|rate| rate > 6_000) { 20 } else { 10 })
    }
}

fn larger(one: Share, other: Share) -> Share {
    if one.fraction() >= other.fraction() { one } else { other }
}

fn smaller(one: Share, other: Share) -> Share {
    if one.fraction() <= other.fraction() { one } else { other }
}

#[cfg(test)]
mod tests;
