//! How late what a load balancer has counted can be read: a minute is first absent, then partial, then whole, and some
//! of it is corrected later still.
//!
//! AWS publishes no figures. Users report that the latest minute of a load balancer's metrics is incomplete and changes,
//! and read them two minutes late (Netflix/atlas #1300, omni-lchen/zabbix-cloudwatch #30). Each node publishes each
//! metric by itself here, which is the unkind reading: of one minute, the errors may be there before the requests.

use crate::chance::Chance;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long after its end a minute arrives. The whole of it is there after `AFTER.end()`, corrections aside.
const AFTER: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(150);

/// One in so many shares comes in two parts.
const CORRECTED: u64 = 8;

/// How much later the second part of such a share comes.
const CORRECTION: Duration = Duration::from_mins(1);

/// The lateness of metrics, on AWS's clock. The same seed gives the same lateness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publication {
    after: RangeInclusive<Duration>,
    chance: Chance,
}

/// How much of what a node counted in a minute can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Arrived {
    Nothing,
    /// Half of what was counted.
    Half,
    All,
}

impl Publication {
    /// As late as AWS.
    pub(super) fn new(seed: u64) -> Self {
        Self { after: AFTER, chance: Chance(seed) }
    }

    /// As late as this.
    pub(super) fn with(&self, after: RangeInclusive<Duration>) -> Self {
        Self { after, chance: self.chance }
    }

    /// What has arrived of a node's share of a metric, `age` after the minute's end.
    pub(super) fn arrived(&self, minute: u64, node: usize, metric: &str, age: Duration) -> Arrived {
        let late = self.chance.within(&self.after, (minute, node, metric));
        let is_corrected = self.chance.is_one_in(CORRECTED, (minute, node, metric));
        if age < late {
            Arrived::Nothing
        } else if is_corrected && age < late + CORRECTION {
            Arrived::Half
        } else {
            Arrived::All
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: [&str; 3] = ["RequestCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime"];

    fn at(seed: u64, minute: u64, node: usize, metric: &str, seconds: u64) -> Arrived {
        Publication::new(seed).arrived(minute, node, metric, Duration::from_secs(seconds))
    }

    #[test]
    fn a_minute_is_absent_then_partial_then_whole_and_never_less_again() {
        let (mut partial, mut corrected) = (0, 0);
        for (seed, minute) in (0..10).flat_map(|seed| (0..50).map(move |minute| (seed, minute))) {
            for metric in METRICS {
                let mut before = [Arrived::Nothing; 2];
                for seconds in 0..=210 {
                    let now = [0, 1].map(|node| at(seed, minute, node, metric, seconds));
                    assert!(now >= before && now[1] >= before[1], "{metric} of {minute} is taken away again");
                    partial += usize::from(now[0] != now[1]);
                    corrected += usize::from(now.contains(&Arrived::Half));
                    before = now;
                }
                assert!([0, 1].iter().all(|node| at(seed, minute, *node, metric, 59) == Arrived::Nothing));
                assert!([0, 1].iter().all(|node| at(seed, minute, *node, metric, 150) != Arrived::Nothing));
                assert_eq!(before, [Arrived::All; 2], "{metric} of {minute} is not whole");
            }
        }
        assert!(partial > 1000 && corrected > 1000, "{partial} partial, {corrected} before a correction");
    }

    #[test]
    fn lateness_comes_from_the_seed() {
        let of = |seed| -> Vec<Arrived> {
            (0..200).map(|minute| at(seed, minute, 0, "RequestCount", 100)).collect()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn a_lateness_of_ones_own_is_kept_to() {
        let late = Publication::new(1).with(Duration::from_mins(4)..=Duration::from_mins(4));
        let arrived = |seconds| late.arrived(3, 0, "RequestCount", Duration::from_secs(seconds));
        assert_eq!(arrived(239), Arrived::Nothing);
        assert_eq!(arrived(240 + 60), Arrived::All);
    }
}
