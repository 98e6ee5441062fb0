//! Tests that span crates.

mod end_to_end;
mod events_catalog;
mod template;
mod template_contract;
mod template_firewall;
mod template_permissions;
mod tidy;
