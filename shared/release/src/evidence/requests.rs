//! What was counted of a release's requests, in sums for people.

use super::Counted;
use super::published::Minutes;
use crate::{Colour, PerColour};
use serde::{Deserialize, Serialize};

/// Requests of a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Requests {
    /// How many came.
    pub requests: u64,
    /// How many of them got no good answer.
    pub failed: u64,
}

/// The requests of both colours, by who has counted them. Neither counts all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Sums {
    /// By the instances: of each client the first three between two questions, from the warm-up's end on.
    pub instances: Option<PerColour<Requests>>,
    /// By CloudWatch: all, in the whole minutes that it was read for.
    pub cloudwatch: Option<PerColour<Requests>>,
}

impl Counted {
    /// Everything that was counted so far.
    pub fn sums(&self) -> Sums {
        let reported = self.reported();
        let instances = per_colour(|colour| {
            reported.values().map(|minute| minute.of(colour)).fold(Requests::default(), |sum, minute| {
                sum.and(Requests { requests: minute.arrived, failed: minute.failed })
            })
        });
        let published = Minutes::new(&self.published);
        let minutes: Vec<i64> = published.all().collect();
        let cloudwatch = per_colour(|colour| {
            let failed = published.unanswered(colour, &minutes).into_iter();
            minutes.iter().zip(failed).fold(Requests::default(), |sum, (minute, failed)| {
                sum.and(Requests { requests: published.of(colour, *minute).requests, failed })
            })
        });
        Sums {
            instances: (!reported.is_empty()).then_some(instances),
            cloudwatch: (!minutes.is_empty()).then_some(cloudwatch),
        }
    }
}

impl Requests {
    fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            failed: self.failed.saturating_add(other.failed),
        }
    }
}

impl Sums {
    /// How many requests a colour failed at least: the larger number, because each source lacks some.
    pub fn failed(&self, colour: Colour) -> Option<u64> {
        [self.instances, self.cloudwatch].iter().flatten().map(|sums| sums.of(colour).failed).max()
    }
}

fn per_colour<T>(of: impl Fn(Colour) -> T) -> PerColour<T> {
    PerColour { blue: of(Colour::Blue), green: of(Colour::Green) }
}
