//! Bundles in S3, read by ranges that are pinned to a version and its `ETag`.

use crate::bundles::{Bundles, ObjectTags, ReadFailure};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::types::Tag;
use bundle::{RangedRead, Tail};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use greenlight::aws::classify::{CallError, Caller, failure_of};
use greenlight::failure::{Class, Failure};
use release::{Revision, VerdictWord};
use std::error::Error;
use std::ops::Range;

const ALLOW_DOWNGRADE: &str = "greenlight:allow-downgrade";
const VERDICT: &str = "greenlight:verdict";
const REASON: &str = "greenlight:reason";
/// Reads of one bundle that are under way at the same time.
const READS_AT_A_TIME: usize = 16;

/// [`Bundles`] over S3's API.
#[derive(Debug, Clone)]
pub struct S3Bundles {
    client: Client,
    caller: Caller,
}

/// One version of an object in S3.
#[derive(Debug, Clone)]
pub struct S3Bundle {
    s3: S3Bundles,
    revision: Revision,
}

impl S3Bundles {
    /// Over this client, for a function.
    pub fn new(client: Client) -> Self {
        Self { client, caller: Caller::Function }
    }

    /// Failures say what helps this caller.
    #[must_use]
    pub fn asked_by(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    /// 404 is a version that was deleted, 405 a delete marker, 412 another `ETag`
    /// (S3 API reference, `GetObject` and error responses).
    fn read_failure<E>(&self, revision: &Revision, attempt: &str, error: CallError<E>) -> ReadFailure
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let code = error.as_service_error().and_then(|error| error.code()).unwrap_or_default();
        match error.raw_response().map(|response| response.status().as_u16()) {
            Some(404 | 405) if code != "NoSuchBucket" => ReadFailure::Gone(revision.clone()),
            Some(412) => ReadFailure::Changed(revision.clone()),
            _ => ReadFailure::Failed(failure_of(self.caller, attempt, error)),
        }
    }
}

impl Bundles for S3Bundles {
    type Bundle = S3Bundle;

    fn bundle(&self, revision: &Revision) -> S3Bundle {
        S3Bundle { s3: self.clone(), revision: revision.clone() }
    }

    /// `GetObjectTagging` of the version.
    async fn tags(&self, revision: &Revision) -> Result<ObjectTags, ReadFailure> {
        let attempt = format!("reading the tags of {revision}");
        let Revision { bucket, key, version, .. } = revision;
        let tags = self.client.get_object_tagging().bucket(bucket).key(key).version_id(version);
        let tags = tags.send().await.map_err(|error| self.read_failure(revision, &attempt, error))?;
        Ok(tags.tag_set.as_slice().into())
    }
}

impl From<&[Tag]> for ObjectTags {
    fn from(tags: &[Tag]) -> Self {
        let value = |key: &str| tags.iter().find(|tag| tag.key() == key).map(Tag::value);
        let word = value(VERDICT).and_then(VerdictWord::from_word);
        Self {
            allow_downgrade: value(ALLOW_DOWNGRADE) == Some("true"),
            told: word.map(|word| (word, value(REASON).unwrap_or_default().to_owned())),
        }
    }
}

impl S3Bundle {
    /// `GetObject` with a range. A lost answer changes nothing, so every failure but a refusal may be repeated.
    async fn get(&self, range: String) -> Result<GetObjectOutput, CallError<GetObjectError>> {
        let Revision { bucket, key, version, etag, .. } = &self.revision;
        let get =
            self.s3.client.get_object().bucket(bucket).key(key).version_id(version).if_match(quoted(etag));
        get.range(range).send().await
    }
}

/// The bytes of an answer, gathered into one piece of memory.
async fn gather(attempt: &str, mut answer: GetObjectOutput) -> Result<Bytes, ReadFailure> {
    let announced =
        answer.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut gathered = BytesMut::with_capacity(announced);
    while let Some(piece) = answer.body.next().await {
        let piece = piece.map_err(|error| {
            let message = format!("{attempt} failed half way, nothing was done, the event is tried again");
            Failure::new(Class::Transient, message).caused_by(error)
        })?;
        gathered.extend_from_slice(&piece);
    }
    Ok(gathered.freeze())
}

impl RangedRead for S3Bundle {
    type Error = ReadFailure;

    /// The size comes with the bytes: S3 says in `Content-Range` of how many they are the last (RFC 9110, 14.4). An
    /// object without a byte has no last ones (RFC 9110, 14.1.2), to which S3 says `InvalidRange`.
    async fn tail(&self, most: u64) -> Result<Tail, ReadFailure> {
        let attempt = format!("reading the last {most} bytes of {}", self.revision);
        let answer = match self.get(format!("bytes=-{most}")).await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().and_then(|error| error.code()) == Some("InvalidRange") => {
                return Ok(Tail { bytes: Bytes::new(), size: 0 });
            }
            Err(error) => return Err(self.s3.read_failure(&self.revision, &attempt, error)),
        };
        let size =
            answer.content_range().map(|range| range.rsplit('/').next().and_then(|size| size.parse().ok()));
        let bytes = gather(&attempt, answer).await?;
        // Without the header the answer is the whole object.
        let size = size.unwrap_or(Some(bytes.len() as u64));
        let size = size.filter(|size| bytes.len() as u64 == most.min(*size));
        Ok(Tail { size: size.ok_or_else(|| incomplete(&attempt, "a length that fits its bytes"))?, bytes })
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes, ReadFailure> {
        let last = range.end.saturating_sub(1);
        let attempt = format!("reading bytes {} to {last} of {}", range.start, self.revision);
        let answer = self.get(format!("bytes={}-{last}", range.start)).await;
        let answer = answer.map_err(|error| self.s3.read_failure(&self.revision, &attempt, error))?;
        let bytes = gather(&attempt, answer).await?;
        if bytes.len() as u64 == range.end - range.start {
            Ok(bytes)
        } else {
            Err(incomplete(&attempt, "all of them").into())
        }
    }

    async fn read_all(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, ReadFailure> {
        let reads = stream::iter(ranges.iter().cloned()).map(|range| self.read(range));
        reads.buffered(READS_AT_A_TIME).try_collect().await
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

#[cfg(test)]
mod tests;
