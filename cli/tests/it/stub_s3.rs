//! As much of S3 as these commands ask, with answers that a test has prepared.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) headers: &'static str,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn ok(body: &str) -> Self {
        Self { status: "200 OK", headers: "x-amz-version-id: v7\r\n", body: body.to_owned() }
    }

    /// An error as S3 writes it.
    pub(crate) fn error(status: &'static str, code: &str) -> Self {
        Self {
            status,
            headers: "",
            body: format!("<Error><Code>{code}</Code><Message>so it is</Message></Error>"),
        }
    }

    /// Tags of an object.
    pub(crate) fn tags(tags: &[(&str, &str)]) -> Self {
        let tag = |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
        let tags: String = tags.iter().map(tag).collect();
        Self::ok(&format!("<Tagging><TagSet>{tags}</TagSet></Tagging>"))
    }
}

/// Answers each kind of request in turn; the last answer of a kind is given again and again.
#[derive(Debug)]
pub(crate) struct StubS3 {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl StubS3 {
    /// `answers`: by what a request line contains.
    pub(crate) fn start(answers: Vec<(&'static str, Vec<Answer>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut answers: Vec<(&str, VecDeque<Answer>)> =
            answers.into_iter().map(|(kind, answers)| (kind, answers.into())).collect();
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &mut answers, &noted);
            }
        });
        Self { url, asked }
    }

    /// Runs the command against it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
        for name in ["GITHUB_RUN_NUMBER", "GITHUB_RUN_ATTEMPT", "GITHUB_SHA", "AWS_PROFILE"] {
            command.env_remove(name);
        }
        command.env("AWS_ACCESS_KEY_ID", "me").env("AWS_SECRET_ACCESS_KEY", "here");
        command.args(arguments).args(["--endpoint-url", &self.url, "--region", "eu-west-1"]).output().unwrap()
    }

    /// The request lines so far, each with its condition.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, answers: &mut [(&str, VecDeque<Answer>)], noted: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut request, mut condition, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut request).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "if-none-match" => condition = format!(" if-none-match{}", value.trim_end()),
            "expect" => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap(),
            _ => {}
        }
    }
    reader.take(length).read_to_end(&mut Vec::new()).unwrap();
    let request = request.trim_end().trim_end_matches(" HTTP/1.1");
    noted.lock().unwrap().push(format!("{request}{condition}"));
    let prepared = answers.iter_mut().find(|(kind, _)| request.contains(kind)).map(|(_, answers)| {
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers.front().unwrap().clone() }
    });
    let Answer { status, headers, body } =
        prepared.unwrap_or_else(|| Answer::error("404 Not Found", "NoSuchKey"));
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .unwrap();
}
