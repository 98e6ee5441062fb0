use super::*;

fn compared(failed: u64, requests: u64, live_failed: u64, live_requests: u64) -> Compared {
    Compared {
        candidate: Colour::Green,
        failed,
        requests,
        live_failed,
        live_requests,
        lowest: 30,
        highest: 30,
        odds: 0,
        needed: 0,
    }
}

#[track_caller]
fn check(judgement: &Judgement, sentence: &str) {
    assert_eq!(judgement.to_string(), sentence);
}

#[test]
fn a_conviction_gives_counts_chances_and_odds() {
    let worse = Compared { odds: 686, needed: 200, ..compared(7, 20, 0, 41) };
    check(
        &Judgement::Worse(worse),
        "green failed 7 of 20, blue 0 of 41 requests, and each had 30 chances in 100 to go to green: odds of 686 to 1 that green is worse (200 needed)",
    );
    let worse = Compared { lowest: 3, odds: 1_234_567, needed: 20, ..compared(1_200, 20_000, 0, 41) };
    check(
        &Judgement::Worse(worse),
        "green failed 1,200 of 20,000, blue 0 of 41 requests, and each had 3 to 30 chances in 100 to go to green: odds of 1,234,567 to 1 that green is worse (20 needed)",
    );
}

#[test]
fn an_acquittal_gives_the_margin() {
    let compared = Compared { odds: 29, needed: 20, ..compared(0, 122, 1, 244) };
    check(
        &Judgement::Fine { compared, margin: Points(33) },
        "green failed 0 of 122, blue 1 of 244: odds of 29 to 1 that it is not 3.3 points worse (20 needed)",
    );
}

#[test]
fn who_waits_hears_what_is_proven_what_is_missing_and_until_when() {
    let unsure = Unsure {
        compared: compared(0, 44, 0, 90),
        proven: Points(100),
        margin: Points(33),
        minutes: Some(4),
        latest: "2026-11-28T18:30:21Z".parse().unwrap(),
        raise: None,
        left_out: Vec::new(),
    };
    check(
        &Judgement::Unsure(unsure.clone()),
        "green failed 0 of 44, blue 0 of 90: at most 10 points worse so far; 3.3 to be shown, about 4 minutes at this traffic, at the latest at 18:30 UTC",
    );
    let silent = Unsure {
        compared: compared(0, 0, 0, 0),
        minutes: None,
        left_out: vec![InstanceId("i-1".to_owned()), InstanceId("i-2".to_owned())],
        ..unsure
    };
    check(
        &Judgement::Unsure(silent),
        "no request came to green that counts; 3.3 points to be shown, at the latest at 18:30 UTC; left out, because CloudWatch counts otherwise: the reports of i-1, i-2",
    );
}

#[test]
fn the_end_of_time_says_what_follows_and_why() {
    for (what, word) in [
        (AtMax::GoOn, "goes on because AtMax is go-on"),
        (AtMax::Wait, "waits because AtMax is wait"),
        (AtMax::Back, "goes back because AtMax is back"),
    ] {
        let at_max = Judgement::AtMax(TimeIsOver {
            what,
            waited: 30,
            proven: Points(500),
            compared: compared(0, 9, 0, 20),
        });
        check(
            &at_max,
            &format!(
                "30 minutes are over: green failed 0 of 9, blue 0 of 20; nothing speaks against green, nothing is proven (up to 50 points); {word}"
            ),
        );
    }
}

#[test]
fn what_is_at_stake_is_told_in_requests() {
    check(
        &Judgement::LittleAtStake(LittleAtStake {
            candidate: Colour::Green,
            hour: 40,
            requests: 9,
            harm: 10,
        }),
        "little is at stake: at most 40 requests an hour, so 9 until 5 minutes after the bake, and Harm is 10; green answers what smoke.txt names and goes on",
    );
}

#[test]
fn without_a_coin_nobody_is_blamed() {
    check(
        &Judgement::Past(BadMinutes { bad: 3, minutes: 4, week_bad: 1, week: 9_000 }),
        "3 of 4 minutes since the candidate has traffic were bad on both colours together, 1 of 9,000 in the week before: nobody can say whose fault it is",
    );
}
