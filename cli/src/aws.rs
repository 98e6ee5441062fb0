//! A bundle in S3.

use crate::check::Object;
use anyhow::Context as _;
use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use release::{Revision, UnknownFields};
use upload::aws::{S3Bundle, S3Bundles};
use upload::bundles::Bundles as _;

/// One version of an object.
///
/// # Errors
/// When there is none, or the credentials of the environment may not read it.
pub(crate) async fn object(bucket: &str, key: &str, which: &Object) -> anyhow::Result<S3Bundle> {
    let Object { version_id, endpoint_url } = which;
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(url) = endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = aws_sdk_s3::config::Builder::from(&loader.load().await);
    // As the AWS CLI does: another S3 seldom has a name for each bucket.
    let client = Client::from_conf(config.force_path_style(endpoint_url.is_some()).build());
    let head = client.head_object().bucket(bucket).key(key).set_version_id(version_id.clone());
    let head = head.send().await.with_context(|| {
        let version = version_id.as_ref().map(|id| format!(", version {id},")).unwrap_or_default();
        format!("s3://{bucket}/{key}{version} cannot be read: check its name and your credentials")
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
