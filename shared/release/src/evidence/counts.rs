//! What was counted, by those who answer the requests and by CloudWatch, minute by minute.

use crate::{Colour, InstanceId};
use serde::{Deserialize, Serialize};

/// What the nginx of one instance counted of a colour in a minute: totals that only grow, and a hint like everything
/// that an instance says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Count {
    /// Requests that came in this minute: of each client the first three in a turn.
    pub arrived: u64,
    /// Of those that arrived, how many have failed: an answer of 500 or above, or a client that left after five seconds or more.
    pub failed: u64,
    /// Of those that arrived, how many have no answer yet.
    pub open: u64,
    /// Requests that came in this minute, whatever their client sent before: what CloudWatch must have counted as well.
    /// A kit that does not tell them apart leaves it 0.
    #[serde(default)]
    pub total: u64,
}

/// A minute of both colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Minute<T> {
    /// The minute, in minutes since 1970.
    pub minute: i64,
    /// Blue's.
    pub blue: T,
    /// Green's.
    pub green: T,
}

/// What one instance counted in a minute, by its own clock.
pub type MinuteCount = Minute<Count>;

/// What CloudWatch published for a minute.
pub type PublishedMinute = Minute<Published>;

/// What a hook reports with its question.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Report {
    /// The instance whose nginx has counted.
    pub instance: InstanceId,
    /// The newest minutes, at most [`Report::MINUTES`].
    pub minutes: Vec<MinuteCount>,
}

/// What CloudWatch published of a colour's target group for a minute. A metric without a data point is 0: CloudWatch
/// publishes no zeros for these (load balancing user guide, CloudWatch metrics).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Published {
    /// `RequestCount`.
    pub requests: u64,
    /// `HTTPCode_Target_2XX_Count`, `3XX` and `4XX` together.
    pub answered: u64,
    /// `HTTPCode_Target_5XX_Count`.
    pub failed: u64,
    /// `TargetConnectionErrorCount`: attempts and not requests, because the load balancer tries again.
    pub refused: u64,
}

impl Report {
    /// How many minutes a report has at most.
    pub const MINUTES: u8 = 5;
}

impl<T: Copy> Minute<T> {
    /// This colour's.
    pub fn of(&self, colour: Colour) -> T {
        match colour {
            Colour::Blue => self.blue,
            Colour::Green => self.green,
        }
    }
}
