//! Answers hooks, follows CodeDeploy's events, keeps time, and takes operator commands.
//!
//! Every way in wakes the same `reconcile`; what the events say is only a hint.
//!
//! Errors: a hook's question and a command hear their error at once. Events and ticks are invoked
//! asynchronously: an error makes Lambda try twice more and then keeps the event in the on-failure queue.
//!
//! Reading order: [`event`], [`handler`], [`hook_execution`], [`aws`].

pub mod aws;
pub mod event;
pub mod handler;
pub mod hook_execution;

#[cfg(test)]
mod tests;
