//! What CI proves: the model to its small bound, fixed schedules, every mutant, and that all of it is production.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod mutants;
mod replayed;
mod same_as_reconcile;
mod scenarios;
mod schedules;
