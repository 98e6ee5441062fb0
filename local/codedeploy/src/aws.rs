//! What CodeDeploy and its agents use of the rest of AWS.

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// Where a bundle lies, as `revision.s3Location` carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct S3Location {
    /// The bucket's name.
    #[serde(default)]
    pub bucket: String,
    /// The object's key.
    #[serde(default)]
    pub key: String,
    /// `zip`, `tar` or `tgz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle_type: Option<String>,
    /// Absent: whatever is newest when the agent downloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Absent: not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
}

/// A fetched object.
#[derive(Debug, Clone)]
pub struct Object {
    /// The body.
    pub bytes: Bytes,
    /// With or without quotes.
    pub e_tag: String,
}

/// S3's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct S3Error {
    /// `NoSuchKey`, `NoSuchVersion`, `AccessDenied` …
    pub code: String,
    /// What the agent shows.
    pub message: String,
}

/// What CodeDeploy and its agents use of the rest of AWS.
pub trait Aws: Send + Sync + 'static {
    /// `GetObject` with the instance's role: that version when one is named, else the newest.
    fn fetch(&self, location: S3Location) -> BoxFuture<'_, Result<Object, S3Error>>;

    /// `autoscaling:SuspendProcesses` with the service's role; an error fails the deployment before it begins.
    fn suspend_processes(&self, _group: &str, _processes: Vec<String>) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// `autoscaling:ResumeProcesses`; an error fails the deployment and leaves the processes suspended.
    fn resume_processes(&self, _group: &str, _processes: Vec<String>) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
