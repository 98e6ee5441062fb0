//! Repeat offenders in the logs of AWS WAF and of a load balancer: who they are, and for how long they deserve to be blocked.
//!
//! Pure: bytes, times and configurations come in, decisions come out. No clock, no network, no AWS type; the function
//! `waf-logs` around it fetches and acts. In the order of the flow:
//!
//! 1. [`inflate`]: an object's bytes to lines. [`record`] and [`json`]: a line of WAF's log to records. [`access`]: a
//!    line of the load balancer's log.
//! 2. [`classify`]: a record to a client ([`address`]) and what it did ([`path`], [`probes`]); [`mark`]: which record it
//!    is.
//! 3. [`tally`]: clients and their counts over time, in bounded memory. [`object`] runs 1 to 3.
//! 4. [`partial`]: a tally as a small file, to be merged.
//! 5. [`site`]: what all clients show of the site. [`judge`]: a client's activity against the thresholds of a
//!    [`configuration`].
//! 6. [`decide`]: findings and what is remembered to bans; `challenge`: whom WAF challenges meanwhile; [`entries`]:
//!    bans to what stands in the IP sets.
//!    [`command`]: what an operator may ask for.

pub mod access;
pub mod action;
pub mod address;
mod challenge;
pub mod classify;
pub mod command;
pub mod configuration;
mod credentials;
pub mod decide;
pub mod entries;
pub mod inflate;
pub mod json;
pub mod judge;
pub mod mark;
pub mod object;
pub mod partial;
pub mod path;
pub mod probes;
pub mod record;
pub mod site;
pub mod state;
pub mod tally;

/// Resolution of all counting, seconds. A window of find time `f` is looked at as every `f / 5` steps in a row, so it
/// never counts more than `f` seconds together, and at least all but the last 5 seconds of any `f`.
pub const BUCKET_SECONDS: u64 = 5;

/// Most distinct paths that are told apart for one client.
pub const MOST_PATHS: u32 = 100;
