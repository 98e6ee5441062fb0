//! Bundles in S3, read by ranges that are pinned to a version and its `ETag`.

use crate::bundle::RangedRead;
use crate::bundles::{Bundles, ObjectTags, ReadFailure};
use aws_sdk_s3::Client;
use aws_sdk_s3::types::Tag;
use bytes::Bytes;
use greenlight::aws::classify::{CallError, failed, failure, status};
use greenlight::failure::{Class, Failure};
use release::{Revision, VerdictWord};
use std::error::Error;
use std::ops::Range;

const ALLOW_DOWNGRADE: &str = "greenlight:allow-downgrade";
const VERDICT: &str = "greenlight:verdict";
const REASON: &str = "greenlight:reason";

/// [`Bundles`] over S3's API.
#[derive(Debug, Clone)]
pub struct S3Bundles {
    client: Client,
}

/// One version of an object in S3.
#[derive(Debug, Clone)]
pub struct S3Bundle {
    client: Client,
    revision: Revision,
    size: u64,
}

impl S3Bundles {
    /// Over this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Bundles for S3Bundles {
    type Bundle = S3Bundle;

    /// `HeadObject`: the size comes from the object, not from the event.
    async fn open(&self, revision: &Revision) -> Result<S3Bundle, ReadFailure> {
        let attempt = format!("reading the size of {revision}");
        let Revision { bucket, key, version, etag, .. } = revision;
        let head =
            self.client.head_object().bucket(bucket).key(key).version_id(version).if_match(quoted(etag));
        let head = head.send().await.map_err(|error| head_failure(revision, &attempt, error))?;
        let size = head.content_length().and_then(|length| u64::try_from(length).ok());
        let size = size.ok_or_else(|| incomplete(&attempt, "a length"))?;
        Ok(S3Bundle { client: self.client.clone(), revision: revision.clone(), size })
    }

    /// `GetObjectTagging` of the version.
    async fn tags(&self, revision: &Revision) -> Result<ObjectTags, ReadFailure> {
        let attempt = format!("reading the tags of {revision}");
        let Revision { bucket, key, version, .. } = revision;
        let tags = self.client.get_object_tagging().bucket(bucket).key(key).version_id(version);
        let tags = tags.send().await.map_err(|error| read_failure(revision, &attempt, error))?.tag_set;
        let value = |key: &str| tags.iter().find(|tag| tag.key() == key).map(Tag::value);
        let word = value(VERDICT).and_then(VerdictWord::from_word);
        Ok(ObjectTags {
            allow_downgrade: value(ALLOW_DOWNGRADE) == Some("true"),
            told: word.map(|word| (word, value(REASON).unwrap_or_default().to_owned())),
        })
    }
}

impl RangedRead for S3Bundle {
    type Error = ReadFailure;

    fn size(&self) -> u64 {
        self.size
    }

    /// `GetObject` with a range. A lost answer changes nothing, so every failure but a refusal may be repeated.
    async fn read(&self, range: Range<u64>) -> Result<Bytes, ReadFailure> {
        let last = range.end.saturating_sub(1);
        let attempt = format!("reading bytes {} to {last} of {}", range.start, self.revision);
        let Revision { bucket, key, version, etag, .. } = &self.revision;
        let get = self.client.get_object().bucket(bucket).key(key).version_id(version).if_match(quoted(etag));
        let get = get.range(format!("bytes={}-{last}", range.start));
        let answer = get.send().await.map_err(|error| read_failure(&self.revision, &attempt, error))?;
        let bytes = answer.body.collect().await.map_err(|error| {
            let message = format!("{attempt} failed half way, nothing was done, the event is tried again");
            Failure::new(Class::Transient, message).caused_by(error)
        })?;
        let bytes = bytes.into_bytes();
        if bytes.len() as u64 == range.end - range.start {
            Ok(bytes)
        } else {
            Err(incomplete(&attempt, "all of them").into())
        }
    }
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

fn incomplete(attempt: &str, missing: &str) -> Failure {
    Failure::new(
        Class::Transient,
        format!("{attempt} failed, S3 answered without {missing}: the event is tried again"),
    )
}

/// S3 answers a HEAD without a body, so that the status must say what the error code says elsewhere
/// (S3 API reference, `HeadObject`).
fn head_failure<E>(revision: &Revision, attempt: &str, error: CallError<E>) -> ReadFailure
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let (class, next) = match status(&error) {
        Some(403) => (
            Class::Permanent,
            "S3 refuses to show it, the function's role needs s3:GetObjectVersion on it, and kms:Decrypt if the bucket has a key of its own",
        ),
        Some(400) => (
            Class::Transient,
            "the function's credentials have probably expired, the event is tried again with new ones",
        ),
        _ => return read_failure(revision, attempt, error),
    };
    ReadFailure::Failed(failed(class, attempt, next, error))
}

/// 404 is a version that was deleted, 405 a delete marker, 412 another `ETag`
/// (S3 API reference, `GetObject` and error responses).
fn read_failure<E>(revision: &Revision, attempt: &str, error: CallError<E>) -> ReadFailure
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(|error| error.code()).unwrap_or_default();
    match error.raw_response().map(|response| response.status().as_u16()) {
        Some(404 | 405) if code != "NoSuchBucket" => ReadFailure::Gone(revision.clone()),
        Some(412) => ReadFailure::Changed(revision.clone()),
        _ => ReadFailure::Failed(failure(attempt, error)),
    }
}

#[cfg(test)]
mod tests;
