use super::*;
use crate::evidence::Points;
use proptest::prelude::{Strategy, any, prop_assert, proptest};
use serde::Deserialize;
use std::collections::BTreeMap;

mod guards;

/// A row with one share.
fn row(share: f64, requests: u64, candidate: u64, candidate_failed: u64, live_failed: u64) -> Row {
    Row { lowest: share, highest: share, requests, candidate, candidate_failed, live_failed }
}

#[derive(Deserialize)]
struct Cases {
    margin_worse: f64,
    margin_fine: f64,
    #[serde(rename = "cases")]
    all: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    levels: Vec<Level>,
    ln_worse: f64,
    ln_fine: f64,
}

#[derive(Deserialize)]
struct Level {
    share: f64,
    requests: u64,
    candidate: u64,
    candidate_failed: u64,
    live_failed: u64,
}

/// The reference in Python has other guards: none of its rows is one in which live fails much, and FINE has no slack.
#[test]
fn forty_cases_come_out_as_in_the_reference() {
    let cases: Cases = serde_json::from_str(include_str!("../../../tests/evidence/cases.json")).unwrap();
    assert_eq!(cases.all.len(), 40);
    for case in cases.all {
        let rows: Vec<Row> = case
            .levels
            .iter()
            .map(|level| {
                let Level { share, requests, candidate, candidate_failed, live_failed } = *level;
                row(share, requests, candidate, candidate_failed, live_failed)
            })
            .collect();
        let near = |one: f64, other: f64| (one - other).abs() <= 1e-9 * other.abs().max(1.0);
        let worse = mixed(&rows, |row, bet| row.worse(bet, cases.margin_worse, SLACK));
        assert!(near(worse, case.ln_worse), "WORSE {worse}, not {}: {rows:?}", case.ln_worse);
        let fine = mixed(&rows, |row, bet| row.fine(bet, cases.margin_fine, 0.0));
        assert!(near(fine, case.ln_fine), "FINE {fine}, not {}: {rows:?}", case.ln_fine);
    }
}

const SHARES: [f64; 5] = [0.01, 0.1, 0.3, 0.5, 0.9];
const LIMITS: [f64; 5] = [0.0, 0.005, 0.01, 0.05, 0.2];

/// One request, enumerated: which colour, and how it ends.
fn outcomes(share: f64, candidate_fails: f64, live_fails: f64) -> [(f64, Row); 4] {
    [
        (share * candidate_fails, row(share, 1, 1, 1, 0)),
        (share * (1.0 - candidate_fails), row(share, 1, 1, 0, 0)),
        ((1.0 - share) * live_fails, row(share, 1, 0, 0, 1)),
        ((1.0 - share) * (1.0 - live_fails), row(share, 1, 0, 0, 0)),
    ]
}

/// For a candidate that is worse by exactly the margin, no bet is expected to win.
#[test]
fn no_bet_is_expected_to_win_at_its_margin() {
    for (share, margin) in SHARES.into_iter().flat_map(|share| LIMITS.map(|margin| (share, margin))) {
        for part in 0..=20 {
            let live = (1.0 - margin) * f64::from(part) / 20.0;
            for bet in BETS {
                let expected = |made: &dyn Fn(&Row) -> f64| -> f64 {
                    outcomes(share, live + margin, live)
                        .iter()
                        .map(|(odds, row)| odds * made(row).exp())
                        .sum()
                };
                // One request says nothing of the share, so the guard is off.
                let worse = expected(&|row| row.worse(bet, margin, f64::INFINITY));
                assert!(worse <= 1.0 + 1e-12, "WORSE {worse}: {share} {margin} {live} {bet}");
                let fine = expected(&|row| row.fine(bet, margin, f64::INFINITY));
                assert!(fine <= 1.0 + 1e-12, "FINE {fine}: {share} {margin} {live} {bet}");
            }
        }
    }
}

/// The probability that odds are ever reached within so many requests, exactly.
fn ever(
    share: f64,
    (candidate_fails, live_fails): (f64, f64),
    requests: u64,
    reached: &dyn Fn(&[Row]) -> bool,
) -> f64 {
    let mut states: BTreeMap<(u64, u64, u64), f64> = BTreeMap::from([((0, 0, 0), 1.0)]);
    let mut ever = 0.0;
    for request in 1..=requests {
        let mut next: BTreeMap<(u64, u64, u64), f64> = BTreeMap::new();
        for ((candidate, failed, live_failed), odds) in &states {
            for (part, one) in outcomes(share, candidate_fails, live_fails) {
                let key =
                    (candidate + one.candidate, failed + one.candidate_failed, live_failed + one.live_failed);
                *next.entry(key).or_default() += odds * part;
            }
        }
        next.retain(|(candidate, failed, live_failed), odds| {
            let is_reached = reached(&[row(share, request, *candidate, *failed, *live_failed)]);
            ever += if is_reached { *odds } else { 0.0 };
            !is_reached
        });
        states = next;
    }
    ever
}

