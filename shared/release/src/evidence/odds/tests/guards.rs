//! Which share is taken where the one that was seen is not the one ordered, and what is cut off.

use super::*;

/// From a tenth of live's requests on, failed, and not where live has none.
#[test]
fn what_fails_much_on_live_takes_the_slack_away() {
    for (live, failed, slack) in [
        (100, 0, SLACK),
        (100, 9, SLACK),
        (100, 10, 0.0),
        (100, 100, 0.0),
        (0, 0, SLACK),
        (1, 0, SLACK),
        (1, 1, 0.0),
    ] {
        let row = row(0.5, 50 + live, 50, 0, failed);
        assert!((row.slack() - slack).abs() < f64::EPSILON, "{failed} of {live}: {}", row.slack());
    }
}

/// Two standard deviations of a hundred requests at a half are ten: fifty and ten more are as good as ordered.
#[test]
fn a_share_within_two_standard_deviations_is_the_one_ordered() {
    let as_ordered = |row: &Row| {
        let guarded = [row.worse(0.4, 0.002, row.slack()), row.fine(0.4, 0.05, row.slack())];
        let blind = [row.worse(0.4, 0.002, f64::INFINITY), row.fine(0.4, 0.05, f64::INFINITY)];
        [0, 1].map(|at| (guarded[at] - blind[at]).abs() < 1e-12)
    };
    // Failures, so that each bet has something to win by another share.
    let at = |candidate| row(0.5, 100, candidate, 5, 3);
    assert_eq!(as_ordered(&at(50)), [true, true]);
    assert_eq!(as_ordered(&at(60)), [true, true]);
    assert_eq!(as_ordered(&at(40)), [true, true]);
    assert_eq!(as_ordered(&at(61)), [false, true], "more of it than ordered speaks against WORSE");
    assert_eq!(as_ordered(&at(39)), [true, false], "less of it than ordered speaks against FINE");
}

/// Whoever reports more failures than requests, or more requests of one colour than of both.
#[test]
fn what_cannot_be_is_cut_off() {
    let parts = |requests, candidate, candidate_failed, live_failed| {
        row(0.5, requests, candidate, candidate_failed, live_failed).counted()
    };
    for (reported, (bad, bad_on_live, good)) in [
        ((10, 4, 1, 2), (1.0, 2.0, 7.0)),
        ((10, 4, 9, 2), (4.0, 2.0, 4.0)),
        ((10, 4, 1, 9), (1.0, 6.0, 3.0)),
        ((10, 40, 7, 9), (7.0, 0.0, 3.0)),
        ((0, 3, 3, 3), (0.0, 0.0, 0.0)),
    ] {
        let (requests, candidate, candidate_failed, live_failed) = reported;
        let told = parts(requests, candidate, candidate_failed, live_failed);
        assert_eq!(format!("{told:?}"), format!("{:?}", (bad, bad_on_live, good)), "{reported:?}");
    }
    assert!((row(0.5, 10, 40, 0, 0).seen() - 1.0).abs() < f64::EPSILON);
    assert!(row(0.5, 0, 0, 0, 0).seen().abs() < f64::EPSILON);
}

/// A forecast says how many more minutes alike it takes, and those are as many as it then takes.
#[test]
fn as_many_rows_as_foretold_make_it_fine_and_one_less_does_not() {
    for (requests, candidate, margin) in [(60, 18, 0.033), (600, 60, 0.01), (20, 6, 0.2), (200, 60, 0.02)] {
        let like = row(real(candidate) / real(requests), requests, candidate, 0, 0);
        let before = [row(0.3, 50, 15, 1, 0)];
        let foretold = rows_until_fine(&before, &like, margin, 500).unwrap();
        let fine = |more: u32| {
            let rows: Vec<Row> =
                before.into_iter().chain(std::iter::repeat_n(like, usize::try_from(more).unwrap())).collect();
            ln_fine(&rows, margin) >= real(FINE).ln()
        };
        assert!(fine(foretold) && !fine(foretold - 1), "{foretold} rows of {candidate} in {requests}");
        assert_eq!(rows_until_fine(&before, &like, margin, foretold), Some(foretold));
        assert_eq!(rows_until_fine(&before, &like, margin, foretold - 1), None);
    }
}

#[test]
fn odds_are_rounded_down() {
    assert_eq!([0.0, 200.4_f64.ln(), 19.99_f64.ln(), -3.0, f64::NEG_INFINITY].map(odds), [1, 200, 19, 0, 0]);
    assert_eq!(odds(10_000.0), u64::MAX);
}
