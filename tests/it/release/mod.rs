//! The release domain on an AWS in memory: stories, faults at every call, and random schedules.

mod after_success;
mod alarms;
mod call_budget;
mod faults;
mod random;
mod stage;
mod stories;
mod story;
mod way_back;
