//! What the evidence says, in sentences from a closed set.

use super::judge::AtMax;
use super::share::Share;
use crate::{Colour, InstanceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};

/// The counts of both colours, and what they say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Compared {
    /// The candidate.
    pub candidate: Colour,
    /// Requests that failed on it.
    pub failed: u64,
    /// Of so many.
    pub requests: u64,
    /// Requests that failed on live.
    pub live_failed: u64,
    /// Of so many.
    pub live_requests: u64,
    /// The smallest share that the candidate had, in percent.
    pub lowest: u8,
    /// The largest one.
    pub highest: u8,
    /// The odds, to one, rounded down.
    pub odds: u64,
    /// The odds that were needed.
    pub needed: u64,
}

/// A difference between two failure rates, in tenths of a percentage point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Points(pub u16);

impl Points {
    /// From a fraction, 0 to 1.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000 after the clamp")]
    pub fn of(fraction: f64) -> Self {
        Self((fraction.clamp(0.0, 1.0) * 1000.0).round() as u16)
    }
}

/// Neither side is proven.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unsure {
    /// What was counted.
    #[serde(flatten)]
    pub compared: Compared,
    /// What the candidate is proven not to be worse by.
    pub proven: Points,
    /// What must be proven.
    pub margin: Points,
    /// In how many minutes that is to be expected if nothing fails; `None`: not within two hours, or no request came.
    pub minutes: Option<u64>,
    /// When the time of the step is over.
    pub latest: Timestamp,
    /// The share that the candidate may have from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raise: Option<Share>,
    /// Instances whose reports contradict CloudWatch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<InstanceId>,
}

/// Minutes in which requests failed, beside those of the week before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BadMinutes {
    /// Minutes in which at least 5 % of the requests failed.
    pub bad: u64,
    /// Minutes with requests.
    pub minutes: u64,
    /// Such minutes in the week before.
    pub week_bad: u64,
    /// Minutes with requests in the week before.
    pub week: u64,
}

/// The time of the evidence step is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeIsOver {
    /// What follows.
    pub what: AtMax,
    /// After how many minutes.
    pub waited: u64,
    /// What the candidate is proven not to be worse by.
    pub proven: Points,
    /// What was counted.
    #[serde(flatten)]
    pub compared: Compared,
}

/// So few requests come that a version which fails all of them costs no more than the harm that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LittleAtStake {
    /// The candidate.
    pub candidate: Colour,
    /// Requests in the busiest hour that is to be expected, and those that came since the first weight.
    pub hour: u64,
    /// So many of them come from the first weight until five minutes after the bake, rounded up.
    pub requests: u64,
    /// How many failed requests a bad version may cost.
    pub harm: u64,
}

/// What the counts say of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "evidence", rename_all = "snake_case")]
pub enum Judgement {
    /// It fails more often than live: it goes back.
    Worse(Compared),
    /// More minutes are bad than the week before explains, on both colours together: nobody can say whose fault it is.
    Past(BadMinutes),
    /// It is proven not to be worse by the margin: it goes on.
    Fine {
        /// What was counted.
        #[serde(flatten)]
        compared: Compared,
        /// The margin.
        margin: Points,
    },
    /// Nothing is proven and little is at stake, and it answers what `smoke.txt` names: it goes on.
    LittleAtStake(LittleAtStake),
    /// The time is over, and nothing is proven.
    AtMax(TimeIsOver),
    /// Neither.
    Unsure(Unsure),
}

impl Display for Points {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, tenths) => write!(f, "{whole}.{tenths}"),
        }
    }
}

/// A number with its thousands set apart.
struct Grouped(u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            small @ ..1_000 => write!(f, "{small}"),
            large => write!(f, "{},{:03}", Self(large / 1_000), large % 1_000),
        }
    }
}

impl Compared {
    fn counts(&self) -> String {
        let Self { candidate, failed, requests, live_failed, live_requests, .. } = *self;
        let live = candidate.other();
        format!(
            "{candidate} failed {} of {}, {live} {} of {}",
            Grouped(failed),
            Grouped(requests),
            Grouped(live_failed),
            Grouped(live_requests)
        )
    }

    fn chances(&self) -> String {
        if self.lowest == self.highest {
            format!("{} chances in 100", self.highest)
        } else {
            format!("{} to {} chances in 100", self.lowest, self.highest)
        }
    }
}

impl Display for BadMinutes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { bad, minutes, week_bad, week } = self;
        write!(
            f,
            "{bad} of {minutes} minutes since it took all traffic were bad, {} of {} in the week before",
            Grouped(*week_bad),
            Grouped(*week)
        )
    }
}

impl Display for Judgement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worse(compared) => write!(
                f,
                "{} requests, and each had {} to go to {candidate}: odds of {} to 1 that {candidate} is worse ({} needed)",
                compared.counts(),
                compared.chances(),
                Grouped(compared.odds),
                compared.needed,
                candidate = compared.candidate,
            ),
            Self::Past(BadMinutes { bad, minutes, week_bad, week }) => write!(
                f,
                "{bad} of {minutes} minutes since the candidate has traffic were bad on both colours together, {} of {} in the week before: nobody can say whose fault it is",
                Grouped(*week_bad),
                Grouped(*week)
            ),
            Self::Fine { compared, margin } => write!(
                f,
                "{}: odds of {} to 1 that it is not {margin} points worse ({} needed)",
                compared.counts(),
                Grouped(compared.odds),
                compared.needed
            ),
            Self::LittleAtStake(LittleAtStake { candidate, hour, requests, harm }) => write!(
                f,
                "little is at stake: at most {} requests an hour, so {} until 5 minutes after the bake, and Harm is {}; {candidate} answers what smoke.txt names and goes on",
                Grouped(*hour),
                Grouped(*requests),
                Grouped(*harm)
            ),
            Self::AtMax(TimeIsOver { what, waited, proven, compared }) => write!(
                f,
                "{waited} minutes are over: {}; nothing speaks against {}, nothing is proven (up to {proven} points); {} because AtMax is {}",
                compared.counts(),
                compared.candidate,
                match what {
                    AtMax::GoOn => "goes on",
                    AtMax::Wait => "waits",
                    AtMax::Back => "goes back",
                },
                what.word()
            ),
            Self::Unsure(unsure) => unsure.fmt(f),
        }
    }
}

impl Display for Unsure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { compared, proven, margin, minutes, latest, left_out, .. } = self;
        if compared.requests == 0 {
            write!(f, "no request came to {} that counts; {margin} points to be shown", compared.candidate)?;
        } else {
            write!(f, "{}: at most {proven} points worse so far; {margin} to be shown", compared.counts())?;
        }
        match minutes {
            Some(1) => f.write_str(", about a minute at this traffic")?,
            Some(minutes) => write!(f, ", about {minutes} minutes at this traffic")?,
            None => {}
        }
        write!(f, ", at the latest at {} UTC", latest.strftime("%H:%M"))?;
        if !left_out.is_empty() {
            let names: Vec<&str> = left_out.iter().map(|instance| instance.0.as_str()).collect();
            write!(
                f,
                "; left out, because CloudWatch counts otherwise: the reports of {}",
                names.join(", ")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
