//! Answers hooks, follows CodeDeploy's events, keeps time, and takes operator commands.
//!
//! Every payload wakes the same `reconcile`; what an event says is only a hint. Through the alias `hooks`, which is all that
//! instances may invoke, only hooks are answered.
//!
//! Errors: a hook or an operator hears an error at once. Events and ticks come asynchronously: after an error Lambda
//! retries twice and then keeps the event in the on-failure queue.
//!
//! Reading order: [`event`], [`alias`], [`handler`], [`gate`], [`hook_execution`], [`page`], [`aws`].

pub mod alias;
pub mod aws;
pub mod event;
pub mod gate;
pub mod handler;
pub mod hook_execution;
pub mod page;
mod preview;

#[cfg(test)]
mod tests;
