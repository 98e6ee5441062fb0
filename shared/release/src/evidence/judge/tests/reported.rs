//! What instances report against what CloudWatch publishes, minute by minute.

use super::*;
use std::collections::BTreeMap;

/// What `i-1` reports of blue and green, so many minutes before the present one.
fn reports(counted: &mut Counted, now: Timestamp, minutes: &[(i64, Count, Count)]) {
    let newest = minute_of(now);
    let of = |(ago, blue, green): &(i64, Count, Count)| MinuteCount {
        minute: newest - ago,
        blue: *blue,
        green: *green,
    };
    let mut minutes: Vec<MinuteCount> = minutes.iter().map(of).collect();
    minutes.sort_by_key(|counted| counted.minute);
    let base = MinuteCount { minute: START, ..MinuteCount::default() };
    counted.reports.insert(
        InstanceId("i-1".to_owned()),
        Reported { at: now, minutes, holes: BTreeSet::new(), base: Some(base) },
    );
}

fn count(arrived: u64, failed: u64, open: u64) -> Count {
    Count { arrived, failed, open, total: arrived }
}

/// Green failed all, a good many minutes after the first weight, and of blue's requests so many have no answer yet.
fn with_open_on_live(ago: i64, open: u64) -> (Counted, Timestamp) {
    let (mut counted, now) = counted(vec![good(); 6]);
    reports(&mut counted, now, &[(ago, count(42, 0, open), count(18, 18, 0))]);
    (counted, now)
}

/// A request that takes long may be under way in the minute before the present one; an older one is nobody's.
#[test]
fn lives_requests_without_an_answer_count_as_failed_for_two_minutes() {
    for (ago, convicts) in [(0, false), (1, false), (2, true)] {
        assert_eq!(is_worse(&with_open_on_live(ago, 42)), convicts, "{ago} minutes ago");
        assert!(is_worse(&with_open_on_live(ago, 0)), "{ago} minutes ago");
    }
}

/// The candidate's own that have no answer yet convict it in no minute.
#[test]
fn the_candidates_requests_without_an_answer_convict_nobody() {
    let (mut counted, now) = counted(vec![good(); 6]);
    let hangs = |ago| (ago, count(42, 0, 0), count(18, 0, 18));
    reports(&mut counted, now, &[hangs(0), hangs(1), hangs(2), hangs(3)]);
    assert!(!is_worse(&(counted, now)));
}

/// Robots ask often: of each client only the first requests are reported, and what these say holds a version that all requests
/// together would let go on.
#[test]
fn what_cloudwatch_lets_go_on_waits_for_reports_that_do_not() {
    let (counted, now) = counted(vec![good(); minutes_until_fine() + 3]);
    assert!(is_fine(&(counted.clone(), now)));
    let minutes = |of: fn(i64) -> (i64, Count, Count)| (0..5).map(of).collect::<Vec<_>>();
    // As many as CloudWatch has; but only a few are first ones.
    let few = |ago| {
        let of = |total: u64| Count { arrived: 1, failed: 0, open: 0, total };
        (ago, of(42), of(18))
    };
    let mut of_few = counted.clone();
    reports(&mut of_few, now, &minutes(few));
    assert!(!is_fine(&(of_few, now)));
    // And those of an instance that has not reported for half a minute hold nobody up.
    let mut of_old = counted;
    reports(&mut of_old, now, &minutes(few));
    for (seconds, is_held) in [(29, true), (30, false)] {
        for reported in of_old.reports.values_mut() {
            reported.at = now - SignedDuration::from_secs(seconds);
        }
        assert_eq!(!is_fine(&(of_old.clone(), now)), is_held, "{seconds} s old");
    }
}

/// The tolerance is a fifth of what CloudWatch has, and five requests.
#[test]
fn reports_within_a_fifth_and_five_are_near_enough() {
    // Green's 18 and a fifth and five are 26.6; blue's 42, 55.4, or 28.6.
    for (blue, green, are_near) in
        [(42, 26, true), (42, 27, false), (55, 18, true), (56, 18, false), (29, 18, true), (28, 18, false)]
    {
        let (mut counted, now) = counted(vec![good(); 8]);
        let of = |total, failed| Count { arrived: total, failed, open: 0, total };
        let minutes: Vec<_> = (0..5).map(|ago| (ago, of(blue, 0), of(green, green))).collect();
        reports(&mut counted, now, &minutes);
        assert_eq!(is_worse(&(counted, now)), are_near, "blue {blue}, green {green}");
    }
}

/// What is reported of the present minute may still be answered: it lets nobody wait who is fine.
#[test]
fn a_present_minute_without_answers_holds_nobody_up() {
    let (mut counted, now) = counted(vec![good(); minutes_until_fine() + 8]);
    let well = |ago| (ago, count(42, 0, 0), count(18, 0, 0));
    let mut minutes: Vec<_> = (1..40).map(well).collect();
    reports(&mut counted, now, &minutes);
    assert!(is_fine(&(counted.clone(), now)));
    minutes.push((0, count(42, 0, 42), count(18, 0, 18)));
    reports(&mut counted, now, &minutes);
    assert!(is_fine(&(counted.clone(), now)));
    minutes.extend((0..3).map(|ago| (ago + 1, count(42, 0, 42), count(18, 0, 18))));
    let minutes: BTreeMap<i64, _> = minutes.into_iter().map(|minute| (minute.0, minute)).collect();
    reports(&mut counted, now, &minutes.into_values().collect::<Vec<_>>());
    assert!(!is_fine(&(counted, now)), "an older one counts against it");
}

