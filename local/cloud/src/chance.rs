//! What AWS leaves to chance, drawn from the seed: the same seed gives the same world.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::time::Duration;

/// One of a world's dice. Clones throw the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chance(pub u64);

impl Chance {
    fn draw(self, of: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.0, of).hash(&mut hasher);
        hasher.finish()
    }

    /// Whether this is one in so many.
    pub(crate) fn is_one_in(self, many: u64, of: impl Hash) -> bool {
        self.draw((many, of)).is_multiple_of(many)
    }

    /// A time within these.
    pub(crate) fn within(self, times: &RangeInclusive<Duration>, of: impl Hash) -> Duration {
        let span = times.end().saturating_sub(*times.start());
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        *times.start() + Duration::from_millis(self.draw(of) % millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_and_every_time_is_within() {
        let times = Duration::from_secs(2)..=Duration::from_secs(5);
        let of = |seed: u64| (0..200).map(|one| Chance(seed).within(&times, one)).collect::<Vec<_>>();
        assert!(of(1).iter().all(|time| times.contains(time)));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        let met = (0..1600).filter(|one| Chance(1).is_one_in(16, one)).count();
        assert!((60..140).contains(&met), "{met} of 1600");
    }
}
