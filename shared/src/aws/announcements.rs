//! Announcements: SNS tells people, `EventBridge` tells programs, and an object for each in S3 remembers that they did.

use super::Aws;
use super::classify::failure;
use crate::failure::{Class, Failure};
use crate::lambda::SystemClock;
use crate::ports::{Announcements, Clock as _, PortResult};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::ByteStream;
use release::{Announcement, EVENT_SOURCE};

impl Aws {
    /// An event on the account's bus, which is there in every region.
    async fn tell_programs(&self, announcement: &Announcement) -> PortResult<()> {
        let key = &announcement.key;
        let event = PutEventsRequestEntry::builder().source(EVENT_SOURCE).detail_type(announcement.kind());
        let detail = announcement.event(&self.settings.application).to_string();
        let put = self.event_bus.put_events().entries(event.detail(detail).build()).send().await;
        let put = put.map_err(|error| failure(format!("putting the event of {key} on the bus"), error))?;
        // The call succeeds and an event fails (EventBridge API reference, PutEvents).
        let Some(refused) = put.entries().iter().find(|entry| entry.error_code().is_some()) else {
            return Ok(());
        };
        let message = format!("EventBridge did not take the event of {key}, and nobody will hear it");
        Err(Failure::new(Class::Transient, message).caused_by(std::io::Error::other(format!(
            "{}: {}",
            refused.error_code().unwrap_or_default(),
            refused.error_message().unwrap_or_default()
        ))))
    }
}

/// A line of the log, from which CloudWatch makes metrics. It comes when the mark is written, so that what is tried again
/// counts once.
#[expect(clippy::print_stdout, reason = "a log line of its own format, which the logger does not write")]
fn count(announcement: &Announcement, stack: &str) {
    println!("{}", announcement.metrics(stack, SystemClock.now()));
}

impl Announcements for Aws {
    /// `HeadObject` of the mark, `Publish`, `PutEvents`, `PutObject` of the mark, in this order: a topic that cannot be
    /// reached leaves no mark, and a mark that cannot be written makes the message come twice. An event that is refused is
    /// not told again: the message would come again with it.
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
        let told = self.tell_programs(announcement).await;
        let body = serde_json::to_vec_pretty(&announcement.chat(stack)).map_err(|error| {
            let message =
                format!("s3://{bucket}/{key} cannot be written, it is no JSON: report this as a bug");
            Failure::new(Class::Permanent, message).caused_by(error)
        })?;
        let mark = self.s3.put_object().bucket(bucket).key(key).content_type("application/json");
        match mark.body(ByteStream::from(body)).send().await {
            Ok(_) => {
                count(announcement, stack);
                told
            }
            Err(error) => {
                Err(failure(format!("remembering in s3://{bucket}/{key} that it was announced"), error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{aws, json_error, query_error, s3_error};
    use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
    use aws_sdk_eventbridge::types::PutEventsResultEntry;
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

    fn event_put() -> Rule {
        mock!(aws_sdk_eventbridge::Client::put_events)
            .match_requests(|request| {
                let [event] = request.entries() else { return false };
                let detail: Value = serde_json::from_str(event.detail().unwrap()).unwrap();
                event.source() == Some("greenlight.release")
                    && event.detail_type() == Some("needs-operator")
                    && event.event_bus_name().is_none()
                    && detail["service"] == "backend"
                    && detail["id"] == format!("shop/{KEY}")
            })
            .then_output(|| PutEventsOutput::builder().build())
    }

    async fn announce(s3: &[&Rule], sns: &[&Rule]) -> Option<Class> {
        announce_to(s3, sns, &event_put()).await
    }

    async fn announce_to(s3: &[&Rule], sns: &[&Rule], event_bus: &Rule) -> Option<Class> {
        let aws = aws()
            .with_s3(mock_client!(aws_sdk_s3, RuleMode::MatchAny, s3))
            .with_sns(mock_client!(aws_sdk_sns, RuleMode::MatchAny, sns))
            .with_event_bus(mock_client!(aws_sdk_eventbridge, RuleMode::MatchAny, [event_bus]));
        aws.announce(&announcement()).await.err().map(|failure| failure.class())
    }

    #[tokio::test]
    async fn what_was_not_announced_goes_to_the_topic_and_is_remembered() {
        let (absent, published, written) = (absent(), published(), written());
        assert_eq!(announce(&[&absent, &written], &[&published]).await, None);
        assert_eq!([absent.num_calls(), published.num_calls(), written.num_calls()], [1, 1, 1]);
    }

    #[tokio::test]
    async fn programs_hear_it_as_an_event() {
        let (absent, published, written, event_put) = (absent(), published(), written(), event_put());
        assert_eq!(announce_to(&[&absent, &written], &[&published], &event_put).await, None);
        assert_eq!(event_put.num_calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bus_that_refuses_an_event_makes_no_message_come_twice() {
        let throttled = || {
            let refused = PutEventsResultEntry::builder().error_code("ThrottlingException").build();
            PutEventsOutput::builder().failed_entry_count(1).entries(refused).build()
        };
        let refuses = [
            mock!(aws_sdk_eventbridge::Client::put_events).then_output(throttled),
            mock!(aws_sdk_eventbridge::Client::put_events)
                .then_http_response(|| json_error(400, "AccessDeniedException")),
        ];
        for (refuses, class) in refuses.iter().zip([Class::Transient, Class::Permanent]) {
            let (absent, published, written) = (absent(), published(), written());
            assert_eq!(announce_to(&[&absent, &written], &[&published], refuses).await, Some(class));
            assert_eq!([published.num_calls(), written.num_calls()], [1, 1], "it is remembered all the same");
        }
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
