//! The ledger as it is stored, and what other versions of Greenlight have written.
//!
//! The schema number goes up when an older version could not read what is written, or would take it for something
//! else: a member that is gone or has another meaning, a new word where there are a few. A member that is only new
//! beside the others needs no new number: a version that does not know it keeps it where it is. A word with what belongs
//! to it (a cause, a verdict) is one value, and what is added to it needs a new number.

use crate::Ledger;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// The number of a stored format.
///
/// | number | since |
/// | --- | --- |
/// | 1 | the first; it carries no number |
/// | 2 | what belongs to one phase is stored with that phase |
/// | 3 | more causes for which a release is taken back, strategies that go by evidence, drills and what follows them |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schema(u64);

impl Schema {
    /// What this version writes, and the newest that it reads.
    pub const CURRENT: Self = Self(3);
}

/// What is stored was written by a newer version. It must not be rewritten, and nothing can be decided on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the ledger was written by a newer version of Greenlight (schema {found}; this version reads up to {known}): \
     nothing is written and no release goes on, a candidate whose alarm fires still loses its traffic; \
     deploy the newer version of Greenlight again"
)]
pub struct NewerSchema {
    /// The schema of what is stored.
    pub found: u64,
    /// The newest that this version reads.
    pub known: u64,
}

/// What is stored is no ledger that this version reads.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A newer version wrote it.
    #[error(transparent)]
    Newer(#[from] NewerSchema),
    /// A value is missing or is not what belongs there.
    #[error("{path}: {source}")]
    Malformed {
        /// The place in the ledger, as a path.
        path: String,
        /// What is wrong there.
        source: serde_json::Error,
    },
}

impl Ledger {
    /// Reads a ledger that this version or an older one has written.
    ///
    /// # Errors
    /// What a newer version has written, and what is no ledger.
    pub fn from_json(text: &[u8]) -> Result<Self, LedgerError> {
        let document = serde_json::from_slice(text)
            .map_err(|source| LedgerError::Malformed { path: "the whole".to_owned(), source })?;
        Self::from_document(document)
    }

    fn from_document(document: Map<String, Value>) -> Result<Self, LedgerError> {
        let malformed = |path: String, source| LedgerError::Malformed { path, source };
        let schema = match document.get("schema") {
            None => 1,
            Some(number) => {
                u64::deserialize(number).map_err(|source| malformed("schema".to_owned(), source))?
            }
        };
        let known = Schema::CURRENT.0;
        if schema > known {
            return Err(NewerSchema { found: schema, known }.into());
        }
        let mut document = if schema < 2 { from_schema_1(document) } else { document };
        document.insert("schema".to_owned(), json!(known));
        let mut track = serde_path_to_error::Track::new();
        let place = serde_path_to_error::Deserializer::new(Value::Object(document), &mut track);
        // Derived: the ledger alone, as this version writes it.
        Self::deserialize(place).map_err(|source| malformed(track.path().to_string(), source))
    }
}

impl<'de> Deserialize<'de> for Ledger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_document(Map::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// The members that a version beside this one has written and this one does not know. They are written back with the
/// object that they stood in.
///
/// All are equal: what is not understood decides nothing.
#[derive(Debug, Clone, Default)]
pub struct UnknownFields(Option<Box<Map<String, Value>>>);

impl<'de> Deserialize<'de> for UnknownFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Map::deserialize(deserializer)?;
        Ok(Self((!members.is_empty()).then(|| Box::new(members))))
    }
}

impl Serialize for UnknownFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.as_deref().into_iter().flatten())
    }
}

impl PartialEq for UnknownFields {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for UnknownFields {}

impl Hash for UnknownFields {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl PartialOrd for UnknownFields {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UnknownFields {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

/// What is remembered for people and decides nothing: ledgers that differ in nothing else are equal, so nothing is written for
/// its sake alone and the proof has no more states for it. What cannot be read of it is left out, and costs no ledger.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Aside<T>(pub T);

impl<'de, T: DeserializeOwned + Default> Deserialize<'de> for Aside<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(serde_json::from_value(Value::deserialize(deserializer)?).unwrap_or_default()))
    }
}

impl<T> PartialEq for Aside<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Aside<T> {}

impl<T> Hash for Aside<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Schema 1 as schema 2. Members move, and what is not known stays where it is; a value that is not what belongs there
/// is complained about where schema 2 has it.
fn from_schema_1(mut ledger: Map<String, Value>) -> Map<String, Value> {
    let overwritten = take(&mut ledger, "previous_overwritten", json!(false));
    for name in ["live", "previous", "open"] {
        if let Some(Value::Object(release)) = ledger.get_mut(name) {
            nest(release, "upload", &["number", "commit", "revision"]);
        }
    }
    if let Some(Value::Object(previous)) = ledger.get_mut("previous") {
        previous.insert("overwritten".to_owned(), overwritten);
    }
    if let Some(Value::Object(open)) = ledger.get_mut("open") {
        open_from_schema_1(open);
    }
    if let Some(Value::Array(releases)) = ledger.get_mut("releases") {
        for past in releases.iter_mut().filter_map(Value::as_object_mut) {
            nest(past, "upload", &["number", "commit", "revision"]);
            nest(past, "verdict", &["verdict", "reason", "by"]);
            past.entry("attempt").or_insert(json!(1));
        }
    }
    // Written since the first version, but not by it.
    ledger.entry("unsettled").or_insert(json!(false));
    ledger
}

fn open_from_schema_1(open: &mut Map<String, Value>) {
    open.entry("first_attempt").or_insert(json!(1));
    let had_weight = take(open, "had_weight", json!(false));
    let is_missing = take(open, "raise_lost", json!(false)) == json!(true);
    let raised = match &had_weight {
        Value::Bool(true) if is_missing => json!("missing"),
        Value::Bool(true) => json!("decided"),
        Value::Bool(false) => json!("not_yet"),
        malformed => malformed.clone(),
    };
    let trial = json!({
        "raised": raised,
        "unhealthy_since": take(open, "unhealthy_since", Value::Null),
        "unknown_since": take(open, "unknown_since", Value::Null),
    });
    let agreed = take(open, "agreed", json!(false));
    let state = match open.get("phase").and_then(Value::as_str) {
        Some("shifting") => json!({ "step": take(open, "step", Value::Null), "trial": trial }),
        Some("baking") => trial,
        Some("promoting") => json!({ "agreed": agreed, "trial": trial }),
        Some("returning") => json!({
            "cause": take(open, "cause", Value::Null),
            "had_weight": had_weight,
            "weightless_since": take(open, "weightless_since", Value::Null),
        }),
        _ => Value::Null,
    };
    if !state.is_null() {
        open.insert("state".to_owned(), state);
    }
    let hurry = take(open, "hurry", json!(false)) == json!(true);
    let request = match take(open, "abort", json!(false)) {
        Value::Bool(true) => json!("abort"),
        Value::Bool(false) if hurry => json!("hurry"),
        Value::Bool(false) => Value::Null,
        malformed => malformed,
    };
    open.insert("request".to_owned(), request);
}

fn take(object: &mut Map<String, Value>, name: &str, default: Value) -> Value {
    object.remove(name).unwrap_or(default)
}

/// Moves these members of an object, as far as it has them, into an object below it.
fn nest(object: &mut Map<String, Value>, below: &str, names: &[&str]) {
    let moved: Map<String, Value> = names.iter().filter_map(|name| object.remove_entry(*name)).collect();
    object.insert(below.to_owned(), Value::Object(moved));
}
