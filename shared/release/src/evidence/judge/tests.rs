//! Each rule by counts that it alone decides on; whole traffic is played in `bench/evidence` and `shared/testing`.

use super::*;
use crate::evidence::Week;
use crate::evidence::counted::{Order, Reported, Sum};
use crate::evidence::{Count, MinuteCount, Published, PublishedMinute, Share};
use std::collections::BTreeSet;

mod reported;
mod stays;

const START: i64 = 29_000_000;
const GREEN: Colour = Colour::Green;

fn time(minute: i64, seconds: i64) -> Timestamp {
    Timestamp::from_second(minute * 60 + seconds).unwrap()
}

/// A release whose candidate has 30 % since the beginning of minute [`START`], with the minutes after it as CloudWatch has
/// published them, read as soon as the last one was whole.
fn counted(minutes: impl IntoIterator<Item = (Published, Published)>) -> (Counted, Timestamp) {
    let minutes = minutes.into_iter().zip(START + 1..);
    let published: Vec<_> =
        minutes.map(|((blue, green), minute)| PublishedMinute { minute, blue, green }).collect();
    let now = time(START + 4 + i64::try_from(published.len()).unwrap() - 1, 0);
    let orders = vec![Order { at: time(START, 0), share: Share::THIRTY }];
    (Counted { orders, published, read_at: Some(now), ..Counted::default() }, now)
}

fn answered(requests: u64, failed: u64) -> Published {
    Published { requests, answered: requests - failed, failed, refused: 0 }
}

/// A minute without a failure at 60 a minute.
fn good() -> (Published, Published) {
    (answered(42, 0), answered(18, 0))
}

fn judged((counted, now): &(Counted, Timestamp)) -> Judgement {
    let targets = [InstanceId("i-1".to_owned())];
    counted.judge(&terms(&targets), *now)
}

fn terms(targets: &[InstanceId]) -> Terms<'_> {
    Terms {
        candidate: GREEN,
        targets,
        harm: 10,
        bake: Duration::from_secs(300),
        latest: Duration::from_secs(1_800),
        at_max: AtMax::GoOn,
        patience: Duration::from_secs(180),
        grows: false,
    }
}

fn is_fine(counted: &(Counted, Timestamp)) -> bool {
    matches!(judged(counted), Judgement::Fine { .. })
}

fn is_worse(counted: &(Counted, Timestamp)) -> bool {
    matches!(judged(counted), Judgement::Worse(_))
}

fn minutes_until_fine() -> usize {
    (1..28).find(|minutes| is_fine(&counted(vec![good(); *minutes]))).expect("never fine")
}

#[test]
fn the_newest_minute_acquits_nobody_and_counts_against_the_candidate() {
    let newest = |last: (Published, Published), minutes: usize| {
        let (counted, now) = counted([vec![good(); minutes - 1], vec![last]].concat());
        // What is at stake stays the same, whatever the last minutes had.
        (Counted { week: Some(calm_week()), ..counted }, now)
    };
    let minutes = minutes_until_fine();
    assert!(is_fine(&newest((answered(0, 0), answered(0, 0)), minutes)), "what makes it fine is older");
    let bad = newest((answered(42, 0), answered(18, 18)), minutes);
    assert!(!is_fine(&bad) && !is_worse(&bad));
}

#[test]
fn what_hides_most_of_its_clients_is_not_fine_by_cloudwatch_alone() {
    let (mut counted, now) = counted(vec![good(); minutes_until_fine() + 2]);
    assert!(is_fine(&(counted.clone(), now)));
    let few = |total| Count { arrived: 1, failed: 0, open: 0, total };
    let minute = |minute| MinuteCount { minute, blue: few(42), green: few(18) };
    let none = MinuteCount { minute: START, blue: Count::default(), green: Count::default() };
    let minutes = (minute_of(now) - 5..=minute_of(now)).map(minute).collect();
    counted.reports.insert(
        InstanceId("i-1".to_owned()),
        Reported { at: now, minutes, holes: BTreeSet::new(), base: Some(none) },
    );
    assert!(!is_fine(&(counted, now)));
}

#[test]
fn where_no_request_came_to_the_candidate_nothing_is_fine() {
    let only_live = counted(vec![(answered(6_000, 0), answered(0, 0)); 25]);
    let Judgement::Unsure(unsure) = judged(&only_live) else { panic!("{:?}", judged(&only_live)) };
    assert_eq!(unsure.compared.requests, 0);
}

/// A week in which nothing happened.
fn calm_week() -> Week {
    Week {
        history: 7 * 24 * 60,
        all: Slots { minutes: 9_000, bad: [0; 3] },
        recent: Slots { minutes: 30, bad: [0; 3] },
        rate: 60,
        ..Week::default()
    }
}

