//! A release by evidence, decided by what runs in production.

use crate::traffic::{CANDIDATE, Scene, TURN, Traffic};
use jiff::{SignedDuration, Timestamp};
use release::InstanceId;
use release::evidence::{AtMax, Counted, Judgement, Share, Terms, Week, minute_of};
use std::time::Duration;

/// A release.
#[derive(Debug, Clone)]
pub struct Release {
    /// The share; `None`: by what is proven.
    pub share: Option<Share>,
    /// The service's week. `None`: it is unknown, and nothing is held against it.
    pub week: Option<Week>,
    /// The bake.
    pub bake: Duration,
    /// How long the evidence step may last.
    pub latest: Duration,
    /// Failed requests that a bad version may cost.
    pub harm: u64,
    /// Whether the bake is played as well.
    pub bakes: bool,
}

/// How a release ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// It was taken back by evidence.
    Back,
    /// It went on by evidence.
    On,
    /// It went on because its time was over.
    ByTime,
    /// Both colours are bad.
    Both,
}

/// What became of a release.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// After how many minutes.
    pub minutes: f64,
    /// Requests that failed on the candidate.
    pub failed: u64,
    /// What was said of it.
    pub said: String,
}

impl Release {
    /// By the defaults, at this many requests a minute before.
    pub fn usual(rate: u64) -> Self {
        Self {
            share: None,
            week: Some(Week { rate, ..Week::default() }),
            bake: Duration::from_secs(300),
            latest: Duration::from_secs(1800),
            harm: 10,
            bakes: false,
        }
    }

    /// With a share that stays.
    #[must_use]
    pub fn at(self, share: Share) -> Self {
        Self { share: Some(share), ..self }
    }

    /// Plays it to its end.
    pub fn play(&self, scene: Scene<'_>, seed: u64) -> Outcome {
        let targets = [InstanceId("i-1".to_owned())];
        let terms = Terms {
            candidate: CANDIDATE,
            targets: &targets,
            harm: self.harm,
            bake: self.bake,
            latest: self.latest,
            at_max: AtMax::GoOn,
            grows: self.share.is_none(),
        };
        let mut traffic = Traffic::new(scene, seed);
        let begin = later(Timestamp::UNIX_EPOCH, 60.0 * 29_000_000.0 + traffic.offset());
        let first_minute = minute_of(begin);
        let mut counted = Counted { week: self.week, ..Counted::default() };
        // Its hooks ask and report before there is any weight.
        if let Some(report) = traffic.report(first_minute) {
            counted.take_report(&report, begin);
        }
        let stake = counted.stake(&terms, begin);
        counted.order(self.share.unwrap_or(stake.first_share()), stake.warm_up(), begin);
        let mut baked: Option<(f64, End, String)> = None;
        loop {
            let second = traffic.pass(counted.share().fraction());
            let now = later(begin, second);
            if let Some(report) = traffic.report(first_minute) {
                counted.take_report(&report, now);
            }
            let reads = counted.read_at.is_none_or(|read_at| minute_of(read_at) < minute_of(now));
            if reads {
                counted.take_published(&traffic.published(first_minute), now);
            }
            // Between two reads of CloudWatch a report can convict, and let the first share grow.
            let starts = self.share.is_none() && counted.share().fraction() < Share::TEN.fraction();
            let judgement = if reads || starts {
                counted.judge(&terms, now)
            } else if let Some(conviction) = counted.convicts(&terms, now) {
                conviction
            } else {
                continue;
            };
            let ends = match &judgement {
                Judgement::Worse(_) => Some(End::Back),
                Judgement::Past { .. } => Some(End::Both),
                Judgement::Fine { .. } | Judgement::LittleAtStake { .. } if baked.is_none() => Some(End::On),
                Judgement::AtMax { .. } if baked.is_none() => Some(End::ByTime),
                Judgement::Unsure(unsure) => {
                    if let Some(share) = unsure.raise {
                        counted.order(share, stake.warm_up(), now);
                    }
                    None
                }
                _ => None,
            };
            let goes_on = matches!(ends, Some(End::On | End::ByTime));
            match ends {
                Some(end) if goes_on && self.bakes => {
                    counted.order(Share::NINETY, stake.warm_up(), now);
                    baked = Some((second, end, judgement.to_string()));
                }
                Some(end) => {
                    let said = judgement.to_string();
                    return Outcome { end, minutes: second / 60.0, failed: traffic.failed, said };
                }
                None => {}
            }
            if let Some((since, end, said)) = &baked
                && second - since + TURN > self.bake.as_secs_f64()
            {
                return Outcome {
                    end: end.clone(),
                    minutes: since / 60.0,
                    failed: traffic.failed,
                    said: said.clone(),
                };
            }
        }
    }
}

fn later(time: Timestamp, seconds: f64) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs_f64(seconds)).unwrap_or(time)
}
