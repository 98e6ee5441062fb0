//! What an error of the SDK asks of the caller.
//!
//! An adapter matches the errors that mean something special to its operation, by their modelled type. All others come
//! here.

use crate::failure::{Class, Failure, chain};
use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_sdk_s3::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;
use std::fmt::Display;
use std::io;

/// An operation's error.
pub type CallError<E> = SdkError<E, HttpResponse>;

/// What AWS answered, on one line.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{code}: {message} (HTTP {status}, request {request})")]
    Said { code: String, message: String, status: u16, request: String },
    /// The answer to a HEAD has no body.
    #[error("HTTP {status} and no more (request {request})")]
    StatusAlone { status: u16, request: String },
}

/// The credentials of this environment of the function ended. The next environment has new ones.
/// S3 API reference, "Error responses"; STS API reference, "Common errors".
const EXPIRED: [&str; 2] = ["ExpiredToken", "ExpiredTokenException"];

/// Who makes a call. What helps a function does not help a person: it gets new credentials by itself, and goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// With the role that the template gives it.
    Function,
    /// With the credentials of a command line or a build.
    Person,
}

/// The failure of a function's `attempt` ("reading the rules of listener …"), classified by what the SDK knows.
pub fn failure<E>(attempt: impl Display, error: CallError<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    failure_of(Caller::Function, attempt, error)
}

/// The same, in words for whoever made it.
pub fn failure_of<E>(caller: Caller, attempt: impl Display, error: CallError<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let (class, next) = match caller {
        Caller::Function => (class(&error), for_a_function(&error)),
        Caller::Person => for_a_person(&error),
    };
    failed(class, attempt, next, error)
}

fn for_a_function<E: ProvideErrorMetadata>(error: &CallError<E>) -> &'static str {
    match class(error) {
        Class::Permanent if denied(error) => {
            "the function's role lacks a permission, add it in template.yaml"
        }
        Class::Permanent if status(error) == Some(301) => {
            "it is in another region, name one that is in the function's own"
        }
        Class::Permanent | Class::Bug => "a repeat fails the same way, change what AWS names",
        Class::Transient => "nothing was done, the next pass tries again",
        Class::Conflict => "another writer was first, the next pass reads again",
        Class::OutcomeUnknown => "the answer was lost, the next pass reads back what was done",
    }
}

fn for_a_person<E: ProvideErrorMetadata>(error: &CallError<E>) -> (Class, &'static str) {
    // A connection that S3 cuts is such a failure as well, and says nothing of credentials.
    let never_sent = match error {
        SdkError::DispatchFailure(dispatch) if dispatch.is_other() => {
            dispatch.as_connector_error().is_some_and(|error| chain(error).contains("credential"))
        }
        _ => false,
    };
    let next = match class(error) {
        _ if has_expired(error) => "the credentials have expired, get new ones and repeat it",
        _ if never_sent => "there are no credentials that it could be signed with, name a profile or sign in",
        Class::Permanent if denied(error) => "these credentials may not do it, or there is no such object",
        Class::Permanent if status(error) == Some(301) => "it is in another region, name that one",
        Class::Permanent if status(error) == Some(404) => "it is not there, check its name",
        Class::Transient => return (Class::Transient, "nothing was done, a repeat may succeed"),
        Class::OutcomeUnknown => return (Class::OutcomeUnknown, "the answer was lost, a repeat may succeed"),
        Class::Permanent | Class::Bug | Class::Conflict => {
            "a repeat fails the same way, change what AWS names"
        }
    };
    (Class::Permanent, next)
}

/// The failure of `attempt` with a class that the operation's adapter knows better, and what to do `next`.
pub fn failed<E>(class: Class, attempt: impl Display, next: &str, error: CallError<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    Failure::new(class, format!("{attempt} failed, {next}")).caused_by(cause(error))
}

/// AWS answered, and left out what the answer must hold.
pub(super) fn incomplete(attempt: impl Display, missing: &str) -> Failure {
    let message = format!("{attempt} failed: AWS answered without {missing}, see the request in CloudTrail");
    Failure::new(Class::Permanent, message)
}

fn class<E: ProvideErrorMetadata>(error: &CallError<E>) -> Class {
    match error {
        SdkError::ConstructionFailure(_) => Class::Permanent,
        SdkError::DispatchFailure(dispatch)
            if dispatch.as_connector_error().is_some_and(|error| was_never_sent(error)) =>
        {
            Class::Transient
        }
        SdkError::ServiceError(answered) => {
            let known = |codes: &[&str]| answered.err().code().is_some_and(|code| codes.contains(&code));
            let status = answered.raw().status().as_u16();
            let busy = known(THROTTLING_ERRORS) || known(TRANSIENT_ERRORS) || status >= 500 || status == 429;
            if busy || has_expired(error) { Class::Transient } else { Class::Permanent }
        }
        // Timeouts, broken connections, unreadable answers, and kinds of error that a later SDK adds.
        _ => Class::OutcomeUnknown,
    }
}

fn has_expired<E: ProvideErrorMetadata>(error: &CallError<E>) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    code.is_some_and(|code| EXPIRED.contains(&code))
}

