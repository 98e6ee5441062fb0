//! The local cloud: what plays AWS on one machine, without an AWS account.
//!
//! It starts from the product's own `template.yaml`. What an emulator has, the emulator answers; what none has is
//! here: functions that run as real binaries, `CodeDeploy` with its agents, a load balancer that carries traffic,
//! alarms that are evaluated, and events that arrive as well or as badly as they do on AWS. What is played on it,
//! and the commands, are in `local/rehearsal`.

mod access_log;
mod alarms;
mod aws;
mod chance;
mod clock;
mod cloud;
mod deliveries;
mod emulator;
mod event_sources;
mod events;
mod firewall;
mod functions;
mod gateway;
mod instances;
mod limits;
mod notifications;
mod places;
mod processes;
mod queues;
mod revisions;
mod scaling;
mod schedule;
mod stack;
mod traffic;

pub use alarms::{AlarmState, Transition};
pub use aws::REGION;
pub use clock::now;
pub use cloud::{Cloud, Options};
pub use deliveries::{Deliveries, Knobs};
pub use functions::{Functions, Invocation, Journal};
pub use gateway::{Fault, FaultKind};
pub use limits::Limits;
pub use places::Places;
pub use stack::{Function, Stack};
pub use traffic::{Propagation, Weights};
