//! The ledgers in S3.

mod read;

pub use read::read;

use super::Aws;
use super::classify::{CallError, failed, failure, incomplete, status};
use crate::failure::{Class, Failure};
use crate::ports::{LedgerVersion, Ledgers, PortResult};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use release::{Ledger, ServiceName};

fn key(service: &ServiceName) -> String {
    format!("ledger/{service}.json")
}

fn name(bucket: &str, service: &ServiceName) -> String {
    format!("ledger s3://{bucket}/{}", key(service))
}

impl Ledgers for Aws {
    async fn read_ledger(&self, service: &ServiceName) -> PortResult<Option<(Ledger, LedgerVersion)>> {
        read(&self.s3, &self.settings.state_bucket, service).await
    }

    /// `PutObject` with `If-Match`, or `If-None-Match: *` for the first. S3 answers 412 when another version is
    /// there, 409 when two writers race, 404 when the expected object is gone (S3 user guide, conditional writes).
    ///
    /// The SDK never repeats it: after a lost reply the second call would meet its own write, and 412 would say that
    /// another writer was first.
    async fn write_ledger(
        &self,
        ledger: &Ledger,
        expected: Option<&LedgerVersion>,
    ) -> PortResult<LedgerVersion> {
        let attempt = format!("writing {}", name(&self.settings.state_bucket, &ledger.service));
        let body = serde_json::to_vec(ledger).map_err(|error| {
            Failure::new(
                Class::Permanent,
                format!("{attempt} failed, the ledger cannot be written as JSON: report this as a bug"),
            )
            .caused_by(error)
        })?;
        let call = self
            .s3
            .put_object()
            .bucket(&self.settings.state_bucket)
            .key(key(&ledger.service))
            .content_type("application/json")
            .body(ByteStream::from(body));
        let call = match expected {
            Some(version) => call.if_match(&version.0),
            None => call.if_none_match("*"),
        };
        let once = aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled());
        match call.customize().config_override(once).send().await {
            Ok(output) => output.e_tag.map(LedgerVersion).ok_or_else(|| incomplete(attempt, "an ETag")),
            Err(error) if was_overtaken(&error) => Err(failed(
                Class::Conflict,
                attempt,
                "another writer was first, read it again and decide again",
                error,
            )),
            Err(error) => Err(failure(attempt, error)),
        }
    }
}