#[test]
fn bad_minutes_that_the_week_does_not_explain_keep_a_fine_candidate_waiting() {
    let minutes = minutes_until_fine() + 4;
    let mut seen = vec![good(); minutes];
    let fine = |seen: &[(Published, Published)]| {
        let (counted, now) = counted(seen.to_vec());
        is_fine(&(Counted { week: Some(calm_week()), ..counted }, now))
    };
    assert!(fine(&seen));
    // Both on live: the candidate looks only the better for them, and two make nobody guilty.
    (seen[6], seen[7]) = ((answered(2, 2), answered(0, 0)), (answered(2, 2), answered(0, 0)));
    assert!(!fine(&seen));
}

#[test]
fn minutes_that_stay_bad_take_back_and_an_outage_that_ends_does_not() {
    let bad = (answered(42, 42), answered(18, 18));
    let takes_back = |bad_minutes: usize, then: usize| {
        let seen = [vec![good(); 5], vec![bad; bad_minutes], vec![good(); then]].concat();
        let (counted, now) = counted(seen);
        matches!(judged(&(Counted { week: Some(calm_week()), ..counted }, now)), Judgement::Past(_))
    };
    assert!(!takes_back(5, 0), "three minutes of patience, and the newest is not whole");
    assert!(takes_back(8, 0));
    assert!(!takes_back(5, 4) && !takes_back(8, 4), "it is over");
}

#[test]
fn silence_after_an_outage_and_one_failure_long_after_it_take_nothing_back() {
    let (bad, silent) = ((answered(42, 42), answered(18, 18)), (answered(0, 0), answered(0, 0)));
    let one = (answered(3, 0), answered(1, 1));
    let takes_back = |seen: &[(Published, Published)]| {
        let (counted, now) = counted(seen.to_vec());
        matches!(judged(&(Counted { week: Some(calm_week()), ..counted }, now)), Judgement::Past(_))
    };
    assert!(!takes_back(&[vec![bad; 4], vec![silent; 12]].concat()), "nobody has asked since");
    assert!(!takes_back(&[vec![bad; 4], vec![good(); 20], vec![one], vec![silent]].concat()));
    assert!(takes_back(&[vec![bad; 4], vec![silent; 10], vec![bad; 2], vec![silent]].concat()), "still bad");
}

#[test]
fn what_the_kit_asks_takes_nothing_from_what_visitors_show() {
    let bad = Count { arrived: 18, failed: 18, open: 0, total: 18 };
    let (mut counted, now) = reported(bad, answered(18, 18));
    // The new version has a path that live does not know: it is live that does not answer as the bundle says.
    let by_instance = [(InstanceId("i-1".to_owned()), vec![40])].into();
    counted.pairs = Pairs { asked: 40, candidate_failed: 0, live_failed: 40, by_instance };
    let Judgement::Worse(worse) = judged(&(counted, now)) else { panic!("stays") };
    assert!(worse.live_requests > 40 && worse.live_failed == 0, "{worse:?}");
}

#[test]
fn minutes_that_an_instance_may_not_have_told_whole_are_cloudwatchs() {
    let fails_unseen = |holes: bool| {
        let few = Count { arrived: 3, failed: 0, open: 0, total: 3 };
        let (mut counted, now) = reported(few, answered(4, 4));
        for minute in &mut counted.published {
            minute.blue = answered(42, 0);
        }
        let told = counted.reports.values_mut().next().unwrap();
        let blue = Count { arrived: 42, failed: 0, open: 0, total: 42 };
        let all = START + 1..=minute_of(now);
        told.minutes = all.clone().map(|minute| MinuteCount { minute, blue, green: few }).collect();
        told.holes = all.filter(|_| holes).collect();
        is_worse(&(counted, now))
    };
    assert!(fails_unseen(true) && !fails_unseen(false));
}

/// The instance reports these counts of green in each of its minutes, and CloudWatch those.
fn reported(green: Count, published: Published) -> (Counted, Timestamp) {
    let (mut counted, now) = counted(vec![(answered(42, 0), published); 6]);
    let newest = minute_of(now);
    let blue = Count { arrived: 42, failed: 0, open: 0, total: 42 };
    let minute = |minute| MinuteCount { minute, blue, green };
    let none = MinuteCount { minute: START, blue: Count::default(), green: Count::default() };
    let reported = Reported {
        at: now,
        minutes: (newest - 4..=newest).map(minute).collect(),
        holes: BTreeSet::new(),
        base: Some(none),
    };
    counted.reports.insert(InstanceId("i-1".to_owned()), reported);
    (counted, now)
}

#[test]
fn reports_that_contradict_cloudwatch_convict_nobody_and_are_named() {
    let bad = Count { arrived: 18, failed: 18, open: 0, total: 18 };
    assert!(is_worse(&reported(bad, Published { requests: 18, ..Published::default() })));
    // Within a fifth and five they are the same.
    assert!(is_worse(&reported(bad, answered(26, 0))));
    let Judgement::Unsure(unsure) = judged(&reported(bad, answered(100, 0))) else { panic!("convicted") };
    assert_eq!(unsure.left_out, [InstanceId("i-1".to_owned())]);
}

