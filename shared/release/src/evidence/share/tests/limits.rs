use super::*;

#[test]
fn only_everything_leaves_live_nothing() {
    for share in [Share::NONE, Share::ONE, Share::THIRTY, Share::NINETY, Share::plain(99)] {
        assert!(share.leaves_some(), "{share}");
    }
    assert!(!Share::ALL.leaves_some() && !Share::plain(100).leaves_some());
}

/// A busy service's new version warms up for longer; a rate that nobody knows is taken for many.
#[test]
fn above_a_hundred_requests_a_second_the_warm_up_is_longer() {
    let seconds = |rate| Stake { rate, ..stake(0, true) }.warm_up().as_secs();
    assert_eq!([Some(0), Some(6_000), Some(6_001), None].map(seconds), [10, 10, 20, 20]);
}

#[test]
fn where_nothing_comes_a_fifth_must_be_proven_whatever_the_harm() {
    for harm in [0, 10] {
        let margin = Stake { harm, ..stake(0, true) }.margin(Duration::from_secs(300));
        assert!((margin - 0.2).abs() < f64::EPSILON, "{margin}");
    }
    let unknown = Stake { rate: None, ..stake(0, true) }.margin(Duration::from_secs(300));
    assert!((unknown - 0.003).abs() < f64::EPSILON, "{unknown}");
}
