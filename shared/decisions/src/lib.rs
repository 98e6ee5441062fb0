//! What the functions' logs say, in sentences: for whoever follows a release while it happens, or reads later why it was done.
//!
//! [`Entry::read`] takes a line of a log, [`News::of`] makes sentences of its decision and says nothing twice. Knows no clock,
//! no file and no AWS.

mod decision;
mod entry;
mod news;
mod sentences;
mod tone;

pub use decision::{Decision, Placed};
pub use entry::{Commanded, Entry, Trouble};
pub use news::{News, Told};
pub use sentences::{sentence, tone};
pub use tone::Tone;
