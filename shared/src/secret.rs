//! A secret that stays out of what is logged.

use std::fmt;

/// Hexadecimal digits of a secret that is made: 128 bits.
const DIGITS: usize = 32;

/// What somebody has to know who wants to see a preview. It is shown to nobody by accident.
///
/// A load balancer compares a header's value without regard to case, and takes `*` and `?` in a condition for wildcards (ELB
/// API reference, `HttpHeaderConditionConfig`). So it is lower-case hexadecimal and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of these random bytes.
    pub fn of(random: [u8; DIGITS / 2]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(random)))
    }

    /// One that was stored; `None` for anything that was not made so.
    pub fn stored(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == DIGITS && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// Its digits, for the load balancer, for the store, and for the operator who has asked.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_stored_as_it_was_made_and_nothing_else_is_one() {
        let secret = Secret::of([0xa7; 16]);
        assert_eq!(Secret::stored(secret.reveal()), Some(secret.clone()));
        assert_eq!(secret.reveal().len(), 32);
        let wide = "*".repeat(32);
        for wrong in ["", "*", "a7", &wide, &secret.reveal().to_uppercase(), &format!("{}a", secret.reveal())]
        {
            assert_eq!(Secret::stored(wrong), None, "{wrong}");
        }
        assert!(!format!("{secret:?}").contains("a7"));
    }
}
