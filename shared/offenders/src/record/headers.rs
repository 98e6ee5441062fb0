//! The headers of a record: a list of names and values, or an object.

use super::{in_object, name, peek};
use crate::json::{Cursor, Malformed, Text, Value};

/// Every value of the header `wanted_name`, in any case.
pub(super) fn each<'a>(
    cursor: &mut Cursor<'a>,
    wanted_name: &str,
    each: &mut impl FnMut(Text<'a>),
) -> Result<(), Malformed> {
    let mut values = |cursor: &mut Cursor<'a>, wanted: bool| -> Result<(), Malformed> {
        match peek(cursor)? {
            Value::Text(text) if wanted => {
                each(text);
                cursor.skip().map(|_| ())
            }
            Value::Array if wanted => cursor.array(|cursor| {
                if let Value::Text(text) = peek(cursor)? {
                    each(text);
                }
                cursor.skip().map(|_| ())
            }),
            _ => cursor.skip().map(|_| ()),
        }
    };
    match peek(cursor)? {
        Value::Object => cursor.object(|key, cursor| {
            let wanted = key.raw.eq_ignore_ascii_case(wanted_name.as_bytes());
            values(cursor, wanted)
        }),
        Value::Array => cursor.array(|cursor| {
            let mut wanted = false;
            let mut value = None;
            in_object(cursor, |key, cursor| {
                let text = peek(cursor)?;
                match (name(key), text) {
                    (b"name" | b"Name", Value::Text(text)) => {
                        wanted = text.raw.eq_ignore_ascii_case(wanted_name.as_bytes());
                    }
                    (b"value" | b"Value", Value::Text(text)) => value = Some(text),
                    _ => {}
                }
                cursor.skip().map(|_| ())
            })?;
            if let (true, Some(value)) = (wanted, value) {
                each(value);
            }
            Ok(())
        }),
        _ => cursor.skip().map(|_| ()),
    }
}
