//! Long random schedules, and those that once broke a rule.

use proof::machine::Machine;
use proof::schedule::Schedule;
use proof::simulation::first_failure;
use std::fs;
use std::path::Path;

#[test]
fn no_schedule_of_the_fixed_seeds_breaks_a_rule() {
    if let Some(failed) = first_failure(0..4000, Machine::default()) {
        let shortest = failed.schedule.shortened(Machine::default(), failed.violation.rule);
        panic!("seed {}: {}\n{}", failed.seed, failed.violation.detail, shortest.story(Machine::default()));
    }
}

#[test]
fn what_once_broke_a_rule_does_not_any_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let schedule: Schedule = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let violation = schedule.run(Machine::default());
        assert!(
            violation.is_none(),
            "{}: {violation:?}\n{}",
            file.display(),
            schedule.story(Machine::default())
        );
    }
}

#[test]
fn a_seed_is_the_same_schedule_each_time() {
    let schedule = proof::simulation::schedule(7, Machine::default());
    assert_eq!(schedule, proof::simulation::schedule(7, Machine::default()));
    let text = serde_json::to_string(&schedule).unwrap();
    assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
}
