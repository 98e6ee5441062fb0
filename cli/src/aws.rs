//! S3, as whoever calls may use it.

use crate::release::{Seen, Summary};
use anyhow::Context as _;
use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use clap::Args;
use greenlight::aws::classify::failure;
use greenlight::failure::{Class, Failure};
use release::{Revision, UnknownFields};
use std::path::Path;
use upload::aws::{S3Bundle, S3Bundles};
use upload::bundles::{Bundles as _, ReadFailure};

/// Which account, region and cloud, as the AWS command line has it.
#[derive(Debug, Args)]
pub(crate) struct Account {
    /// A profile of ~/.aws/config; without it what the environment says
    #[arg(long)]
    profile: Option<String>,
    /// The stack's region
    #[arg(long)]
    region: Option<String>,
    /// Another cloud than AWS, as the local one
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

impl Account {
    /// Whether another cloud than AWS is named.
    pub(crate) fn names_another_cloud(&self) -> bool {
        self.endpoint_url.is_some()
    }

    /// A client for it.
    pub(crate) async fn s3(&self) -> Client {
        let mut config = aws_config::defaults(BehaviorVersion::latest());
        if let Some(profile) = &self.profile {
            config = config.profile_name(profile);
        }
        if let Some(region) = &self.region {
            config = config.region(aws_config::Region::new(region.clone()));
        }
        if let Some(url) = &self.endpoint_url {
            config = config.endpoint_url(url);
        }
        let config = aws_sdk_s3::config::Builder::from(&config.load().await);
        // As the AWS CLI does: another S3 seldom has a name for each bucket.
        Client::from_conf(config.force_path_style(self.endpoint_url.is_some()).build())
    }
}

/// One version of an object. An object of a bucket without versions has the version `null` (S3 user guide, "Using
/// versioning").
pub(crate) fn pinned(bucket: String, key: String, version: Option<String>) -> Revision {
    let version = version.unwrap_or_else(|| "null".to_owned());
    Revision { bucket, key, version, etag: String::new(), unknown_fields: UnknownFields::default() }
}

/// An object as it is: the version that is named, or the newest.
///
/// # Errors
/// When there is none, or the credentials may not read it.
pub(crate) async fn object(
    client: &Client,
    bucket: &str,
    key: &str,
    version: Option<String>,
) -> anyhow::Result<Revision> {
    let head = client.head_object().bucket(bucket).key(key).set_version_id(version.clone()).send().await;
    let head = head.with_context(|| {
        let version = version.as_ref().map(|id| format!(", version {id},")).unwrap_or_default();
        format!(
            "s3://{bucket}/{key}{version} cannot be read: check its name, the region and your credentials"
        )
    })?;
    let etag = head.e_tag().unwrap_or_default().trim_matches('"').to_owned();
    Ok(Revision { etag, ..pinned(bucket.to_owned(), key.to_owned(), head.version_id().map(str::to_owned)) })
}

/// Uploads a file and tells its version. `None`: something has that name; with S3's condition a second bundle of a name is
/// refused instead of going live as the first.
///
/// # Errors
/// When the file cannot be read, or the bucket not be written.
pub(crate) async fn upload_new(
    client: &Client,
    file: &Path,
    bucket: &str,
    key: &str,
) -> anyhow::Result<Option<String>> {
    let name = file.display();
    let body = ByteStream::from_path(file).await.with_context(|| format!("{name} cannot be read"))?;
    match client.put_object().bucket(bucket).key(key).if_none_match("*").body(body).send().await {
        Ok(put) => Ok(Some(put.version_id.unwrap_or_else(|| "null".to_owned()))),
        Err(error) if error.code() == Some("PreconditionFailed") => Ok(None),
        Err(error) => Err(error).with_context(|| {
            format!(
                "{name} could not be uploaded to s3://{bucket}/{key}: check the bucket and your credentials"
            )
        }),
    }
}

/// A bundle in S3, readable by ranges.
pub(crate) fn bundle(client: Client, revision: &Revision) -> S3Bundle {
    S3Bundles::new(client).bundle(revision)
}

/// Looks at one release.
#[derive(Debug)]
pub(crate) struct Looks {
    pub(crate) client: Client,
    pub(crate) upload: Revision,
    /// The key of the service's summary, in the same bucket.
    pub(crate) summary: String,
}

impl Looks {
    /// `GetObjectTagging` of the upload and `GetObject` of the summary.
    ///
    /// # Errors
    /// When the tags cannot be read. Without the summary less is seen.
    pub(crate) async fn look(&self, number: Option<u64>) -> anyhow::Result<Seen> {
        let tags = S3Bundles::new(self.client.clone()).tags(&self.upload).await?;
        let ended = tags.told.as_ref().is_some_and(|(word, _)| word.is_final());
        let summary = if ended { None } else { self.summary().await.unwrap_or_default() };
        let open = number.and_then(|number| summary.as_ref()?.of(number));
        Ok(Seen { told: tags.told, open })
    }

    async fn summary(&self) -> anyhow::Result<Option<Summary>> {
        let get = self.client.get_object().bucket(&self.upload.bucket).key(&self.summary).send();
        let answer = get.await.map_err(|error| failure("reading the summary", error))?;
        Ok(serde_json::from_slice(&answer.body.collect().await?.into_bytes()).ok())
    }
}

/// Whether another look may succeed.
pub(crate) fn may_pass(error: &anyhow::Error) -> bool {
    let class = match error.downcast_ref::<ReadFailure>() {
        Some(ReadFailure::Failed(failure)) => Some(Failure::class(failure)),
        Some(ReadFailure::Gone(_) | ReadFailure::Changed(_)) | None => None,
    };
    class.is_some_and(|class| matches!(class, Class::Transient | Class::OutcomeUnknown))
}
