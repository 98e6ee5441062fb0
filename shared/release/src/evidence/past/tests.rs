use super::*;
use crate::evidence::Published;

mod reference;

/// Whether a minute of the week is bad, and how many requests came in it; minute 0 is a week ago.
fn week(now: i64, of: impl Fn(i64) -> (u64, u64)) -> Vec<PublishedMinute> {
    (now - 7 * DAY..now)
        .map(|minute| {
            let (requests, failed) = of(minute - (now - 7 * DAY));
            let blue = Published { requests, answered: requests - failed, failed, refused: 0 };
            PublishedMinute { minute, blue, green: Published::default() }
        })
        .collect()
}

const NOW: i64 = 29_000_000;

/// Slots of minutes that follow each other.
fn slots(minutes: &[(u64, u64)]) -> Slots {
    minutes.iter().fold(Slots::default(), |sum, (requests, failed)| sum.and(Slots::of(*requests, *failed)))
}

/// After how many minutes a version is guilty that fails this part of ten requests a minute.
fn guilty_after(week: &Week, failed: u64) -> Option<usize> {
    (1..60).find(|minutes| slots(&vec![(10, failed); *minutes]).are_guilty(week))
}

#[test]
fn a_version_that_always_fails_is_guilty_after_three_minutes_of_a_calm_service() {
    let calm = Week::of(&week(NOW, |minute| (10, u64::from(minute == 700))), NOW);
    assert_eq!((calm.all.minutes, calm.all.bad, calm.rate), (10_080, [1, 0, 0], 10));
    assert_eq!(guilty_after(&calm, 10), Some(3));
    assert_eq!(guilty_after(&calm, 1), Some(3));
    assert_eq!(guilty_after(&calm, 0), None);
}

/// Ten minutes of outage every day: as much at once is seldom in the middle of a release, and less is usual.
#[test]
fn what_the_week_has_seen_every_day_takes_longer_to_make_guilty() {
    let outages = Week::of(&week(NOW, |minute| (10, if minute % DAY < 10 { 10 } else { 0 })), NOW);
    assert_eq!(guilty_after(&outages, 10), Some(9));
    let one = slots(&[(10, 10); 6]).and(slots(&[(10, 0); 20]));
    assert!(!one.are_guilty(&outages), "{}", one.ln_past(&outages));
}

/// Of two minutes in three, one is bad: more of it proves nothing.
#[test]
fn a_service_that_is_bad_all_the_time_makes_nobody_guilty() {
    let bad = Week::of(&week(NOW, |minute| (10, u64::from(minute % 3 == 0))), NOW);
    assert_eq!(guilty_after(&bad, 1), Some(12));
    let usual: Vec<(u64, u64)> = (0..59).map(|minute| (10, u64::from(minute % 3 == 0))).collect();
    assert!(!slots(&usual).are_guilty(&bad));
}

#[test]
fn with_less_than_four_days_of_history_nobody_is_guilty() {
    let young = Week::of(&week(NOW, |minute| (if minute < 4 * DAY { 0 } else { 10 }, 0)), NOW);
    assert!(!young.has_history());
    assert_eq!(guilty_after(&young, 10), None);
    let old = Week::of(&week(NOW, |minute| (if minute < 3 * DAY { 0 } else { 10 }, 0)), NOW);
    assert_eq!(guilty_after(&old, 10), Some(3));
}

#[test]
fn one_bad_minute_or_one_failure_makes_nobody_guilty() {
    let calm = Week::of(&week(NOW, |_| (10, 0)), NOW);
    assert!(!slots(&[(100, 100), (1, 0), (1, 0)]).are_guilty(&calm));
    assert!(!slots(&[(1, 1), (1, 1)]).are_guilty(&calm));
    assert_eq!(Slots::of(100, 4).bad, [0, 0, 0]);
    assert_eq!(Slots::of(100, 20).bad, [1, 1, 0]);
    assert_eq!(Slots::of(0, 7), Slots::default());
}

#[test]
fn the_rate_before_is_that_of_the_last_half_an_hour() {
    let old = |minute| if minute == 0 || minute == 7 * DAY - 1 { 31 } else { 0 };
    assert_eq!(Week::of(&week(NOW, |minute| (old(minute), 0)), NOW).rate, 2);
}

/// Else a release soon after a service's first one would be given a larger share than the traffic allows.
#[test]
fn the_rate_of_a_young_service_is_not_spread_over_the_time_before_it() {
    let young = |minute| if minute >= 7 * DAY - 3 { 3_000 } else { 0 };
    assert_eq!(Week::of(&week(NOW, |minute| (young(minute), 0)), NOW).rate, 3_000);
    assert_eq!(Week::of(&[], NOW).rate, 0);
}
