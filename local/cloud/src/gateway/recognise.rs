//! Which service and operation a request is for, and whose it is.

use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

/// A request, recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The service as its signatures name it: `s3`, `elasticloadbalancing`, `codedeploy`, `monitoring` ...
    pub(super) service: String,
    /// The operation: `PutObject`, `ModifyRule` ...
    pub(super) operation: String,
    /// The caller's access key id; empty for an unsigned request.
    pub(super) key: String,
}

impl Call {
    /// `service:operation`, as logs and fault rules name it.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }
}

/// Recognises a request by its signature's scope, its target header, its form body or its path. `form` is the body
/// where the content type says that it is a form.
pub(super) fn recognise(method: &Method, uri: &Uri, headers: &HeaderMap, form: Option<&str>) -> Call {
    let (key, scope) = signature(uri, headers).unwrap_or_default();
    let target = text(headers, "x-amz-target").and_then(|target| target.rsplit_once('.'));
    let service = match (&scope, target) {
        (Some(scope), _) => scope.clone(),
        (None, Some((prefix, _))) => service_of_target(prefix).to_owned(),
        (None, None) if uri.path().starts_with("/2015-03-31/functions") => "lambda".to_owned(),
        (None, None) => "s3".to_owned(),
    };
    let operation = target
        .map(|(_, operation)| operation.to_owned())
        .or_else(|| form.and_then(|form| form_value(form, "Action")))
        .or_else(|| smithy_operation(uri))
        .unwrap_or_else(|| match service.as_str() {
            "s3" => s3_operation(method, uri, headers).to_owned(),
            "lambda" if uri.path().ends_with("/invocations") => "Invoke".to_owned(),
            _ => format!("{method} {}", uri.path()),
        });
    Call { service, operation, key }
}

/// Key id and service of a signature, in the header or, for presigned URLs, in the query.
fn signature(uri: &Uri, headers: &HeaderMap) -> Option<(String, Option<String>)> {
    let header = text(headers, "authorization").and_then(|header| header.split_once("Credential="));
    let credential = match header {
        Some((_, rest)) => rest.split(',').next().unwrap_or_default().trim().to_owned(),
        None => query_value(uri, "X-Amz-Credential")?,
    };
    let mut parts = credential.split('/');
    let key = parts.next()?.to_owned();
    Some((key, parts.nth(2).map(ToOwned::to_owned)))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn service_of_target(prefix: &str) -> &str {
    match prefix {
        _ if prefix.starts_with("CodeDeploy") => "codedeploy",
        _ if prefix.starts_with("AWSWAF") => "wafv2",
        _ if prefix.starts_with("AmazonSQS") => "sqs",
        _ if prefix.starts_with("AWSEvents") => "events",
        other => other,
    }
}

/// `/service/GraniteServiceVersion20100801/operation/DescribeAlarms`, as newer SDKs call `CloudWatch`.
fn smithy_operation(uri: &Uri) -> Option<String> {
    let (_, operation) = uri.path().strip_prefix("/service/")?.split_once("/operation/")?;
    Some(operation.to_owned())
}

/// A field of a form body, decoded.
pub(super) fn form_value(form: &str, name: &str) -> Option<String> {
    form.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        (decoded(found) == name).then(|| decoded(value))
    })
}

/// All fields of a form body, decoded.
pub(super) fn form_fields(form: &str) -> impl Iterator<Item = (String, String)> {
    form.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
}

/// A field of the query, decoded.
pub(super) fn query_value(uri: &Uri, name: &str) -> Option<String> {
    form_value(uri.query()?, name)
}

fn has_query(uri: &Uri, name: &str) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some(name)))
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Bucket and key of an S3 request with the bucket in the path.
pub(super) fn bucket_and_key(uri: &Uri) -> Option<(String, String)> {
    let (bucket, key) = uri.path().strip_prefix('/')?.split_once('/')?;
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    (!key.is_empty()).then(|| (decode(bucket), decode(key)))
}

