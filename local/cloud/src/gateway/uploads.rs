//! S3 notices what happened to objects and tells the functions and queues that want to know.

use super::recognise::bucket_and_key;
use crate::aws;
use crate::clock;
use crate::deliveries::Deliveries;
use crate::notifications::{self, Destination, Notification, ObjectEvent};
use crate::queues::Queues;
use crate::stack::function_name;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use http::{HeaderMap, Uri};
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The buckets' notifications.
#[derive(Debug)]
pub(crate) struct Uploads {
    client: Client,
    notifications: Vec<Notification>,
    deliveries: Arc<Deliveries>,
    queues: Queues,
    sequencer: AtomicU64,
}

/// An operation whose success is announced.
#[derive(Debug)]
pub(super) struct Watched {
    event: &'static str,
    bucket: String,
    key: String,
    principal: String,
}

impl Uploads {
    /// Notifies as the buckets' configuration says.
    pub(crate) fn new(
        aws: &SdkConfig,
        notifications: Vec<Notification>,
        deliveries: Arc<Deliveries>,
        queues: Queues,
    ) -> Self {
        // From the clock, so that a cloud that is started again goes on upwards.
        let start = u64::try_from(clock::now().as_millisecond()).unwrap_or_default() << 16;
        Self { client: Client::new(aws), notifications, deliveries, queues, sequencer: AtomicU64::new(start) }
    }

    /// What to do after this operation, if anything.
    pub(super) fn watch(&self, operation: &str, uri: &Uri, principal: &str) -> Option<Watched> {
        let event = match operation {
            "PutObject" => "s3:ObjectCreated:Put",
            "CopyObject" => "s3:ObjectCreated:Copy",
            "CompleteMultipartUpload" => "s3:ObjectCreated:CompleteMultipartUpload",
            "DeleteObject" => "s3:ObjectRemoved:Delete",
            _ => return None,
        };
        let (bucket, key) = bucket_and_key(uri)?;
        let wanted = self.notifications.iter().any(|notification| notification.wants(&bucket, event, &key));
        wanted.then(|| Watched { event, bucket, key, principal: principal.to_owned() })
    }

    /// Tells those who want to know. `headers` are those of S3's answer.
    pub(super) async fn happened(&self, watched: Watched, headers: &HeaderMap) {
        let header =
            |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        let version_id = header("x-amz-version-id");
        let (size, etag) = if watched.event.starts_with("s3:ObjectCreated") {
            let head = self.client.head_object().bucket(&watched.bucket).key(&watched.key);
            match head.set_version_id(version_id.clone()).send().await {
                Ok(head) => {
                    (head.content_length(), head.e_tag().map(|etag| etag.trim_matches('"').to_owned()))
                }
                Err(error) => {
                    tracing::error!(%error, key = watched.key, "an uploaded object cannot be looked at");
                    (None, None)
                }
            }
        } else {
            (None, None)
        };
        let event = ObjectEvent {
            name: watched.event.to_owned(),
            bucket: watched.bucket,
            key: watched.key,
            version_id,
            size,
            etag,
            sequencer: self.sequencer.fetch_add(1, Ordering::Relaxed),
            time: clock::now().to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            region: aws::REGION.to_owned(),
            principal: watched.principal,
            request_id: header("x-amz-request-id").unwrap_or_else(|| "LOCAL".to_owned()),
        };
        for notification in &self.notifications {
            if notification.wants(&event.bucket, &event.name, &event.key) {
                let record = notifications::event(notification, &event);
                match &notification.destination {
                    Destination::Function(function) => self.deliveries.send(function_name(function), &record),
                    Destination::Queue(queue) => {
                        let (queues, queue, late) =
                            (self.queues.clone(), queue.clone(), self.deliveries.late());
                        tokio::spawn(async move {
                            tokio::time::sleep(late).await;
                            if let Err(error) = queues.send(&queue, &record.to_string()).await {
                                tracing::error!(error = %format!("{error:#}"), queue, "a notification was not queued");
                            }
                        });
                    }
                }
            }
        }
    }
}