fn was_overtaken(error: &CallError<PutObjectError>) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    matches!(status(error), Some(409 | 412)) || code == Some("NoSuchKey")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{aws, backend, captured, s3_error};
    use aws_sdk_s3::Client;
    use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
    use aws_sdk_s3::operation::put_object::PutObjectOutput;
    use aws_sdk_s3::types::error::NoSuchKey;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    fn ledger() -> Ledger {
        Ledger::new(backend())
    }

    fn read_returns(body: &str) -> Client {
        let body = body.to_owned();
        let rule = mock!(Client::get_object)
            .match_requests(|request| {
                request.bucket() == Some("shop-state") && request.key() == Some("ledger/backend.json")
            })
            .then_output(move || {
                GetObjectOutput::builder()
                    .e_tag("\"v1\"")
                    .body(ByteStream::from(body.clone().into_bytes()))
                    .build()
            });
        mock_client!(aws_sdk_s3, RuleMode::MatchAny, &[&rule])
    }

    fn write_answers(status: u16, code: &'static str) -> Client {
        let rule = mock!(Client::put_object).then_http_response(move || s3_error(status, code));
        mock_client!(aws_sdk_s3, RuleMode::MatchAny, &[&rule])
    }

    #[tokio::test]
    async fn a_ledger_is_read_with_its_version() {
        let client = read_returns(&serde_json::to_string(&ledger()).unwrap());
        let read = aws().with_s3(client).read_ledger(&backend()).await.unwrap();
        assert_eq!(read, Some((ledger(), LedgerVersion("\"v1\"".to_owned()))));
    }

    #[tokio::test]
    async fn a_ledger_that_was_never_written_is_none() {
        let rule =
            mock!(Client::get_object).then_error(|| GetObjectError::NoSuchKey(NoSuchKey::builder().build()));
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, &[&rule]);
        assert_eq!(aws().with_s3(client).read_ledger(&backend()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_ledger_is_refused_with_the_place_that_is_wrong() {
        let failure = aws()
            .with_s3(read_returns(r#"{"service": "Backend"}"#))
            .read_ledger(&backend())
            .await
            .unwrap_err();
        assert_eq!(failure.class(), Class::Permanent);
        let text = crate::failure::chain(&failure);
        assert!(text.contains("s3://shop-state/ledger/backend.json") && text.contains("service: "), "{text}");
    }

    #[tokio::test]
    async fn a_swap_that_lost_is_a_conflict() {
        for (status, code) in
            [(412, "PreconditionFailed"), (409, "ConditionalRequestConflict"), (404, "NoSuchKey")]
        {
            let aws = aws().with_s3(write_answers(status, code));
            let failure =
                aws.write_ledger(&ledger(), Some(&LedgerVersion("\"v1\"".to_owned()))).await.unwrap_err();
            assert_eq!(failure.class(), Class::Conflict, "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn other_errors_of_a_write_keep_their_class() {
        for (status, code, class) in [
            (503, "SlowDown", Class::Transient),
            (404, "NoSuchBucket", Class::Permanent),
            (403, "AccessDenied", Class::Permanent),
        ] {
            let failure =
                aws().with_s3(write_answers(status, code)).write_ledger(&ledger(), None).await.unwrap_err();
            assert_eq!(failure.class(), class, "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_fails_is_not_sent_again() {
        let rule = mock!(Client::put_object).then_http_response(|| s3_error(500, "InternalError"));
        let aws = aws().with_s3(mock_client!(aws_sdk_s3, RuleMode::MatchAny, &[&rule]));
        aws.write_ledger(&ledger(), None).await.unwrap_err();
        assert_eq!(rule.num_calls(), 1, "a second write would meet the first one");
    }

    #[tokio::test]
    async fn a_write_names_the_version_that_it_replaces() {
        let output = || PutObjectOutput::builder().e_tag("\"v2\"").build();
        let swap = mock!(Client::put_object)
            .match_requests(|request| request.if_match() == Some("\"v1\""))
            .then_output(output);
        let first = mock!(Client::put_object)
            .match_requests(|request| request.if_none_match() == Some("*"))
            .then_output(output);
        let aws = aws().with_s3(mock_client!(aws_sdk_s3, RuleMode::Sequential, &[&swap, &first]));
        let version = aws.write_ledger(&ledger(), Some(&LedgerVersion("\"v1\"".to_owned()))).await.unwrap();
        assert_eq!(version, LedgerVersion("\"v2\"".to_owned()));
        aws.write_ledger(&ledger(), None).await.unwrap();
    }

    #[tokio::test]
    async fn the_request_of_a_swap_is_pinned() {
        let (http, request) = captured();
        let config = aws_sdk_s3::Config::builder().with_test_defaults_v2().http_client(http).build();
        let aws = aws().with_s3(Client::from_conf(config));
        aws.write_ledger(&ledger(), Some(&LedgerVersion("\"v1\"".to_owned()))).await.unwrap_err();
        let request = request.expect_request();
        assert_eq!(request.method(), "PUT");
        assert!(
            request.uri().starts_with("https://shop-state.s3.us-east-1.amazonaws.com/ledger/backend.json"),
            "{}",
            request.uri()
        );
        assert_eq!(request.headers().get("if-match"), Some("\"v1\""));
        assert_eq!(request.headers().get("content-type"), Some("application/json"));
        assert_eq!(request.body().bytes(), Some(serde_json::to_vec(&ledger()).unwrap().as_slice()));
    }
}
