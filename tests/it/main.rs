//! Tests that span crates.

#[cfg(test)]
mod documents;
#[cfg(test)]
mod end_to_end;
#[cfg(test)]
mod events_catalog;
#[cfg(test)]
mod release;
#[cfg(test)]
mod template;
#[cfg(test)]
mod template_contract;
#[cfg(test)]
mod template_firewall;
#[cfg(test)]
mod template_permissions;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tree;
