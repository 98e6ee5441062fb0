//! Proof that the release path is safe: the production decision under every order of events.
//!
//! One small [`world`], one set of [`step`]s, one set of [`safety`] rules, used in three ways: [`model`] takes every
//! order of steps to a bound, [`simulation`] long random ones from seeds, and [`mutants`] shows that broken variants
//! of the [`machine`] are caught. [`replay`] decides production's decision records once more. What runs is production's:
//! an [`invocation`] is the machine of `release::pass`, whose calls are answered here.
//!
//! [`world`], [`invocation`], [`step`] and [`safety`] name each other: the world holds the invocations that run in it and the
//! history that the rules judge, so that a state is one value.

pub mod drills;
pub mod evidence;
pub mod invocation;
pub mod machine;
pub mod model;
pub mod mutants;
pub mod promises;
pub mod replay;
pub mod report;
pub mod rest;
pub mod rule;
pub mod safety;
pub mod schedule;
pub mod simulation;
pub mod start;
pub mod step;
mod story;
pub mod world;
