//! The two bets on the difference between the failure rates of two colours.
//!
//! While a release is open, the load balancer's weights toss a coin for each request. Let `w` be the candidate's share, and
//! for one request let `x` be 1 if it fails on the candidate and `y` be 1 if it fails on live. Let `Z = x/w` if it went to the
//! candidate and `-y/(1-w)` if it went to live. Given everything before, the mean of `Z` is `x - y`: the effect of the
//! version on this request, whatever the request is and whoever sent it. Then `1 + b(Z - d)` is never negative for a stake
//! `b` that is small enough, and its mean is at most 1 while the effect is at most the margin `d`. The product over
//! all requests is a supermartingale, and so is a mixture over stakes. By Ville's inequality it ever reaches 1/a with a
//! probability of at most a, at whichever moment one looks: P(WORSE ever >= 1/a while the average effect over the
//! requests counted so far is at most d) <= a. FINE bets on the other side.
//!
//! Multiplied out, only the counts remain. The theorem is about every request that got a coin, with its final answer:
//! requests may be left out by what is known before the coin, never by the answer.

/// The stakes, as parts of the largest that cannot lose everything.
const BETS: [f64; 4] = [0.9, 0.4, 0.1, 0.02];

/// How much is put on each.
const PRIOR: [f64; 4] = [0.50, 0.25, 0.15, 0.10];

/// How many standard deviations the share that was seen may be away from the one ordered, before it is taken instead.
const SLACK: f64 = 2.0;

/// When live fails such a part of its requests, the share that was seen is taken without slack: then everything hangs on it,
/// and the load balancer may have moved late.
const MANY: f64 = 0.1;

/// No share is nearer than this to 0 or 1, so that nothing is divided by 0.
const LEAST_SHARE: f64 = 1e-9;

/// From these odds on the candidate is worse: 0.5 % for each of the two sources, 1 % for a release.
pub const WORSE: u64 = 200;
/// From these odds on the candidate is worse when the release's time is over.
pub const WORSE_AT_MAX: u64 = 20;
/// From these odds on no share is raised.
pub const SUSPECT: u64 = 3;
/// From these odds on the candidate is fine: it goes on though it is worse by the margin in 5 % of cases at most.
pub const FINE: u64 = 20;
/// What a candidate may be worse by, before it is taken back: 0.2 points.
pub const WORSE_MARGIN: f64 = 0.002;
/// The margins of which it is said whether they are proven.
pub const MARGINS: [f64; 7] = [0.005, 0.01, 0.02, 0.05, 0.10, 0.20, 0.50];

/// What was counted under one share, usually in a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// The smallest share of the candidate that may have held, 0 to 1.
    pub lowest: f64,
    /// The largest one.
    pub highest: f64,
    /// Requests that arrived, on both colours.
    pub requests: u64,
    /// Of these, those on the candidate.
    pub candidate: u64,
    /// How many of the candidate's have failed.
    pub candidate_failed: u64,
    /// How many of live's have failed.
    pub live_failed: u64,
}

/// The logarithm of the odds that the candidate fails more often than live, by more than `margin` (0 to 1).
pub fn ln_worse(rows: &[Row], margin: f64) -> f64 {
    mixed(rows, |row, bet| row.worse(bet, limited(margin), row.slack()))
}

/// The logarithm of the odds that the candidate does not fail more often than live by `margin` (0 to 1) or more.
pub fn ln_fine(rows: &[Row], margin: f64) -> f64 {
    mixed(rows, |row, bet| row.fine(bet, limited(margin), row.slack()))
}

/// The least of [`MARGINS`] that the candidate is proven not to be worse by; 1 if none is.
pub fn at_most_worse_by(rows: &[Row]) -> f64 {
    // FINE only grows with the margin.
    let unproven = MARGINS.partition_point(|margin| ln_fine(rows, *margin) < real(FINE).ln());
    MARGINS.get(unproven).copied().unwrap_or(1.0)
}

