//! The range of an `SELinux` context: `s#[-s#][:c#[.c#][,c#[.c#]]…]`.

/// The highest category number.
const LAST_CATEGORY: u32 = 1023;

/// Why agent 1.x refuses a range, with the part that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RangeProblem {
    /// Nothing on one side of a separator.
    Part(String),
    /// Not `s` and a number.
    Sensitivity(String),
    /// The first sensitivity is above the second.
    SensitivitiesSwapped,
    /// Not `c` and a number up to 1,023.
    Category(String),
    /// The first category is above the second.
    CategoriesSwapped { first: String, last: String },
    /// A category that is named twice.
    CategoryTwice,
}

/// As agent 1.x reads it.
pub(crate) fn check(text: &str) -> Result<(), RangeProblem> {
    let (sensitivities, categories) = halves(text, ':')?;
    let (first, last) = halves(sensitivities, '-')?;
    let low = sensitivity(first)?;
    if last.map(sensitivity).transpose()?.is_some_and(|high| high < low) {
        return Err(RangeProblem::SensitivitiesSwapped);
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut twice = false;
    // Ruby's split drops what is empty at the end, so commas there do no harm.
    let categories = categories.map(|list| list.trim_end_matches(',')).filter(|list| !list.is_empty());
    for part in categories.iter().flat_map(|list| list.split(',')) {
        let (first, last) = if part.contains('.') { halves(part, '.')? } else { (part, None) };
        let low = category(first)?;
        let high = last.map_or(Ok(low), category)?;
        if high < low {
            let last = last.unwrap_or_default().to_owned();
            return Err(RangeProblem::CategoriesSwapped { first: first.to_owned(), last });
        }
        for number in low..=high {
            twice |= !seen.insert(number);
        }
    }
    if twice { Err(RangeProblem::CategoryTwice) } else { Ok(()) }
}

/// As agent 2.x reads it: sensitivities up to 255, categories more than once, and what follows a part too many is not
/// looked at.
pub(crate) fn is_good_for_agent2(text: &str) -> bool {
    let mut parts = text.split(':');
    let mut sensitivities =
        parts.next().unwrap_or_default().split('-').take(2).map(|part| byte_after(part, 's'));
    let (Some(Some(low)), high) = (sensitivities.next(), sensitivities.next()) else { return false };
    let ordered = match high {
        None => true,
        Some(high) => high.is_some_and(|high| high >= low),
    };
    let category = |part: &str| short_after(part, 'c').filter(|number| u32::from(*number) <= LAST_CATEGORY);
    let is_good = |part: &str| match part.split_once('.') {
        None => category(part).is_some(),
        Some((low, rest)) => {
            let high = category(rest.split('.').next().unwrap_or_default());
            category(low).is_some_and(|low| high.is_some_and(|high| high >= low))
        }
    };
    ordered && parts.next().is_none_or(|categories| categories.split(',').all(is_good))
}

fn byte_after(text: &str, letter: char) -> Option<u8> {
    text.strip_prefix(letter)?.parse().ok()
}

fn short_after(text: &str, letter: char) -> Option<u16> {
    text.strip_prefix(letter)?.parse().ok()
}

fn halves(text: &str, at: char) -> Result<(&str, Option<&str>), RangeProblem> {
    let invalid = || RangeProblem::Part(text.to_owned());
    match text.split_once(at) {
        Some((left, right)) if left.is_empty() || right.is_empty() => Err(invalid()),
        Some((left, right)) => Ok((left, Some(right))),
        None if text.is_empty() => Err(invalid()),
        None => Ok((text, None)),
    }
}

fn sensitivity(text: &str) -> Result<u32, RangeProblem> {
    number_after(text, 's').ok_or_else(|| RangeProblem::Sensitivity(text.to_owned()))
}

fn category(text: &str) -> Result<u32, RangeProblem> {
    let number = number_after(text, 'c').filter(|number| *number <= LAST_CATEGORY);
    number.ok_or_else(|| RangeProblem::Category(text.to_owned()))
}

/// A number of any length; one beyond 32 bits is as good as the largest.
fn number_after(text: &str, letter: char) -> Option<u32> {
    let digits = text.strip_prefix(letter)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_the_agent() {
        for good in ["s0", "s0-s3", "s0:c1", "s0-s1:c0.c3,c7", "s0:c1,"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["x", "s", "s1-s0", "s0:", "s0:c1024", "s0:c2.c1", "s0:c1,c1", "s0:c0.c3,c2", "s0:c1,,c2"]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn agent_2_takes_other_ranges() {
        for good in ["s0", "s0-s255", "s0:c1,c1", "s0:c0.c3,c2", "s0:c1:x", "s0-s1-x", "s0:c1.c2.x", "s+1"] {
            assert!(is_good_for_agent2(good), "{good}");
        }
        for bad in ["x", "s", "s1-s0", "s256", "s0:", "s0:c1024", "s0:c2.c1", "s0:c1,", "s0:c.c1"] {
            assert!(!is_good_for_agent2(bad), "{bad}");
        }
    }
}
