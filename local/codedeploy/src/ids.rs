//! Ids that nobody can guess, from the seeds that the standard library draws for its hash maps.

use std::hash::{BuildHasher as _, RandomState};

/// A number that nobody can guess.
pub(crate) fn random_number() -> u64 {
    RandomState::new().hash_one(0_u8)
}

/// A UUID of version 4, as AWS gives to deployment groups and events.
pub(crate) fn uuid() -> String {
    let (high, low) = (random_number(), random_number());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

/// A deployment's id: `d-` and nine capitals or digits.
pub(crate) fn deployment_id() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut number = random_number();
    let mut letter = || {
        let place = usize::try_from(number % 36).unwrap_or_default();
        number /= 36;
        char::from(LETTERS.get(place).copied().unwrap_or(b'A'))
    };
    let mut id = String::from("d-");
    (0..9).for_each(|_| id.push(letter()));
    id
}
