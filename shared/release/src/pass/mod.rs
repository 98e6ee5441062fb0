//! From a decision to effects: observe, plan, commit, act, look again. A machine without I/O.
//!
//! [`Next`] is a reconcile between two calls of AWS. Each variant is the call that it waits for; its `answered` takes
//! the answer and the time, and says what comes next. [`Amend`] changes the ledger in the same manner. Production
//! makes the calls and the proof plays AWS, with everything in between that can happen to a function: both move this
//! machine, so what is proven is what runs.
//!
//! A state holds what the future depends on and nothing else. What a person wants to know of the past goes to
//! [`Records`].

mod amend;
mod class;
mod decisions;
mod kept;
mod reconcile;
mod record;
mod way_back;

pub use amend::{Amend, AmendRead, AmendWrite, Unamended};
pub use class::{Class, Failed};
pub use decisions::{Decisions, Swap};
pub use kept::Kept;
pub use reconcile::{Act, Ended, Look, LookBack, Next, ReadLedger, Write};
pub use record::{Decided, PassRecord, Recorded, Records};
pub use way_back::{LookWithoutLedger, SeenWithoutLedger, TakeBack, Taking, WayBack, WithoutLedger};

use crate::{Ledger, Policy};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Names one state of a ledger; the swap succeeds only while it is the current one (S3: the `ETag`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LedgerVersion(pub String);

/// A ledger as it was read, and its version; `None` before the first write.
pub type Stored = (Kept<Ledger>, Option<LedgerVersion>);

/// What a machine is given with every answer.
#[derive(Debug)]
pub struct Given<'a, R> {
    /// How it decides: [`Decisions::default`].
    pub decisions: &'a Decisions,
    /// The policy of the service.
    pub policy: &'a Policy,
    /// The time of the answer.
    pub now: Timestamp,
    /// Where it tells what it does.
    pub records: &'a mut R,
}
