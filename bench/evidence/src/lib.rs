//! Releases on simulated traffic, request by request, judged by evidence and by what others do.

pub mod peers;
pub mod play;
pub mod random;
pub mod traffic;
