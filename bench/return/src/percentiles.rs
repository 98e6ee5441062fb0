//! What most of the measured times did not exceed.

use serde::Serialize;

/// Milliseconds.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Percentiles {
    /// Half took no longer.
    pub(crate) p50: u64,
    /// All but one in a hundred took no longer.
    pub(crate) p99: u64,
}

impl Percentiles {
    pub(crate) fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100).max(1);
            values.get(rank - 1).copied().unwrap_or(0)
        };
        Self { p50: at(50), p99: at(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        assert_eq!(Percentiles::of((1..=200).collect()), Percentiles { p50: 100, p99: 198 });
        assert_eq!(Percentiles::of(vec![7]), Percentiles { p50: 7, p99: 7 });
        assert_eq!(Percentiles::of(Vec::new()), Percentiles { p50: 0, p99: 0 });
    }
}
