//! Whatever the bytes, an inspection ends, does not panic, and reads within its limits.

use crate::bundles::{APPSPEC, Object, Zip, is_refused, look};
use proptest::prelude::*;
use std::sync::atomic::Ordering;

fn good() -> Vec<u8> {
    Zip::with_appspec(APPSPEC).link("app/now", "server.js").file("app/data", "data ".repeat(50)).bytes()
}

proptest! {
    #[test]
    fn a_bundle_cut_anywhere_is_refused(cut in any::<prop::sample::Index>()) {
        let mut bytes = good();
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(is_refused(bytes));
    }

    #[test]
    fn a_mutated_bundle_is_judged(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = good();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let object = Object::new(bytes);
        look(&object);
        prop_assert!(object.reads.load(Ordering::Relaxed) <= 5);
    }

    #[test]
    fn mutated_numbers_in_the_directory_are_judged(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>()), 1..4)) {
        let mut bytes = good();
        let directory = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        for (at, value) in changes {
            let at = directory + at.index(bytes.len() - directory - 4);
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        look(&Object::new(bytes));
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(is_refused(bytes));
    }

    #[test]
    fn any_text_as_appspec_is_judged(text in "[a-z0-9:{}\\[\\]&*!|>'\"#%@, \n\t-]{0,200}") {
        look(&Object::new(Zip::with_appspec(text).bytes()));
    }

    #[test]
    fn a_mutated_appspec_is_judged(at in any::<prop::sample::Index>(), value in any::<char>()) {
        let mut text: Vec<char> = APPSPEC.chars().collect();
        let at = at.index(text.len());
        text[at] = value;
        look(&Object::new(Zip::with_appspec(text.into_iter().collect::<String>()).bytes()));
    }

    #[test]
    fn any_paths_and_links_are_followed_to_an_end(
        links in prop::collection::btree_map("[ab]{1,2}(/[ab]{1,2}){0,2}", "(\\.\\./|/|[ab]{1,2}/|\\./){0,4}[ab]{0,2}", 0..6)
    ) {
        let zip = links.iter().fold(Zip::with_appspec(APPSPEC), |zip, (name, target)| zip.link(name, target));
        look(&Object::new(zip.bytes()));
    }
}
