//! The release path on an AWS in memory: stories, faults at every call, and random schedules. Links no AWS SDK, so
//! that a changed line of the domain is tested in seconds.

// `cfg(test)` holds anyway; it tells clippy that a test may unwrap.
#![cfg(test)]

mod after_success;
mod alarms;
mod announcements;
mod blind;
mod by_evidence;
mod call_budget;
mod commands;
mod deployments;
mod drift;
mod drills;
mod evidence;
mod faults;
mod forecasts;
mod foretold;
mod freezes;
mod gates;
mod heard;
mod instances;
mod little_at_stake;
mod metrics;
mod newer_ledger;
mod order;
mod own_rule;
mod pauses;
mod previews;
mod questions;
mod random;
mod receipts;
mod reinstalls;
mod smoke;
mod stage;
mod statements;
mod stories;
mod story;
mod summaries;
mod traffic;
mod uploads;
mod verdicts;
mod waiting;
mod watched;
mod way_back;
mod written_first;
mod wrong_settings;
