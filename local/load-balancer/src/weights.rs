//! Weighted choice between the target groups of one action.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::locked::lock;

/// How a node picks the target group of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// Each request by itself, as on AWS: of ten requests at 90/10 there may be none or four for the small share. The
    /// same seed gives the same numbers.
    ByChance {
        /// Where the numbers begin.
        seed: u64,
    },
    /// In strict turn: of ten requests at 90/10, nine and one.
    InTurn,
}

/// Where the choices of one node come from.
#[derive(Debug)]
pub(crate) enum Drawing {
    /// The state of `SplitMix64` (Steele, Lea, Flood 2014).
    ByChance(AtomicU64),
    InTurn,
}

impl Drawing {
    /// Nodes draw different numbers.
    pub(crate) fn new(draw: Draw, node: usize) -> Self {
        match draw {
            Draw::ByChance { seed } => Self::ByChance(AtomicU64::new(mixed(seed ^ node as u64))),
            Draw::InTurn => Self::InTurn,
        }
    }
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mixed(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The weights of one action.
#[derive(Debug)]
pub(crate) struct Weights {
    weights: Vec<i64>,
    credits: Mutex<Vec<i64>>,
}

impl Weights {
    pub(crate) fn new(weights: impl IntoIterator<Item = u16>) -> Self {
        let weights: Vec<i64> = weights.into_iter().map(i64::from).collect();
        let credits = Mutex::new(vec![0; weights.len()]);
        Self { weights, credits }
    }

    /// The index of the next group; none when all weights are 0.
    pub(crate) fn choose(&self, drawing: &Drawing) -> Option<usize> {
        match drawing {
            Drawing::ByChance(state) => self.by_chance(state),
            Drawing::InTurn => self.in_turn(),
        }
    }

    fn by_chance(&self, state: &AtomicU64) -> Option<usize> {
        let total: i64 = self.weights.iter().sum();
        let number = mixed(state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP));
        // A total is at most 5 x 999, so that the remainder favours no group noticeably.
        let mut left = i64::try_from(number.checked_rem(total.unsigned_abs())?).ok()?;
        self.weights.iter().position(|weight| {
            left -= weight;
            left < 0
        })
    }

    /// Smooth weighted round robin, the method of nginx's upstreams: every choice adds each weight to its group's
    /// credit, takes the group with the most, and subtracts the sum of weights from it. Shares are exact over one
    /// round and spread evenly inside it.
    fn in_turn(&self) -> Option<usize> {
        let total: i64 = self.weights.iter().sum();
        let mut credits = lock(&self.credits);
        let mut best: Option<(usize, i64)> = None;
        for (index, (credit, weight)) in credits.iter_mut().zip(&self.weights).enumerate() {
            *credit += weight;
            if *weight > 0 && best.is_none_or(|(_, most)| *credit > most) {
                best = Some((index, *credit));
            }
        }
        let (index, _) = best?;
        if let Some(credit) = credits.get_mut(index) {
            *credit -= total;
        }
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares_of(drawing: &Drawing, weights: &[u16], choices: usize) -> Vec<usize> {
        let chooser = Weights::new(weights.iter().copied());
        let mut counts = vec![0; weights.len()];
        for _ in 0..choices {
            if let Some(index) = chooser.choose(drawing) {
                counts[index] += 1;
            }
        }
        counts
    }

    fn shares(weights: &[u16], choices: usize) -> Vec<usize> {
        shares_of(&Drawing::InTurn, weights, choices)
    }

    fn by_chance(seed: u64) -> Drawing {
        Drawing::new(Draw::ByChance { seed }, 0)
    }

    #[test]
    fn shares_in_turn_are_exact_over_one_round() {
        assert_eq!(shares(&[90, 10], 10), [9, 1]);
        assert_eq!(shares(&[95, 5], 100), [95, 5]);
        assert_eq!(shares(&[1, 1, 1], 30), [10, 10, 10]);
        assert_eq!(shares(&[999, 1], 1000), [999, 1]);
        assert_eq!(shares(&[1], 3), [3]);
    }

    #[test]
    fn weight_zero_is_never_chosen() {
        for drawing in [Drawing::InTurn, by_chance(7)] {
            assert_eq!(shares_of(&drawing, &[100, 0], 1000), [1000, 0]);
            assert_eq!(shares_of(&drawing, &[0, 1], 10), [0, 10]);
            assert_eq!(shares_of(&drawing, &[0, 0], 10), [0, 0]);
            assert_eq!(shares_of(&drawing, &[], 10), Vec::<usize>::new());
        }
    }

    #[test]
    fn a_small_share_in_turn_is_spread_evenly() {
        let chooser = Weights::new([90, 10]);
        let chosen: Vec<usize> = (0..40).filter_map(|_| chooser.choose(&Drawing::InTurn)).collect();
        let minority: Vec<usize> = (0..40).filter(|at| chosen[*at] == 1).collect();
        assert!(minority.windows(2).all(|pair| pair[1] - pair[0] == 10), "{minority:?}");
    }

    /// Within five standard deviations of a coin with this share, and not where a turn would have it.
    #[test]
    fn shares_by_chance_are_those_of_a_coin() {
        for seed in 0..20 {
            let small = shares_of(&by_chance(seed), &[90, 10], 10_000)[1];
            assert!(small.abs_diff(1000) < 150, "seed {seed}: {small} of 10000 at 10 %");
        }
        let tens: Vec<usize> = (0..20).map(|seed| shares_of(&by_chance(seed), &[90, 10], 10)[1]).collect();
        assert!(tens.contains(&0) && tens.iter().any(|small| *small > 1), "{tens:?}");
    }

    #[test]
    fn a_seed_gives_the_same_draws_again_and_nodes_draw_differently() {
        let drawn = |seed, node| -> Vec<Option<usize>> {
            let (weights, drawing) = (Weights::new([1, 1]), Drawing::new(Draw::ByChance { seed }, node));
            (0..64).map(|_| weights.choose(&drawing)).collect()
        };
        assert_eq!(drawn(3, 0), drawn(3, 0));
        assert_ne!(drawn(3, 0), drawn(4, 0));
        assert_ne!(drawn(3, 0), drawn(3, 1));
    }
}
