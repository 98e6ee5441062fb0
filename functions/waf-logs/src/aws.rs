//! The ports, carried out by AWS. The only module that names the SDK: it builds requests, sorts errors, converts answers.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_wafv2::config::Region;
use aws_sdk_wafv2::operation::update_ip_set::UpdateIPSetError;
use aws_sdk_wafv2::types::Scope;
use bytes::Bytes;
use greenlight::aws::classify::{CallError, failure};
use greenlight::failure::{Class, Failure};
use greenlight::lambda::SystemClock;
use jiff::Timestamp;
use offenders::entries::Set;

use crate::ports::{
    Body, Clock, IpSet, IpSets, LogObject, Logs, Opened, Pause, PortResult, Store, Tag, Topic,
};
use crate::settings::{IpSetArn, Settings};

/// AWS, for these settings. Built once, outside the handler.
#[derive(Debug)]
pub struct Aws {
    settings: Settings,
    s3: aws_sdk_s3::Client,
    sns: aws_sdk_sns::Client,
    sets: BTreeMap<Set, aws_sdk_wafv2::Client>,
}

impl Aws {
    /// The clients for these settings. A set for `CloudFront` is changed in its own region.
    pub fn new(settings: &Settings, config: &SdkConfig) -> Self {
        let waf = |set: &IpSetArn| {
            let region = Region::new(set.region.clone());
            aws_sdk_wafv2::Client::from_conf(
                aws_sdk_wafv2::config::Builder::from(config).region(region).build(),
            )
        };
        Self {
            s3: aws_sdk_s3::Client::new(config),
            sns: aws_sdk_sns::Client::new(config),
            sets: settings.sets.iter().map(|(set, arn)| (*set, waf(arn))).collect(),
            settings: settings.clone(),
        }
    }

    fn document(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.settings.state_bucket)
    }

    fn set(&self, set: Set) -> PortResult<(&aws_sdk_wafv2::Client, &IpSetArn, Scope)> {
        let (Some(client), Some(arn)) = (self.sets.get(&set), self.settings.sets.get(&set)) else {
            let message = format!("no ARN was given for the IP set {set:?}; report this as a bug");
            return Err(Failure::new(Class::Permanent, message));
        };
        Ok((client, arn, if arn.is_global { Scope::Cloudfront } else { Scope::Regional }))
    }
}

fn incomplete(attempt: &str, missing: &str) -> Failure {
    Failure::new(Class::Permanent, format!("{attempt} failed: AWS answered without {missing}"))
}

fn broken_off(attempt: &str, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(Class::Transient, format!("{attempt} broke off, try again")).caused_by(error)
}

/// An object's bytes as they come from S3.
#[derive(Debug)]
pub struct S3Body {
    stream: ByteStream,
    attempt: String,
}

impl Body for S3Body {
    async fn next(&mut self) -> PortResult<Option<Bytes>> {
        self.stream.next().await.transpose().map_err(|error| broken_off(&self.attempt, error))
    }
}

impl Logs for Aws {
    type Body = S3Body;

    async fn open(&self, object: &LogObject) -> PortResult<Opened<S3Body>> {
        let attempt = format!("reading {object}");
        let get = self.s3.get_object().bucket(&object.bucket).key(&object.key);
        let get = get.set_version_id(object.version.clone());
        let answer = get.send().await.map_err(|error| failure(&attempt, error))?;
        let etag = answer.e_tag.ok_or_else(|| incomplete(&attempt, "an ETag"))?;
        let written = answer
            .last_modified
            .and_then(|time| time.to_millis().ok())
            .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
            .ok_or_else(|| incomplete(&attempt, "the time of the last change"))?;
        Ok(Opened { etag, written, body: S3Body { stream: answer.body, attempt } })
    }
}

/// S3 says 412 when the condition does not hold, 409 when two writers race, 404 when the expected object is gone
/// (S3 user guide, "Add preconditions to S3 operations with conditional requests").
fn was_first<E: ProvideErrorMetadata>(error: &CallError<E>) -> bool {
    let status = error.raw_response().map(|response| response.status().as_u16());
    matches!(status, Some(409 | 412)) || error.code() == Some("NoSuchKey")
}

impl Store for Aws {
    async fn read(&self, key: &str) -> PortResult<Option<(Bytes, Tag)>> {
        let attempt = format!("reading {}", self.document(key));
        let answer = match self.s3.get_object().bucket(&self.settings.state_bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => {
                return Ok(None);
            }
            Err(error) => return Err(failure(attempt, error)),
        };
        let tag = Tag(answer.e_tag.ok_or_else(|| incomplete(&attempt, "an ETag"))?);
        let bytes = answer.body.collect().await.map_err(|error| broken_off(&attempt, error))?;
        Ok(Some((bytes.into_bytes(), tag)))
    }