#[test]
fn odds_are_reached_by_chance_no_more_often_than_they_say() {
    for share in [0.1, 0.5] {
        for live in [0.0, 0.01, 0.2, 0.5, 0.8] {
            let worse = ever(share, (live, live), 30, &|rows| ln_worse(rows, 0.0) >= 100_f64.ln());
            assert!(worse <= 0.01, "WORSE {worse} at {share} {live}");
            let fine = ever(share, (live + 0.2, live), 30, &|rows| ln_fine(rows, 0.2) >= 20_f64.ln());
            assert!(fine <= 0.05, "FINE {fine} at {share} {live}");
        }
    }
}

/// What an adversary reaches who sees everything, and picks how each request ends (alike on both colours) and when the
/// share is raised.
struct Adversary {
    threshold: f64,
    known: BTreeMap<([u64; 4], [u64; 4], bool, u64), f64>,
}

impl Adversary {
    const SHARES: [f64; 2] = [0.1, 0.3];

    fn best(&mut self, rows: [[u64; 4]; 2], raised: bool, left: u64) -> f64 {
        let counted: Vec<Row> = Self::SHARES
            .into_iter()
            .zip(rows)
            .map(|(share, [requests, candidate, failed, live])| row(share, requests, candidate, failed, live))
            .collect();
        if ln_worse(&counted, WORSE_MARGIN) >= self.threshold {
            return 1.0;
        }
        if left == 0 {
            return 0.0;
        }
        let key = (rows[0], rows[1], raised, left);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let mut best = 0.0_f64;
        for level in usize::from(raised)..2 {
            for fails in [0, 1] {
                let mut with = |on_candidate: u64| {
                    let mut next = rows;
                    let add = [1, on_candidate, on_candidate * fails, (1 - on_candidate) * fails];
                    next[level] = std::array::from_fn(|part| rows[level][part] + add[part]);
                    self.best(next, raised || level == 1, left - 1)
                };
                let share = Self::SHARES[level];
                best = best.max(share * with(1) + (1.0 - share) * with(0));
            }
        }
        self.known.insert(key, best);
        best
    }
}

#[test]
fn an_adversary_who_sees_everything_convicts_a_good_version_in_one_of_twenty_at_most() {
    let mut adversary = Adversary { threshold: 20_f64.ln(), known: BTreeMap::new() };
    let reached = adversary.best([[0; 4]; 2], false, 13);
    assert!((0.005..=0.05).contains(&reached), "{reached}");
}

#[test]
fn without_a_row_nothing_is_said() {
    assert!(ln_worse(&[], WORSE_MARGIN).abs() < 1e-12);
    assert!(ln_fine(&[], 0.05).abs() < 1e-12);
    assert!((at_most_worse_by(&[]) - 1.0).abs() < 1e-12);
}

#[test]
fn what_is_proven_is_the_least_margin_that_is() {
    let clean = |candidate| at_most_worse_by(&[row(0.3, candidate * 10 / 3, candidate, 0, 0)]);
    let proven = [10, 20, 44, 90, 500].map(|candidate| Points::of(clean(candidate)).0);
    assert_eq!(proven, [500, 200, 100, 50, 10]);
}

/// Any row that an honest count may be.
fn counted() -> impl Strategy<Value = Row> {
    let shares = proptest::sample::select(vec![0.01, 0.03, 0.1, 0.3, 0.5, 0.9]);
    let parts = (0.0..=1.0_f64, 0.0..=1.0_f64, 0.0..=1.0_f64);
    (shares, 1..100_000_u64, parts).prop_map(|(share, requests, (candidate, failed, live_failed))| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a count")]
        let part = |of: f64, count: u64| (of * real(count)) as u64;
        let candidate = part(candidate, requests);
        row(share, requests, candidate, part(failed, candidate), part(live_failed, requests - candidate))
    })
}

