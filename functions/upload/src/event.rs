//! What a notification of S3 asks for: a new object version to judge, nothing, or it cannot be told.
//!
//! [`greenlight::s3_event`] reads the notification; what a release needs to know of an object is asked for here.

use greenlight::failure::Excerpt;
pub use greenlight::s3_event::ObjectKey;
use greenlight::s3_event::{self, Created, Notice, Other};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// A new version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: ObjectKey,
    /// S3's version of the object.
    pub version_id: String,
    /// S3's `ETag` of that version, without quotation marks; no MD5 after a multipart upload.
    pub etag: String,
    /// Bytes, as the event has it.
    pub size: u64,
    /// Orders the events of one key, if S3 gave it. Logged only: order comes from the number in the key.
    pub sequencer: Option<String>,
}

/// An event that cannot be acted on. It belongs in the on-failure queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Without versions nothing pins the bytes of a release.
    #[error(
        "object {key} in bucket {} has no version, so a release cannot be pinned to its bytes: enable versioning on the bucket and upload again",
        Excerpt(.bucket)
    )]
    NotVersioned {
        /// The bucket.
        bucket: String,
        /// The key.
        key: ObjectKey,
    },
    /// S3's, and what its object lacks.
    #[error("{source}; see events/upload for the shapes that are known")]
    Incomplete {
        /// The bucket.
        bucket: String,
        /// The key.
        key: ObjectKey,
        /// What is missing, or of another type.
        source: s3_event::Unusable,
    },
    /// S3's, and it cannot be read.
    #[error(transparent)]
    Unreadable(s3_event::Unusable),
    /// Another service invokes this function.
    #[error(
        "{0}: this function takes S3's notifications straight or through EventBridge, remove the other trigger"
    )]
    OtherTrigger(s3_event::Unusable),
    /// Not in a shape that S3's notifications have.
    #[error("{0}; see events/upload for the shapes that are known")]
    Unrecognised(s3_event::Unusable),
}

impl Unusable {
    /// The bucket, where it could be read.
    pub fn bucket(&self) -> Option<&str> {
        match self {
            Self::NotVersioned { bucket, .. } | Self::Incomplete { bucket, .. } => Some(bucket),
            Self::Unreadable(unusable) | Self::OtherTrigger(unusable) | Self::Unrecognised(unusable) => {
                unusable.bucket()
            }
        }
    }

    /// The key, where it could be read.
    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::NotVersioned { key, .. } | Self::Incomplete { key, .. } => Some(key),
            Self::Unreadable(_) | Self::OtherTrigger(_) | Self::Unrecognised(_) => None,
        }
    }
}

impl From<s3_event::Unusable> for Unusable {
    fn from(unusable: s3_event::Unusable) -> Self {
        use s3_event::Unusable::{OtherSource, Unrecognised};
        match unusable {
            OtherSource { .. } => Self::OtherTrigger(unusable),
            Unrecognised { .. } => Self::Unrecognised(unusable),
            _ => Self::Unreadable(unusable),
        }
    }
}

/// What asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The object, if the record names one.
    pub key: Option<ObjectKey>,
    /// The sentence that says why it asks for nothing.
    pub reason: String,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// What one record of an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadNotice {
    /// A new object version to judge.
    Uploaded(Uploaded),
    /// Nothing, and why.
    Ignored(Ignored),
    /// It cannot be told.
    Unusable(Unusable),
}

impl UploadNotice {
    /// The bucket of what is uploaded, or should be, where it could be read.
    pub fn bucket(&self) -> Option<&str> {
        match self {
            Self::Uploaded(uploaded) => Some(&uploaded.bucket),
            Self::Unusable(unusable) => unusable.bucket(),
            Self::Ignored(_) => None,
        }
    }

    /// The key, where it could be read.
    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::Uploaded(uploaded) => Some(&uploaded.key),
            Self::Unusable(unusable) => unusable.key(),
            Self::Ignored(ignored) => ignored.key.as_ref(),
        }
    }
}

/// The records of an event, in its order. A bad record says so and leaves the others alone.
pub fn read(payload: &Value) -> Vec<UploadNotice> {
    match s3_event::read(payload) {
        Ok(notices) if notices.is_empty() => {
            let reason = "a notification without records".to_owned();
            vec![UploadNotice::Ignored(Ignored { key: None, reason })]
        }
        Ok(notices) => notices.into_iter().map(|notice| notice.map_or_else(unusable, record)).collect(),
        Err(foreign) => vec![unusable(foreign)],
    }
}

fn unusable(unusable: impl Into<Unusable>) -> UploadNotice {
    UploadNotice::Unusable(unusable.into())
}

fn record(notice: Notice) -> UploadNotice {
    match notice {
        Notice::Created(created) => uploaded(created).map_or_else(unusable, UploadNotice::Uploaded),
        Notice::Other(Other::Deleted { key, bucket }) => {
            let reason = format!("{key} was deleted from {}: what runs stays as it is", Excerpt(&bucket));
            UploadNotice::Ignored(Ignored { key: Some(key), reason })
        }
        Notice::Other(other) => UploadNotice::Ignored(Ignored { key: None, reason: other.to_string() }),
    }
}

/// What is needed of an object beyond its name, as S3 and as EventBridge spell it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(alias = "version-id")]
    version_id: Option<String>,
    #[serde(alias = "etag")]
    e_tag: String,
    size: u64,
    sequencer: Option<String>,
}

fn uploaded(created: Created) -> Result<Uploaded, Unusable> {
    let details = created.details();
    let Created { bucket, key, .. } = created;
    let Details { version_id, e_tag, size, sequencer } = match details {
        Ok(details) => details,
        Err(source) => return Err(Unusable::Incomplete { bucket, key, source }),
    };
    // With versioning suspended S3 calls the version "null", and the next upload replaces its bytes.
    let Some(version_id) = version_id.filter(|version| !version.is_empty() && version != "null") else {
        return Err(Unusable::NotVersioned { bucket, key });
    };
    let etag = e_tag.trim_matches('"').to_owned();
    Ok(Uploaded { bucket, key, version_id, etag, size, sequencer })
}
