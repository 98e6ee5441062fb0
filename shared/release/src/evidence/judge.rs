//! The decision on a candidate, from everything that was counted.

use super::counted::{Counted, MinuteSum, minute_of};
use super::odds::{self, Row, at_most_worse_by, ln_fine, ln_worse, real};
use super::pairs::Pairs;
use super::past::{DOUBTFUL, Slots};
use super::published::Minutes;
use super::said::{Compared, Judgement, LittleAtStake, Points, TimeIsOver, Unsure};
use super::share::Stake;
use super::trust::Trust;
use crate::plan::schedule;
use crate::{ByEvidence, Colour, InstanceId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// What a release does whose time is over while nothing is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtMax {
    /// It goes on: nothing speaks against it.
    #[default]
    GoOn,
    /// It stays, and goes back without blame before CodeDeploy ends the hooks.
    Wait,
    /// It goes back.
    Back,
}

impl AtMax {
    /// Its word, as a setting has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::GoOn => "go-on",
            Self::Wait => "wait",
            Self::Back => "back",
        }
    }
}

/// A text that is none of `go-on`, `wait` and `back`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither go-on, wait nor back")]
pub struct AtMaxError(pub String);

impl FromStr for AtMax {
    type Err = AtMaxError;

    fn from_str(text: &str) -> Result<Self, AtMaxError> {
        let known = [Self::GoOn, Self::Wait, Self::Back].into_iter().find(|at_max| at_max.word() == text);
        known.ok_or_else(|| AtMaxError(text.to_owned()))
    }
}

/// By what a candidate is judged.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The candidate.
    pub candidate: Colour,
    /// The instances that have it.
    pub targets: &'a [InstanceId],
    /// How many failed requests a bad version may cost.
    pub harm: u64,
    /// How long it has almost all the traffic before success.
    pub bake: Duration,
    /// How long the evidence step may last.
    pub latest: Duration,
    /// What happens then.
    pub at_max: AtMax,
    /// For how long minutes that are bad on both colours hold the release before they take it back.
    pub patience: Duration,
    /// Whether the share grows by what is proven. Else it stays.
    pub grows: bool,
}

/// From so many minutes on for which there is no report CloudWatch's own counts may convict.
const LEAST_UNREPORTED: usize = 3;
/// What takes longer than this is not foretold, in minutes.
const LONGEST_GUESS: u32 = 120;
/// When CloudWatch's newest minute is older than this, in minutes, it shows nothing of the present: it is asked once a minute.
const STALE: i64 = Counted::WHOLE_AFTER + 3;
/// How long an arrived request may be without an answer before it is nobody's, in minutes.
const OPEN: i64 = 1;

/// Everything that the counts say at one moment.
struct Seen<'a> {
    counted: &'a Counted,
    terms: &'a Terms<'a>,
    now: Timestamp,
    minutes: Minutes,
    trust: Trust,
}

impl Counted {
    /// What the counts say of the candidate now, in the step that they decide.
    pub fn judge(&self, terms: &Terms<'_>, now: Timestamp) -> Judgement {
        let minutes = Minutes::new(&self.published);
        let trust = Trust::of(self, &minutes, terms, now);
        Seen { counted: self, terms, now, minutes, trust }.judgement()
    }

    /// Whether the counts speak against going on now: [`Judgement::Worse`] or [`Judgement::Past`], whatever else they say.
    pub fn convicts(&self, terms: &Terms<'_>, now: Timestamp) -> Option<Judgement> {
        let minutes = Minutes::new(&self.published);
        let trust = Trust::of(self, &minutes, terms, now);
        Seen { counted: self, terms, now, minutes, trust }.against().err().map(|conviction| *conviction)
    }

    /// Whether the candidate's requests are seen at this moment, and not even the odds that do at the latest time speak against
    /// it.
    pub fn blame_nobody(&self, terms: &Terms<'_>, now: Timestamp) -> bool {
        let minutes = Minutes::new(&self.published);
        let trust = Trust::of(self, &minutes, terms, now);
        let seen = Seen { counted: self, terms, now, minutes, trust };
        let is_seen = seen.is_present() && seen.has_answers();
        is_seen && seen.worse().is_ok_and(|ln| ln < real(odds::WORSE_AT_MAX).ln())
    }

