//! What is kept of what was counted, and for how long.

use super::*;
use crate::evidence::Published;

const MINUTE: i64 = 29_000_000;

fn at(minute: i64, seconds: i64) -> Timestamp {
    Timestamp::from_second(minute * 60 + seconds).unwrap()
}

fn count(arrived: u64, failed: u64, total: u64) -> Count {
    Count { arrived, failed, open: 0, total }
}

fn minute(minute: i64, green: Count) -> MinuteCount {
    MinuteCount { minute, blue: Count::default(), green }
}

fn id(name: &str) -> InstanceId {
    InstanceId(name.to_owned())
}

fn report(name: &str, minutes: &[MinuteCount]) -> Report {
    Report { instance: id(name), minutes: minutes.to_vec() }
}

/// The load balancer follows late and clocks differ: a change holds for its minute, and the two before and after.
#[test]
fn around_a_change_both_shares_may_have_held() {
    let mut counted = Counted::default();
    counted.order(Share::plain(10), Duration::ZERO, at(MINUTE + 100, 59));
    counted.order(Share::plain(30), Duration::ZERO, at(MINUTE + 110, 0));
    for (minutes, shares) in [
        (90..=97, (0.0, 1.0)),
        (98..=102, (0.0, 0.1)),
        (103..=107, (0.1, 0.1)),
        (108..=112, (0.1, 0.3)),
        (113..=120, (0.3, 0.3)),
    ] {
        for after in minutes {
            assert_eq!(counted.shares(MINUTE + after), shares, "{after}");
        }
    }
}

#[test]
fn a_share_that_is_ordered_already_is_not_ordered_twice() {
    let mut counted = Counted::default();
    counted.order(Share::plain(10), Duration::from_secs(20), at(MINUTE, 0));
    counted.order(Share::plain(10), Duration::from_secs(10), at(MINUTE, 30));
    assert_eq!(counted.orders, [Order { at: at(MINUTE, 0), share: Share::plain(10) }]);
    assert_eq!(counted.warm_up_seconds, 20, "that of the first one");
    assert_eq!(counted.counts_from(), Some(at(MINUTE, 20)));
    assert_eq!(Counted::default().counts_from(), None);
}

/// More than any strategy gives come from a ledger that was changed by hand.
#[test]
fn a_hundred_orders_are_kept() {
    let mut counted = Counted::default();
    for number in 0..150_u8 {
        counted.order(Share::plain(1 + number % 2), Duration::ZERO, at(MINUTE, 0));
    }
    assert_eq!(counted.orders.len(), 100);
}

#[test]
fn what_is_known_of_the_service_outlives_a_first_share_that_did_not_arrive() {
    let mut counted = Counted {
        asked_at: Some(at(MINUTE, 5)),
        smoke_is_fine: true,
        read_at: Some(at(MINUTE, 5)),
        closed: vec![MinuteSum::default()],
        ..Counted::default()
    };
    counted.order(Share::plain(10), Duration::ZERO, at(MINUTE, 0));
    counted.take_report(&report("i-1", &[]), at(MINUTE, 9));
    counted.order_anew(at(MINUTE + 3, 0));
    let orders = vec![Order { at: at(MINUTE + 3, 0), share: Share::plain(10) }];
    let kept = Counted { orders, asked_at: Some(at(MINUTE, 5)), smoke_is_fine: true, ..Counted::default() };
    assert_eq!(counted, kept);
}

#[test]
fn of_ten_instances_the_reports_are_kept_and_theirs_go_on() {
    let mut counted = Counted::default();
    for number in 0..=Counted::INSTANCES {
        counted.take_report(&report(&format!("i-{number:02}"), &[]), at(MINUTE, 0));
    }
    assert_eq!(counted.reports.len(), 10);
    assert!(!counted.reports.contains_key(&id("i-10")), "it came last");
    counted.take_report(&report("i-00", &[minute(MINUTE, count(3, 0, 3))]), at(MINUTE, 30));
    assert_eq!(counted.reports[&id("i-00")].minutes.len(), 1);
    assert_eq!(counted.reports[&id("i-00")].at, at(MINUTE, 30));
}