/// A minute of which instances report nothing wrong convicts nobody, whatever CloudWatch has of it.
#[test]
fn a_minute_that_is_reported_well_is_no_conviction() {
    let bad = Published { requests: 18, answered: 0, failed: 18, refused: 0 };
    let (mut with_reports, now) = counted(vec![(answered(42, 0), bad); 8]);
    assert!(is_worse(&(with_reports.clone(), now)));
    let well: Vec<_> = (0..12).map(|ago| (ago, count(42, 0, 0), count(18, 0, 0))).collect();
    reports(&mut with_reports, now, &well);
    assert!(!is_worse(&(with_reports, now)));
}

/// Reports are the whole only where each instance is known: none, or more than are kept, convict nobody.
#[test]
fn without_a_target_or_with_too_many_reports_convict_nobody() {
    let bad = count(18, 18, 0);
    let (counted, now) = reported(bad, Published { requests: 18, ..Published::default() });
    let judged = |counted: &Counted, targets: &[InstanceId]| counted.judge(&terms(targets), now);
    let worse =
        |counted: &Counted, targets: &[InstanceId]| matches!(judged(counted, targets), Judgement::Worse(_));
    assert!(worse(&counted, &[InstanceId("i-1".to_owned())]));
    assert!(!worse(&counted, &[]));
    let targets =
        |many: usize| (1..=many).map(|number| InstanceId(format!("i-{number}"))).collect::<Vec<_>>();
    let told_by = |many: usize| {
        let mut counted = counted.clone();
        let none = Reported {
            at: now,
            minutes: Vec::new(),
            holes: BTreeSet::new(),
            base: Some(MinuteCount { minute: START, ..MinuteCount::default() }),
        };
        for target in targets(many).into_iter().skip(1) {
            counted.reports.insert(target, none.clone());
        }
        counted
    };
    assert!(worse(&told_by(10), &targets(10)));
    assert!(!worse(&told_by(11), &targets(11)));
}

/// What came in the minute of the first weight is half live's.
#[test]
fn the_minute_of_the_first_weight_contradicts_nobody() {
    let bad = count(18, 18, 0);
    let (mut counted, now) = reported(bad, Published { requests: 18, ..Published::default() });
    let first = PublishedMinute { minute: START, blue: answered(60, 0), green: answered(0, 0) };
    counted.published.insert(0, first);
    let told = counted.reports.values_mut().next().unwrap();
    told.minutes.insert(0, MinuteCount { minute: START, blue: count(0, 0, 0), green: count(60, 0, 0) });
    assert!(is_worse(&(counted, now)));
}

/// Who alone reports more than a fifth and five above all is named alone. Where nobody does, all of them are.
#[test]
fn who_reports_more_than_came_to_all_is_named() {
    for (published, one, other, named) in [
        (18, 27, 0, &["i-1"][..]),
        (18, 26, 26, &["i-1", "i-2"]),
        (18, 60, 3, &["i-1"]),
        (18, 60, 60, &["i-1", "i-2"]),
        (25, 35, 5, &["i-1", "i-2"]),
        (25, 36, 5, &["i-1"]),
        (18, 0, 0, &["i-1", "i-2"]),
    ] {
        let (mut counted, now) = counted(vec![(answered(42, 0), answered(published, 0)); 6]);
        for (name, green) in [("i-1", one), ("i-2", other)] {
            let minutes = [(4, count(42, 0, 0), count(green, 0, 0)), (5, count(1, 0, 0), count(0, 0, 0))];
            let of = |(ago, blue, green): (i64, Count, Count)| MinuteCount {
                minute: minute_of(now) - ago,
                blue,
                green,
            };
            let mut minutes = minutes.map(of).to_vec();
            minutes.reverse();
            if name == "i-2" {
                minutes[1].blue = Count::default();
            }
            let base = Some(MinuteCount { minute: START, ..MinuteCount::default() });
            // The minute before is not told of: only one is compared.
            minutes.remove(0);
            counted.reports.insert(
                InstanceId(name.to_owned()),
                Reported { at: now, minutes, holes: BTreeSet::new(), base },
            );
        }
        let targets = ["i-1", "i-2"].map(|name| InstanceId(name.to_owned()));
        let left_out = match counted.judge(&terms(&targets), now) {
            Judgement::Unsure(unsure) => unsure.left_out,
            other => panic!("{other:?}"),
        };
        let names: Vec<&str> = left_out.iter().map(|instance| instance.0.as_str()).collect();
        assert_eq!(names, named, "{one} and {other} of {published}");
    }
}
