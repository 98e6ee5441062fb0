//! Tests that span crates.

// `cfg(test)` holds anyway; it tells clippy that a test may unwrap.
#![cfg(test)]

mod contracts;
mod cost;
mod deploy_policy;
mod doctor_on_the_cloud;
mod documents;
mod end_to_end;
mod events_catalog;
mod examples;
mod sam_local;
mod stack;
mod template;
mod template_canary;
mod template_contract;
mod template_firewall;
mod template_infra;
mod template_instances;
mod template_names;
mod template_permissions;
mod template_service;
mod template_statements;
mod tidy;
mod tree;
