//! What is played on the local cloud: a release story, everything that can break, and what a run is counted by.
//!
//! `local/cloud` plays AWS. This plays the people: they push, visit, attack, and look at what became of it.

pub mod chaos;
pub mod command;
mod containers;
pub mod demo;
mod display;
pub mod examples;
mod misbehaviour;
mod product;
mod releases;
mod start;
mod tally;
mod timeline;
pub mod up;

pub use display::{Display, Line, Tone};
pub use misbehaviour::misbehave;
pub use product::Product;
pub use releases::{Releases, ToldVerdict, Upload};
pub use start::Start;
pub use tally::{Release, Tally};
