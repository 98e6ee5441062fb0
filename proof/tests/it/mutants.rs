//! The proof can fail: each broken variant is caught.

use proof::report::try_mutants;

#[test]
fn every_broken_variant_is_caught() {
    let mutants = try_mutants();
    assert!(mutants.total >= 15);
    assert_eq!(mutants.survivors(), Vec::<&str>::new());
}
