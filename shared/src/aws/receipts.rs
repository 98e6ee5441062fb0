//! What ended releases leave, in S3.

use super::Aws;
use super::classify::{failure, status};
use crate::failure::{Class, Failure};
use crate::ports::{PortResult, Receipts};
use aws_sdk_s3::primitives::ByteStream;
use release::Receipt;

impl Receipts for Aws {
    /// `PutObject` with `If-None-Match: *`. S3 answers 412 when the object is there, 409 while another writer creates it
    /// (S3 user guide, conditional writes): it is the same receipt then.
    async fn write_receipt(&self, receipt: &Receipt) -> PortResult<()> {
        let bucket = &self.settings.state_bucket;
        let key = receipt.key();
        let attempt = format!("writing the receipt s3://{bucket}/{key}");
        let body = serde_json::to_vec_pretty(receipt).map_err(|error| {
            let message = format!("{attempt} failed, it cannot be written as JSON: report this as a bug");
            Failure::new(Class::Permanent, message).caused_by(error)
        })?;
        let write = self.s3.put_object().bucket(bucket).key(&key).content_type("application/json");
        match write.if_none_match("*").body(ByteStream::from(body)).send().await {
            Ok(_) => Ok(()),
            Err(error) if matches!(status(&error), Some(409 | 412)) => Ok(()),
            Err(error) => Err(failure(attempt, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{aws, s3_error};
    use aws_sdk_s3::Client;
    use aws_sdk_s3::operation::put_object::PutObjectOutput;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    fn receipt() -> Receipt {
        serde_json::from_str(include_str!("../../release/tests/receipts/rejected.json")).unwrap()
    }

    #[tokio::test]
    async fn a_receipt_is_created_at_its_key_and_never_replaced() {
        let write = mock!(Client::put_object)
            .match_requests(|request| {
                request.bucket() == Some("shop-state")
                    && request.key() == Some("receipts/backend/0000000142-20261128T150330Z.json")
                    && request.if_none_match() == Some("*")
            })
            .then_output(|| PutObjectOutput::builder().build());
        let aws = aws().with_s3(mock_client!(aws_sdk_s3, RuleMode::Sequential, &[&write]));
        aws.write_receipt(&receipt()).await.unwrap();
        assert_eq!(write.num_calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_receipt_that_is_there_is_written_and_another_error_keeps_its_class() {
        for (status, code, class) in [
            (412, "PreconditionFailed", None),
            (409, "ConditionalRequestConflict", None),
            (503, "SlowDown", Some(Class::Transient)),
            (403, "AccessDenied", Some(Class::Permanent)),
        ] {
            let rule = mock!(Client::put_object).then_http_response(move || s3_error(status, code));
            let aws = aws().with_s3(mock_client!(aws_sdk_s3, RuleMode::MatchAny, &[&rule]));
            let failure = aws.write_receipt(&receipt()).await.err();
            assert_eq!(failure.map(|failure| failure.class()), class, "{code}");
        }
    }
}
