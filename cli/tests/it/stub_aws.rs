//! As much of AWS as these commands ask, with answers that a test has prepared.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method and path, as `GET /bucket/key?versionId=v7`.
    pub(crate) line: String,
    pub(crate) body: String,
    /// In lower case, without the last one's end.
    headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let parameters = self.line.split(['?', '&']).filter_map(|part| part.split_once('='));
        parameters.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn with(status: &'static str, headers: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: headers.into(), body: body.into() }
    }

    pub(crate) fn ok(body: &str) -> Self {
        Self::with("200 OK", "x-amz-version-id: v7\r\n", body)
    }

    /// An error as S3 writes it.
    pub(crate) fn error(status: &'static str, code: &str) -> Self {
        Self::with(status, "", format!("<Error><Code>{code}</Code><Message>so it is</Message></Error>"))
    }

    /// The connection ends instead.
    pub(crate) fn lost() -> Self {
        Self::with("", "", "")
    }

    /// Tags of an object.
    pub(crate) fn tags(tags: &[(&str, &str)]) -> Self {
        let tag = |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
        let tags: String = tags.iter().map(tag).collect();
        Self::ok(&format!("<Tagging><TagSet>{tags}</TagSet></Tagging>"))
    }
}

/// A server that answers requests one after another.
#[derive(Debug)]
pub(crate) struct StubAws {
    url: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl StubAws {
    pub(crate) fn start(mut answer: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = receive(&mut stream);
                noted.lock().unwrap().push(request.clone());
                send(&mut stream, &request, answer(&request));
            }
        });
        Self { url, asked }
    }

    /// Answers each kind of request in turn; the last answer of a kind is given again and again.
    ///
    /// `answers`: by what a request line contains.
    pub(crate) fn prepared(answers: Vec<(&'static str, Vec<Answer>)>) -> Self {
        let mut answers: Vec<(&str, VecDeque<Answer>)> =
            answers.into_iter().map(|(kind, answers)| (kind, answers.into())).collect();
        Self::start(move |request| {
            let prepared = answers.iter_mut().find(|(kind, _)| request.line.contains(kind));
            let Some((_, answers)) = prepared else { return Answer::error("404 Not Found", "NoSuchKey") };
            if answers.len() > 1 { answers.pop_front().unwrap() } else { answers.front().unwrap().clone() }
        })
    }

    /// Runs the command against it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_where(arguments, &[("AWS_ACCESS_KEY_ID", "me"), ("AWS_SECRET_ACCESS_KEY", "here")])
    }

    /// The same in an environment that holds nothing else.
    pub(crate) fn run_where(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
        command.env_clear().envs(variables.iter().copied());
        command.args(arguments).args(["--endpoint-url", &self.url, "--region", "eu-west-1"]).output().unwrap()
    }

    /// The same by somebody with this name.
    pub(crate) fn run_as(&self, arguments: &[&str], user: OsString) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
        command
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", "me")
            .env("AWS_SECRET_ACCESS_KEY", "here")
            .env("USER", user);
        command.args(arguments).args(["--endpoint-url", &self.url, "--region", "eu-west-1"]).output().unwrap()
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

fn receive(stream: &mut TcpStream) -> Request {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut request = Request {
        line: line.trim_end().trim_end_matches(" HTTP/1.1").to_owned(),
        body: String::new(),
        headers: Vec::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if request.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).unwrap();
    request.body = String::from_utf8_lossy(&body).into_owned();
    request
}

fn send(stream: &mut TcpStream, request: &Request, answer: Answer) {
    let Answer { status, headers, body } = answer;
    if status.is_empty() {
        return;
    }
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    if !request.line.starts_with("HEAD") {
        stream.write_all(&body).unwrap();
    }
}
