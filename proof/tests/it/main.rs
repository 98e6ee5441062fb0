//! What CI proves: the model to its small bound, fixed schedules, every mutant, and that all of it is production.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod drills;
mod evidence;
mod mutants;
mod production;
mod replayed;
mod scenarios;
mod schedules;
