//! Releases by evidence, whatever CloudWatch says.

use proof::evidence::{Counts, Walk, first_broken};
use proof::machine::Machine;
use release::evidence::AtMax;
use release::{ReleaseNumber, Verdict};

#[test]
fn no_counts_break_a_rule() {
    assert_eq!(first_broken(Machine::default()), None);
}

/// How release 2 ends that hears one thing only, and in which tick.
fn ends(counts: Counts, at_max: AtMax) -> (String, u16) {
    let walk = Walk { first: counts, at: 0, then: counts, at_max, dies: None };
    let world = walk.play(Machine::default());
    assert_eq!(world.broken, None, "{walk:?}");
    let ledger = world.ledger_or_new();
    let past = ledger.releases.iter().rfind(|past| past.upload.number == ReleaseNumber(2)).cloned();
    let end = match past.map(|past| past.verdict) {
        Some(Verdict::Live) => "live".to_owned(),
        Some(Verdict::Rejected { reason }) => reason,
        other => format!("{other:?} in {}", ledger.phase()),
    };
    (end, world.tick)
}

#[test]
fn what_is_fine_goes_live_before_the_latest_time_and_what_says_nothing_at_it() {
    let (fine, soon) = ends(Counts::Fine, AtMax::Back);
    let (nothing, late) = ends(Counts::Nothing, AtMax::GoOn);
    let (unreadable, as_late) = ends(Counts::Unreadable, AtMax::GoOn);
    assert_eq!([fine, nothing, unreadable], ["live", "live", "live"]);
    assert!(soon < late && late == as_late, "{soon} {late} {as_late}");
    for counts in [Counts::Nothing, Counts::Unreadable] {
        let (back, _) = ends(counts, AtMax::Back);
        assert!(back.contains("nothing proven"), "{back}");
    }
}

#[test]
fn what_is_worse_is_taken_back_and_what_is_bad_on_both_is_nobodys_fault() {
    let (worse, _) = ends(Counts::Worse, AtMax::GoOn);
    assert!(worse.contains("green failed"), "{worse}");
    let (both, _) = ends(Counts::Both, AtMax::GoOn);
    assert!(both.contains("nobody can say whose fault it is"), "{both}");
}
