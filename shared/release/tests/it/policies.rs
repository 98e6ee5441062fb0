//! What a policy says where nobody has said it, and what its times add up to.

use super::pass::policy;
use release::{Policy, Strategy};
use serde_json::Value;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// As another version has written it.
fn read(change: impl Fn(&mut serde_json::Map<String, Value>)) -> Policy {
    let mut written = serde_json::to_value(Policy { drain: 7 * MINUTE, gate: MINUTE, ..policy() }).unwrap();
    change(written.as_object_mut().unwrap());
    serde_json::from_value(written).unwrap()
}

#[test]
fn what_an_older_policy_does_not_say_is_as_usual() {
    let older = read(|written| {
        for member in ["harm", "at_max", "gate", "is_sound"] {
            assert!(written.remove(member).is_some(), "{member}");
        }
    });
    assert_eq!(
        older,
        Policy { drain: 7 * MINUTE, harm: 10, gate: Duration::ZERO, is_sound: true, ..policy() }
    );
    let named_before = read(|written| {
        let drain = written.remove("drain").unwrap();
        written.insert("hold".to_owned(), drain);
    });
    assert_eq!(named_before.drain, 7 * MINUTE);
}

#[test]
fn the_longest_release_is_its_installation_its_steps_one_proof_its_bake_and_two_answers_of_its_gate() {
    let policy = Policy {
        strategy: Strategy::AllAtOnce,
        bake: 20 * MINUTE,
        install_deadline: 15 * MINUTE,
        unknown_limit: 3 * MINUTE,
        gate: 2 * MINUTE,
        ..policy()
    };
    assert_eq!(policy.longest_release(), 42 * MINUTE);
    let linear = "linear:25%:5m".parse().unwrap();
    assert_eq!(policy.longest(linear, MINUTE), 38 * MINUTE);
    // The hook that waits for the end of a release waits for 59 minutes.
    for (bake, fits) in [(37, true), (38, false)] {
        assert_eq!(Policy { bake: bake * MINUTE, ..policy }.fits_a_hook(), fits, "{bake} minutes of bake");
    }
}
