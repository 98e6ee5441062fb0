//! The custom resource that is what a function is configured with, as one short text.
//!
//! A published version of a function keeps the configuration of its day, and CloudFormation publishes the next one when a
//! property of the version changes: its description holds this text. It is called for a custom resource only when the
//! resource's properties have changed, so a template that writes the configuration down as properties gets another text
//! exactly when something in it is another, whichever parameter or resource that came from.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// What the template calls it.
pub const KIND: &str = "Custom::Configuration";

/// The attribute that the template asks for.
pub const ATTRIBUTE: &str = "Digest";

/// The members of the properties that say whom to ask, and nothing about a function.
const OF_THE_RESOURCE: [&str; 2] = ["ServiceToken", "ServiceTimeout"];

/// Sixteen hexadecimal digits that depend on every property, and not on their order.
pub fn digest(properties: &Value) -> String {
    let mut said = properties.clone();
    if let Some(members) = said.as_object_mut() {
        members.retain(|name, _| !OF_THE_RESOURCE.contains(&name.as_str()));
    }
    said.sort_all_objects();
    let digest = Sha256::digest(said.to_string());
    let start = digest.iter().take(8).fold(0_u64, |start, byte| (start << 8) | u64::from(*byte));
    format!("{start:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn another_value_anywhere_is_another_digest_and_another_order_is_not() {
        let told = json!({"ServiceToken": "arn:1", "MemorySize": "256", "Environment": {"Variables": {"A": "1", "B": "2"}}});
        let known = digest(&told);
        assert_eq!(known.len(), 16);
        let turned = json!({"Environment": {"Variables": {"B": "2", "A": "1"}}, "MemorySize": "256", "ServiceToken": "arn:2"});
        assert_eq!(digest(&turned), known);
        for (pointer, value) in [("/MemorySize", "512"), ("/Environment/Variables/B", "3")] {
            let mut changed = told.clone();
            *changed.pointer_mut(pointer).unwrap() = json!(value);
            assert_ne!(digest(&changed), known, "{pointer}");
        }
    }
}
