//! The page of all services, in S3.

use super::Aws;
use super::classify::failure;
use crate::failure::{Class, Failure};
use crate::ports::{Pages, PortResult};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use std::time::Duration;

const KEY: &str = "page/index.html";
/// Where `waf-logs` leaves how many it blocks (`functions/waf-logs/src/keys.rs`).
const BLOCKED: &str = "waf/blocked.json";
const TYPE: &str = "text/html; charset=utf-8";

impl Pages for Aws {
    /// `PutObject`, without a precondition: what is newer comes a minute later.
    async fn write_page(&self, html: &str) -> PortResult<()> {
        let bucket = &self.settings.state_bucket;
        let attempt = format!("writing the page s3://{bucket}/{KEY}");
        let write = self.s3.put_object().bucket(bucket).key(KEY).content_type(TYPE).cache_control("no-store");
        let body = ByteStream::from(html.as_bytes().to_vec());
        write.body(body).send().await.map_err(|error| failure(attempt, error))?;
        Ok(())
    }

    async fn blocked(&self) -> PortResult<Option<Vec<u8>>> {
        let bucket = &self.settings.state_bucket;
        let attempt = format!("reading s3://{bucket}/{BLOCKED}");
        // A page takes no more than 16 KB of it, and a byte more is seen as too many.
        let read = self.s3.get_object().bucket(bucket).key(BLOCKED).range("bytes=0-16384");
        let output = match read.send().await {
            Ok(output) => output,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => {
                return Ok(None);
            }
            Err(error) => return Err(failure(attempt, error)),
        };
        let bytes = output.body.collect().await.map_err(|error| {
            Failure::new(Class::Transient, format!("{attempt} broke off, ask once more")).caused_by(error)
        })?;
        Ok(Some(bytes.into_bytes().to_vec()))
    }

    /// A `GetObject` that is signed and not sent. S3 refuses it from then on, or from when the credentials that have signed
    /// it end, whichever is first (S3 user guide, sharing objects with presigned URLs).
    async fn page_link(&self, lasts: Duration) -> PortResult<String> {
        let bucket = &self.settings.state_bucket;
        // What the SDK says of a request may hold its address: it goes no further.
        let refused = |class, why: &str| {
            Failure::new(class, format!("signing a link to the page s3://{bucket}/{KEY} failed: {why}"))
        };
        let config = PresigningConfig::expires_in(lasts)
            .map_err(|_| refused(Class::Permanent, "S3 allows a week at most, ask for less"))?;
        let read = self.s3.get_object().bucket(bucket).key(KEY);
        let signed = read.presigned(config).await.map_err(|_| {
            refused(Class::Transient, "the function's credentials could not be had, ask once more")
        })?;
        Ok(signed.uri().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{aws, captured, s3_error};
    use aws_sdk_s3::operation::get_object::GetObjectOutput;
    use aws_sdk_s3::operation::put_object::PutObjectOutput;
    use aws_sdk_s3::types::error::NoSuchKey;
    use aws_sdk_s3::{Client, Config};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    #[tokio::test]
    async fn the_page_is_put_where_nobody_keeps_an_older_one() {
        let write = mock!(Client::put_object)
            .match_requests(|request| {
                request.bucket() == Some("shop-state")
                    && request.key() == Some("page/index.html")
                    && request.content_type() == Some("text/html; charset=utf-8")
                    && request.cache_control() == Some("no-store")
            })
            .then_output(|| PutObjectOutput::builder().build());
        let aws = aws().with_s3(mock_client!(aws_sdk_s3, RuleMode::Sequential, &[&write]));
        aws.write_page("<!DOCTYPE html>").await.unwrap();
        assert_eq!(write.num_calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_cannot_be_written_keeps_the_class_of_its_error() {
        for (status, code, class) in
            [(503, "SlowDown", Class::Transient), (403, "AccessDenied", Class::Permanent)]
        {
            let rule = mock!(Client::put_object).then_http_response(move || s3_error(status, code));
            let aws = aws().with_s3(mock_client!(aws_sdk_s3, RuleMode::MatchAny, &[&rule]));
            assert_eq!(aws.write_page("").await.unwrap_err().class(), class, "{code}");
        }
    }

    #[tokio::test]
    async fn who_is_blocked_is_read_where_waf_logs_leaves_it_and_may_be_absent() {
        let read = mock!(Client::get_object)
            .match_requests(|request| {
                request.bucket() == Some("shop-state")
                    && request.key() == Some("waf/blocked.json")
                    && request.range() == Some("bytes=0-16384")
            })
            .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"{}")).build());
        let missing =
            mock!(Client::get_object).then_error(|| GetObjectError::NoSuchKey(NoSuchKey::builder().build()));
        for (rule, found) in [(read, Some(b"{}".to_vec())), (missing, None)] {
            let aws = aws().with_s3(mock_client!(aws_sdk_s3, RuleMode::Sequential, &[&rule]));
            assert_eq!(aws.blocked().await.unwrap(), found);
        }
    }

    #[tokio::test]
    async fn a_link_opens_the_page_alone_and_for_a_time_and_nobody_is_asked_for_it() {
        let (http, request) = captured();
        let config = Config::builder().with_test_defaults_v2().http_client(http).build();
        let aws = aws().with_s3(Client::from_conf(config));
        let link = aws.page_link(Duration::from_secs(3600)).await.unwrap();
        assert!(link.starts_with("https://shop-state.s3.us-east-1.amazonaws.com/page/index.html?"), "{link}");
        assert!(link.contains("X-Amz-Expires=3600") && link.contains("X-Amz-Signature="), "{link}");
        request.expect_no_request();
        let failure = aws.page_link(Duration::from_secs(30 * 86_400)).await.unwrap_err();
        assert!(failure.to_string().contains("a week at most"), "{failure}");
    }
}
