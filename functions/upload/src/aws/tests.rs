use super::*;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::get_object_tagging::GetObjectTaggingOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::Tag;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use greenlight::failure::chain;
use release::UnknownFields;

fn revision() -> Revision {
    Revision {
        bucket: "artifacts".to_owned(),
        key: "releases/backend/142-3f9c2ab.zip".to_owned(),
        version: "v7".to_owned(),
        etag: "0f34".to_owned(),
        unknown_fields: UnknownFields::default(),
    }
}

fn bundles(rule: &Rule) -> S3Bundles {
    S3Bundles::new(mock_client!(aws_sdk_s3, RuleMode::MatchAny, &[rule]))
}

fn bundle(rule: &Rule) -> S3Bundle {
    S3Bundle { client: bundles(rule).client, revision: revision(), size: 1000 }
}

fn refusal(status: u16, code: &str) -> HttpResponse {
    let body = format!("<Error><Code>{code}</Code><Message>because</Message></Error>");
    HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body))
}

#[tokio::test]
async fn a_read_asks_for_the_range_of_the_pinned_version() {
    let rule = mock!(Client::get_object)
        .match_requests(|request| {
            (request.bucket(), request.key()) == (Some("artifacts"), Some("releases/backend/142-3f9c2ab.zip"))
                && request.version_id() == Some("v7")
                && request.if_match() == Some("\"0f34\"")
                && request.range() == Some("bytes=990-999")
        })
        .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"0123456789")).build());
    assert_eq!(bundle(&rule).read(990..1000).await.unwrap().as_ref(), b"0123456789");
}

#[tokio::test]
async fn a_short_answer_is_a_transient_failure() {
    let rule = mock!(Client::get_object)
        .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"01234")).build());
    let Err(ReadFailure::Failed(failure)) = bundle(&rule).read(990..1000).await else {
        panic!("it was accepted")
    };
    assert_eq!(failure.class(), Class::Transient);
}

#[tokio::test]
async fn the_size_is_that_of_the_pinned_version() {
    let rule = mock!(Client::head_object)
        .match_requests(|request| {
            request.version_id() == Some("v7") && request.if_match() == Some("\"0f34\"")
        })
        .then_output(|| HeadObjectOutput::builder().content_length(4_821_337).build());
    assert_eq!(bundles(&rule).open(&revision()).await.unwrap().size(), 4_821_337);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_or_changed_is_told_from_one_that_cannot_be_read() {
    for (status, code, expected) in [
        (404, "NoSuchVersion", "gone"),
        (404, "NoSuchKey", "gone"),
        (405, "MethodNotAllowed", "gone"),
        (412, "PreconditionFailed", "changed"),
        (404, "NoSuchBucket", "permanent"),
        (403, "AccessDenied", "permanent"),
        (503, "SlowDown", "transient"),
        (500, "InternalError", "transient"),
    ] {
        let rule = mock!(Client::get_object).then_http_response(move || refusal(status, code));
        let found = match bundle(&rule).read(0..10).await.unwrap_err() {
            ReadFailure::Gone(_) => "gone",
            ReadFailure::Changed(_) => "changed",
            ReadFailure::Failed(failure) => failure.class().word(),
        };
        assert_eq!(found, expected, "{status} {code}");
    }
}

#[tokio::test]
async fn tags_say_what_the_uploader_allows_and_what_was_told_before() {
    for (tags, allow_downgrade, told) in [
        (&[][..], false, None),
        (&[("greenlight:allow-downgrade", "true"), ("greenlight:verdict", "unheard-of")], true, None),
        (
            &[("greenlight:allow-downgrade", "yes"), ("greenlight:verdict", "accepted")],
            false,
            Some((VerdictWord::Accepted, String::new())),
        ),
        (
            &[("greenlight:reason", "older"), ("greenlight:verdict", "rejected")],
            false,
            Some((VerdictWord::Rejected, "older".to_owned())),
        ),
    ] {
        let tags: Vec<Tag> =
            tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build().unwrap()).collect();
        let rule = mock!(Client::get_object_tagging)
            .match_requests(|request| request.version_id() == Some("v7"))
            .then_output(move || {
                GetObjectTaggingOutput::builder().set_tag_set(Some(tags.clone())).build().unwrap()
            });
        let found = bundles(&rule).tags(&revision()).await.unwrap();
        assert_eq!(found, ObjectTags { allow_downgrade, told });
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_fails_says_by_its_status_what_to_do() {
    for (status, class, said) in [
        (
            403,
            "permanent",
            "reading the size of s3://artifacts/releases/backend/142-3f9c2ab.zip version v7 failed, S3 refuses to \
             show it, the function's role needs s3:GetObjectVersion on it, and kms:Decrypt if the bucket has a key of \
             its own: HTTP 403 and no more (request without an id)",
        ),
        (
            400,
            "transient",
            "reading the size of s3://artifacts/releases/backend/142-3f9c2ab.zip version v7 failed, the function's \
             credentials have probably expired, the event is tried again with new ones: HTTP 400 and no more (request \
             without an id)",
        ),
        (
            301,
            "permanent",
            "reading the size of s3://artifacts/releases/backend/142-3f9c2ab.zip version v7 failed, it is in another \
             region, name one that is in the function's own: HTTP 301 and no more (request without an id)",
        ),
    ] {
        let rule = mock!(Client::head_object).then_http_response(move || {
            HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty())
        });
        let Err(ReadFailure::Failed(failure)) = bundles(&rule).open(&revision()).await else {
            panic!("HTTP {status} was not told as a failure")
        };
        assert_eq!((failure.class().word(), chain(&failure).as_str()), (class, said));
    }
    let rule = mock!(Client::head_object)
        .then_http_response(|| HttpResponse::new(StatusCode::try_from(404).unwrap(), SdkBody::empty()));
    assert!(matches!(bundles(&rule).open(&revision()).await, Err(ReadFailure::Gone(_))));
}
