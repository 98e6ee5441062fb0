//! Requests, played on a listener in memory.

mod requests;
