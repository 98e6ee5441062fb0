//! What is released: the bundle's number, its commit, and CodeDeploy's pin of its bytes.

use crate::stored::UnknownFields;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The number in a bundle's key. It only grows; a higher one is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseNumber(pub u64);

impl fmt::Display for ReleaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The commit a bundle was built from: 7 to 40 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Commit(String);

/// A text that is no commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("commit {0:?} is not 7 to 40 lower-case hexadecimal digits")]
pub struct CommitError(pub String);

impl Commit {
    /// Checks the text.
    ///
    /// # Errors
    /// Anything but 7 to 40 lower-case hexadecimal digits.
    pub fn new(text: impl Into<String>) -> Result<Self, CommitError> {
        let text = text.into();
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if digits && (7..=40).contains(&text.len()) { Ok(Self(text)) } else { Err(CommitError(text)) }
    }

    /// That of what was built from none.
    pub(crate) fn of_nothing() -> Self {
        Self("0000000".to_owned())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Commit {
    type Error = CommitError;
    fn try_from(text: String) -> Result<Self, CommitError> {
        Self::new(text)
    }
}

impl From<Commit> for String {
    fn from(commit: Commit) -> Self {
        commit.0
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The exact bytes of a bundle. CodeDeploy's agent refuses anything else at this key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revision {
    /// The artifact bucket.
    pub bucket: String,
    /// `releases/<service>/<number>-<commit>.zip`.
    pub key: String,
    /// S3's version of the object.
    pub version: String,
    /// S3's `ETag` of that version, without quotation marks.
    pub etag: String,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{} version {}", self.bucket, self.key, self.version)
    }
}
