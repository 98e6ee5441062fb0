//! A bundle in S3.

use anyhow::Context as _;
use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use release::{Revision, UnknownFields};
use upload::aws::{S3Bundle, S3Bundles};
use upload::bundles::Bundles as _;

/// The newest version of an object.
///
/// # Errors
/// When there is none, or the credentials of the environment may not read it.
pub(crate) async fn newest(bucket: &str, key: &str) -> anyhow::Result<S3Bundle> {
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let head = client.head_object().bucket(bucket).key(key).send().await;
    let head = head.with_context(|| {
        format!("s3://{bucket}/{key} cannot be read: check its name and your credentials")
    })?;
    let revision = Revision {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        // An object of a bucket without versions has the version `null` (S3 user guide, "Using versioning").
        version: head.version_id().unwrap_or("null").to_owned(),
        etag: head.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
        unknown_fields: UnknownFields::default(),
    };
    Ok(S3Bundles::new(client).bundle(&revision))
}