fn s3_operation(method: &Method, uri: &Uri, headers: &HeaderMap) -> &'static str {
    let object = bucket_and_key(uri).is_some();
    match (method.as_str(), object) {
        ("GET", true) if has_query(uri, "tagging") => "GetObjectTagging",
        ("GET", true) => "GetObject",
        ("HEAD", true) => "HeadObject",
        ("PUT", true) if has_query(uri, "tagging") => "PutObjectTagging",
        ("PUT", true) if has_query(uri, "uploadId") => "UploadPart",
        ("PUT", true) if headers.contains_key("x-amz-copy-source") => "CopyObject",
        ("PUT", true) => "PutObject",
        ("POST", true) if has_query(uri, "uploads") => "CreateMultipartUpload",
        ("POST", true) if has_query(uri, "uploadId") => "CompleteMultipartUpload",
        ("DELETE", true) if has_query(uri, "uploadId") => "AbortMultipartUpload",
        ("DELETE", true) if has_query(uri, "tagging") => "DeleteObjectTagging",
        ("DELETE", true) => "DeleteObject",
        ("GET", false) if uri.path() == "/" => "ListBuckets",
        ("GET", false) if has_query(uri, "versions") => "ListObjectVersions",
        ("GET", false) => "ListObjects",
        ("HEAD", false) => "HeadBucket",
        _ => "BucketOperation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, uri: &str, headers: &[(&str, &str)], form: Option<&str>) -> (String, String) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let call = recognise(&method.parse().unwrap(), &uri.parse().unwrap(), &map, form);
        (call.name(), call.key)
    }

    fn signed(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=ASIAX/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host"
        )
    }

    #[test]
    fn operations_are_recognised_in_every_protocol() {
        for (method, uri, service, target, form, expected) in [
            (
                "POST",
                "/",
                "codedeploy",
                Some("CodeDeploy_20141006.GetDeployment"),
                None,
                "codedeploy:GetDeployment",
            ),
            (
                "POST",
                "/",
                "elasticloadbalancing",
                None,
                Some("Action=ModifyRule&Version=1"),
                "elasticloadbalancing:ModifyRule",
            ),
            ("POST", "/2015-03-31/functions/a/invocations", "lambda", None, None, "lambda:Invoke"),
            ("PUT", "/b/releases/a.zip?x-id=PutObject", "s3", None, None, "s3:PutObject"),
            ("PUT", "/b/k?tagging&versionId=1", "s3", None, None, "s3:PutObjectTagging"),
            ("POST", "/b/k?uploadId=1", "s3", None, None, "s3:CompleteMultipartUpload"),
            ("GET", "/b/k?x-id=GetObject", "s3", None, None, "s3:GetObject"),
            ("GET", "/", "s3", None, None, "s3:ListBuckets"),
            (
                "POST",
                "/service/GraniteServiceVersion20100801/operation/DescribeAlarms",
                "monitoring",
                None,
                None,
                "monitoring:DescribeAlarms",
            ),
        ] {
            let signed = signed(service);
            let mut headers = vec![("authorization", signed.as_str())];
            headers.extend(target.map(|target| ("x-amz-target", target)));
            assert_eq!(call(method, uri, &headers, form), (expected.to_owned(), "ASIAX".to_owned()), "{uri}");
        }
    }

    #[test]
    fn a_presigned_url_names_its_caller_in_the_query() {
        let uri = "/b/k?X-Amz-Credential=AKIA%2F20260101%2Feu-west-1%2Fs3%2Faws4_request";
        assert_eq!(call("GET", uri, &[], None), ("s3:GetObject".to_owned(), "AKIA".to_owned()));
    }

    #[test]
    fn keys_are_decoded() {
        let uri = "/artifacts/releases/front%20end/1-a.zip".parse().unwrap();
        assert_eq!(
            bucket_and_key(&uri),
            Some(("artifacts".to_owned(), "releases/front end/1-a.zip".to_owned()))
        );
        assert_eq!(bucket_and_key(&"/artifacts".parse().unwrap()), None);
    }
}