    /// Whether failures of this minute or the one before have made the candidate suspected.
    pub(crate) fn is_suspected(&self, terms: &Terms<'_>, now: Timestamp) -> bool {
        let young = minute_of(now) - OPEN;
        let failed = |sums: &MinuteSum| sums.of(terms.candidate).surely_failed() > 0;
        if !self.reported().range(young..).any(|(_, sums)| failed(sums)) {
            return false;
        }
        let minutes = Minutes::new(&self.published);
        let trust = Trust::of(self, &minutes, terms, now);
        let worse = Seen { counted: self, terms, now, minutes, trust }.worse();
        worse.map_or(true, |ln| ln >= real(odds::SUSPECT).ln())
    }

    /// What is at stake: the rate is the largest of before the release, and of the last five minutes by each source.
    pub fn stake(&self, terms: &Terms<'_>, now: Timestamp) -> Stake {
        let minutes = Minutes::new(&self.published);
        let trust = Trust::of(self, &minutes, terms, now);
        Seen { counted: self, terms, now, minutes, trust }.stake()
    }
}

impl Seen<'_> {
    /// Whether either source tells of now, and not of what was.
    fn is_present(&self) -> bool {
        let newest = self.counted.newest_whole();
        self.trust.convicts || newest.is_some_and(|newest| newest >= minute_of(self.now) - STALE)
    }

    /// The conviction, or else the larger logarithm of the odds by reports and by CloudWatch.
    fn worse(&self) -> Result<f64, Box<Judgement>> {
        let unreported = self.whole_minutes().filter(|minute| !self.trust.has_report(*minute)).count();
        let by_cloudwatch =
            self.published_worse(|minute| unreported >= LEAST_UNREPORTED && !self.trust.has_report(minute));
        let by_cloudwatch = (ln_worse(&by_cloudwatch, odds::WORSE_MARGIN), by_cloudwatch);
        let mut worst = f64::NEG_INFINITY;
        for (ln, rows) in [self.told_worse(), by_cloudwatch] {
            if ln >= real(odds::WORSE).ln() {
                return Err(Box::new(Judgement::Worse(self.compared(&rows, ln, odds::WORSE))));
            }
            worst = worst.max(ln);
        }
        Ok(worst)
    }

    /// What the instances tell: the odds by the requests that they counted and by those that the kit makes, and the rows that say
    /// more. Where there are both kinds each has half of what is bet, so that neither takes anything from what the other shows, and
    /// both together are wrong no more often than one.
    fn told_worse(&self) -> (f64, Vec<Row>) {
        let reports = if self.trust.convicts { self.reported_worse() } else { Vec::new() };
        let by_reports = ln_worse(&reports, odds::WORSE_MARGIN);
        if self.counted.pairs.is_empty() {
            return (by_reports, reports);
        }
        let pairs: Vec<Row> = self.counted.pairs.row().into_iter().collect();
        let by_pairs = ln_worse(&pairs, odds::WORSE_MARGIN);
        let halves = self.trust.convicts.then_some(by_reports).into_iter().chain([by_pairs]);
        let ln = odds::ln_sum(halves.map(|half| half - 2.0_f64.ln()));
        (ln, if by_pairs > by_reports { pairs } else { reports })
    }

    /// What speaks against going on, or else how suspicious the candidate is, as the logarithm of odds.
    fn against(&self) -> Result<f64, Box<Judgement>> {
        let worst = self.worse()?;
        let unblamed = worst < real(odds::WORSE_AT_MAX).ln();
        let week = self.counted.week.as_ref().filter(|_| unblamed);
        let past = week.and_then(|week| Slots::stay_bad(&self.minute_slots(), self.terms.patience, week));
        past.map_or(Ok(worst), |past| Err(Box::new(Judgement::Past(past))))
    }

    fn judgement(&self) -> Judgement {
        let worst = match self.against() {
            Ok(worst) => worst,
            Err(conviction) => return *conviction,
        };
        let slots = Slots::sum(&self.minute_slots(), i64::MAX);
        let week = self.counted.week.as_ref();
        let doubtful = week.is_some_and(|week| week.has_history() && slots.ln_past(week) >= DOUBTFUL.ln());
        let stake = self.stake();
        let margin = stake.margin(self.terms.bake);
        let since = schedule::since(self.began(), self.now);
        let fine = self.published_fine();
        let ln = ln_fine(&fine, margin);
        let is_fine = ln >= real(odds::FINE).ln() && !doubtful && self.reports_agree(margin);
        let compared = self.compared(&fine, ln, odds::FINE);
        // Silence is no health.
        if is_fine && compared.requests > 0 && since >= ByEvidence::LEAST {
            return Judgement::Fine { compared, margin: Points::of(margin) };
        }
        let unsuspected = worst < real(odds::SUSPECT).ln() && !doubtful;
        let little = self.little_at_stake(&stake).filter(|_| unsuspected && since >= ByEvidence::LEAST);
        if let Some(little) = little {
            return Judgement::LittleAtStake(little);
        }
        if since >= self.terms.latest {
            return self.at_max(&fine);
        }
        self.unsure(&stake, &fine, unsuspected)
    }

    /// Whether all requests that are to be expected may fail, by the busiest hour of those that are alike. What came since is added
    /// to it: a night may end. Not unseen, nor where CloudWatch suspects a minute that reports acquit, nor for whoever takes back
    /// what is not proven.
    fn little_at_stake(&self, stake: &Stake) -> Option<LittleAtStake> {
        // The newest minute convicts nobody yet.
        let is_seen = self.is_present() && (self.trust.convicts || self.whole().nth(1).is_some());
        let may = self.counted.smoke_is_fine && self.terms.at_max == AtMax::GoOn && is_seen;
        let alike = self.counted.week?.hour.filter(|_| may)?;
        if ln_worse(&self.published_worse(|_| true), odds::WORSE_MARGIN) >= real(odds::SUSPECT).ln() {
            return None;
        }
        let both = |minute: i64| Colour::BOTH.map(|colour| self.minutes.of(colour, minute).requests);
        let published = self.minutes.all().flat_map(both).fold(0, u64::saturating_add);
        let totals = self.counted.totals();
        let reported = totals.values().flat_map(|of| [of.blue, of.green]).fold(0, u64::saturating_add);
        let hour = alike.saturating_add(published.max(reported));
        let requests = stake.little(hour, self.terms.bake)?;
        Some(LittleAtStake { candidate: self.terms.candidate, hour, requests, harm: self.terms.harm })
    }

    fn at_max(&self, fine: &[Row]) -> Judgement {
        let worse = self.published_worse(|_| true);
        let ln = ln_worse(&worse, odds::WORSE_MARGIN);
        if ln >= real(odds::WORSE_AT_MAX).ln() {
            return Judgement::Worse(self.compared(&worse, ln, odds::WORSE_AT_MAX));
        }
        let proven = Points::of(at_most_worse_by(fine));
        Judgement::AtMax(TimeIsOver {
            what: self.terms.at_max,
            waited: self.terms.latest.as_secs() / 60,
            proven,
            compared: self.compared(fine, 0.0, 0),
        })
    }

    fn unsure(&self, stake: &Stake, fine: &[Row], unsuspected: bool) -> Judgement {
        let proven = at_most_worse_by(fine);
        let margin = stake.margin(self.terms.bake);
        let present = self.counted.share();
        // One look that could have seen something.
        let looked = self.has_answers();
        let next = if self.terms.grows && unsuspected && looked {
            let by_report = if self.trust.convicts { at_most_worse_by(&self.reported_fine()) } else { 0.0 };
            stake.next_share(present, proven.max(by_report))
        } else {
            present
        };
        Judgement::Unsure(Unsure {
            compared: self.compared(fine, 0.0, 0),
            proven: Points::of(proven),
            margin: Points::of(margin),
            minutes: self.minutes_to_go(margin, fine),
            latest: self.latest(),
            raise: (next != present).then_some(next),
            left_out: self.trust.left_out.clone(),
        })
    }

    /// How many minutes more it takes about, if nothing fails and traffic stays as it is.
    fn minutes_to_go(&self, margin: f64, fine: &[Row]) -> Option<u64> {
        let last = fine.iter().rev().find(|row| row.requests > row.candidate)?;
        let clean = Row { candidate_failed: 0, live_failed: 0, ..last.at(self.counted.share().fraction()) };
        odds::rows_until_fine(fine, &clean, margin, LONGEST_GUESS).map(u64::from)
    }

    fn began(&self) -> Timestamp {
        self.counted.orders.first().map_or(self.now, |order| order.at)
    }

    fn latest(&self) -> Timestamp {
        let latest = SignedDuration::try_from(self.terms.latest).ok();
        latest.and_then(|latest| self.began().checked_add(latest).ok()).unwrap_or(Timestamp::MAX)
    }

    /// Whether the candidate has answered anything that counts.
    fn has_answers(&self) -> bool {
        let candidate = self.terms.candidate;
        let reported = || self.counted.reported().values().any(|minute| minute.of(candidate).arrived > 0);
        let published = || self.whole_minutes().any(|minute| self.minutes.of(candidate, minute).requests > 0);
        (self.trust.convicts && reported()) || published()
    }

    fn stake(&self) -> Stake {
        let before = self.counted.week.map(|week| week.rate);
        let published = last_five(self.counted.newest_whole().map(|newest| newest + 1), |minute| {
            self.minutes
                .has(minute)
                .then(|| Colour::BOTH.iter().map(|colour| self.minutes.of(*colour, minute).requests).sum())
        });
        let totals = self.counted.totals();
        let reported = last_five(Some(minute_of(self.now)), |minute| {
            totals.get(&minute).map(|total| total.blue.saturating_add(total.green))
        });
        Stake {
            harm: self.terms.harm,
            rate: before.into_iter().chain(published).chain(reported).max(),
            reported: self.trust.convicts,
        }
    }

    // Rows by report.

    fn reported_worse(&self) -> Vec<Row> {
        let candidate = self.terms.candidate;
        let young = minute_of(self.now) - OPEN;
        let of = |(minute, sums): (&i64, &MinuteSum)| {
            let (ours, live) = (sums.of(candidate), sums.of(candidate.other()));
            // Live's that have no answer yet count as failed: what differs between the colours may be no more than the time
            // that a failure takes.
            let live_failed = if *minute >= young { live.possibly_failed() } else { live.failed };
            self.row(*minute, live.arrived, ours.arrived, ours.surely_failed(), live_failed)
        };
        self.counted.reported().iter().map(of).collect()
    }

    fn reported_fine(&self) -> Vec<Row> {
        let candidate = self.terms.candidate;
        let present = minute_of(self.now);
        let of = |(minute, sums): (&i64, &MinuteSum)| {
            let (ours, live) = (sums.of(candidate), sums.of(candidate.other()));
            self.row(*minute, live.arrived, ours.arrived, ours.possibly_failed(), live.surely_failed())
        };
        self.counted.reported().iter().filter(|(minute, _)| **minute < present).map(of).collect()
    }

    /// What robots ask must not acquit: of each client only the first requests are reported.
    fn reports_agree(&self, margin: f64) -> bool {
        !self.trust.convicts || ln_fine(&self.reported_fine(), margin) >= real(odds::FINE).ln()
    }

    // Rows by CloudWatch.

    /// The minutes that count and were whole when they were read, oldest first.
    fn whole_minutes(&self) -> impl Iterator<Item = i64> {
        let whole = self.whole();
        self.minutes.all().filter(move |minute| whole.contains(minute))
    }

    /// The minutes that could count, with requests or without.
    fn whole(&self) -> RangeInclusive<i64> {
        let first = self.counted.counts_from().map_or(i64::MAX, |from| minute_of(from) + 1);
        first..=self.counted.newest_whole().unwrap_or(i64::MIN)
    }

    /// Rows against the candidate: its failures in the minutes that convict, and everywhere the requests that no instance
    /// took, of which no report can know. The newest minute only counts against the decision.
    fn published_worse(&self, convicts: impl Fn(i64) -> bool) -> Vec<Row> {
        let candidate = self.terms.candidate;
        let newest = self.counted.newest_whole();
        self.whole_minutes()
            .map(|minute| {
                let (ours, live) =
                    (self.minutes.of(candidate, minute), self.minutes.of(candidate.other(), minute));
                let against = live.failed.saturating_add(self.minutes.refused(candidate.other(), minute));
                if Some(minute) == newest {
                    return self.row(minute, live.requests, 0, 0, against);
                }
                let refused = self.minutes.refused(candidate, minute);
                let failed = if convicts(minute) { ours.failed.saturating_add(refused) } else { refused };
                self.row(minute, live.requests, ours.requests, failed, against)
            })
            .collect()
    }

    fn published_fine(&self) -> Vec<Row> {
        let candidate = self.terms.candidate;
        let newest = self.counted.newest_whole();
        let whole: Vec<i64> = self.whole_minutes().collect();
        let unanswered = self.minutes.unanswered(candidate, &whole);
        whole
            .iter()
            .zip(unanswered)
            .map(|(minute, unanswered)| {
                let (ours, live) =
                    (self.minutes.of(candidate, *minute), self.minutes.of(candidate.other(), *minute));
                if Some(*minute) == newest {
                    return self.row(*minute, 0, ours.failed, ours.failed, 0);
                }
                self.row(*minute, live.requests, ours.requests, unanswered, live.failed)
            })
            .collect()
    }

    /// The minutes of both colours together, oldest first. What failed in the newest one may be late.
    fn minute_slots(&self) -> Vec<(i64, Slots)> {
        let whole: Vec<i64> = self.whole_minutes().collect();
        self.minutes.judged(&whole, self.counted.newest_whole())
    }

    fn row(&self, minute: i64, live: u64, candidate: u64, candidate_failed: u64, live_failed: u64) -> Row {
        let (lowest, highest) = self.counted.shares(minute);
        Row {
            lowest,
            highest,
            requests: live.saturating_add(candidate),
            candidate,
            candidate_failed,
            live_failed,
        }
    }

    fn compared(&self, rows: &[Row], ln: f64, needed: u64) -> Compared {
        let sum = |part: fn(&Row) -> u64| rows.iter().map(part).fold(0, u64::saturating_add);
        let (candidate, requests) = (sum(|row| row.candidate), sum(|row| row.requests));
        // Of the kit's own requests each colour gets one, and a coin says which is first.
        let of_pairs = !rows.is_empty() && rows.first() == self.counted.pairs.row().as_ref();
        let orders = self.counted.orders.iter().filter(|_| !of_pairs).map(|order| order.share.percent());
        let percents = orders.chain(of_pairs.then_some(Pairs::PERCENT));
        Compared {
            candidate: self.terms.candidate,
            failed: sum(|row| row.candidate_failed),
            requests: candidate,
            live_failed: sum(|row| row.live_failed),
            live_requests: requests.saturating_sub(candidate),
            lowest: percents.clone().min().unwrap_or(0),
            highest: percents.max().unwrap_or(0),
            odds: odds::odds(ln),
            needed,
        }
    }
}

/// The mean of the five minutes before this one, as far as they are known, rounded up.
fn last_five(until: Option<i64>, of: impl Fn(i64) -> Option<u64>) -> Option<u64> {
    let until = until?;
    let known: Vec<u64> = (until - 5..until).filter_map(of).collect();
    let minutes = u64::try_from(known.len()).ok().filter(|minutes| *minutes > 0)?;
    Some(known.into_iter().fold(0, u64::saturating_add).div_ceil(minutes))
}

#[cfg(test)]
mod tests;
