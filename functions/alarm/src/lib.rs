//! Wakes a reconcile when an alarm changes, whatever the payload says: the alarms are read again.
//!
//! Errors: alarms come asynchronously, so after an error Lambda retries twice and then keeps the event in the
//! on-failure queue. A payload that is not understood reconciles every service first.

pub mod event;
pub mod handler;

#[cfg(test)]
mod tests;