proptest! {
    #[test]
    fn a_failure_more_speaks_against_the_colour_that_failed(of in counted(), margin in 0.0..0.5_f64) {
        let (worse, fine) = (ln_worse(&[of], margin), ln_fine(&[of], margin));
        if of.candidate_failed < of.candidate {
            let more = [Row { candidate_failed: of.candidate_failed + 1, ..of }];
            prop_assert!(ln_worse(&more, margin) >= worse - 1e-9);
            prop_assert!(ln_fine(&more, margin) <= fine + 1e-9);
        }
        if of.live_failed < of.requests - of.candidate {
            let more = Row { live_failed: of.live_failed + 1, ..of };
            prop_assert!(ln_worse(&[more], margin) <= worse + 1e-9);
            // The failure that makes them many takes the slack away, and that is a smaller bet.
            let takes_slack = more.slack().total_cmp(&of.slack()).is_lt();
            prop_assert!(takes_slack || ln_fine(&[more], margin) >= fine - 1e-9);
        }
    }

    #[test]
    fn a_larger_margin_is_harder_to_exceed_and_easier_to_keep(of in counted(), margin in 0.0..0.5_f64, more in 0.0..0.3_f64) {
        prop_assert!(ln_worse(&[of], margin + more) <= ln_worse(&[of], margin) + 1e-9);
        prop_assert!(ln_fine(&[of], margin + more) >= ln_fine(&[of], margin) - 1e-9);
    }

    #[test]
    fn the_order_of_rows_changes_nothing(rows in proptest::collection::vec(counted(), 1..8), margin in 0.0..0.5_f64) {
        let mut turned = rows.clone();
        turned.reverse();
        let near = |one: f64, other: f64| (one - other).abs() <= 1e-9 * one.abs().max(1.0);
        prop_assert!(near(ln_worse(&rows, margin), ln_worse(&turned, margin)));
        prop_assert!(near(ln_fine(&rows, margin), ln_fine(&turned, margin)));
    }

    /// Under a larger share the candidate's failures are less of a surprise, and its good answers are worth more.
    #[test]
    fn worse_falls_and_fine_rises_with_the_share(of in counted(), more in 1.0..3.0_f64) {
        let raised = of.at((of.highest * more).min(0.99));
        // Only failures, and no share that was seen: else the guard takes its own.
        let failures = |row: Row| Row { requests: row.candidate_failed + row.live_failed, candidate: row.candidate_failed, ..row };
        let worse = |row: Row| failures(row).worse(0.4, WORSE_MARGIN, f64::INFINITY);
        prop_assert!(worse(raised) <= worse(of) + 1e-9);
        prop_assert!(raised.fine(0.4, 0.05, f64::INFINITY) >= of.fine(0.4, 0.05, f64::INFINITY) - 1e-9);
    }

    /// A share that was seen is taken where it speaks against the decision, and only there.
    #[test]
    fn the_share_that_was_seen_only_ever_speaks_against(of in counted(), margin in 0.0..0.5_f64, bet in 0..4_usize) {
        let bet = BETS[bet];
        prop_assert!(of.worse(bet, margin, of.slack()) <= of.worse(bet, margin, f64::INFINITY) + 1e-9);
        prop_assert!(of.fine(bet, margin, of.slack()) <= of.fine(bet, margin, f64::INFINITY) + 1e-9);
    }

    #[test]
    fn a_range_of_shares_speaks_against_either_decision(of in counted(), other in 0.0..1.0_f64, margin in 0.0..0.5_f64) {
        let range = Row { lowest: of.lowest.min(other), highest: of.highest.max(other), ..of };
        let seen_as_ordered = |row: &Row| row.candidate_failed == 0 || row.highest >= row.seen();
        if seen_as_ordered(&of) {
            let failures = |row: Row| Row { requests: row.candidate_failed + row.live_failed, candidate: row.candidate_failed, ..row };
            prop_assert!(failures(range).worse(0.4, margin, f64::INFINITY) <= failures(of).worse(0.4, margin, f64::INFINITY) + 1e-9);
        }
        prop_assert!(range.fine(0.4, margin, f64::INFINITY) <= of.fine(0.4, margin, f64::INFINITY) + 1e-9);
    }

    #[test]
    fn nothing_that_is_reported_makes_it_no_number(
        counts in any::<[u64; 4]>(), shares in (0.0..=1.0_f64, 0.0..=1.0_f64), margin in 0.0..=1.0_f64,
    ) {
        let [requests, candidate, candidate_failed, live_failed] = counts;
        let of = Row { lowest: shares.0, highest: shares.1, requests, candidate, candidate_failed, live_failed };
        for rows in [vec![of], vec![of; 3], vec![of.at(0.0), of.at(1.0)]] {
            prop_assert!(ln_worse(&rows, margin).is_finite());
            prop_assert!(ln_fine(&rows, margin).is_finite());
            let _: u64 = odds(ln_worse(&rows, margin));
            prop_assert!(at_most_worse_by(&rows) <= 1.0);
        }
    }
}
