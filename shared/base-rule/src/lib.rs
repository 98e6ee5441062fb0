//! What becomes of a service's base rule when its stack is created, updated or deleted.
//!
//! [`keep`] and [`remove`] look at the listener's rules and name one next step. Whoever carries it out looks again and
//! asks again, until nothing is left to do. So a crash between two steps, a lost answer and a repeated event need no
//! code of their own, and what somebody else did meanwhile is seen.
//!
//! No step changes the weights of a rule that exists: those belong to the releases.

mod keep;
mod refusal;
mod remove;
mod seen;
mod wanted;

pub use keep::keep;
pub use refusal::Refusal;
pub use remove::remove;
pub use seen::{Rule, Seen, Tags};
pub use wanted::{Owner, Wanted, listener_of};

use release::{RuleArn, Weights};

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The rule has to be made, and the ledger says which colour is live. Read it into [`Seen::live`].
    ReadLedger,
    /// One change. Look again after it.
    Change(Change),
    /// All is as it has to be. With the base rule, unless it was removed.
    Done(Option<RuleArn>),
    /// It cannot be, and nothing was changed.
    Refused(Refusal),
}

/// One change of the listener's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Make the base rule as it is wanted, with the owner's tags.
    Create(Weights),
    /// Let a rule answer for the hosts that are wanted.
    SetHosts(RuleArn),
    /// Give rules other priorities, all of them at once.
    Move(Vec<(RuleArn, u32)>),
    /// Delete a rule.
    Delete(RuleArn),
}
