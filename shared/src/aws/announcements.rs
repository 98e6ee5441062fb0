//! Announcements: SNS tells them, and an object for each in S3 remembers that it did.

use super::Aws;
use super::classify::failure;
use crate::failure::{Class, Failure};
use crate::ports::{Announcements, PortResult};
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::ByteStream;
use release::Announcement;

impl Announcements for Aws {
    /// `HeadObject` of the mark, `Publish`, `PutObject` of the mark, in this order: a topic that cannot be reached leaves no
    /// mark, and a mark that cannot be written makes the message come twice.
    async fn announce(&self, announcement: &Announcement) -> PortResult<()> {
        let (bucket, key) = (&self.settings.state_bucket, &announcement.key);
        match self.s3.head_object().bucket(bucket).key(key).send().await {
            Ok(_) => return Ok(()),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => {}
            Err(error) => return Err(failure(format!("looking for s3://{bucket}/{key}"), error)),
        }
        let (stack, topic) = (&self.settings.application, &self.settings.topic_arn);
        let message = announcement.message(stack).to_string();
        let publish = self.sns.publish().topic_arn(topic).subject(announcement.subject(stack));
        let published = publish.message(&message).message_structure("json").send().await;
        published.map_err(|error| failure(format!("announcing {key} to {topic}"), error))?;
        let body = serde_json::to_vec_pretty(&announcement.chat(stack)).map_err(|error| {
            let message =
                format!("s3://{bucket}/{key} cannot be written, it is no JSON: report this as a bug");
            Failure::new(Class::Permanent, message).caused_by(error)
        })?;
        let mark = self.s3.put_object().bucket(bucket).key(key).content_type("application/json");
        match mark.body(ByteStream::from(body)).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(failure(format!("remembering in s3://{bucket}/{key} that it was announced"), error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{aws, query_error, s3_error};
    use aws_sdk_s3::operation::head_object::HeadObjectOutput;
    use aws_sdk_s3::operation::put_object::PutObjectOutput;
    use aws_sdk_s3::types::error::NotFound;
    use aws_sdk_sns::operation::publish::PublishOutput;
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use jiff::Timestamp;
    use release::{Ledger, Reason, ServiceName};
    use serde_json::Value;

    const KEY: &str = "announced/backend/needs-rule-20260101.json";

    fn announcement() -> Announcement {
        let rule = release::RuleArn("arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/x".to_owned());
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let ledger = Ledger::new(ServiceName::new("backend").unwrap());
        ledger.announcements(&[Reason::StrangersRule { rule }], now).remove(0)
    }

    fn absent() -> Rule {
        mock!(aws_sdk_s3::Client::head_object)
            .match_requests(|request| request.bucket() == Some("shop-state") && request.key() == Some(KEY))
            .then_error(|| HeadObjectError::NotFound(NotFound::builder().build()))
    }

    fn published() -> Rule {
        mock!(aws_sdk_sns::Client::publish)
            .match_requests(|request| {
                let text: Value = serde_json::from_str(request.message().unwrap()).unwrap();
                let chat: Value = serde_json::from_str(text["default"].as_str().unwrap()).unwrap();
                request.topic_arn() == Some("arn:aws:sns:eu-west-1:123456789012:shop-notifications")
                    && request.message_structure() == Some("json")
                    && request.subject().unwrap().starts_with("[shop] backend needs an operator: ")
                    && chat["source"] == "custom"
                    && text["email"].is_string()
            })
            .then_output(|| PublishOutput::builder().message_id("1").build())
    }

    fn written() -> Rule {
        mock!(aws_sdk_s3::Client::put_object)
            .match_requests(|request| request.bucket() == Some("shop-state") && request.key() == Some(KEY))
            .then_output(|| PutObjectOutput::builder().build())
    }

    async fn announce(s3: &[&Rule], sns: &[&Rule]) -> Option<Class> {
        let aws = aws().with_s3(mock_client!(aws_sdk_s3, RuleMode::MatchAny, s3)).with_sns(mock_client!(
            aws_sdk_sns,
            RuleMode::MatchAny,
            sns
        ));
        aws.announce(&announcement()).await.err().map(|failure| failure.class())
    }

    #[tokio::test]
    async fn what_was_not_announced_goes_to_the_topic_and_is_remembered() {
        let (absent, published, written) = (absent(), published(), written());
        assert_eq!(announce(&[&absent, &written], &[&published]).await, None);
        assert_eq!([absent.num_calls(), published.num_calls(), written.num_calls()], [1, 1, 1]);
    }

    #[tokio::test]
    async fn what_was_announced_is_not_announced_again() {
        let there =
            mock!(aws_sdk_s3::Client::head_object).then_output(|| HeadObjectOutput::builder().build());
        let published = published();
        assert_eq!(announce(&[&there], &[&published]).await, None);
        assert_eq!([there.num_calls(), published.num_calls()], [1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_that_refuses_leaves_no_mark() {
        for (status, code, class) in
            [(403, "AuthorizationError", Class::Permanent), (500, "InternalError", Class::Transient)]
        {
            let refused =
                mock!(aws_sdk_sns::Client::publish).then_http_response(move || query_error(status, code));
            let (absent, written) = (absent(), written());
            assert_eq!(announce(&[&absent, &written], &[&refused]).await, Some(class), "{code}");
            assert_eq!(written.num_calls(), 0, "{code}");
        }
    }

    #[tokio::test]
    async fn where_it_cannot_be_told_whether_it_was_announced_nothing_is() {
        let forbidden =
            mock!(aws_sdk_s3::Client::head_object).then_http_response(|| s3_error(403, "AccessDenied"));
        let published = published();
        assert_eq!(announce(&[&forbidden], &[&published]).await, Some(Class::Permanent));
        assert_eq!(published.num_calls(), 0);
    }
}
