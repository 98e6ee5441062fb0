//! What was asked and what was answered, for the checks against AWS's own service models.
//!
//! One JSON object a line: a call as it came over the wire, or an answer that the local cloud gave itself. What lies in
//! objects and what functions are invoked with is left out, and so is everything that authenticates.

use super::answers::{Body, Own, whole};
use super::recognise::Call;
use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response, Uri};
use http_body_util::{BodyExt, Collected};
use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Headers that say what is asked, besides those that begin with `x-amz`.
const ASKING: [&str; 5] = ["content-type", "if-match", "if-none-match", "range", "smithy-protocol"];

/// Parts of headers' names that are about the signature, the client, or a key of its own.
const AUTHENTICATING: [&str; 5] = ["token", "date", "content-sha256", "user-agent", "customer-key"];

/// The file.
#[derive(Debug)]
pub(crate) struct Recorder(Mutex<File>);

impl Recorder {
    /// Appends to `path`. `stack` is written first: who may call what.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn create(path: &Path, stack: &Value) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        let recorder = Self(Mutex::new(file.with_context(|| format!("cannot create {}", path.display()))?));
        recorder.write(&json!({ "stack": stack }));
        Ok(recorder)
    }

    /// Notes a call. `body` is empty where it was not read.
    pub(super) fn call(&self, call: &Call, request: &Parts, body: &Bytes) {
        let mut line = json!({
            "call": call.name(),
            "caller": call.key,
            "method": request.method.as_str(),
            "path": request.uri.path(),
            "query": query(&request.uri),
            "headers": headers(&request.headers),
        });
        if call.service != "lambda" {
            set_body(&mut line, body);
        }
        self.write(&line);
    }

    /// Notes how a call was answered, and with what if the emulator had no part in it.
    pub(super) async fn answer(
        &self,
        call: &Call,
        request: &Uri,
        response: Response<Body>,
    ) -> Response<Body> {
        let mut line = json!({
            "answer": call.name(),
            "caller": call.key,
            "path": request.path(),
            "status": response.status().as_u16(),
        });
        if response.extensions().get::<Own>().is_none() {
            self.write(&line);
            return response;
        }
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        line["headers"] = headers(&parts.headers);
        if call.service != "lambda" || !parts.status.is_success() {
            set_body(&mut line, &body);
        }
        self.write(&line);
        Response::from_parts(parts, whole(body))
    }

    fn write(&self, line: &Value) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            tracing::warn!(%error, "the record of calls cannot be written");
        }
    }
}

fn headers(headers: &HeaderMap) -> Value {
    let asked = headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        let authenticates = AUTHENTICATING.iter().any(|part| name.contains(part));
        ASKING.contains(&name) || (name.starts_with("x-amz") && !authenticates)
    });
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let named = asked.map(|(name, value)| (name.as_str().to_owned(), Value::String(text(value))));
    Value::Object(named.collect::<Map<_, _>>())
}

/// Without a presigned URL's signature.
fn query(uri: &Uri) -> String {
    let fields = uri.query().unwrap_or_default().split('&');
    fields.filter(|field| !field.starts_with("X-Amz-")).collect::<Vec<_>>().join("&")
}

fn set_body(line: &mut Value, body: &Bytes) {
    match std::str::from_utf8(body) {
        Ok("") => {}
        Ok(text) => line["body"] = json!(text),
        Err(_) => line["body_base64"] = json!(STANDARD.encode(body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn recorded(request: Request<()>, body: &str, service: &str) -> Value {
        let path = std::env::temp_dir().join(format!("calls-{}-{service}.jsonl", std::process::id()));
        let recorder = Recorder::create(&path, &Value::Null).unwrap();
        let call = Call { service: service.to_owned(), operation: "Do".to_owned(), key: "ASIAX0".to_owned() };
        recorder.call(&call, &request.into_parts().0, &Bytes::from(body.to_owned()));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }

    #[test]
    fn what_authenticates_is_left_out() {
        let request = Request::get("/b/k?versionId=1&X-Amz-Signature=abc&X-Amz-Credential=def")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=secret")
            .header("x-amz-security-token", "secret")
            .header("x-amz-server-side-encryption-customer-key", "secret")
            .header("x-amz-checksum-crc32", "AAAA")
            .header("if-match", "\"e\"")
            .body(())
            .unwrap();
        let line = recorded(request, "", "s3");
        assert_eq!(line["query"], "versionId=1");
        assert_eq!(line["headers"], json!({ "if-match": "\"e\"", "x-amz-checksum-crc32": "AAAA" }));
        assert!(!line.to_string().contains("secret"), "{line}");
    }

    #[test]
    fn what_a_function_is_invoked_with_is_left_out() {
        let request = Request::post("/2015-03-31/functions/a/invocations").body(()).unwrap();
        assert_eq!(recorded(request, "{\"counts\":1}", "lambda").get("body"), None);
    }
}
