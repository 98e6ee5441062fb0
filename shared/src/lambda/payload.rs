//! An invocation's payload, whatever its bytes are.
//!
//! The runtime's own reader refuses some payloads before any handler sees them: a text that a service cut in the middle
//! of a surrogate pair, a number above `f64`, 128 levels. An alarm must wake a reconcile all the same. So the runtime is
//! handed the payload as one JSON text, and what is in the text is read here.

use crate::failure::{Class, Excerpt, Failure};
use lambda_runtime::LambdaInvocation;
use serde_json::Value;

/// A payload, or why no reader of JSON takes it.
pub type Payload = Result<Value, Failure>;

/// The invocation with its payload as a JSON text, or `null` if it is not UTF-8.
pub(super) fn as_text(mut invocation: LambdaInvocation) -> LambdaInvocation {
    let text = std::str::from_utf8(&invocation.body).ok();
    invocation.body = serde_json::to_vec(&text).unwrap_or_default().into();
    invocation
}

/// What [`as_text`] has made, read.
pub(super) fn read(text: Option<String>) -> Payload {
    let unreadable = |why: &str| {
        let message = format!("the payload cannot be read as JSON ({}): see what sends it", Excerpt(why));
        Failure::new(Class::Permanent, message)
    };
    let text = text.ok_or_else(|| unreadable("it is not UTF-8"))?;
    serde_json::from_str(&text).map_err(|error| unreadable(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_runtime::Context;
    use serde_json::json;

    /// What the handler is given for these bytes, by the way that the runtime takes.
    fn given(bytes: impl Into<Vec<u8>>) -> Payload {
        let (parts, ()) = http::Response::new(()).into_parts();
        let body = bytes.into().into();
        let invocation = as_text(LambdaInvocation { parts, body, context: Context::default() });
        read(serde_json::from_slice(&invocation.body).unwrap())
    }

    #[test]
    fn what_is_json_comes_as_it_is() {
        let payload = json!({ "text": "\u{1d11e} \" \\ \u{0}", "numbers": [0, -1.5, 1e300, null] });
        assert_eq!(given(payload.to_string()).unwrap(), payload);
        assert_eq!(given("null").unwrap(), Value::Null);
        assert_eq!(given("\"text\"").unwrap(), json!("text"));
    }

    #[test]
    fn what_is_not_is_a_failure_that_says_so_and_no_end_of_the_process() {
        let cases: [(Vec<u8>, &str); 6] = [
            (
                br#"{"AlarmDescription":"cut \ud83d"}"#.to_vec(),
                "unexpected end of hex escape at line 1 column 32",
            ),
            (b"[1e400]".to_vec(), "number out of range at line 1 column 6"),
            (
                [vec![b'['; 1_000_000], vec![b']'; 1_000_000]].concat(),
                "recursion limit exceeded at line 1 column 128",
            ),
            (b"\xff\xfe".to_vec(), "it is not UTF-8"),
            (b"{} {}".to_vec(), "trailing characters at line 1 column 4"),
            (Vec::new(), "EOF while parsing a value at line 1 column 0"),
        ];
        for (bytes, why) in cases {
            let failure = given(bytes).unwrap_err();
            assert_eq!(failure.class(), Class::Permanent);
            assert_eq!(
                failure.to_string(),
                format!("the payload cannot be read as JSON ({why}): see what sends it")
            );
        }
    }
}
