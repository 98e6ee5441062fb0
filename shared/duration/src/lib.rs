//! Times as people write them: a whole number and its unit.

use std::time::Duration;

/// Milliseconds in each unit, the longest unit first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A whole number with a unit: `500ms`, `90s`, `5m`, `1h`. Zero alone needs no unit. `None` for anything else.
pub fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(unit_at)?;
    let (_, milliseconds) = UNITS.iter().find(|(known, _)| *known == unit)?;
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(*milliseconds).map(Duration::from_millis)
}

/// The shortest text that [`parse`] reads back. What is below a millisecond is left out.
pub fn show(duration: Duration) -> String {
    let total = duration.as_millis();
    if total == 0 {
        return "0s".to_owned();
    }
    let fitting = UNITS.iter().find(|(_, milliseconds)| total.is_multiple_of(u128::from(*milliseconds)));
    let (unit, milliseconds) = fitting.unwrap_or(&("ms", 1));
    format!("{}{unit}", total / u128::from(*milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_needs_a_unit_and_a_whole_number() {
        for (text, milliseconds) in
            [("500ms", 500), ("90s", 90_000), ("5m", 300_000), ("1h", 3_600_000), ("0", 0), ("0s", 0)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in [
            "",
            "90",
            "s",
            "-1s",
            "+1s",
            "1.5s",
            "1 s",
            " 1s",
            "1s ",
            "1m30s",
            "1S",
            "1d",
            "1µs",
            "99999999999999999999s",
            "9999999999999999h",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_longest_unit_that_fits_is_shown() {
        for (milliseconds, text) in
            [(0, "0s"), (500, "500ms"), (90_000, "90s"), (300_000, "5m"), (7_200_000, "2h")]
        {
            assert_eq!(show(Duration::from_millis(milliseconds)), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(milliseconds in 0u64..=u64::MAX / 2) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&show(duration)), Some(duration));
        }
    }
}
