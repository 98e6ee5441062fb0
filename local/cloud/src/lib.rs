//! The local cloud: the whole release pipeline on one machine, without an AWS account.
//!
//! It starts from the product's own `template.yaml`. What an emulator has, the emulator answers; what none has is
//! here: functions that run as real binaries, `CodeDeploy` with its agents, a load balancer that carries traffic,
//! alarms that are evaluated, and events that arrive as well or as badly as they do on AWS.

pub mod alarms;
pub mod aws;
pub mod bench;
pub mod chaos;
mod clock;
pub mod cloud;
pub mod deliveries;
pub mod demo;
pub mod emulator;
pub mod event_sources;
pub mod events;
pub mod firewall;
pub mod functions;
pub mod gateway;
pub mod instances;
pub mod notifications;
pub mod places;
pub mod processes;
pub mod product;
pub mod queues;
pub mod receipt;
pub mod releases;
pub mod revisions;
pub mod scaling;
pub mod schedule;
pub mod stack;
pub mod traffic;
