//! Answers that the gateway gives itself, in the protocol of the service that is asked.

use super::recognise::Call;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

/// The body of an answer: passed on from the emulator as it comes, or made here.
pub(super) type Body = BoxBody<Bytes, hyper::Error>;

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
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert("content-type", value);
    }
    response
}

/// A service's error as its protocol writes it.
pub(super) fn error(call: &Call, status: StatusCode, code: &str, message: &str) -> Response<Body> {
    match call.service.as_str() {
        "elasticloadbalancing" | "autoscaling" | "ec2" => {
            let kind = if status.is_server_error() { "Receiver" } else { "Sender" };
            let body = format!(
                "<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{}</Message></Error>\
                 <RequestId>local</RequestId></ErrorResponse>",
                escaped(message)
            );
            answer(status, "text/xml", body)
        }
        "s3" => {
            let body = format!("<Error><Code>{code}</Code><Message>{}</Message></Error>", escaped(message));
            answer(status, "application/xml", body)
        }
        service => {
            let mut response = json_answer(status, &json!({ "__type": code, "message": message }));
            if service == "lambda"
                && let Ok(value) = code.parse()
            {
                response.headers_mut().insert("x-amzn-errortype", value);
            }
            response
        }
    }
}

/// The throttling error of a service.
pub(super) fn throttled(call: &Call) -> Response<Body> {
    let (status, code) = match call.service.as_str() {
        "s3" => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        "lambda" => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
        "elasticloadbalancing" | "autoscaling" | "ec2" => (StatusCode::BAD_REQUEST, "Throttling"),
        _ => (StatusCode::BAD_REQUEST, "ThrottlingException"),
    };
    error(call, status, code, "Rate exceeded")
}

/// The answer of a service to a caller without the permission.
pub(super) fn refused(call: &Call) -> Response<Body> {
    error(call, StatusCode::FORBIDDEN, "AccessDenied", "Access Denied")
}

/// The server error of a service.
pub(super) fn server_error(call: &Call) -> Response<Body> {
    error(call, StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", "An internal error occurred.")
}

/// Text for XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
