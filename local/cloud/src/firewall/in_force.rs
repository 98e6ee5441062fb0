//! What judges at the moment, and changes that take effect in the order in which they were asked for.

use super::lock;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// A value that is replaced while others use it.
#[derive(Debug, Default)]
pub(super) struct InForce<T> {
    value: RwLock<Arc<T>>,
    turns: Mutex<Turns>,
}

/// The place of a change in the order in which changes were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Turn(u64);

#[derive(Debug, Default)]
struct Turns {
    asked: Turn,
    applied: Turn,
}

impl<T> InForce<T> {
    /// The value in force. A reader keeps the value that it has while it is replaced.
    pub(super) fn get(&self) -> Arc<T> {
        Arc::clone(&self.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// To be taken before the new value is read.
    pub(super) fn take_turn(&self) -> Turn {
        let mut turns = lock(&self.turns);
        turns.asked.0 += 1;
        turns.asked
    }

    /// Replaces the value, unless a later change has done so already.
    pub(super) fn apply(&self, turn: Turn, value: T) {
        let mut turns = lock(&self.turns);
        if turn >= turns.applied {
            turns.applied = turn;
            *self.value.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_change_does_not_undo_a_later_one() {
        let in_force = InForce::<&str>::default();
        let (first, second) = (in_force.take_turn(), in_force.take_turn());
        in_force.apply(second, "second");
        in_force.apply(first, "first");
        assert_eq!(*in_force.get(), "second");
        let third = in_force.take_turn();
        in_force.apply(third, "third");
        assert_eq!(*in_force.get(), "third");
    }
}