/// An instance's clock may be ahead, and by no more than the present minute.
#[test]
fn a_minute_that_is_still_to_come_is_taken_if_it_is_the_next_one() {
    let mut counted = Counted::default();
    let minutes = [0, 1, 2].map(|ahead| minute(MINUTE + ahead, count(1, 0, 1)));
    counted.take_report(&report("i-1", &minutes), at(MINUTE, 59));
    let kept: Vec<i64> =
        counted.reports[&id("i-1")].minutes.iter().map(|kept| kept.minute - MINUTE).collect();
    assert_eq!(kept, [0, 1]);
}

/// A report has five minutes: what is older no report changes any more.
#[test]
fn minutes_that_no_report_changes_any_more_are_added_up() {
    let mut counted = Counted { warm_up_seconds: 0, ..Counted::default() };
    counted.order(Share::plain(10), Duration::ZERO, at(MINUTE - 20, 0));
    for name in ["i-1", "i-2"] {
        counted.take_report(&report(name, &[]), at(MINUTE - 10, 0));
    }
    let minutes = [6, 5, 4].map(|ago| minute(MINUTE - ago, count(7, 2, 9)));
    for name in ["i-1", "i-2"] {
        counted.take_report(&report(name, &minutes), at(MINUTE, 0));
    }
    assert_eq!(counted.closed.iter().map(|closed| MINUTE - closed.minute).collect::<Vec<_>>(), [6]);
    let both = Sum { arrived: 14, failed: 4, total: 18, ..Sum::default() };
    assert_eq!(counted.closed[0].green, both);
    let open = &counted.reports[&id("i-1")].minutes;
    assert_eq!(open.iter().map(|kept| MINUTE - kept.minute).collect::<Vec<_>>(), [5, 4]);
    // Closed or not, it is counted once.
    let reported = counted.reported();
    assert_eq!([6, 5, 4].map(|ago| reported[&(MINUTE - ago)].green), [both; 3]);
    let totals = counted.totals();
    assert_eq!([6, 5, 4].map(|ago| totals[&(MINUTE - ago)].green), [18; 3]);
}

#[test]
fn an_hour_of_minutes_is_kept_of_each_source() {
    let mut counted = Counted::default();
    counted.order(Share::plain(10), Duration::ZERO, at(MINUTE, 0));
    counted.take_report(&report("i-1", &[]), at(MINUTE, 0));
    for after in 1..=90 {
        counted.take_report(&report("i-1", &[minute(MINUTE + after, count(1, 0, 1))]), at(MINUTE + after, 0));
        let published = PublishedMinute { minute: MINUTE + after, ..PublishedMinute::default() };
        counted.take_published(&[published], at(MINUTE + after, 0));
    }
    let span = |minutes: Vec<i64>| (minutes.len(), minutes[0] - MINUTE, minutes[minutes.len() - 1] - MINUTE);
    assert_eq!(span(counted.closed.iter().map(|closed| closed.minute).collect()), (60, 25, 84));
    assert_eq!(span(counted.published.iter().map(|published| published.minute).collect()), (60, 31, 90));
}

/// CloudWatch corrects what it said before, and says it in any order.
#[test]
fn what_is_published_again_takes_the_place_of_what_was() {
    let published = |after: i64, requests: u64| PublishedMinute {
        minute: MINUTE + after,
        blue: Published { requests, ..Published::default() },
        green: Published::default(),
    };
    let mut counted = Counted::default();
    counted.take_published(&[published(2, 20), published(0, 10)], at(MINUTE + 5, 0));
    counted.take_published(&[published(1, 15), published(2, 25)], at(MINUTE + 6, 0));
    let kept: Vec<(i64, u64)> =
        counted.published.iter().map(|kept| (kept.minute - MINUTE, kept.blue.requests)).collect();
    assert_eq!(kept, [(0, 10), (1, 15), (2, 25)]);
    assert_eq!((counted.read_at, counted.newest_whole()), (Some(at(MINUTE + 6, 0)), Some(MINUTE + 3)));
}