/// Whether no connection was made, so that the request cannot have arrived.
fn was_never_sent(error: &(dyn Error + 'static)) -> bool {
    let kinds =
        [io::ErrorKind::ConnectionRefused, io::ErrorKind::HostUnreachable, io::ErrorKind::NetworkUnreachable];
    let here = error.downcast_ref::<io::Error>().is_some_and(|error| kinds.contains(&error.kind()));
    here || error.source().is_some_and(was_never_sent)
}

fn denied<E: ProvideErrorMetadata>(error: &CallError<E>) -> bool {
    match error.as_service_error().and_then(ProvideErrorMetadata::code) {
        Some(code) => matches!(code, "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation"),
        None => status(error) == Some(403),
    }
}

fn cause<E>(error: CallError<E>) -> Box<dyn Error + Send + Sync>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let SdkError::ServiceError(answered) = &error {
        let meta = answered.err().meta();
        let text = |part: Option<&str>, absent: &str| part.unwrap_or(absent).to_owned();
        let status = answered.raw().status().as_u16();
        let request = text(meta.request_id(), "without an id");
        return Box::new(match (meta.code(), meta.message()) {
            (None, None) => Refusal::StatusAlone { status, request },
            (code, message) => Refusal::Said {
                code: text(code, "no error code"),
                message: text(message, "no message"),
                status,
                request,
            },
        });
    }
    error.into_source().unwrap_or_else(|error| Box::new(error))
}

/// The HTTP status of an answer that is an error.
pub fn status<E>(error: &CallError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::operation::get_object::GetObjectError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    type ReadError = CallError<GetObjectError>;

    fn answered(status: u16, code: &str) -> ReadError {
        let meta = ErrorMetadata::builder().code(code).message("because").build();
        let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        SdkError::service_error(GetObjectError::generic(meta), response)
    }

    fn broken(kind: io::ErrorKind) -> ReadError {
        SdkError::dispatch_failure(ConnectorError::io(Box::new(io::Error::from(kind))))
    }

    #[test]
    fn the_class_says_whether_the_call_may_have_been_carried_out() {
        let timeout = || -> ReadError { SdkError::timeout_error("slow") };
        let unreadable = || -> ReadError {
            SdkError::response_error(
                "garbled",
                HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::empty()),
            )
        };
        let cases: [(ReadError, Class); 13] = [
            (SdkError::construction_failure("no bucket"), Class::Permanent),
            (timeout(), Class::OutcomeUnknown),
            (unreadable(), Class::OutcomeUnknown),
            (broken(io::ErrorKind::ConnectionReset), Class::OutcomeUnknown),
            (broken(io::ErrorKind::ConnectionRefused), Class::Transient),
            (answered(400, "ThrottlingException"), Class::Transient),
            (answered(400, "RequestTimeout"), Class::Transient),
            (answered(503, "SlowDown"), Class::Transient),
            (answered(500, "InternalError"), Class::Transient),
            (answered(400, "ExpiredToken"), Class::Transient),
            (answered(403, "ExpiredTokenException"), Class::Transient),
            (answered(403, "AccessDenied"), Class::Permanent),
            (answered(404, "NoSuchBucket"), Class::Permanent),
        ];
        for (error, expected) in cases {
            assert_eq!(class(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn a_failure_says_what_was_tried_what_to_do_and_what_aws_said() {
        let failure = failure("reading ledger s3://state/ledger/backend.json", answered(403, "AccessDenied"));
        assert_eq!(
            chain(&failure),
            "reading ledger s3://state/ledger/backend.json failed, the function's role lacks a permission, \
             add it in template.yaml: AccessDenied: because (HTTP 403, request without an id)"
        );
    }

    #[test]
    fn a_person_hears_what_a_person_can_do_and_does_not_wait_for_credentials() {
        let unsigned = || -> ReadError {
            SdkError::dispatch_failure(ConnectorError::other(
                "no providers in chain provided credentials".into(),
                None,
            ))
        };
        let cut = || -> ReadError {
            SdkError::dispatch_failure(ConnectorError::other("IncompleteMessage".into(), None))
        };
        let cases: [(ReadError, Class, &str); 9] = [
            (cut(), Class::OutcomeUnknown, "the answer was lost"),
            (answered(400, "ExpiredToken"), Class::Permanent, "the credentials have expired"),
            (unsigned(), Class::Permanent, "no credentials that it could be signed with"),
            (answered(403, "AccessDenied"), Class::Permanent, "these credentials may not do it"),
            (answered(404, "NoSuchKey"), Class::Permanent, "it is not there"),
            (answered(301, "PermanentRedirect"), Class::Permanent, "in another region"),
            (answered(400, "InvalidArgument"), Class::Permanent, "change what AWS names"),
            (answered(503, "SlowDown"), Class::Transient, "a repeat may succeed"),
            (broken(io::ErrorKind::ConnectionReset), Class::OutcomeUnknown, "the answer was lost"),
        ];
        for (error, class, expected) in cases {
            let failure = failure_of(Caller::Person, "reading s3://artifacts/a", error);
            assert_eq!(failure.class(), class, "{failure}");
            assert!(failure.to_string().contains(expected), "{failure}");
            assert!(!failure.to_string().contains("function"), "{failure}");
        }
    }

    #[test]
    fn an_answer_without_a_body_is_explained_by_its_status() {
        let bare = |status: u16| -> ReadError {
            let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
            SdkError::service_error(GetObjectError::generic(ErrorMetadata::builder().build()), response)
        };
        let said = |status| chain(&failure("reading s3://artifacts/a", bare(status)));
        assert_eq!(
            said(403),
            "reading s3://artifacts/a failed, the function's role lacks a permission, add it in template.yaml: \
             HTTP 403 and no more (request without an id)"
        );
        assert_eq!(
            said(301),
            "reading s3://artifacts/a failed, it is in another region, name one that is in the function's own: \
             HTTP 301 and no more (request without an id)"
        );
    }
}
