//! A few of the scenarios, once each, as a test. All of them with ten seeds: `make bench-offenders`.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use scenarios::judges::Greenlight;
use scenarios::play::{Outcome, play};
use scenarios::{ATTACKS, BENIGN, Scenario};

fn scenario(name: &str) -> &'static Scenario {
    BENIGN.iter().chain(ATTACKS).find(|scenario| scenario.name == name).unwrap()
}

fn outcome(name: &str, has_access_logs: bool) -> Outcome {
    play(&scenario(name).traffic(11), &mut Greenlight::new(has_access_logs))
}

#[test]
fn nobody_who_does_nothing_wrong_is_blocked() {
    for name in [
        "office, login peak",
        "office, old password",
        "carrier, 200 phones",
        "crawlers, mostly old links",
        "WordPress visitors",
        "API pollers, expired challenge",
        "release without its assets",
        "nobody can log in",
        "pictures of an old blog",
        "crawlers of other kinds",
    ] {
        for has_access_logs in [true, false] {
            let Outcome { innocents_blocked, innocents_challenged, .. } = outcome(name, has_access_logs);
            let hurt = (innocents_blocked, innocents_challenged);
            assert_eq!(hurt, (0, 0), "{name}, access logs: {has_access_logs}");
        }
    }
}

#[test]
fn who_attacks_is_blocked_and_nobody_else() {
    for (name, recall, stopped) in [
        ("200 addresses, 8 an hour", 0.5, 0.0),
        ("200 addresses, 60 an hour", 0.9, 0.5),
        ("200 addresses, 30 in 10 min", 0.9, 0.0),
        ("a /64 for each request", 1.0, 0.9),
        ("50 guess, a /48 pulls the brake", 1.0, 0.9),
        ("small bot net", 0.9, 0.9),
        ("stuffing by browsers", 0.9, 0.0),
        ("stuffing with an account", 0.9, 0.5),
        ("a /64 each, with neighbours", 1.0, 0.5),
        ("slow scan", 0.9, 0.0),
    ] {
        let outcome = outcome(name, true);
        assert!(outcome.recall >= recall && outcome.stopped >= stopped, "{name}: {outcome:?}");
        assert_eq!(outcome.innocents_blocked, 0, "{name}");
        assert!(outcome.innocents_challenged <= 3, "{name}: {outcome:?}");
    }
}
