use super::*;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::get_object_tagging::GetObjectTaggingOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::Tag;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
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
    S3Bundle { s3: bundles(rule), revision: revision() }
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

fn answer(bytes: &'static [u8], range: Option<&str>) -> GetObjectOutput {
    let length = i64::try_from(bytes.len()).unwrap();
    let answer = GetObjectOutput::builder().body(ByteStream::from_static(bytes)).content_length(length);
    answer.set_content_range(range.map(ToOwned::to_owned)).build()
}

#[tokio::test]
async fn the_last_bytes_of_the_pinned_version_come_with_its_size() {
    let rule = mock!(Client::get_object)
        .match_requests(|request| {
            request.range() == Some("bytes=-4")
                && request.version_id() == Some("v7")
                && request.if_match() == Some("\"0f34\"")
        })
        .then_output(|| answer(b"6789", Some("bytes 4821333-4821336/4821337")));
    let tail = bundle(&rule).tail(4).await.unwrap();
    assert_eq!((tail.bytes.as_ref(), tail.size), (b"6789".as_slice(), 4_821_337));
}

#[tokio::test]
async fn a_short_object_is_its_own_tail() {
    for range in [Some("bytes 0-3/4"), None] {
        let rule = mock!(Client::get_object).then_output(move || answer(b"6789", range));
        let tail = bundle(&rule).tail(100).await.unwrap();
        assert_eq!((tail.bytes.as_ref(), tail.size), (b"6789".as_slice(), 4), "{range:?}");
    }
    let rule = mock!(Client::get_object).then_http_response(|| refusal(416, "InvalidRange"));
    let tail = bundle(&rule).tail(100).await.unwrap();
    assert_eq!((tail.bytes.as_ref(), tail.size), (b"".as_slice(), 0), "an empty object");
}

#[tokio::test]
async fn a_tail_that_does_not_fit_its_size_is_a_transient_failure() {
    for range in ["bytes 6-9/10", "bytes 0-3/*", "rubbish"] {
        let rule = mock!(Client::get_object).then_output(move || answer(b"6789", Some(range)));
        let Err(ReadFailure::Failed(failure)) = bundle(&rule).tail(5).await else {
            panic!("{range} was accepted")
        };
        assert_eq!(failure.class(), Class::Transient, "{range}");
    }
}

#[tokio::test]
async fn many_ranges_are_read_in_their_order() {
    let rule = mock!(Client::get_object).then_compute_output(|request| {
        answer(if request.range() == Some("bytes=0-0") { b"a" } else { b"b" }, None)
    });
    assert_eq!(bundle(&rule).read_all(&[5..6, 0..1, 7..8]).await.unwrap(), [&b"b"[..], b"a", b"b"]);
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
        let rule = mock!(Client::get_object).then_http_response(move || refusal(status, code));
        let found = match bundle(&rule).tail(10).await.unwrap_err() {
            ReadFailure::Gone(_) => "gone",
            ReadFailure::Changed(_) => "changed",
            ReadFailure::Failed(failure) => failure.class().word(),
        };
        assert_eq!(found, expected, "the tail: {status} {code}");
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
