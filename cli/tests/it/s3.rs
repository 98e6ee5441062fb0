//! `greenlight bundle check s3://…`, with an S3 of one object that has two versions.

use crate::check::bundle;
use crate::stub_aws::{Answer, Request, StubAws};
use std::io::Write;

const KEY: &str = "/bundles/releases/frontend/7-abc.zip";

/// An S3 that answers what a check asks: `HeadObject` and `GetObject`, by version and range; the newest version last.
fn keeping(versions: Vec<(&'static str, Vec<u8>)>) -> StubAws {
    StubAws::start(move |request| answer(request, &versions))
}

fn answer(request: &Request, versions: &[(&str, Vec<u8>)]) -> Answer {
    let version = match request.parameter("versionId") {
        Some(wanted) => versions.iter().find(|(id, _)| *id == wanted),
        None => versions.last(),
    };
    let found = version.filter(|_| request.line.split([' ', '?']).nth(1) == Some(KEY));
    let Some((id, bytes)) = found else { return Answer::with("404 Not Found", "", "") };
    let named = format!("etag: \"{id}\"\r\nx-amz-version-id: {id}\r\n");
    let range = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((from, until)) = range else { return Answer::with("200 OK", named, bytes.as_slice()) };
    assert_eq!(request.header("if-match"), Some(format!("\"{id}\"").as_str()), "pinned");
    let until = until.parse().unwrap_or(bytes.len());
    let start = from.parse().unwrap_or(bytes.len().saturating_sub(until));
    let end = if from.is_empty() { bytes.len() } else { (until + 1).min(bytes.len()) };
    let range = format!("{named}content-range: bytes {start}-{}/{}\r\n", end - 1, bytes.len());
    Answer::with("206 Partial Content", range, &bytes[start..end])
}

/// A bundle that is good, or has the wrong version of AppSpec.
fn packed(is_good: bool) -> Vec<u8> {
    let folder = bundle();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["appspec.yml", "hooks/validate.sh", "app/server.js"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        let text = if is_good { text } else { text.replace("version: 0.0", "version: 0.1") };
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn an_object_is_judged_by_its_newest_version_or_by_the_one_that_is_named() {
    let s3 = keeping(vec![("old", packed(false)), ("new", packed(true))]);
    let url = format!("s3:/{KEY}");
    let newest = s3.run(&["bundle", "check", &url]);
    assert_eq!((newest.stdout.as_slice(), newest.status.code()), (b"".as_slice(), Some(0)), "{newest:?}");
    let old = s3.run(&["bundle", "check", &url, "--version-id", "old"]);
    assert_eq!(old.status.code(), Some(1), "{old:?}");
    assert!(String::from_utf8(old.stdout).unwrap().contains("0.1"));
    let asked = s3.asked();
    let reads: Vec<&Request> = asked.iter().filter(|request| request.line.starts_with("GET")).collect();
    let versions: Vec<_> = reads.iter().map(|request| request.parameter("versionId")).collect();
    assert_eq!(versions, [Some("new"), Some("old")], "one read of a small bundle: {asked:?}");
}

#[test]
fn what_is_not_there_is_no_verdict_and_is_named() {
    let s3 = keeping(vec![("only", packed(true))]);
    let url = format!("s3:/{KEY}");
    for (arguments, named) in [
        (vec!["s3://bundles/other.zip"], "reading s3://bundles/other.zip failed, it is not there"),
        (vec![url.as_str(), "--version-id", "gone"], "version gone, failed, it is not there"),
        (vec!["."], "are for an object of S3"),
    ] {
        let output = s3.run(&[&["bundle", "check"], arguments.as_slice()].concat());
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
}

#[test]
fn a_person_is_not_told_what_the_function_needs() {
    let whole = packed(true);
    let s3 = StubAws::start(move |request| match request.line.split_once(' ') {
        Some(("HEAD", _)) => Answer::with("200 OK", "etag: \"e\"\r\n", whole.as_slice()),
        _ => Answer::error("403 Forbidden", "AccessDenied"),
    });
    let output = s3.run(&["bundle", "check", &format!("s3:/{KEY}")]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("these credentials may not do it") && !said.contains("template.yaml"), "{said}");
}
