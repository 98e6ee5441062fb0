//! What is said while nothing is decided: how long it takes, until when, and what share follows.

use super::*;

fn unsure(counted: &Counted, terms: &Terms<'_>, now: Timestamp) -> super::Unsure {
    match counted.judge(terms, now) {
        Judgement::Unsure(unsure) => unsure,
        other => panic!("{other:?}"),
    }
}

fn targets() -> [InstanceId; 1] {
    [InstanceId("i-1".to_owned())]
}

/// If nothing fails from now on and traffic stays as it is, whatever the last minute had.
#[test]
fn so_many_minutes_more_make_it_fine() {
    let fails_once = (answered(42, 1), answered(18, 1));
    for before in [vec![good(); 3], vec![good(), good(), fails_once, good()]] {
        let (targets, (now_counted, now)) = (targets(), counted(before.clone()));
        let foretold = unsure(&now_counted, &terms(&targets), now).minutes.unwrap();
        let fine_after =
            (1..60).find(|more| is_fine(&counted([before.clone(), vec![good(); *more]].concat()))).unwrap();
        let foretold = usize::try_from(foretold).unwrap();
        // The newest minute does not count yet, and the share that was seen is not the one ordered.
        assert!(
            (fine_after.saturating_sub(1)..=fine_after + 1).contains(&foretold),
            "{foretold}, not {fine_after}"
        );
        assert!(foretold > 1);
    }
    let only_live = counted(vec![(answered(0, 0), answered(18, 0)); 3]);
    assert_eq!(
        unsure(&only_live.0, &terms(&targets()), only_live.1).minutes,
        None,
        "nothing to compare with"
    );
}

#[test]
fn it_is_said_until_when_it_waits_and_after_it_for_how_long_it_has() {
    let (counted, now) = counted(vec![good(); 2]);
    let targets = targets();
    assert_eq!(unsure(&counted, &terms(&targets), now).latest, time(START + 30, 0));
    let late = Terms { latest: Duration::from_secs(330), ..terms(&targets) };
    for (seconds, over) in [(29, false), (30, true)] {
        match counted.judge(&late, time(START + 5, seconds)) {
            Judgement::AtMax(said) if over => assert_eq!((said.waited, said.what), (5, AtMax::GoOn)),
            Judgement::Unsure(_) if !over => {}
            other => panic!("{seconds}: {other:?}"),
        }
    }
}

/// One look that could have seen something, and a share that is not had already.
#[test]
fn a_share_grows_after_a_look_that_saw_the_candidate_answer() {
    let targets = targets();
    let grows = Terms { grows: true, ..terms(&targets) };
    let raise = |share, minutes: Vec<(Published, Published)>| {
        let (mut counted, now) = counted(minutes);
        counted.orders[0].share = share;
        unsure(&counted, &grows, now).raise
    };
    assert_eq!(raise(Share::ONE, vec![good(); 2]), Some(Share::TEN));
    assert_eq!(raise(Share::THIRTY, vec![good(); 2]), None, "it has that");
    assert_eq!(raise(Share::ONE, vec![(answered(42, 0), answered(0, 0)); 2]), None, "no request came to it");
    assert_eq!(raise(Share::ONE, vec![]), None);
    // What instances report is seen at once.
    let (mut counted, now) = counted(vec![]);
    counted.orders[0].share = Share::ONE;
    let of = Count { arrived: 3, failed: 0, open: 0, total: 3 };
    let minutes = vec![MinuteCount { minute: minute_of(now), blue: of, green: of }];
    let base = Some(MinuteCount { minute: START, ..MinuteCount::default() });
    counted.reports.insert(targets[0].clone(), Reported { at: now, minutes, holes: BTreeSet::new(), base });
    assert_eq!(unsure(&counted, &grows, now).raise, Some(Share::TEN));
    assert_eq!(
        unsure(&counted, &terms(&targets), now).raise,
        None,
        "not where the setting says how large it is"
    );
}

/// The mean of the last five whole minutes of CloudWatch, the same of the reports, and the rate before: the largest.
#[test]
fn what_is_at_stake_is_reckoned_with_the_busiest_rate() {
    let minutes = (1..=8).map(|minute| (answered(10 * minute, 0), answered(minute, 0)));
    let (mut counted, now) = counted(minutes);
    let rate = |counted: &Counted| counted.stake(&terms(&targets()), now).rate;
    // (4 + 5 + 6 + 7 + 8) times 11, divided by five.
    assert_eq!(rate(&counted), Some(66));
    counted.week = Some(Week { rate: 65, ..calm_week() });
    assert_eq!(rate(&counted), Some(66));
    counted.week = Some(Week { rate: 67, ..calm_week() });
    assert_eq!(rate(&counted), Some(67));
    let total = |total| Count { arrived: 1, failed: 0, open: 0, total };
    let newest = minute_of(now);
    let minutes =
        (1..=5).rev().map(|ago| MinuteCount { minute: newest - ago, blue: total(60), green: total(9) });
    counted.reports.insert(
        targets()[0].clone(),
        Reported { at: now, minutes: minutes.collect(), holes: BTreeSet::new(), base: None },
    );
    assert_eq!(rate(&counted), Some(69));
    assert_eq!(Counted::default().stake(&terms(&targets()), now).rate, None);
}

