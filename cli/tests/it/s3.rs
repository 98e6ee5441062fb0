//! `greenlight bundle check s3://…`, with an S3 of one object that has two versions.

use crate::check::bundle;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

const KEY: &str = "/bundles/releases/frontend/7-abc.zip";

/// An S3 that answers what a check asks: `HeadObject` and `GetObject`, by version and range.
struct S3 {
    url: String,
    /// The first line of each request.
    asked: Arc<Mutex<Vec<String>>>,
}

impl S3 {
    /// With these versions of one object, the newest last.
    fn start(versions: Vec<(&'static str, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(&mut stream.unwrap(), &versions, &log);
            }
        });
        Self { url, asked }
    }

    /// Runs the command.
    fn check(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
        command.env_clear().env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "secret");
        command.env("AWS_REGION", "eu-west-1").args(["bundle", "check", "--endpoint-url", &self.url]);
        command.args(arguments).output().unwrap()
    }
}

fn answer(stream: &mut TcpStream, versions: &[(&str, Vec<u8>)], asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = lines.next().unwrap().unwrap();
    let headers: Vec<String> =
        lines.map(|line| line.unwrap().to_lowercase()).take_while(|line| !line.is_empty()).collect();
    asked.lock().unwrap().push(request.clone());
    let header = |name: &str| headers.iter().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let wanted = request.split(['?', '&', ' ']).find_map(|part| part.strip_prefix("versionId="));
    let version = match wanted {
        Some(wanted) => versions.iter().find(|(id, _)| *id == wanted),
        None => versions.last(),
    };
    let found = version.filter(|_| request.split([' ', '?']).nth(1) == Some(KEY));
    let Some((id, bytes)) = found else {
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .unwrap();
        return;
    };
    let (mut status, mut range, mut body) = ("200 OK", String::new(), bytes.as_slice());
    if let Some((from, until)) = header("range: bytes=").and_then(|range| range.split_once('-')) {
        assert_eq!(header("if-match:"), Some(format!("\"{id}\"").as_str()), "pinned");
        let until = until.parse().unwrap_or(bytes.len());
        let start = from.parse().unwrap_or(bytes.len().saturating_sub(until));
        let end = if from.is_empty() { bytes.len() } else { (until + 1).min(bytes.len()) };
        body = &bytes[start..end];
        status = "206 Partial Content";
        range = format!("content-range: bytes {start}-{}/{}\r\n", end - 1, bytes.len());
    }
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{range}etag: \"{id}\"\r\nx-amz-version-id: {id}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    if !request.starts_with("HEAD") {
        stream.write_all(body).unwrap();
    }
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
    let s3 = S3::start(vec![("old", packed(false)), ("new", packed(true))]);
    let url = format!("s3:/{KEY}");
    let newest = s3.check(&[&url]);
    assert_eq!((newest.stdout.as_slice(), newest.status.code()), (b"".as_slice(), Some(0)), "{newest:?}");
    let old = s3.check(&[&url, "--version-id", "old"]);
    assert_eq!(old.status.code(), Some(1), "{old:?}");
    assert!(String::from_utf8(old.stdout).unwrap().contains("0.1"));
    let asked = s3.asked.lock().unwrap();
    let reads: Vec<&String> = asked.iter().filter(|line| line.starts_with("GET")).collect();
    assert_eq!(reads.len(), 2, "one read of a small bundle: {asked:?}");
    assert!(reads[0].contains("versionId=new") && reads[1].contains("versionId=old"), "{asked:?}");
}

#[test]
fn what_is_not_there_is_no_verdict_and_is_named() {
    let s3 = S3::start(vec![("only", packed(true))]);
    let url = format!("s3:/{KEY}");
    for (arguments, named) in [
        (vec!["s3://bundles/other.zip"], "s3://bundles/other.zip cannot be read"),
        (vec![url.as_str(), "--version-id", "gone"], "version gone, cannot be read"),
        (vec!["."], "are for an object of S3"),
    ] {
        let output = s3.check(&arguments);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(named), "{arguments:?}");
    }
}
