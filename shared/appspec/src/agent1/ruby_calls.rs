//! The calls that the agent makes on what it has loaded, with Ruby's errors on values that do not have them.

use super::refusal::Refusal;
use crate::ruby::Value;

/// `each` over `value || []`: a list's items, a map's entries as lists of two; anything else has no `each`.
pub(super) fn each_or_none(value: &Value) -> Result<Vec<Value>, Refusal> {
    if value.is_truthy() { each(value) } else { Ok(Vec::new()) }
}

pub(super) fn each(value: &Value) -> Result<Vec<Value>, Refusal> {
    match value {
        Value::List(items) => Ok(items.clone()),
        Value::Map(entries) => {
            Ok(entries.iter().map(|(k, v)| Value::List(vec![k.clone(), v.clone()])).collect())
        }
        other => Err(Refusal::no_method("each", other)),
    }
}

/// `value['key']`, with Ruby's errors on what is not a map. A text that contains the key answers with it.
pub(super) fn index(value: &Value, key: &str) -> Result<Value, Refusal> {
    match value {
        Value::Map(_) => Ok(value.get(key).cloned().unwrap_or(Value::Nil)),
        Value::Text(text) | Value::Symbol(text) if text.contains(key) => Ok(Value::text(key)),
        Value::Text(_) | Value::Symbol(_) => Ok(Value::Nil),
        Value::List(_) | Value::Int(_) => Err(Refusal::no_index()),
        other => Err(Refusal::no_method("[]", other)),
    }
}