    async fn exists(&self, key: &str) -> PortResult<bool> {
        match self.s3.head_object().bucket(&self.settings.state_bucket).key(key).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(false),
            Err(error) => Err(failure(format!("looking for {}", self.document(key)), error)),
        }
    }

    async fn create(&self, key: &str, bytes: Vec<u8>) -> PortResult<bool> {
        self.replace(key, bytes, None).await
    }

    async fn replace(&self, key: &str, bytes: Vec<u8>, expected: Option<&Tag>) -> PortResult<bool> {
        let put = self.s3.put_object().bucket(&self.settings.state_bucket).key(key);
        let put = put.content_type(content_type(key)).body(ByteStream::from(bytes));
        let put = match expected {
            Some(Tag(etag)) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if was_first(&error) => Ok(false),
            Err(error) => Err(failure(format!("writing {}", self.document(key)), error)),
        }
    }

    async fn write(&self, key: &str, bytes: Vec<u8>) -> PortResult<()> {
        let put = self.s3.put_object().bucket(&self.settings.state_bucket).key(key);
        let put = put.content_type(content_type(key)).body(ByteStream::from(bytes));
        put.send().await.map_err(|error| failure(format!("writing {}", self.document(key)), error))?;
        Ok(())
    }

    async fn list(&self, prefix: &str, after: &str) -> PortResult<Vec<String>> {
        let attempt = format!("listing {}", self.document(prefix));
        let list = self.s3.list_objects_v2().bucket(&self.settings.state_bucket).prefix(prefix);
        let mut pages = list.start_after(after).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failure(&attempt, error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        let delete = self.s3.delete_object().bucket(&self.settings.state_bucket).key(key);
        delete.send().await.map_err(|error| failure(format!("deleting {}", self.document(key)), error))?;
        Ok(())
    }
}

fn content_type(key: &str) -> &'static str {
    if key.rsplit('.').next() == Some("json") { "application/json" } else { "application/octet-stream" }
}

impl IpSets for Aws {
    async fn read_set(&self, set: Set) -> PortResult<IpSet> {
        let (client, set, scope) = self.set(set)?;
        let attempt = format!("reading IP set {}", set.arn);
        let answer = client.get_ip_set().name(&set.name).id(&set.id).scope(scope).send().await;
        let answer = answer.map_err(|error| failure(&attempt, error))?;
        let lock = answer.lock_token.ok_or_else(|| incomplete(&attempt, "a lock token"))?;
        let entries = answer.ip_set.ok_or_else(|| incomplete(&attempt, "the set"))?.addresses;
        Ok(IpSet { entries, lock })
    }

    async fn replace_set(&self, set: Set, entries: Vec<String>, lock: &str) -> PortResult<bool> {
        let (client, set, scope) = self.set(set)?;
        let update = client.update_ip_set().name(&set.name).id(&set.id).scope(scope).lock_token(lock);
        // Set as a whole: an empty list must be sent, too.
        match update.set_addresses(Some(entries)).send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateIPSetError::is_waf_optimistic_lock_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(failure(format!("writing IP set {}", set.arn), error)),
        }
    }
}

impl Topic for Aws {
    async fn publish(&self, subject: &str, text: &str) -> PortResult<()> {
        let Some(topic) = &self.settings.topic_arn else { return Ok(()) };
        let publish = self.sns.publish().topic_arn(topic).subject(subject).message(text);
        publish.send().await.map_err(|error| failure(format!("publishing to {topic}"), error))?;
        Ok(())
    }
}

impl Pause for Aws {
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

impl Clock for Aws {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::VARIABLES;
    use aws_config::BehaviorVersion;
    use aws_sdk_s3::operation::get_object::GetObjectOutput;
    use aws_sdk_s3::operation::put_object::PutObjectOutput;
    use aws_sdk_s3::primitives::DateTime;
    use aws_sdk_s3::types::error::NoSuchKey;
    use aws_sdk_wafv2::operation::get_ip_set::GetIpSetOutput;
    use aws_sdk_wafv2::operation::update_ip_set::UpdateIpSetOutput;
    use aws_sdk_wafv2::types::IpAddressVersion;
    use aws_sdk_wafv2::types::error::WafOptimisticLockException;
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    fn aws(s3: &[&Rule], waf: &[&Rule]) -> Aws {
        let examples: BTreeMap<String, String> = VARIABLES
            .iter()
            .map(|variable| (variable.name.to_owned(), variable.example.to_owned()))
            .collect();
        let waf_client = || mock_client!(aws_sdk_wafv2, RuleMode::MatchAny, waf);
        Aws {
            settings: Settings::read(&examples).unwrap(),
            s3: mock_client!(aws_sdk_s3, RuleMode::MatchAny, s3),
            sns: aws_sdk_sns::Client::from_conf(
                aws_sdk_sns::Config::builder().behavior_version(BehaviorVersion::latest()).build(),
            ),
            sets: Set::ALL.into_iter().map(|set| (set, waf_client())).collect(),
        }
    }

