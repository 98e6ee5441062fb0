//! The proof can fail: each broken variant is caught.

use proof::mutants::{ALL, caught_by};

#[test]
fn every_broken_variant_is_caught() {
    assert!(ALL.len() >= 15);
    let survivors: Vec<_> =
        ALL.iter().filter(|mutant| caught_by(mutant).is_none()).map(|mutant| mutant.name).collect();
    assert!(survivors.is_empty(), "not caught: {survivors:?}");
}
