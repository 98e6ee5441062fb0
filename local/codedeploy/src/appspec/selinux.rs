//! The `context:` of a permission: `SELinux` type, user and range.

use super::{AppSpecError, ErrorClass, index};
use crate::ruby_yaml::Value;

/// The highest category number.
const LAST_CATEGORY: u32 = 1023;

fn refused(text: String) -> AppSpecError {
    AppSpecError::new(ErrorClass::AppSpecValidationException, text)
}

/// The arguments for `semanage fcontext -a`, validated. The user comes from `name`, not from `user`.
pub(super) fn context(value: &Value) -> Result<Vec<String>, AppSpecError> {
    let Some(kind) = index(value, "type")? else {
        return Err(AppSpecError::invalid(format!(
            "the application specification file specifies an invalid context type ({}). Update the permissions \
             section of the AppSpec file, and then try again.",
            value.inspect()
        )));
    };
    let mut arguments = Vec::new();
    if let Some(user) = index(value, "name")? {
        arguments.extend(["-s".to_owned(), user.to_s()]);
    }
    arguments.extend(["-t".to_owned(), kind.to_s()]);
    match index(value, "range")? {
        None => {}
        Some(Value::Str(text)) => {
            range(text)?;
            arguments.extend(["-r".to_owned(), text.clone()]);
        }
        Some(other) => {
            let method = if matches!(other, Value::List(_) | Value::Map(_)) { "split" } else { "include?" };
            return Err(AppSpecError::no_method(method, other));
        }
    }
    Ok(arguments)
}

/// `s#[-s#][:c#[.c#][,c#[.c#]]…]`.
fn range(text: &str) -> Result<(), AppSpecError> {
    let (sensitivities, categories) = halves(text, ':')?;
    let (low, high) = halves(sensitivities, '-')?;
    let lowest = level(low, 's').ok_or_else(|| refused(format!("invalid sensitivity {low}")))?;
    if let Some(high) = high {
        let highest = level(high, 's').ok_or_else(|| refused(format!("invalid sensitivity {high}")))?;
        if highest < lowest {
            return Err(AppSpecError::invalid(format!(
                "of a problem with the SELinux range specified ({text}) for the context parameter in the permissions \
                 section of the application specification file. Make corrections in the permissions section of the \
                 AppSpec file, and then try again."
            )));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for part in categories.iter().flat_map(|list| list.split(',')) {
        let (first, last) = if part.contains('.') { halves(part, '.')? } else { (part, None) };
        let low = category(first)?;
        let high = last.map_or(Ok(low), category)?;
        if high < low {
            return Err(refused(format!("invalid category range {first}.{}", last.unwrap_or_default())));
        }
        if (low..=high).any(|number| !seen.insert(number)) {
            return Err(refused("duplicate categories".to_owned()));
        }
    }
    Ok(())
}

fn halves(text: &str, at: char) -> Result<(&str, Option<&str>), AppSpecError> {
    let invalid = || refused(format!("invalid range part {text}"));
    match text.split_once(at) {
        Some((left, right)) if left.is_empty() || right.is_empty() => Err(invalid()),
        Some((left, right)) => Ok((left, Some(right))),
        None if text.is_empty() => Err(invalid()),
        None => Ok((text, None)),
    }
}

fn level(text: &str, letter: char) -> Option<u32> {
    let digits = text.strip_prefix(letter)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

fn category(text: &str) -> Result<u32, AppSpecError> {
    level(text, 'c')
        .filter(|n| *n <= LAST_CATEGORY)
        .ok_or_else(|| refused(format!("invalid category {text}")))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_follow_the_agent() {
        for good in ["s0", "s0-s3", "s0:c1", "s0-s1:c0.c3,c7"] {
            assert!(range(good).is_ok(), "{good}");
        }
        for bad in ["x", "s", "s1-s0", "s0:", "s0:c1024", "s0:c2.c1", "s0:c1,c1", "s0:c0.c3,c2"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
