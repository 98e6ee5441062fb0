//! How well a service delivers, from the releases that are remembered: each figure with what it was made of, and "not known"
//! where nothing is.

use crate::text::in_units;
use jiff::Timestamp;
use maud::{Markup, html};
use release::{Ledger, Past, Purpose, Verdict};
use std::time::Duration;

/// The figures of a service.
#[derive(Debug, PartialEq, Eq)]
struct Figures {
    /// How many releases went live and were not rolled back.
    went_live: usize,
    /// Between the first and the last of them, on average.
    every: Option<Duration>,
    /// From opening to live.
    took: Option<Duration>,
    /// How long a rejected version had traffic, and of how many that is known.
    exposed: (Option<Duration>, usize),
    /// How many failed, of how many that went live or failed.
    failed: (usize, usize),
    /// How long a rollback took, and how many there were.
    restored: (Option<Duration>, usize),
}

impl Figures {
    fn of(releases: &[Past]) -> Self {
        let of = |purpose| releases.iter().filter(move |past| past.purpose == purpose);
        let live: Vec<&Past> = of(Purpose::Release).filter(|past| past.verdict == Verdict::Live).collect();
        let rejected = |past: &&Past| matches!(past.verdict, Verdict::Rejected { .. });
        let failed = of(Purpose::Release).filter(rejected).count();
        let exposures: Vec<Duration> = of(Purpose::Release)
            .filter_map(|past| Some(Duration::from_secs(past.exposure.0?.seconds)))
            .collect();
        let rollbacks: Vec<&Past> =
            of(Purpose::Rollback).filter(|past| past.verdict == Verdict::Live).collect();
        Self {
            went_live: live.len(),
            every: mean_gap(&live),
            took: median(live.iter().map(|past| took(past))),
            exposed: (median(exposures.iter().copied()), exposures.len()),
            failed: (failed, failed + live.len()),
            restored: (median(rollbacks.iter().map(|past| took(past))), rollbacks.len()),
        }
    }
}

fn between(from: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(from)).unwrap_or_default()
}

fn mean_gap(live: &[&Past]) -> Option<Duration> {
    let (first, last) = (live.first()?, live.last()?);
    let gaps = u32::try_from(live.len() - 1).ok().filter(|gaps| *gaps > 0)?;
    Some(between(first.closed_at, last.closed_at) / gaps)
}

/// From its opening to its end.
fn took(past: &Past) -> Duration {
    between(past.opened_at, past.closed_at)
}

/// Of an even number the lower one of the two in the middle.
fn median(times: impl Iterator<Item = Duration>) -> Option<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) / 2).copied()
}

/// The figures of a service as a list.
pub(crate) fn figures(ledger: &Ledger) -> Markup {
    let Figures { went_live, every, took, exposed, failed: (failed, of), restored } =
        Figures::of(&ledger.releases);
    let known = |time: Option<Duration>, of: usize, what: &str| match time {
        Some(time) => format!("{} ({of} {what}{})", in_units(time), if of == 1 { "" } else { "s" }),
        None => "not known".to_owned(),
    };
    let failed = (failed * 100)
        .checked_div(of)
        .map_or_else(|| "not known".to_owned(), |percent| format!("{failed} of {of} ({percent} %)"));
    html! {
        h3 { "Delivery" }
        dl {
            dt { "went live" } dd { (went_live) }
            dt { "one every" } dd { (known(every, went_live, "release")) }
            dt { "from opening to live" } dd { (known(took, went_live, "release")) }
            dt { "failed" } dd { (failed) }
            dt { "had traffic, though bad" } dd { (known(exposed.0, exposed.1, "version")) }
            dt { "rolled back within" } dd { (known(restored.0, restored.1, "rollback")) }
        }
    }
}

/// What the figures mean.
pub(crate) fn meaning() -> Markup {
    html! {
        details {
            summary { "What the delivery figures mean" }
            p { "They are made of the last " (Ledger::REMEMBERED) " releases, rollbacks and settlings of a service." }
            dl {
                dt { "went live" } dd { "and was not rolled back" }
                dt { "one every" } dd { "on average, between the first and the last that went live" }
                dt { "from opening to live" }
                dd { "the median, of the last attempt; how long an upload waited to be opened is not known" }
                dt { "failed" }
                dd { "was rejected or rolled back, of those and the ones that went live; what was superseded does not count" }
                dt { "had traffic, though bad" } dd { "the median of how long a version had traffic that was rejected" }
                dt { "rolled back within" } dd { "the median from the command or alarm until all traffic was back" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(purpose: Purpose, verdict: Verdict, opened: i64, seconds: i64) -> Past {
        let ledger = include_bytes!("../../release/tests/ledgers/schema-3/idle-after-a-rollback.json");
        let mut past = Ledger::from_json(ledger).unwrap().releases.remove(0);
        (past.purpose, past.verdict) = (purpose, verdict);
        past.opened_at = Timestamp::from_second(opened).unwrap();
        past.closed_at = Timestamp::from_second(opened + seconds).unwrap();
        past
    }

    #[test]
    fn nothing_is_known_of_a_service_without_releases() {
        let nothing = Figures {
            went_live: 0,
            every: None,
            took: None,
            exposed: (None, 0),
            failed: (0, 0),
            restored: (None, 0),
        };
        assert_eq!(Figures::of(&[]), nothing);
    }

    #[test]
    fn what_was_superseded_or_settled_counts_nowhere_and_a_rejection_is_a_failure() {
        let rejected = || Verdict::Rejected { reason: "because".to_owned() };
        let superseded = Verdict::Superseded { by: release::ReleaseNumber(9) };
        let with_traffic = Past {
            exposure: release::Aside(Some(release::Exposure { seconds: 20, failed: None })),
            ..past(Purpose::Release, rejected(), 350, 60)
        };
        let figures = Figures::of(&[
            with_traffic,
            past(Purpose::Release, Verdict::Live, 0, 100),
            past(Purpose::Release, superseded, 200, 5),
            past(Purpose::Release, rejected(), 300, 50),
            past(Purpose::Rollback, Verdict::Live, 400, 30),
            past(Purpose::Settle, Verdict::Live, 500, 7),
            past(Purpose::Release, Verdict::Live, 1000, 300),
            past(Purpose::Release, Verdict::Live, 2000, 500),
        ]);
        assert_eq!(
            figures,
            Figures {
                went_live: 3,
                every: Some(Duration::from_secs(1200)),
                took: Some(Duration::from_secs(300)),
                exposed: (Some(Duration::from_secs(20)), 1),
                failed: (2, 5),
                restored: (Some(Duration::from_secs(30)), 1),
            }
        );
    }

    #[test]
    fn one_release_has_no_frequency() {
        let figures = Figures::of(&[past(Purpose::Release, Verdict::Live, 0, 100)]);
        assert_eq!((figures.every, figures.took), (None, Some(Duration::from_secs(100))));
    }
}