/// After how many more rows like this one FINE is reached, at most `most`.
pub(crate) fn rows_until_fine(rows: &[Row], like: &Row, margin: f64, most: u32) -> Option<u32> {
    let bets = |rows: &[Row]| {
        BETS.map(|bet| rows.iter().map(|row| row.fine(bet, limited(margin), row.slack())).sum::<f64>())
    };
    let (so_far, each) = (bets(rows), bets(std::slice::from_ref(like)));
    let after = |more: u32| {
        let bets = so_far.iter().zip(each).zip(PRIOR);
        ln_sum(bets.map(|((so_far, each), prior)| prior.ln() + so_far + f64::from(more) * each))
    };
    (1..=most).find(|more| after(*more) >= real(FINE).ln())
}

/// Odds from their logarithm, rounded down.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float is cut off at the limits"
)]
pub fn odds(ln: f64) -> u64 {
    ln.exp() as u64
}

/// The logarithm of the mixture: of the sum over bets of its prior times what it has made of all rows.
fn mixed(rows: &[Row], made: impl Fn(&Row, f64) -> f64) -> f64 {
    let of_bet = |bet| rows.iter().map(|row| made(row, bet)).sum::<f64>();
    ln_sum(BETS.iter().zip(PRIOR).map(|(bet, prior)| prior.ln() + of_bet(*bet)))
}

/// The logarithm of a sum whose terms are given by their logarithms.
pub(super) fn ln_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + terms.map(|term| (term - largest).exp()).sum::<f64>().ln()
}

fn limited(margin: f64) -> f64 {
    margin.clamp(0.0, 0.9)
}

impl Row {
    /// Both shares are the same.
    #[must_use]
    pub fn at(self, share: f64) -> Self {
        Self { lowest: share, highest: share, ..self }
    }

    /// Against the decision the share is taken as high as what was ordered, or as the counts insist.
    fn worse(&self, bet: f64, margin: f64, slack: f64) -> f64 {
        let ordered = inside(self.highest);
        let (bad, bad_on_live, good) = self.counted();
        let share = inside(ordered.max(self.seen() - slack * self.deviation(ordered)));
        let stake = bet / (1.0 / (1.0 - share) + margin);
        // Not smaller than the stake: so what is computed stays below the process with the share ordered, path by path.
        let stake_of_good = bet / (1.0 / (1.0 - ordered) + margin);
        bad * (stake * (1.0 / share - margin)).ln_1p()
            + bad_on_live * (-bet).ln_1p()
            + good * (-stake_of_good * margin).ln_1p()
    }

    /// Against the decision the share is taken as low as what was ordered, or as the counts insist.
    fn fine(&self, bet: f64, margin: f64, slack: f64) -> f64 {
        let ordered = inside(self.lowest);
        let (bad, bad_on_live, good) = self.counted();
        let share = inside(ordered.min(self.seen() + slack * self.deviation(ordered)));
        let stake = bet / (1.0 / share - margin);
        bad * (-bet).ln_1p()
            + bad_on_live * (stake * (1.0 / (1.0 - share) + margin)).ln_1p()
            + good * (stake * margin).ln_1p()
    }

    fn slack(&self) -> f64 {
        let live = self.requests.saturating_sub(self.candidate);
        if self.live_failed > 0 && real(self.live_failed) >= MANY * real(live) { 0.0 } else { SLACK }
    }

    /// Failures of the candidate, of live, and the rest. Whoever reports more failures than requests is cut off.
    fn counted(&self) -> (f64, f64, f64) {
        let candidate = self.candidate.min(self.requests);
        let bad = self.candidate_failed.min(candidate);
        let bad_on_live = self.live_failed.min(self.requests - candidate);
        (real(bad), real(bad_on_live), real(self.requests - bad - bad_on_live))
    }

    /// The candidate's share as it was seen.
    fn seen(&self) -> f64 {
        real(self.candidate.min(self.requests)) / real(self.requests.max(1))
    }

    fn deviation(&self, share: f64) -> f64 {
        (share * (1.0 - share) / real(self.requests.max(1))).sqrt()
    }
}

fn inside(share: f64) -> f64 {
    share.clamp(LEAST_SHARE, 1.0 - LEAST_SHARE)
}

/// A count as a number to reckon with. Above 2^53 it is off by one in 10^16.
#[expect(clippy::cast_precision_loss, reason = "odds need no 16 digits")]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
