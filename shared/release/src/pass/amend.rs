//! A change of the ledger by a pure function: read, change, swap, and start again when another pass was first.

use super::{Class, Failed, Kept, LedgerVersion, Stored};
use crate::Ledger;

/// How often a change is tried on a ledger that keeps changing.
const TRIES: u8 = 5;

/// A change of the ledger between two calls: the call that it waits for. `T`: what is answered when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Amend<T, F> {
    /// Read the ledger.
    Read(AmendRead<T>),
    /// Swap the ledger.
    Write(AmendWrite<T>),
    /// Nothing: it is over.
    Ended(Result<T, Unamended<F>>),
}

/// Why a change is not made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Unamended<F> {
    /// A call failed.
    Failed(F),
    /// The ledger changed under five tries in a row.
    KeepsChanging,
}

/// Waits for the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AmendRead<T> {
    /// How often it was tried before.
    tries: u8,
    /// What may be stored already, and what is answered if it is.
    unheard: Option<(Kept<Ledger>, T)>,
}

/// Waits for the answer to a swap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AmendWrite<T> {
    tries: u8,
    next: Kept<Ledger>,
    over: Option<LedgerVersion>,
    answer: T,
}

impl<T, F> Default for Amend<T, F> {
    fn default() -> Self {
        Self::Read(AmendRead { tries: 0, unheard: None })
    }
}

impl<T> AmendRead<T> {
    /// The answer: the ledger, to which the change is made. One that changes nothing is not written.
    pub fn answered<F>(
        self,
        stored: Result<Stored, F>,
        change: impl FnOnce(Ledger) -> (Ledger, T),
    ) -> Amend<T, F> {
        let (ledger, over) = match stored {
            Ok(stored) => stored,
            Err(failure) => return Amend::Ended(Err(Unamended::Failed(failure))),
        };
        // A lost reply is settled by reading again. The change itself might not know that it was made.
        if let Some((_, answer)) = self.unheard.filter(|(written, _)| *written == ledger) {
            return Amend::Ended(Ok(answer));
        }
        let (next, answer) = change((*ledger).clone());
        if next == *ledger {
            return Amend::Ended(Ok(answer));
        }
        Amend::Write(AmendWrite { tries: self.tries + 1, next: Kept::new(next), over, answer })
    }
}

impl<T> AmendWrite<T> {
    /// What is to be stored.
    pub fn ledger(&self) -> &Kept<Ledger> {
        &self.next
    }

    /// The version that it replaces; `None`: there must be none yet.
    pub fn over(&self) -> Option<&LedgerVersion> {
        self.over.as_ref()
    }

    /// The answer.
    pub fn answered<F: Failed>(self, written: Result<LedgerVersion, F>) -> Amend<T, F> {
        match written {
            Ok(_) => Amend::Ended(Ok(self.answer)),
            Err(failure) if !matches!(failure.class(), Class::Conflict | Class::OutcomeUnknown) => {
                Amend::Ended(Err(Unamended::Failed(failure)))
            }
            Err(_) if self.tries >= TRIES => Amend::Ended(Err(Unamended::KeepsChanging)),
            Err(failure) => {
                let unheard = (failure.class() == Class::OutcomeUnknown).then_some((self.next, self.answer));
                Amend::Read(AmendRead { tries: self.tries, unheard })
            }
        }
    }
}