/// Bad minutes stay bad while nobody asks any more, and patience is three minutes to the minute.
#[test]
fn minutes_are_bad_for_as_long_as_patience_says_and_silence_mends_nothing() {
    let bad = (answered(42, 42), answered(18, 18));
    let takes_back = |bad_minutes: usize, then: &[(Published, Published)]| {
        let (counted, now) = counted([vec![good(); 5], vec![bad; bad_minutes], then.to_vec()].concat());
        matches!(judged(&(Counted { week: Some(calm_week()), ..counted }, now)), Judgement::Past(_))
    };
    assert!(!takes_back(6, &[]) && takes_back(7, &[]));
    let silence = (answered(0, 0), answered(0, 0));
    assert!(takes_back(8, &[silence; 3]), "nobody asks any more");
    assert!(!takes_back(8, &[silence, good(), silence]));
}

/// A week in which a request came every three minutes.
fn quiet() -> Week {
    Week { rate: 1, hour: Some(20), ..calm_week() }
}

/// A few requests of a quiet night, of which the candidate has answered all, four minutes after the first weight.
fn at_night(minutes: &[(Published, Published)]) -> (Counted, Timestamp) {
    let (counted, now) = counted(minutes.to_vec());
    (Counted { week: Some(quiet()), smoke_is_fine: true, ..counted }, now)
}

fn few() -> (Published, Published) {
    (answered(1, 0), answered(1, 0))
}

fn is_little(counted: &Counted, now: Timestamp) -> bool {
    matches!(counted.judge(&terms(&targets()), now), Judgement::LittleAtStake(_))
}

#[test]
fn little_is_at_stake_where_all_of_it_is_known_and_nothing_is_suspected() {
    let (counted, now) = at_night(&[few(); 2]);
    assert!(is_little(&counted, now));
    let without = |change: fn(&mut Counted)| {
        let mut counted = counted.clone();
        change(&mut counted);
        is_little(&counted, now)
    };
    assert!(!without(|counted| counted.smoke_is_fine = false));
    assert!(!without(|counted| counted.week = None));
    assert!(!without(|counted| counted.week = Some(Week { hour: None, ..quiet() })));
    assert!(!without(|counted| counted.week = Some(Week { hour: Some(46), ..quiet() })));
    assert!(without(|counted| counted.week = Some(Week { hour: Some(42), ..quiet() })), "and four that came");
    for at_max in [AtMax::Wait, AtMax::Back] {
        let targets = targets();
        let judged = counted.judge(&Terms { at_max, ..terms(&targets) }, now);
        assert!(matches!(judged, Judgement::Unsure(_)), "{at_max:?}: {judged:?}");
    }
    let (counted, now) = at_night(&[few()]);
    assert!(!is_little(&counted, now), "the newest minute convicts nobody yet");
}

/// Instances that report well acquit a minute of which CloudWatch says otherwise: that must not let it go on early.
#[test]
fn what_reports_acquit_and_cloudwatch_suspects_is_no_little_thing() {
    let fails =
        |failed| (answered(3, 0), Published { requests: 3, answered: 3 - failed, failed, refused: 0 });
    let told = |failed| {
        let (mut counted, now) = at_night(&[fails(failed), fails(failed), few()]);
        let of = Count { arrived: 3, failed: 0, open: 0, total: 3 };
        let minutes =
            (START + 1..=START + 3).map(|minute| MinuteCount { minute, blue: of, green: of }).collect();
        let base = Some(MinuteCount { minute: START, ..MinuteCount::default() });
        counted
            .reports
            .insert(targets()[0].clone(), Reported { at: now, minutes, holes: BTreeSet::new(), base });
        (counted, now)
    };
    let (well, now) = told(0);
    assert!(is_little(&well, now), "{:?}", well.judge(&terms(&targets()), now));
    let (suspected, now) = told(3);
    assert!(!is_worse(&(suspected.clone(), now)), "the reports acquit it");
    assert!(!is_little(&suspected, now));
}

/// And the other way round: what reports suspect, though CloudWatch has nothing of it.
#[test]
fn what_cloudwatch_acquits_and_reports_suspect_is_no_little_thing() {
    let told = |failed| {
        let (mut counted, now) = at_night(&[few(); 3]);
        let blue = Count { arrived: 1, failed: 0, open: 0, total: 1 };
        let green = Count { failed, ..blue };
        let minutes = vec![MinuteCount { minute: START + 2, blue, green }];
        let base = Some(MinuteCount { minute: START, ..MinuteCount::default() });
        counted
            .reports
            .insert(targets()[0].clone(), Reported { at: now, minutes, holes: BTreeSet::new(), base });
        (counted, now)
    };
    let (well, now) = told(0);
    assert!(is_little(&well, now));
    let (mut suspected, now) = told(1);
    // A single failure under a tenth of a share is worth three to one.
    suspected.orders[0].share = Share::TEN;
    assert!(!is_worse(&(suspected.clone(), now)));
    assert!(!is_little(&suspected, now), "{:?}", suspected.judge(&terms(&targets()), now));
}
