//! CodeDeploy from outside: the API, the agent, and the kit on instances.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod agent;
mod boot;
mod counts;
mod kit;
mod kit_failures;
mod kit_scene;
mod left_running;
mod migrate;
mod registry;
mod secrets;
mod service;
mod smoke;
mod support;
