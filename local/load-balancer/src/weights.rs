//! Weighted choice between the target groups of one action.

use std::sync::Mutex;

use crate::locked::lock;

/// Smooth weighted round robin, the method of nginx's upstreams: every choice adds each weight to its group's
/// credit, takes the group with the most, and subtracts the sum of weights from it. Shares are exact over one
/// round and spread evenly inside it, so 10 % is one request in ten and never two in a row.
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
    pub(crate) fn choose(&self) -> Option<usize> {
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

    fn shares(weights: &[u16], choices: usize) -> Vec<usize> {
        let chooser = Weights::new(weights.iter().copied());
        let mut counts = vec![0; weights.len()];
        for _ in 0..choices {
            if let Some(index) = chooser.choose() {
                counts[index] += 1;
            }
        }
        counts
    }

    #[test]
    fn shares_are_exact_over_one_round() {
        assert_eq!(shares(&[90, 10], 10), [9, 1]);
        assert_eq!(shares(&[95, 5], 100), [95, 5]);
        assert_eq!(shares(&[1, 1, 1], 30), [10, 10, 10]);
        assert_eq!(shares(&[999, 1], 1000), [999, 1]);
        assert_eq!(shares(&[1], 3), [3]);
    }

    #[test]
    fn weight_zero_is_never_chosen() {
        assert_eq!(shares(&[100, 0], 1000), [1000, 0]);
        assert_eq!(shares(&[0, 1], 10), [0, 10]);
        assert_eq!(shares(&[0, 0], 10), [0, 0]);
        assert_eq!(shares(&[], 10), Vec::<usize>::new());
    }

    #[test]
    fn a_small_share_is_spread_evenly() {
        let chooser = Weights::new([90, 10]);
        let chosen: Vec<usize> = (0..40).filter_map(|_| chooser.choose()).collect();
        let minority: Vec<usize> = (0..40).filter(|at| chosen[*at] == 1).collect();
        assert!(minority.windows(2).all(|pair| pair[1] - pair[0] == 10), "{minority:?}");
    }
}
