//! What must be seen of the judge, request by request, with fixed seeds: each rule has traffic that it is there for.

// `cfg(test)` holds anyway; it tells clippy that a test may unwrap.
#![cfg(test)]

use bench_evidence::play::{End, Outcome, Release};
use bench_evidence::random::Random;
use bench_evidence::traffic::{Answer, Asker, Counting, Draw, Ending, Scene, TURN, USER, as_ordered, nobody};
use release::evidence::{Share, Slots, Week};

/// So many requests a minute of users, and both colours fail as often.
fn calm(rate: f64) -> Scene<'static> {
    Scene {
        rate,
        others: &nobody,
        answers: &|random, _, _, _| Ending::quick(random.often(0.001)),
        share: &as_ordered,
        draw: Draw::Chance,
        counting: Counting::Right,
        published_at_the_end: false,
    }
}

fn played(runs: u64, release: &Release, scene: impl Fn() -> Scene<'static>) -> Vec<Outcome> {
    (1..=runs).map(|seed| release.play(scene(), seed)).collect()
}

/// The part of releases that ended so, in percent.
#[expect(clippy::cast_precision_loss, reason = "a few hundred runs")]
fn percent(outcomes: &[Outcome], end: &End) -> f64 {
    let of = outcomes.iter().filter(|outcome| outcome.end == *end).count();
    100.0 * of as f64 / outcomes.len() as f64
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred runs")]
fn mean_failed(outcomes: &[Outcome]) -> f64 {
    outcomes.iter().map(|outcome| outcome.failed as f64).sum::<f64>() / outcomes.len() as f64
}

#[track_caller]
fn at_most(limit: f64, outcomes: &[Outcome], end: &End) {
    let found = percent(outcomes, end);
    let said = outcomes.iter().find(|outcome| outcome.end == *end).map(|outcome| &outcome.said);
    assert!(found <= limit, "{found} % ended {end:?}, at most {limit} % may: {said:?}");
}

#[track_caller]
fn at_least(limit: f64, outcomes: &[Outcome], end: &End) {
    let found = percent(outcomes, end);
    let said = outcomes.iter().find(|outcome| outcome.end != *end).map(|outcome| &outcome.said);
    assert!(found >= limit, "{found} % ended {end:?}, at least {limit} % must: {said:?}");
}

/// A week in which nothing happened.
fn calm_week(rate: u64) -> Week {
    Week {
        history: 7 * 24 * 60,
        all: Slots { minutes: 9_000, bad: [1, 0, 0] },
        recent: Slots { minutes: 28, bad: [0; 3] },
        rate,
        ..Week::default()
    }
}

/// An outage of both colours from the second to the fifth minute. How long a failure takes is all that differs.
const fn outage(second: f64) -> bool {
    second >= 120.0 && second < 300.0
}

const CASES: [(u16, Share); 2] = [(60, Share::THIRTY), (600, Share::TEN)];

fn live_dies_slowly(random: &mut Random, second: f64, on_candidate: bool, _: Asker) -> Ending {
    match (outage(second), on_candidate) {
        (true, true) => Ending::quick(true),
        (true, false) => Ending { after: 50.0, answer: Answer::Failed },
        (false, _) => Ending::quick(random.often(0.001)),
    }
}

#[test]
fn an_outage_in_which_live_fails_late_convicts_nobody() {
    for (rate, share) in CASES {
        let release = Release::usual(rate.into()).at(share);
        let scene = || Scene { answers: &live_dies_slowly, ..calm(rate.into()) };
        at_most(1.0, &played(100, &release, scene), &End::Back);
        let blind = played(20, &release, || Scene { counting: Counting::AtTheEnd, ..scene() });
        at_least(50.0, &blind, &End::Back);
    }
}

#[test]
fn without_reports_an_outage_in_which_live_fails_late_convicts_nobody_either() {
    for (rate, share) in CASES {
        for published_at_the_end in [false, true] {
            let release = Release::usual(rate.into()).at(share);
            let outcomes = played(100, &release, || Scene {
                answers: &live_dies_slowly,
                counting: Counting::NoReports,
                published_at_the_end,
                ..calm(rate.into())
            });
            at_most(1.0, &outcomes, &End::Back);
        }
    }
}

/// The candidate is worse by what must be proven not to be: 3.3 points at 60 a minute, 1 at 600.
fn candidate_dies_slowly(worse_by: f64) -> impl Fn(&mut Random, f64, bool, Asker) -> Ending {
    move |random, second, on_candidate, _| match (outage(second), on_candidate) {
        (true, true) => Ending { after: 50.0, answer: Answer::Failed },
        (true, false) => Ending::quick(true),
        (false, true) => Ending::quick(random.often(0.001 + worse_by)),
        (false, false) => Ending::quick(random.often(0.001)),
    }
}

#[test]
fn an_outage_in_which_the_candidate_fails_late_acquits_nobody() {
    let worse = (candidate_dies_slowly(0.033), candidate_dies_slowly(0.01));
    for ((rate, share), answers) in CASES.into_iter().zip([&worse.0, &worse.1]) {
        for (counting, at_the_end) in
            [(Counting::Right, false), (Counting::NoReports, false), (Counting::NoReports, true)]
        {
            let release = Release::usual(rate.into()).at(share);
            let outcomes: Vec<Outcome> = (1..=50)
                .map(|seed| {
                    let scene =
                        Scene { answers, counting, published_at_the_end: at_the_end, ..calm(rate.into()) };
                    release.play(scene, seed)
                })
                .collect();
            at_most(5.0, &outcomes, &End::On);
        }
    }
}

fn hangs(random: &mut Random, _: f64, on_candidate: bool, _: Asker) -> Ending {
    if on_candidate {
        Ending { after: 10.0, answer: Answer::None }
    } else {
        Ending::quick(random.often(0.001))
    }
}

fn hangs_until_the_load_balancer_ends_it(
    random: &mut Random,
    _: f64,
    on_candidate: bool,
    _: Asker,
) -> Ending {
    if on_candidate {
        Ending { after: 60.0, answer: Answer::None }
    } else {
        Ending::quick(random.often(0.001))
    }
}

#[test]
fn a_candidate_that_hangs_is_taken_back_and_never_acquitted() {
    for (rate, most_failed) in [(3_u16, 12.0), (60, 40.0)] {
        let release = Release::usual(rate.into());
        for answers in [hangs, hangs_until_the_load_balancer_ends_it] {
            let outcomes = played(100, &release, || Scene { answers: leak(answers), ..calm(rate.into()) });
            at_most(0.0, &outcomes, &End::On);
            at_least(97.0, &outcomes, &End::Back);
            let failed = mean_failed(&outcomes);
            assert!(failed <= most_failed, "{failed} failed at {rate} a minute");
            let unreported = played(40, &release, || Scene {
                answers: leak(answers),
                counting: Counting::NoReports,
                ..calm(rate.into())
            });
            at_most(0.0, &unreported, &End::On);
        }
    }
}

type Answers = fn(&mut Random, f64, bool, Asker) -> Ending;

fn leak(answers: Answers) -> &'static dyn Fn(&mut Random, f64, bool, Asker) -> Ending {
    Box::leak(Box::new(answers))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what follows the point is cut off"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

/// A page of twelve requests at once, 15 a minute; in the outage of two minutes all fail, the candidate's in 20 ms.
fn pages(random: &mut Random, begin: f64) -> Vec<(f64, Asker)> {
    let mut pages = Vec::new();
    let mut at = begin + random.pause(0.25);
    while at < begin + TURN {
        let client = whole(1e12 * random.part()) + 1;
        pages.extend((0..12).map(|part| (at + f64::from(part) * 0.001, Asker { client, kind: 0 })));
        at += random.pause(0.25);
    }
    pages
}

fn candidate_is_faster(random: &mut Random, second: f64, on_candidate: bool, _: Asker) -> Ending {
    let fails = if outage(second) { random.often(0.6) } else { random.often(0.001) };
    let after = if on_candidate { 0.02 } else { 0.04 + 0.16 * random.part() };
    Ending { after, ..Ending::quick(fails) }
}

#[test]
fn a_faster_candidate_is_not_blamed_for_being_first() {
    for share in [Share::TEN, Share::THIRTY] {
        let release = Release::usual(180).at(share);
        // Even if a kit counts a client's first requests to end, and not to come: the share that was seen holds it.
        for counting in [Counting::Right, Counting::FirstToEnd] {
            let scene =
                || Scene { rate: 0.0, others: &pages, answers: &candidate_is_faster, counting, ..calm(0.0) };
            at_most(1.0, &played(30, &release, scene), &End::Back);
        }
    }
}

const SCANNER: Asker = Asker { client: 7, kind: 1 };

/// 300 requests in half a minute, in minutes that may acquit.
fn scanner(_: &mut Random, begin: f64) -> Vec<(f64, Asker)> {
    if (250.0..280.0).contains(&begin) {
        (0..50).map(|part| (begin + f64::from(part) * 0.1, SCANNER)).collect()
    } else {
        Vec::new()
    }
}

#[test]
fn robots_acquit_nobody() {
    for rate in [1_u16, 3] {
        let release = Release::usual(rate.into()).at(Share::THIRTY);
        let outcomes = played(100, &release, || Scene {
            others: &scanner,
            answers: &|_, _, on_candidate, asker| Ending::quick(on_candidate && asker == USER),
            ..calm(rate.into())
        });
        at_most(1.0, &outcomes, &End::On);
    }
}

#[test]
fn health_checks_that_are_counted_make_reports_contradict_and_change_no_verdict() {
    let release = Release::usual(60);
    let good = played(40, &release, || Scene { counting: Counting::WithHealthChecks, ..calm(60.0) });
    at_most(1.0, &good, &End::Back);
    let bad = played(40, &release, || Scene {
        counting: Counting::WithHealthChecks,
        answers: &|random, _, on_candidate, _| Ending::quick(on_candidate || random.often(0.001)),
        ..calm(60.0)
    });
    at_least(98.0, &bad, &End::Back);
}

#[test]
fn a_share_that_is_wrong_while_both_fail_convicts_nobody() {
    for ((rate, share), (ordered, held)) in CASES.into_iter().zip([(0.3, 0.45), (0.1, 0.15)]) {
        let release = Release::usual(rate.into()).at(share);
        let wrong =
            move |share: f64, second: f64| if outage(second) { share * held / ordered } else { share };
        let outcomes: Vec<Outcome> = (1..=100)
            .map(|seed| {
                let answers =
                    |random: &mut Random, second, _, _| Ending::quick(outage(second) || random.often(0.001));
                release.play(Scene { answers: &answers, share: &wrong, ..calm(rate.into()) }, seed)
            })
            .collect();
        at_most(1.0, &outcomes, &End::Back);
    }
}

#[test]
fn what_makes_both_colours_worse_does_not_go_on() {
    let release = Release { week: Some(calm_week(10)), ..Release::usual(10) };
    let scenes = [
        Scene { answers: &|random, _, _, _| Ending::quick(random.often(0.1)), ..calm(10.0) },
        Scene { answers: &|random, _, _, _| Ending::quick(random.often(0.5)), ..calm(10.0) },
    ];
    for Scene { answers, .. } in scenes {
        let outcomes = played(100, &release, || Scene { answers, ..calm(10.0) });
        at_most(3.0, &outcomes, &End::On);
        at_most(1.0, &outcomes, &End::Back);
    }
    let good = played(100, &release, || calm(10.0));
    at_most(1.0, &good, &End::Both);
    at_least(95.0, &good, &End::On);
}

/// A page of five requests each second, of which the first always fails.
fn regular(_: &mut Random, begin: f64) -> Vec<(f64, Asker)> {
    let page = |second: u32| {
        let client = 1_000 + whole(begin) * 10 + u64::from(second);
        (0..5_u8).map(move |part| {
            (begin + f64::from(second) + f64::from(part) * 0.01, Asker { client, kind: part })
        })
    };
    (0..5).flat_map(page).collect()
}

#[test]
fn a_regular_client_and_strict_turns_convict_seldom() {
    for share in [Share::TEN, Share::THIRTY] {
        let release = Release::usual(300).at(share);
        let outcomes = played(100, &release, || Scene {
            rate: 0.0,
            others: &regular,
            answers: &|_, _, _, asker| Ending::quick(asker.kind == 0),
            draw: Draw::Turns,
            ..calm(0.0)
        });
        at_most(12.0, &outcomes, &End::Back);
    }
}

const HAMMER: Asker = Asker { client: 9, kind: 2 };

/// One client asks for a broken link five times a second, for three minutes.
fn hammer(_: &mut Random, begin: f64) -> Vec<(f64, Asker)> {
    let asks = (60.0..240.0).contains(&begin);
    (0..25).filter(|_| asks).map(|part| (begin + f64::from(part) * 0.2, HAMMER)).collect()
}

#[test]
fn a_broken_link_a_scanner_and_an_outage_convict_nobody() {
    type Others = fn(&mut Random, f64) -> Vec<(f64, Asker)>;
    let scenes: [(Others, Answers); 3] = [
        (hammer, |random, _, _, asker| Ending::quick(asker == HAMMER || random.often(0.001))),
        (scanner, |random, _, _, asker| {
            Ending::quick(random.often(if asker == SCANNER { 0.3 } else { 0.001 }))
        }),
        (nobody, |random, second, _, _| {
            Ending::quick(random.often(if outage(second) { 0.5 } else { 0.001 }))
        }),
    ];
    for (others, answers) in scenes {
        for rate in [10_u16, 60, 600] {
            let release = Release::usual(rate.into());
            let outcomes: Vec<Outcome> = (1..=30)
                .map(|seed| {
                    release.play(Scene { others: &others, answers: &answers, ..calm(rate.into()) }, seed)
                })
                .collect();
            at_most(1.0, &outcomes, &End::Back);
        }
    }
}

#[test]
fn equal_versions_are_not_taken_back_and_go_on() {
    let cases = [
        (1_u32, 100, 0.0),
        (3, 100, 50.0),
        (10, 100, 95.0),
        (60, 100, 97.0),
        (600, 40, 97.0),
        (6_000, 10, 97.0),
        (60_000, 3, 97.0),
    ];
    for (rate, runs, on) in cases {
        let outcomes = played(runs, &Release::usual(rate.into()), || calm(rate.into()));
        at_most(1.0, &outcomes, &End::Back);
        at_least(on, &outcomes, &End::On);
    }
}

#[test]
fn answers_that_come_after_the_minutes_end_keep_no_good_version_waiting() {
    let slow = played(50, &Release::usual(60), || Scene {
        answers: &|random, _, _, _| Ending { after: 2.0, ..Ending::quick(random.often(0.001)) },
        ..calm(60.0)
    });
    at_least(95.0, &slow, &End::On);
}

#[test]
fn a_version_that_always_fails_costs_little_at_any_traffic() {
    for (rate, most) in [(3_u16, 12.0), (60, 25.0), (600, 30.0), (3_000, 50.0)] {
        let outcomes = played(200, &Release::usual(rate.into()), || Scene {
            answers: &|random, _, on_candidate, _| Ending::quick(on_candidate || random.often(0.001)),
            ..calm(rate.into())
        });
        at_least(99.0, &outcomes, &End::Back);
        let failed = mean_failed(&outcomes);
        assert!(failed <= most, "{failed} failed at {rate} a minute");
    }
}

#[test]
fn a_candidate_whose_port_refuses_is_taken_back_though_no_report_knows() {
    let outcomes = played(50, &Release::usual(60), || Scene {
        answers: &|random, _, on_candidate, _| {
            if on_candidate {
                Ending { after: 0.01, answer: Answer::Refused }
            } else {
                Ending::quick(random.often(0.001))
            }
        },
        ..calm(60.0)
    });
    at_least(98.0, &outcomes, &End::Back);
}

#[test]
fn a_version_that_warms_up_is_not_taken_back() {
    let outcomes = played(10, &Release::usual(60_000), || Scene {
        answers: &|random, second, on_candidate, _| {
            Ending::quick(random.often(if on_candidate && second < 10.0 { 0.5 } else { 0.001 }))
        },
        ..calm(60_000.0)
    });
    at_most(0.0, &outcomes, &End::Back);
}
