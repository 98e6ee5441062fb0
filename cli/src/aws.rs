//! S3 and Lambda, as whoever calls may use them.

pub(crate) mod doctor;
pub(crate) mod functions;
pub(crate) mod logs;
pub(crate) mod receipts;

use crate::release::{Address, Seen, Summary};
use anyhow::Context as _;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use clap::Args;
use greenlight::aws::classify::{CallError, Caller, failure_of};
use greenlight::failure::{Class, Failure};
use greenlight::lambda::SystemClock;
use greenlight::ports::Clock as _;
use jiff::Timestamp;
use release::{Revision, UnknownFields};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::Path;
use std::time::Duration;
use upload::aws::{S3Bundle, S3Bundles};
use upload::bundles::{Bundles as _, ObjectTags};

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

    /// A client for S3.
    pub(crate) async fn s3(&self) -> Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config().await);
        // As the AWS CLI does: another S3 seldom has a name for each bucket.
        Client::from_conf(config.force_path_style(self.endpoint_url.is_some()).build())
    }

    /// What any client is made from.
    async fn config(&self) -> SdkConfig {
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
        config.load().await
    }
}

/// The time, where it is read: everything else is told it.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// A bundle in S3, readable by ranges, as it is: the version that is named, or the newest.
///
/// # Errors
/// When there is none, or the credentials may not read it.
pub(crate) async fn object(
    client: Client,
    address: Address,
    version: Option<String>,
) -> anyhow::Result<S3Bundle> {
    let head = client.head_object().bucket(&address.bucket).key(&address.key).set_version_id(version.clone());
    let head = head
        .send()
        .await
        .map_err(|error| failed(&format!("reading {}", named(&address, version.as_deref())), error))?;
    let Address { bucket, key } = address;
    let version = head.version_id().unwrap_or(WITHOUT_VERSIONS).to_owned();
    let etag = head.e_tag().unwrap_or_default().trim_matches('"').to_owned();
    let revision = Revision { bucket, key, version, etag, unknown_fields: UnknownFields::default() };
    Ok(S3Bundles::new(client).asked_by(Caller::Person).bundle(&revision))
}

/// The version of an object in a bucket that keeps none (S3 user guide, "How S3 Versioning works").
const WITHOUT_VERSIONS: &str = "null";

fn named(address: &Address, version: Option<&str>) -> String {
    let version = version.map(|id| format!(", version {id},")).unwrap_or_default();
    format!("{address}{version}")
}

fn failed<E>(attempt: &str, error: CallError<E>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    failure_of(Caller::Person, attempt, error)
}

/// What has become of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is there, as this version.
    Done(String),
    /// Something else has that name.
    Taken,
}

/// In the object's metadata: what tells an upload from any other.
const UPLOAD: &str = "greenlight-upload";
/// Times that a file is sent while S3 is busy with another one of that name.
const ATTEMPTS: u32 = 4;
/// Between them.
const PAUSE: Duration = Duration::from_secs(1);

/// Uploads a file under a name that is free; with S3's condition a second bundle of a name is refused instead of going
/// live as the first. An upload whose answer is lost is sent again, and then has the name itself: so who has it is
/// looked up before anybody is told that it is taken.
///
/// # Errors
/// When the file cannot be read, the bucket not be written, or nobody can tell whether it was.
pub(crate) async fn upload_new(client: &Client, file: &Path, address: &Address) -> anyhow::Result<Put> {
    let token = token();
    let mut attempt = 1;
    let error = loop {
        let body = ByteStream::from_path(file).await;
        let body = body.with_context(|| format!("{} cannot be read", file.display()))?;
        let put = client.put_object().bucket(&address.bucket).key(&address.key).metadata(UPLOAD, &token);
        match put.if_none_match("*").body(body).send().await {
            Ok(put) => return Ok(Put::Done(put.version_id.unwrap_or_else(|| WITHOUT_VERSIONS.to_owned()))),
            // Another one is on its way (S3 user guide, "Add preconditions to S3 operations").
            Err(error) if error.code() == Some("ConditionalRequestConflict") && attempt < ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => break error,
        }
    };
    let is_taken = error.code() == Some("PreconditionFailed");
    // S3 may fail after it has stored the object.
    let is_failure_of_s3 = status(&error).is_some_and(|status| status >= 500);
    let failure = failed(&format!("uploading {} to {address}", file.display()), error);
    if !is_taken && !is_failure_of_s3 && failure.class() != Class::OutcomeUnknown {
        return Err(failure.into());
    }
    match uploaded(client, address, &token).await {
        Ok(Some(version)) => Ok(Put::Done(version)),
        Ok(None) if is_taken => Ok(Put::Taken),
        Ok(None) => Err(failure.into()),
        Err(unread) => Err(unread).with_context(|| {
            format!(
                "{address} may be there, by this very upload, whose answer was lost, or by another one: see what \
                 becomes of it with release wait"
            )
        }),
    }
}

fn status<E>(error: &CallError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// The version of what has the name, if it was uploaded with this token.
async fn uploaded(client: &Client, address: &Address, token: &str) -> Result<Option<String>, Failure> {
    let head = client.head_object().bucket(&address.bucket).key(&address.key).send().await;
    let head = match head {
        Err(error) if status(&error) == Some(404) => return Ok(None),
        head => head.map_err(|error| failed(&format!("reading {address}"), error))?,
    };
    let is_ours = head.metadata().and_then(|data| data.get(UPLOAD)).is_some_and(|found| found == token);
    Ok(is_ours.then(|| head.version_id.unwrap_or_else(|| WITHOUT_VERSIONS.to_owned())))
}

/// Differs from that of any other upload: the standard library draws the keys of its hashes by chance.
fn token() -> String {
    let draw = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", draw(), draw())
}

/// Looks at one release.
#[derive(Debug)]
pub(crate) struct Looks {
    pub(crate) client: Client,
    pub(crate) upload: Address,
    /// Without it the newest.
    pub(crate) version: Option<String>,
    /// The key of the service's summary, in the same bucket.
    pub(crate) summary: String,
}

impl Looks {
    /// `GetObjectTagging` of the upload and `GetObject` of the summary.
    ///
    /// # Errors
    /// When the tags cannot be read. Without the summary less is seen.
    pub(crate) async fn look(&self, number: Option<u64>) -> Result<Seen, Failure> {
        let Address { bucket, key } = &self.upload;
        let tags = self.client.get_object_tagging().bucket(bucket).key(key);
        let tags = tags.set_version_id(self.version.clone()).send().await.map_err(|error| {
            failed(&format!("reading the verdict on {}", named(&self.upload, self.version.as_deref())), error)
        })?;
        let told = ObjectTags::from(tags.tag_set.as_slice()).told;
        let ended = told.as_ref().is_some_and(|(word, _)| word.is_final());
        let summary = if ended { None } else { self.summary().await };
        let summary = summary.as_ref().zip(number);
        Ok(Seen {
            told,
            open: summary.and_then(|(summary, number)| summary.of(number)),
            frozen_until: summary
                .and_then(|(summary, number)| summary.frozen_until(number))
                .map(str::to_owned),
        })
    }

    async fn summary(&self) -> Option<Summary> {
        let get = self.client.get_object().bucket(&self.upload.bucket).key(&self.summary).send();
        let body = get.await.ok()?.body.collect().await.ok()?;
        serde_json::from_slice(&body.into_bytes()).ok()
    }
}

/// Whether another look may succeed.
pub(crate) fn may_pass(failure: &Failure) -> bool {
    matches!(failure.class(), Class::Transient | Class::OutcomeUnknown)
}
