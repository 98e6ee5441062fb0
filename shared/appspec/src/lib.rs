//! AppSpec files: what the CodeDeploy agents make of one, and what its author should know.
//!
//! Text in, verdicts and findings out; nothing here reads a clock, a file or the environment.
//! [`agent1`] answers as agent 1.8.1 does, which reads YAML with Ruby. [`agent2`] answers as its rewrite in Rust does.
//! [`lint()`] goes by both, says more than either, and does not stop at the first fault.
//!
//! `corpus/` holds AppSpec files with the agents' verdicts on them, which decide where rules are in doubt.

mod acl;
pub mod agent1;
pub mod agent2;
mod file_exists_behavior;
pub mod finding;
mod lint;
mod ruby;
mod selinux;
mod sentences;
mod tree;

pub use acl::AclEntry;
pub use file_exists_behavior::FileExistsBehavior;
pub use lint::{Asks, CopyReference, Lint, PermissionReference, ScriptReference, lint};
