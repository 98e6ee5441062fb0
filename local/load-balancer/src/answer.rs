//! Answers to the client: the target's, or the load balancer's own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SERVER};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::pool::{Pool, Sender};
use crate::routing::FixedResponse;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    Own(Option<Bytes>),
    Target(TargetBody),
}

/// A target's body, with the connection that it comes over. At the body's end the connection goes back to the
/// pool; a body that is dropped earlier takes its connection along.
#[derive(Debug)]
pub(crate) struct TargetBody {
    body: Incoming,
    connection: Option<(Arc<Pool>, Sender)>,
}

impl TargetBody {
    /// `connection` is none when the connection must not be used again.
    pub(crate) fn new(body: Incoming, connection: Option<(Arc<Pool>, Sender)>) -> Self {
        let mut body = Self { body, connection };
        body.give_back_at_end();
        body
    }

    fn give_back_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some((pool, sender)) = self.connection.take() {
            pool.give_back(sender);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Target(target) => {
                let frame = ready!(Pin::new(&mut target.body).poll_frame(context));
                match &frame {
                    Some(Ok(_)) => target.give_back_at_end(),
                    Some(Err(_)) => target.connection = None,
                    None => target.give_back(),
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Target(target) => target.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Target(target) => target.body.size_hint(),
        }
    }
}

/// An answer that the load balancer gives itself.
pub(crate) fn own(status: StatusCode) -> Response<AnswerBody> {
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let page = format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\r\n");
    with_body(status, HeaderValue::from_static("text/html"), page.into())
}

/// What AWS WAF answers to a request that it challenges and that asks for no page: no body.
/// <https://docs.aws.amazon.com/waf/latest/APIReference/API_ChallengeAction.html>
pub(crate) fn challenge() -> Response<AnswerBody> {
    let mut response =
        with_body(StatusCode::ACCEPTED, HeaderValue::from_static("text/html; charset=UTF-8"), Bytes::new());
    response.headers_mut().insert("x-amzn-waf-action", HeaderValue::from_static("challenge"));
    response
}

pub(crate) fn fixed(response: &FixedResponse) -> Response<AnswerBody> {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_str(&response.content_type)
        .unwrap_or_else(|_| HeaderValue::from_static("text/plain; charset=utf-8"));
    with_body(status, content_type, response.body.clone().into())
}

fn with_body(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::Own((!body.is_empty()).then_some(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(SERVER, HeaderValue::from_static("awselb/2.0"));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
