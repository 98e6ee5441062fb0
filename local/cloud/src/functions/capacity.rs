//! How many executions an account may run at a time, all functions of a region together.
//!
//! Source: Lambda developer guide, "Understanding Lambda function scaling": what is beyond is refused at once, and does
//! not wait; "Lambda quotas": new accounts have reduced concurrency, which is ten.

use std::sync::{Arc, Mutex, PoisonError};

/// What a new account has.
const EXECUTIONS: usize = 10;

/// The executions that are free.
#[derive(Debug, Default)]
pub(super) struct Capacity(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    here: usize,
    elsewhere: usize,
}

/// One execution that runs, until it is dropped.
#[derive(Debug)]
pub(super) struct Execution(Arc<Capacity>);

impl Capacity {
    /// Begins an execution; none when all are taken.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Execution> {
        let mut taken = self.taken();
        if taken.here + taken.elsewhere >= EXECUTIONS {
            return None;
        }
        taken.here += 1;
        Some(Execution(Arc::clone(self)))
    }

    /// Other functions of the account run so many from now on. What runs goes on.
    pub(super) fn take_elsewhere(&self, executions: usize) {
        self.taken().elsewhere = executions;
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.0.taken().here -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_run_at_a_time_those_of_others_included() {
        let capacity = Arc::new(Capacity::default());
        let mut running: Vec<_> = (0..10).filter_map(|_| capacity.begin()).collect();
        assert_eq!(running.len(), 10);
        assert!(capacity.begin().is_none());
        running.pop();
        running.extend(capacity.begin());
        assert_eq!(running.len(), 10);

        capacity.take_elsewhere(9);
        assert!(capacity.begin().is_none(), "ten run, and nine elsewhere");
        running.clear();
        let last = capacity.begin();
        assert!(last.is_some() && capacity.begin().is_none());
    }
}
