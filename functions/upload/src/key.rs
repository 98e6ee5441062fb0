//! What a key says: `releases/<service>/<number>-<commit>.zip`.

use crate::event::ObjectKey;
use greenlight::failure::Excerpt;
use release::{Commit, ReleaseNumber, ServiceName};

/// The form, in letters that a tag can hold.
const FORM: &str = "releases/SERVICE/NUMBER-COMMIT.zip";

/// A key that follows the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleKey {
    /// Whose bundle it is.
    pub service: ServiceName,
    /// Where it stands in the order of releases.
    pub number: ReleaseNumber,
    /// What it was built from.
    pub commit: Commit,
}

/// The rule that a key breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Another folder.
    #[error("it is not below releases/: upload to {FORM}")]
    NotBelowReleases,
    /// Too few or too many folders.
    #[error("it does not name a file in a service's folder: upload to {FORM}")]
    NotInServiceFolder,
    /// Not in `GREENLIGHT_SERVICES`.
    #[error("service {} is not one of this stack ({}): correct the folder, or add the service to the stack", Excerpt(.found), known.join(", "))]
    UnknownService {
        /// The folder.
        found: String,
        /// The services of the stack.
        known: Vec<String>,
    },
    /// Another type of file.
    #[error("its name does not end in .zip: upload to {FORM}")]
    NotZip,
    /// No dash between number and commit.
    #[error("its name has no dash between number and commit: upload to {FORM}")]
    NoDash,
    /// Signs, letters, nothing.
    #[error("number {:?} is not made of digits: use the number of the workflow's run", Excerpt(.found))]
    NumberNotDigits {
        /// As it stands there.
        found: String,
    },
    /// One number must have one name.
    #[error("number {} starts with a zero: write it without leading zeros", Excerpt(.found))]
    NumberLeadingZero {
        /// As it stands there.
        found: String,
    },
    /// Numbers start at 1.
    #[error("number 0 is below every release: start at 1")]
    NumberZero,
    /// Above 2^64-1.
    #[error("number {} is above 18446744073709551615: use the number of the workflow's run", Excerpt(.found))]
    NumberTooLarge {
        /// As it stands there.
        found: String,
    },
    /// Not a commit.
    #[error("commit {:?} is not 7 to 40 hexadecimal digits in lower case: use the commit's hash", Excerpt(.found))]
    Commit {
        /// As it stands there.
        found: String,
    },
}

/// Reads a key against the stack's services.
///
/// # Errors
/// The first rule that it breaks, from left to right.
pub fn parse<'a>(
    key: &ObjectKey,
    services: impl Iterator<Item = &'a ServiceName> + Clone,
) -> Result<BundleKey, KeyFault> {
    let path = key.as_str().strip_prefix("releases/").ok_or(KeyFault::NotBelowReleases)?;
    let (folder, file) = path.split_once('/').ok_or(KeyFault::NotInServiceFolder)?;
    if folder.is_empty() || file.is_empty() || file.contains('/') {
        return Err(KeyFault::NotInServiceFolder);
    }
    let service = services.clone().find(|service| service.as_str() == folder).ok_or_else(|| {
        KeyFault::UnknownService {
            found: folder.to_owned(),
            known: services.map(ToString::to_string).collect(),
        }
    })?;
    let stem = file.strip_suffix(".zip").ok_or(KeyFault::NotZip)?;
    let (number, commit) = stem.split_once('-').ok_or(KeyFault::NoDash)?;
    Ok(BundleKey {
        service: service.clone(),
        number: parse_number(number)?,
        commit: Commit::new(commit).map_err(|_| KeyFault::Commit { found: commit.to_owned() })?,
    })
}

fn parse_number(text: &str) -> Result<ReleaseNumber, KeyFault> {
    let found = || text.to_owned();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(KeyFault::NumberNotDigits { found: found() });
    }
    if text == "0" {
        return Err(KeyFault::NumberZero);
    }
    if text.starts_with('0') {
        return Err(KeyFault::NumberLeadingZero { found: found() });
    }
    text.parse().map(ReleaseNumber).map_err(|_| KeyFault::NumberTooLarge { found: found() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use testing::service;

    fn read(key: &str) -> Result<BundleKey, KeyFault> {
        let services = [service("backend"), service("frontend")];
        parse(&ObjectKey::plain(key), services.iter())
    }

    #[test]
    fn a_key_names_service_number_and_commit() {
        let key = read("releases/backend/142-3f9c2ab.zip").unwrap();
        assert_eq!(key.service, service("backend"));
        assert_eq!(key.number, ReleaseNumber(142));
        assert_eq!(key.commit.as_str(), "3f9c2ab");
        let longest = format!("releases/frontend/18446744073709551615-{}.zip", "a".repeat(40));
        assert_eq!(read(&longest).unwrap().number, ReleaseNumber(u64::MAX));
    }

    #[test]
    fn every_rule_has_a_message_of_its_own() {
        let keys = [
            "backend/142-3f9c2ab.zip",
            "releases",
            "releases/",
            "releases/142-3f9c2ab.zip",
            "releases/backend/",
            "releases//142-3f9c2ab.zip",
            "releases/backend/x/142-3f9c2ab.zip",
            "releases/Backend/142-3f9c2ab.zip",
            "releases/mail/142-3f9c2ab.zip",
            "releases/backend/readme.txt",
            "releases/backend/142-3f9c2ab.ZIP",
            "releases/backend/142.zip",
            "releases/backend/-3f9c2ab.zip",
            "releases/backend/+142-3f9c2ab.zip",
            "releases/backend/v142-3f9c2ab.zip",
            "releases/backend/٣-3f9c2ab.zip",
            "releases/backend/0-3f9c2ab.zip",
            "releases/backend/0142-3f9c2ab.zip",
            "releases/backend/18446744073709551616-3f9c2ab.zip",
            "releases/backend/142-3f9c2a.zip",
            "releases/backend/142-3F9C2AB.zip",
            "releases/backend/142-3f9c2ab-dirty.zip",
            "releases/backend/142-.zip",
        ];
        let said: Vec<String> = keys.iter().map(|key| format!("{key}: {}", read(key).unwrap_err())).collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn no_rule_repeats_more_than_the_beginning_of_a_key_and_no_control_character() {
        let long = "7".repeat(1_000);
        for key in [
            format!("releases/{long}/142-3f9c2ab.zip"),
            format!("releases/backend/{long}-3f9c2ab.zip"),
            format!("releases/backend/0{long}-3f9c2ab.zip"),
            format!("releases/backend/x{long}-3f9c2ab.zip"),
            format!("releases/backend/142-{long}.zip"),
        ] {
            let said = read(&key).unwrap_err().to_string();
            assert!(said.contains("bytes)") && said.len() < 450, "{} bytes: {said}", said.len());
        }
        let said = read("releases/back\u{1b}[31mend\n/142-3f9c2ab.zip").unwrap_err().to_string();
        assert!(said.starts_with(r"service back\u{1b}[31mend\n is not one of this stack"), "{said}");
    }
}
