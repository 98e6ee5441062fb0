//! What CodeDeploy and its agents use of the rest of AWS: bundles from S3, Auto Scaling's processes.

use aws_config::SdkConfig;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use codedeploy::{Aws, Object, S3Error, S3Location};
use futures::future::BoxFuture;

/// The clients for it.
#[derive(Debug)]
pub(crate) struct Revisions {
    s3: aws_sdk_s3::Client,
    scaling: aws_sdk_autoscaling::Client,
}

impl Revisions {
    /// Clients with this configuration.
    pub(crate) fn new(aws: &SdkConfig) -> Self {
        Self { s3: aws_sdk_s3::Client::new(aws), scaling: aws_sdk_autoscaling::Client::new(aws) }
    }
}

impl Aws for Revisions {
    fn fetch(&self, location: S3Location) -> BoxFuture<'_, Result<Object, S3Error>> {
        Box::pin(async move {
            let request = self.s3.get_object().bucket(location.bucket).key(location.key);
            let response =
                request.set_version_id(location.version).send().await.map_err(|error| S3Error {
                    code: error.code().unwrap_or("InternalError").to_owned(),
                    message: error.message().map_or_else(|| error.to_string(), ToOwned::to_owned),
                })?;
            let e_tag = response.e_tag().unwrap_or_default().to_owned();
            let bytes = response
                .body
                .collect()
                .await
                .map_err(|error| S3Error { code: "IncompleteBody".to_owned(), message: error.to_string() })?;
            Ok(Object { bytes: bytes.into_bytes(), e_tag })
        })
    }

    fn suspend_processes(&self, group: &str, processes: Vec<String>) -> BoxFuture<'_, Result<(), String>> {
        let request = self.scaling.suspend_processes().auto_scaling_group_name(group);
        let request = request.set_scaling_processes(Some(processes));
        Box::pin(async move { request.send().await.map(drop).map_err(|error| error.to_string()) })
    }

    fn resume_processes(&self, group: &str, processes: Vec<String>) -> BoxFuture<'_, Result<(), String>> {
        let request = self.scaling.resume_processes().auto_scaling_group_name(group);
        let request = request.set_scaling_processes(Some(processes));
        Box::pin(async move { request.send().await.map(drop).map_err(|error| error.to_string()) })
    }
}