/// nginx that begins anew counts from nothing, and a report may overtake another.
#[test]
fn totals_never_shrink() {
    for (before, then, kept) in [
        (count(5, 1, 6), count(7, 2, 9), count(7, 2, 9)),
        (count(5, 1, 6), count(4, 2, 9), count(5, 1, 6)),
        (count(5, 1, 6), count(7, 0, 9), count(5, 1, 6)),
        (count(5, 1, 6), count(5, 1, 6), count(5, 1, 6)),
        // A kit that does not tell totals apart took this one's place.
        (count(5, 1, 6), count(7, 2, 0), count(7, 2, 6)),
    ] {
        assert_eq!(before.grown(then), kept, "{before:?}, then {then:?}");
    }
    let answered = Count { open: 3, ..count(5, 1, 6) }.grown(count(5, 1, 6));
    assert_eq!(answered.open, 0, "what is open is no total");
    assert_eq!((count(5, 1, 6).came(), count(5, 1, 0).came()), (6, 5));
}

/// What an instance had counted when the warm-up ended does not count, and neither does a minute before that one. An instance
/// that has reported nothing of it had counted nothing.
#[test]
fn what_was_counted_by_the_end_of_the_warm_up_does_not_count() {
    let mut counted = Counted::default();
    counted.order(Share::plain(10), Duration::from_secs(10), at(MINUTE, 0));
    let early = [minute(MINUTE - 1, count(40, 9, 40)), minute(MINUTE, count(4, 3, 4))];
    counted.take_report(&report("i-1", &early), at(MINUTE, 9));
    assert_eq!(counted.reports[&id("i-1")].base, None, "a second is missing");
    counted.take_report(&report("i-1", &early), at(MINUTE, 10));
    assert_eq!(counted.reports[&id("i-1")].base, Some(early[1]));
    counted.take_report(&report("i-2", &early[..1]), at(MINUTE, 10));
    assert_eq!(counted.reports[&id("i-2")].base, Some(MinuteCount::empty(MINUTE)));
    let later = [minute(MINUTE, count(9, 4, 11)), minute(MINUTE + 1, count(2, 1, 2))];
    for name in ["i-1", "i-2"] {
        counted.take_report(&report(name, &later), at(MINUTE + 1, 0));
    }
    let sums = counted.reported();
    assert_eq!(sums.keys().map(|minute| minute - MINUTE).collect::<Vec<_>>(), [0, 1]);
    let green = |minute: i64| (sums[&minute].green.arrived, sums[&minute].green.failed);
    assert_eq!(green(MINUTE), (5 + 9, 1 + 4));
    assert_eq!(green(MINUTE + 1), (4, 2));
    assert_eq!(counted.totals()[&MINUTE].green, 22, "with the warm-up, as CloudWatch counts");
}

/// Those without an answer when the warm-up ended may be the ones that failed since; those without one now may fail.
#[test]
fn who_has_no_answer_is_held_for_and_against() {
    let base =
        MinuteCount { minute: MINUTE, blue: Count::default(), green: Count { open: 2, ..count(4, 0, 4) } };
    let now = minute(MINUTE, Count { open: 1, ..count(10, 5, 10) });
    let green = after(Some(&base), now).unwrap().green;
    assert_eq!(green, Sum { arrived: 6, failed: 5, open: 1, doubtful: 2, total: 10 });
    assert_eq!((green.surely_failed(), green.possibly_failed()), (3, 6));
    let doubtful = Sum { failed: 1, doubtful: 2, ..Sum::default() };
    assert_eq!(doubtful.surely_failed(), 0);
    assert_eq!(after(None, now), None);
    assert_eq!(after(Some(&base), minute(MINUTE - 1, count(9, 9, 9))), None);
}

#[test]
fn a_report_is_older_when_it_is_as_old_and_so_is_what_was_never_told() {
    let mut counted = Counted::default();
    counted.take_report(&report("i-1", &[]), at(MINUTE, 0));
    let than = std::time::Duration::from_secs(15);
    let is_older = |seconds| counted.is_older(&id("i-1"), than, at(MINUTE, seconds));
    assert_eq!([0, 14, 15, 59].map(is_older), [false, false, true, true]);
    assert!(counted.is_older(&id("i-2"), than, at(MINUTE, 0)));
}
