//! A drill and what follows it.

use proof::drills::{After, first_broken, play};
use proof::machine::Machine;
use release::ReleaseNumber;

#[test]
fn what_runs_on_after_a_drill_stands_by_and_what_goes_down_does_not() {
    assert_eq!(first_broken(Machine::default()), None);
    for (after, stands_by) in [(After::Runs, true), (After::GoesDown, false)] {
        let world = play(Machine::default(), after);
        let ledger = world.ledger_or_new();
        let reinstalled = ledger.reinstalled.as_ref().unwrap();
        let previous = ledger.previous.as_ref().unwrap();
        assert_eq!(
            (reinstalled.why_not.is_none(), !previous.overwritten),
            (stands_by, stands_by),
            "{after:?}"
        );
        assert_eq!(world.last_successful(), Some(ReleaseNumber(2)), "new instances boot what is live");
    }
}
