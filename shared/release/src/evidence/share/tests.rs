use super::*;
use proptest::prelude::{prop_assert, proptest};

mod limits;

fn stake(rate: u64, reported: bool) -> Stake {
    Stake { harm: 10, rate: Some(rate), reported }
}

#[test]
fn the_first_share_is_what_a_version_that_always_fails_may_cost() {
    let first = |reported: bool| {
        [0, 10, 60, 120, 130, 600, 3_000, 60_000].map(|rate| stake(rate, reported).first_share().percent())
    };
    assert_eq!(first(true), [30, 30, 30, 30, 10, 3, 1, 1]);
    assert_eq!(first(false), [30, 30, 3, 1, 1, 1, 1, 1]);
    assert_eq!(Stake { rate: None, ..stake(0, true) }.first_share(), Share::ONE);
}

#[test]
fn the_next_share_is_ten_percent_and_more_only_when_it_is_proven_cheap() {
    assert_eq!(stake(600, true).next_share(Share::THREE, 1.0), Share::TEN);
    assert_eq!(stake(600, true).next_share(Share::TEN, 0.5), Share::TEN);
    assert_eq!(stake(600, true).next_share(Share::TEN, 0.2), Share::THIRTY);
    assert_eq!(stake(60_000, true).next_share(Share::THIRTY, 1.0), Share::THIRTY);
}

#[test]
fn what_must_be_proven_is_what_the_bake_would_cost() {
    let margin = |rate| {
        let margin = stake(rate, true).margin(Duration::from_secs(300));
        (margin * 10_000.0).round() / 100.0
    };
    let points = [0, 1, 10, 60, 600, 5_999, 6_000, 60_000].map(margin);
    assert_eq!(points.map(|points| format!("{points}")), ["20", "20", "20", "3.33", "1", "1", "0.5", "0.3"]);
}

#[test]
fn the_weights_of_a_step_add_up_to_a_prime_number() {
    for (share, candidate, live) in
        [(Share::ONE, 10, 987), (Share::THREE, 30, 967), (Share::TEN, 96, 901), (Share::THIRTY, 295, 702)]
    {
        let weights = share.weights(Colour::Green);
        assert_eq!((weights.of(Colour::Green), weights.of(Colour::Blue)), (candidate, live));
    }
    assert_eq!(Share::STEPS.map(Share::percent), [1, 3, 10, 30]);
    assert_eq!((Share::NONE.percent(), Share::NINETY.percent(), Share::ALL.percent()), (0, 90, 100));
}

proptest! {
    #[test]
    fn a_share_is_never_lowered(rate in 0u64..1_000_000, worse_by in 0.0..=1.0_f64, step in 0usize..4, reported: bool) {
        let present = Share::STEPS[step];
        prop_assert!(stake(rate, reported).next_share(present, worse_by).fraction() >= present.fraction());
    }

    #[test]
    fn percents_are_what_they_say(percent in 0u8..=100) {
        prop_assert!(Share::of_percent(percent).percent() == percent);
        prop_assert!((Share::of_percent(percent).fraction() - f64::from(percent) / 100.0).abs() < 0.006);
    }
}
