//! What whoever uploads is told: the verdict on a bundle, as tags of its object, and the summary of its service.

use super::Aws;
use super::classify::failure;
use crate::failure::{Class, Failure};
use crate::ports::{PortResult, Uploads};
use crate::tag_value::legal_tag_value;
use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Tag, Tagging};
use release::{Revision, Summary, VerdictWord};

const VERDICT: &str = "greenlight:verdict";
const REASON: &str = "greenlight:reason";

/// How many tags an object may have (S3 user guide, object tagging).
const MOST_TAGS: usize = 10;

impl Uploads for Aws {
    /// `GetObjectTagging` and `PutObjectTagging` of the version: a put replaces all tags, and has no precondition (S3 API
    /// reference). A tag that somebody else writes between the two is lost; verdicts of one object are told a minute apart.
    async fn tag_verdict(&self, revision: &Revision, verdict: VerdictWord, reason: &str) -> PortResult<()> {
        let attempt = format!("tagging {revision} with its verdict");
        let Revision { bucket, key, version, .. } = revision;
        let read = self.s3.get_object_tagging().bucket(bucket).key(key).version_id(version);
        let present = read.send().await.map_err(|error| failure(&attempt, error))?.tag_set;
        let tagging = with_verdict(present, verdict, reason).map_err(|error| {
            Failure::new(
                Class::Permanent,
                format!("{attempt} failed, a tag of the object is incomplete: set its tags anew"),
            )
            .caused_by(error)
        })?;
        if tagging.tag_set.len() > MOST_TAGS {
            let message = format!(
                "{attempt} failed, S3 takes {MOST_TAGS} tags and the object has too many others: remove some"
            );
            return Err(Failure::new(Class::Permanent, message));
        }
        let write = self.s3.put_object_tagging().bucket(bucket).key(key).version_id(version).tagging(tagging);
        write.send().await.map_err(|error| failure(&attempt, error))?;
        Ok(())
    }

    /// `PutObject`. Two passes that write at the same time leave the summary of either, until the next tick.
    async fn publish(&self, summary: &Summary) -> PortResult<()> {
        let bucket = &self.settings.artifact_bucket;
        let key = format!("public/{}.json", summary.service);
        let attempt = format!("writing the summary s3://{bucket}/{key}");
        let body = serde_json::to_vec(summary).map_err(|error| {
            let message = format!("{attempt} failed, it cannot be written as JSON: report this as a bug");
            Failure::new(Class::Permanent, message).caused_by(error)
        })?;
        let write = self.s3.put_object().bucket(bucket).key(&key).content_type("application/json");
        // A workflow that polls wants what is there now.
        let write = write.cache_control("no-store").body(ByteStream::from(body));
        write.send().await.map_err(|error| failure(&attempt, error))?;
        Ok(())
    }
}

fn with_verdict(present: Vec<Tag>, verdict: VerdictWord, reason: &str) -> Result<Tagging, BuildError> {
    let others = present.into_iter().filter(|tag| ![VERDICT, REASON].contains(&tag.key())).collect();
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(legal_tag_value(value)).build();
    Tagging::builder()
        .set_tag_set(Some(others))
        .tag_set(tag(VERDICT, verdict.as_str())?)
        .tag_set(tag(REASON, reason)?)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{aws, revision, s3_error};
    use aws_sdk_s3::Client;
    use aws_sdk_s3::operation::get_object_tagging::GetObjectTaggingOutput;
    use aws_sdk_s3::operation::put_object_tagging::PutObjectTaggingOutput;
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    fn tagged(tags: &[(&str, &str)]) -> Rule {
        let tags: Vec<Tag> =
            tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build().unwrap()).collect();
        mock!(Client::get_object_tagging)
            .match_requests(|request| request.version_id() == Some("v7"))
            .then_output(move || {
                GetObjectTaggingOutput::builder().set_tag_set(Some(tags.clone())).build().unwrap()
            })
    }

    #[tokio::test]
    async fn a_verdict_replaces_the_one_before_and_keeps_other_tags() {
        let read = tagged(&[
            ("team", "shop"),
            ("greenlight:verdict", "open"),
            ("greenlight:allow-downgrade", "true"),
        ]);
        let write = mock!(Client::put_object_tagging)
            .match_requests(|request| {
                let tags: Vec<(&str, &str)> =
                    request.tagging().unwrap().tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
                let expected = [
                    ("team", "shop"),
                    ("greenlight:allow-downgrade", "true"),
                    ("greenlight:verdict", "rejected"),
                    ("greenlight:reason", "alarm x fired - see its metric"),
                ];
                request.version_id() == Some("v7") && tags == expected
            })
            .then_output(|| PutObjectTaggingOutput::builder().build());
        let aws = aws().with_s3(mock_client!(aws_sdk_s3, RuleMode::Sequential, &[&read, &write]));
        aws.tag_verdict(&revision(), VerdictWord::Rejected, "alarm x fired, (see its metric)").await.unwrap();
        assert_eq!(write.num_calls(), 1);
    }

    #[tokio::test]
    async fn an_object_full_of_tags_is_refused_with_what_to_do() {
        let names: Vec<String> = (0..9).map(|index| format!("tag-{index}")).collect();
        let tags: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        let aws = aws().with_s3(mock_client!(aws_sdk_s3, RuleMode::MatchAny, &[&tagged(&tags)]));
        let failure =
            aws.tag_verdict(&revision(), VerdictWord::Live, "carries all traffic").await.unwrap_err();
        assert!(failure.to_string().contains("remove some"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_version_that_is_gone_is_permanent_and_a_busy_bucket_is_not() {
        for (status, code, class) in
            [(404, "NoSuchVersion", Class::Permanent), (503, "SlowDown", Class::Transient)]
        {
            let rule = mock!(Client::get_object_tagging).then_http_response(move || s3_error(status, code));
            let aws = aws().with_s3(mock_client!(aws_sdk_s3, RuleMode::MatchAny, &[&rule]));
            let failure =
                aws.tag_verdict(&revision(), VerdictWord::Live, "carries all traffic").await.unwrap_err();
            assert_eq!(failure.class(), class, "{code}");
        }
    }
}
