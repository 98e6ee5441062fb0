//! Text for the value of an S3 object tag.

/// The most that a value holds, in UTF-16 code units (S3 user guide, object tagging).
const LONGEST: usize = 256;

/// The characters that stand beside letters, digits and spaces in a value (S3 user guide, object tagging).
const MARKS: &str = "+-=._:/@";

/// Where all that Rust calls alphabetic is a letter to S3 too: Latin, Greek and Cyrillic, Japanese, Chinese, Korean. Elsewhere Rust
/// counts vowel signs and circled letters, and S3 refuses a tag with one.
const LETTERS: [std::ops::RangeInclusive<char>; 6] =
    ['À'..='ɏ', 'Ͱ'..='ԯ', 'ぁ'..='ゖ', 'ァ'..='ヺ', '一'..='鿿', '가'..='힣'];

/// What is appended to a text that was cut.
const CUT: &str = "...";

/// The text without the characters that a tag's value must not hold. A comma or semicolon becomes a dash, so that a
/// sentence still reads as one; one that groups the digits of a number goes. A run of other characters becomes one space.
/// The end of a long text is cut off.
pub fn legal_tag_value(text: &str) -> String {
    let is_letter = |letter: char| letter.is_alphabetic() && LETTERS.iter().any(|of| of.contains(&letter));
    let legal = |letter: char| letter.is_ascii_alphanumeric() || MARKS.contains(letter) || is_letter(letter);
    let text = without_groups(text).replace([',', ';'], " -");
    let words: Vec<&str> = text.split(|letter| !legal(letter)).filter(|word| !word.is_empty()).collect();
    let text = words.join(" ");
    if length(&text) <= LONGEST {
        return text;
    }
    let mut short = String::new();
    for letter in text.chars() {
        if length(&short) + letter.len_utf16() + CUT.len() > LONGEST {
            break;
        }
        short.push(letter);
    }
    short.push_str(CUT);
    short
}

/// `1,031` as `1031`.
fn without_groups(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_digit = |at: usize| letters.get(at).is_some_and(char::is_ascii_digit);
    let groups = |at: usize| letters[at] == ',' && at > 0 && is_digit(at - 1) && is_digit(at + 1);
    (0..letters.len()).filter(|at| !groups(*at)).map(|at| letters[at]).collect()
}

fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_tag_must_not_hold_becomes_a_space() {
        let text = "installation failed on i-1: ValidateService, \"check.sh\" (exit 1)\n";
        assert_eq!(legal_tag_value(text), "installation failed on i-1: ValidateService - check.sh exit 1");
        assert_eq!(legal_tag_value("größer als 5 %"), "größer als 5");
        assert_eq!(legal_tag_value("결제 오류, ブログ 支払い"), "결제 오류 - ブログ 支払い");
        assert_eq!(legal_tag_value("भुगतान ⓐ 5"), "5");
        assert_eq!(
            legal_tag_value("failed 7 of 38, odds of 1,031 to 1"),
            "failed 7 of 38 - odds of 1031 to 1"
        );
        assert_eq!(legal_tag_value("\t\"\""), "");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let value = legal_tag_value(&"word ".repeat(100));
        assert_eq!(value.len(), 256);
        assert!(value.ends_with("..."));
    }

    proptest! {
        #[test]
        fn every_text_becomes_legal_and_stays_as_it_is_from_then_on(text in any::<String>()) {
            let value = legal_tag_value(&text);
            prop_assert!(length(&value) <= LONGEST);
            prop_assert!(value.chars().all(|letter| letter == ' ' || letter.is_alphanumeric() || MARKS.contains(letter)));
            prop_assert_eq!(legal_tag_value(&value), value);
        }
    }
}
