//! Uploads to a URL that carries its own signature, as CloudFormation hands one to a custom resource.

use super::{ATTEMPT_TIMEOUT, BundleError, CONNECT_TIMEOUT, https, trusting};
use crate::failure::{Class, Failure};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

/// Carries such uploads out. The URL is a secret: whoever has it can answer in the function's place. No failure and no
/// log names it.
#[derive(Debug)]
pub struct Presigned(SharedHttpConnector);

impl Presigned {
    /// With the trust of [`super::sdk_config`]. Built once, outside the handler.
    ///
    /// # Errors
    /// As [`super::sdk_config`]: the function must not start.
    pub async fn new() -> Result<Self, BundleError> {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(ATTEMPT_TIMEOUT)
            .build();
        Ok(Self(trusting(|bundle| https::connector(bundle, settings)).await?))
    }

    /// Uploads `body` once, without a content type: the signature was made for none (CloudFormation user guide, custom
    /// resource reference, response objects).
    ///
    /// # Errors
    /// Permanent when the URL is none, or when S3 refuses it: it was altered, or its time is over. Unknown outcome when no
    /// answer came, transient when S3 is busy.
    pub async fn put(&self, url: &str, body: String) -> Result<(), Failure> {
        let refused =
            |class, why: String| Failure::new(class, format!("uploading to the presigned URL failed: {why}"));
        let mut request = HttpRequest::new(SdkBody::from(body));
        let set = request.set_method("PUT").is_ok() && request.set_uri(url).is_ok();
        if !set {
            return Err(refused(Class::Permanent, "it is no URL".to_owned()));
        }
        // What the connector says may hold the address, and with it the signature.
        let answer = self.0.call(request).await.map_err(|error| {
            let why = if error.is_timeout() { "no answer in time" } else { "the connection broke" };
            refused(Class::OutcomeUnknown, why.to_owned())
        })?;
        match answer.status().as_u16() {
            200..=299 => Ok(()),
            status @ (429 | 500..) => Err(refused(Class::Transient, format!("HTTP {status}"))),
            status => Err(refused(Class::Permanent, format!("HTTP {status}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::chain;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    const SECRET: &str = "X-Amz-Signature=5eC2e7";

    /// Listens for one request and answers with `status`.
    fn server(status: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/answer?{SECRET}", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut said = Vec::new();
            let mut part = [0; 1024];
            while !said.ends_with(b"{}") {
                let count = stream.read(&mut part).unwrap();
                said.extend(part.iter().take(count));
            }
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
            String::from_utf8(said).unwrap()
        });
        (url, served)
    }

    #[tokio::test]
    async fn the_body_is_put_without_a_content_type() {
        let (url, served) = server("200 OK");
        Presigned::new().await.unwrap().put(&url, "{}".to_owned()).await.unwrap();
        let said = served.join().unwrap().to_lowercase();
        assert!(said.starts_with("put /answer?"), "{said}");
        assert!(said.contains("content-length: 2\r\n") && !said.contains("content-type"), "{said}");
    }

    #[tokio::test]
    async fn a_failure_does_not_tell_the_url() {
        let presigned = Presigned::new().await.unwrap();
        let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let (refusing, busy) = (server("403 Forbidden"), server("503 Slow Down"));
        for (url, class) in [
            (format!("http://{nobody}/a?{SECRET}"), Class::OutcomeUnknown),
            (format!("no url {SECRET}"), Class::Permanent),
            (refusing.0, Class::Permanent),
            (busy.0, Class::Transient),
        ] {
            let failure = presigned.put(&url, "{}".to_owned()).await.unwrap_err();
            assert_eq!(failure.class(), class, "{}", chain(&failure));
            assert!(!chain(&failure).contains("5eC2e7"), "{}", chain(&failure));
        }
    }
}