/// Else one odd minute would let a version that fails everything stay until its latest time: the reports that are left out must
/// keep CloudWatch from nothing.
#[test]
fn where_one_minute_is_told_otherwise_cloudwatch_convicts_in_all_of_them() {
    let bad = Count { arrived: 18, failed: 18, open: 0, total: 18 };
    let (mut counted, now) = reported(bad, answered(18, 18));
    let told = counted.reports.values_mut().next().unwrap();
    let blue = told.minutes[0].blue;
    told.minutes =
        (START + 1..=minute_of(now)).map(|minute| MinuteCount { minute, blue, green: bad }).collect();
    assert!(is_worse(&(counted.clone(), now)));
    // Somebody asks the instance itself, past the load balancer.
    let odd = &mut counted.reports.values_mut().next().unwrap().minutes[1];
    odd.blue = Count { arrived: 500, total: 500, ..odd.blue };
    let Judgement::Worse(worse) = judged(&(counted, now)) else { panic!("stays") };
    assert_eq!((worse.failed, worse.live_requests), (18 * 5, 42 * 6), "by CloudWatch");
}

#[test]
fn since_one_of_the_instances_fell_silent_cloudwatch_convicts() {
    let targets = ["i-1", "i-2"].map(|name| InstanceId(name.to_owned()));
    let takes_back = |silent_for: i64| {
        let few = Count { arrived: 2, failed: 2, open: 0, total: 2 };
        let (mut counted, now) = reported(few, answered(4, 4));
        for minute in &mut counted.published {
            minute.blue = answered(3, 0);
        }
        let told = counted.reports.values_mut().next().unwrap();
        let blue = Count { arrived: 3, failed: 0, open: 0, total: 3 };
        told.minutes =
            (START + 1..=minute_of(now)).map(|minute| MinuteCount { minute, blue, green: few }).collect();
        let mut silent = told.clone();
        silent.at = now - Duration::from_secs(60 * silent_for.unsigned_abs());
        silent.minutes.retain(|told| told.minute <= minute_of(silent.at));
        counted.reports.insert(targets[1].clone(), silent);
        matches!(counted.judge(&terms(&targets), now), Judgement::Worse(_))
    };
    assert!(takes_back(0), "by the reports of both");
    assert!(!takes_back(2), "it may only be late, and what it told is known to be right");
    assert!(takes_back(7));
}

#[test]
fn whoever_reports_too_much_is_named_alone_also_when_older_minutes_are_closed() {
    let all = Count { arrived: 118, failed: 0, open: 0, total: 118 };
    let (mut counted, now) = reported(all, answered(18, 0));
    let honest = |minute| MinuteCount { minute, ..MinuteCount::default() };
    let minutes =
        counted.reports.values().next().unwrap().minutes.iter().map(|counted| honest(counted.minute));
    let reported =
        Reported { at: now, minutes: minutes.collect(), holes: BTreeSet::new(), base: Some(honest(START)) };
    counted.reports.insert(InstanceId("i-2".to_owned()), reported);
    let left_out = |counted: &Counted| match judged(&(counted.clone(), now)) {
        Judgement::Unsure(unsure) => unsure.left_out,
        other => panic!("{other:?}"),
    };
    // Of this one nobody knows any more who reported how much.
    let sum = Sum { total: 500, ..Sum::default() };
    counted.closed.push(MinuteSum { minute: START + 3, blue: sum, green: sum });
    assert_eq!(left_out(&counted), [InstanceId("i-1".to_owned())]);
    for reported in counted.reports.values_mut() {
        reported.minutes.clear();
    }
    assert_eq!(left_out(&counted).len(), 2, "one of them");
}

#[test]
fn nobody_is_to_blame_only_where_requests_are_seen_now_and_the_odds_are_small() {
    let targets = [InstanceId("i-1".to_owned())];
    let seen = |failed| counted(vec![(answered(42, 0), answered(18, failed)), good(), good()]);
    let blame_nobody = |failed| {
        let (counted, now) = seen(failed);
        counted.blame_nobody(&terms(&targets), now)
    };
    assert!(blame_nobody(0));
    let doubtful = (1..18).find(|failed| !blame_nobody(*failed)).expect("however many fail");
    assert!(!is_worse(&seen(doubtful)), "{doubtful} do not convict");
    let (counted, now) = seen(0);
    assert!(!counted.blame_nobody(&terms(&targets), now + Duration::from_secs(600)), "read long ago");
}

#[test]
fn a_newest_minute_that_cloudwatch_has_in_part_makes_no_report_doubtful() {
    let bad = Count { arrived: 18, failed: 18, open: 0, total: 18 };
    let (mut counted, now) = reported(bad, Published { requests: 18, ..Published::default() });
    counted.published.last_mut().unwrap().blue = answered(17, 0);
    assert!(is_worse(&(counted, now)));
}

#[test]
fn without_reports_cloudwatch_convicts_from_three_minutes_on() {
    let bad = (answered(42, 0), answered(18, 18));
    assert!(!is_worse(&counted(vec![bad; 2])));
    assert!(is_worse(&counted(vec![bad; 3])));
}
