//! Answers that the gateway gives itself, in the protocol of the service that is asked.

use super::recognise::Call;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

/// The body of an answer: passed on from the emulator as it comes, or made here.
pub(super) type Body = BoxBody<Bytes, hyper::Error>;

/// Marks an answer that the gateway gives itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own;

/// A body that is known whole.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// An answer with a JSON body.
pub(super) fn json_answer(status: StatusCode, value: &Value) -> Response<Body> {
    answer(status, "application/json", value.to_string())
}

/// An answer with any body.
pub(super) fn answer(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    response.extensions_mut().insert(Own);
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert("content-type", value);
    }
    response
}

/// How a service's errors look on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// XML with a request id around it.
    Query,
    /// XML without.
    S3,
    /// CBOR, as newer SDKs speak it to `CloudWatch`.
    Cbor,
    /// JSON, with the code in a header.
    Lambda,
    /// JSON, with the code in the body.
    Json,
}

impl Protocol {
    fn of(call: &Call) -> Self {
        match call.service.as_str() {
            "elasticloadbalancing" | "autoscaling" | "ec2" | "sns" => Self::Query,
            "s3" => Self::S3,
            "monitoring" => Self::Cbor,
            "lambda" => Self::Lambda,
            _ => Self::Json,
        }
    }
}

/// A service's error as its protocol writes it.
pub(super) fn error(call: &Call, status: StatusCode, code: &str, message: &str) -> Response<Body> {
    match Protocol::of(call) {
        Protocol::Query => {
            let kind = if status.is_server_error() { "Receiver" } else { "Sender" };
            let body = format!(
                "<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{}</Message></Error>\
                 <RequestId>local</RequestId></ErrorResponse>",
                escaped(message)
            );
            answer(status, "text/xml", body)
        }
        Protocol::S3 => {
            let body = format!("<Error><Code>{code}</Code><Message>{}</Message></Error>", escaped(message));
            answer(status, "application/xml", body)
        }
        Protocol::Cbor => {
            let mut response =
                answer(status, "application/cbor", cbor(&[("__type", code), ("message", message)]));
            response.headers_mut().insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
            response
        }
        Protocol::Lambda => {
            let mut response = json_answer(status, &json!({ "Type": "User", "Message": message }));
            if let Ok(value) = code.parse() {
                response.headers_mut().insert("x-amzn-errortype", value);
            }
            response
        }
        Protocol::Json => json_answer(status, &json!({ "__type": code, "message": message })),
    }
}

/// A map of texts in CBOR (RFC 8949): heads of two bytes' length, which suit every text shorter than 64 KB.
fn cbor(members: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let bytes = text.as_bytes().get(..usize::from(u16::MAX)).unwrap_or(text.as_bytes());
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&[0x79], &length[..], bytes].concat()
    };
    let count = u16::try_from(members.len()).unwrap_or(u16::MAX).to_be_bytes();
    let members = members.iter().flat_map(|(name, value)| [text(name), text(value)].concat());
    [0xb9].into_iter().chain(count).chain(members).collect()
}

/// The throttling error of a service.
pub(super) fn throttled(call: &Call) -> Response<Body> {
    let (status, code) = match Protocol::of(call) {
        Protocol::S3 => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        Protocol::Lambda => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
        Protocol::Query => (StatusCode::BAD_REQUEST, "Throttling"),
        Protocol::Cbor | Protocol::Json => (StatusCode::BAD_REQUEST, "ThrottlingException"),
    };
    error(call, status, code, "Rate exceeded")
}

/// The answer of a service to a caller without the permission.
pub(super) fn refused(call: &Call) -> Response<Body> {
    let (status, code) = match Protocol::of(call) {
        Protocol::S3 | Protocol::Query => (StatusCode::FORBIDDEN, "AccessDenied"),
        Protocol::Lambda => (StatusCode::FORBIDDEN, "AccessDeniedException"),
        Protocol::Cbor | Protocol::Json => (StatusCode::BAD_REQUEST, "AccessDeniedException"),
    };
    error(call, status, code, "Access Denied")
}

/// The server error of a service.
pub(super) fn server_error(call: &Call) -> Response<Body> {
    let code = match Protocol::of(call) {
        Protocol::S3 => "InternalError",
        Protocol::Lambda => "ServiceException",
        Protocol::Query | Protocol::Cbor | Protocol::Json => "InternalFailure",
    };
    error(call, StatusCode::INTERNAL_SERVER_ERROR, code, "An internal error occurred.")
}

/// Text for XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_in_cbor_are_a_map_of_texts() {
        let expected = [&b"\xb9\x00\x01\x79\x00\x06__type\x79\x00\x01A"[..]].concat();
        assert_eq!(cbor(&[("__type", "A")]), expected);
    }
}