    fn refused(status: u16, code: &str) -> HttpResponse {
        let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
        HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body))
    }

    #[tokio::test]
    async fn a_log_object_comes_with_its_tag_time_and_bytes() {
        let rule = mock!(aws_sdk_s3::Client::get_object)
            .match_requests(|request| request.bucket() == Some("logs") && request.version_id() == Some("v1"))
            .then_output(|| {
                GetObjectOutput::builder()
                    .e_tag("\"e\"")
                    .last_modified(DateTime::from_secs(1_795_348_800))
                    .body(ByteStream::from_static(b"bytes"))
                    .build()
            });
        let aws = aws(&[&rule], &[]);
        let object = LogObject { bucket: "logs".into(), key: "k".into(), version: Some("v1".into()) };
        let mut opened = aws.open(&object).await.unwrap();
        assert_eq!((opened.etag.as_str(), opened.written.as_second()), ("\"e\"", 1_795_348_800));
        assert_eq!(opened.body.next().await.unwrap().unwrap(), "bytes");
        assert_eq!(opened.body.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_document_that_is_not_there_is_none_and_a_refusal_is_a_failure() {
        let missing = mock!(aws_sdk_s3::Client::get_object)
            .then_error(|| GetObjectError::NoSuchKey(NoSuchKey::builder().build()));
        assert!(aws(&[&missing], &[]).read("waf/state.json").await.unwrap().is_none());
        let denied =
            mock!(aws_sdk_s3::Client::get_object).then_http_response(|| refused(403, "AccessDenied"));
        let failure = aws(&[&denied], &[]).read("waf/state.json").await.unwrap_err();
        assert_eq!(failure.class(), Class::Permanent);
        assert!(
            failure.to_string().contains("s3://shop-state-123456789012-eu-west-1/waf/state.json"),
            "{failure}"
        );
    }

    #[tokio::test]
    async fn a_conditional_write_that_lost_is_no_failure() {
        for (status, code) in
            [(412, "PreconditionFailed"), (409, "ConditionalRequestConflict"), (404, "NoSuchKey")]
        {
            let lost = mock!(aws_sdk_s3::Client::put_object)
                .match_requests(|request| {
                    request.if_match() == Some("\"e\"") && request.if_none_match().is_none()
                })
                .then_http_response(move || refused(status, code));
            let tag = Tag("\"e\"".to_owned());
            assert!(
                !aws(&[&lost], &[]).replace("waf/state.json", vec![], Some(&tag)).await.unwrap(),
                "{code}"
            );
        }
        let first = mock!(aws_sdk_s3::Client::put_object)
            .match_requests(|request| request.if_none_match() == Some("*") && request.if_match().is_none())
            .then_output(|| PutObjectOutput::builder().build());
        assert!(aws(&[&first], &[]).create("waf/partials/x/y", vec![]).await.unwrap());
    }

    #[tokio::test]
    async fn a_set_is_read_and_replaced_by_name_id_and_scope() {
        let get = mock!(aws_sdk_wafv2::Client::get_ip_set)
            .match_requests(|request| {
                request.name() == Some("shop-blocked-v4") && request.scope() == Some(&Scope::Regional)
            })
            .then_output(|| {
                let set = aws_sdk_wafv2::types::IpSet::builder().name("n").id("i").arn("a");
                let set =
                    set.ip_address_version(IpAddressVersion::Ipv4).addresses("192.0.2.0/24").build().unwrap();
                GetIpSetOutput::builder().ip_set(set).lock_token("t1").build()
            });
        let update = mock!(aws_sdk_wafv2::Client::update_ip_set)
            .match_requests(|request| {
                request.lock_token() == Some("t1") && request.addresses() == ["192.0.2.1/32"]
            })
            .then_output(|| UpdateIpSetOutput::builder().next_lock_token("t2").build());
        let aws = aws(&[], &[&get, &update]);
        let set = aws.read_set(Set::ALL[0]).await.unwrap();
        assert_eq!(
            (set.entries.as_slice(), set.lock.as_str()),
            (["192.0.2.0/24".to_owned()].as_slice(), "t1")
        );
        assert!(aws.replace_set(Set::ALL[0], vec!["192.0.2.1/32".to_owned()], "t1").await.unwrap());
    }

    #[tokio::test]
    async fn an_empty_list_is_sent_and_a_stale_lock_token_is_told_apart() {
        let stale = mock!(aws_sdk_wafv2::Client::update_ip_set)
            .match_requests(|request| request.addresses.as_ref().is_some_and(Vec::is_empty))
            .then_error(|| {
                UpdateIPSetError::WafOptimisticLockException(WafOptimisticLockException::builder().build())
            });
        assert!(!aws(&[], &[&stale]).replace_set(Set::ALL[1], vec![], "t").await.unwrap());
    }
}
