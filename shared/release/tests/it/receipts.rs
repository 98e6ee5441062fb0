//! The stored receipt is what this version writes, and `docs/receipts.md` shows it and knows each member.

use release::{Ledger, Receipt};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

fn text(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn members(of: &Value, into: &mut BTreeSet<String>) {
    match of {
        Value::Object(object) => {
            for (name, value) in object {
                into.insert(name.clone());
                members(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, into)),
        _ => {}
    }
}

#[test]
fn a_stored_receipt_is_read_and_written_alike_at_its_key() {
    let stored = text("tests/receipts/rejected.json");
    let receipt: Receipt = serde_json::from_str(&stored).unwrap();
    assert_eq!(receipt.schema, Receipt::SCHEMA);
    assert_eq!(serde_json::to_string_pretty(&receipt).unwrap(), stored.trim_end());
    assert_eq!(receipt.key(), "receipts/backend/0000000142-20261128T150330Z.json");
}

#[test]
fn the_document_shows_it_and_names_every_member() {
    let (stored, document) = (text("tests/receipts/rejected.json"), text("../../docs/receipts.md"));
    assert!(
        document.contains(&stored),
        "docs/receipts.md shows another receipt than tests/receipts/rejected.json"
    );
    let mut names = BTreeSet::new();
    members(&serde_json::from_str(&stored).unwrap(), &mut names);
    let tables: String = document.lines().filter(|line| line.starts_with('|')).collect();
    for name in names.iter().filter(|name| !["blue", "green"].contains(&name.as_str())) {
        assert!(tables.contains(&format!("`{name}`")), "docs/receipts.md does not say what {name} means");
    }
}

/// What is remembered for people must never cost the ledger.
#[test]
fn a_receipt_and_a_course_that_cannot_be_read_are_left_out() {
    let stored = text("tests/ledgers/schema-3/shifting.json");
    let mut document: Value = serde_json::from_str(&stored).unwrap();
    document["open"]["course"] = json!({ "steps": "of another kind" });
    document["releases"][0]["receipt"] = json!([7]);
    let ledger = Ledger::from_json(document.to_string().as_bytes()).unwrap();
    assert_eq!(ledger.open.unwrap().course.0.steps, []);
    assert_eq!(ledger.releases[0].receipt.0, None);
}
