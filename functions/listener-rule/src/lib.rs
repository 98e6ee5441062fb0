//! The stack's custom resources: a service's base rule, and a function's configuration as one text.
//!
//! CloudFormation invokes the function and waits at a presigned URL for its answer. What is to be done decides the
//! package `base-rule`; here the request is read, the listener is looked at, and the answer is given: once on every path,
//! because CloudFormation waits ten minutes for an answer that does not come.
//!
//! Errors: only when there is nobody to answer, or the answer could not be given. Lambda then invokes the function again
//! with the same request, which finds what was done.

pub mod answer;
pub mod aws;
pub mod configuration;
pub mod event;
pub mod handler;
pub mod policy;
pub mod ports;

#[cfg(test)]
mod tests;
