//! The load balancer between real clients and real targets on loopback.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod callbacks;
mod connections;
mod failures;
mod health;
mod metrics;
mod routing;
mod support;
