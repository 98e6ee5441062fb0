//! The function as a process, between a Runtime API and an AWS that refuses everything: what Lambda and the log hear.

#![cfg(test)]

use greenlight::settings::{VARIABLES, Variable};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

/// What the function has told Lambda: the end of the path, and the body.
type Told = (String, Value);

/// What Lambda and the log were told.
struct Heard {
    told: Vec<Told>,
    log: Vec<Value>,
}

impl Heard {
    /// The records of a level, in the order of the log.
    fn records(&self, level: &str) -> Vec<&Value> {
        self.log.iter().filter(|record| record["level"] == level).collect()
    }
}

/// Starts the function with these changes of its environment, and ends it when it has answered every payload, or when
/// it ends by itself.
fn run(changes: &[(&str, &str)], payloads: &[&[u8]]) -> Heard {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (done, is_done) = channel();
    let told = Arc::new(Mutex::new(Vec::new()));
    let waiting: VecDeque<Vec<u8>> = payloads.iter().map(|payload| payload.to_vec()).collect();
    let lambda = Lambda { waiting: Arc::new(Mutex::new(waiting)), told: Arc::clone(&told), done };
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, lambda) = (connection.unwrap(), lambda.clone());
            std::thread::spawn(move || lambda.serve(&connection));
        }
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_alarm"));
    command.env_clear().envs(examples()).envs(changes.iter().copied()).envs([
        ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
        ("AWS_ENDPOINT_URL", &format!("http://{address}")),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("AWS_LAMBDA_FUNCTION_NAME", "alarm"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let log = std::thread::spawn(move || output.lines().map(Result::unwrap).collect::<Vec<_>>());
    if !payloads.is_empty() {
        is_done.recv().unwrap();
        child.kill().unwrap();
    }
    child.wait().unwrap();
    let log = log.join().unwrap();
    let log =
        log.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    Heard { told: std::mem::take(&mut *told.lock().unwrap()), log }
}

/// Every variable with its documented example, and a second service.
fn examples() -> Vec<(String, String)> {
    let value = |variable: &Variable| match variable.name {
        "GREENLIGHT_SERVICES" => {
            let other = variable.example.replace("frontend", "backend").replace("shop-", "shop-b-");
            format!("{},{}", variable.example, other.replace("9683b2d0", "0d2b3869"))
        }
        _ => variable.example.to_owned(),
    };
    VARIABLES.iter().map(|variable| (variable.name.to_owned(), value(variable))).collect()
}

/// The Runtime API, and an AWS that refuses every call.
#[derive(Clone)]
struct Lambda {
    waiting: Arc<Mutex<VecDeque<Vec<u8>>>>,
    told: Arc<Mutex<Vec<Told>>>,
    done: Sender<()>,
}

impl Lambda {
    fn serve(&self, connection: &TcpStream) {
        let mut reader = BufReader::new(connection);
        while let Some((path, body)) = request(&mut reader) {
            let (status, head, answer) = match path.strip_prefix("/2018-06-01/runtime/") {
                Some("invocation/next") => match self.waiting.lock().unwrap().pop_front() {
                    Some(payload) => {
                        let head = "Lambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 9999999999999\r\n\
                                    Lambda-Runtime-Invoked-Function-Arn: arn:alarm\r\n";
                        ("200 OK", head, payload)
                    }
                    None => {
                        let _ended = self.done.send(());
                        return;
                    }
                },
                Some(told) => {
                    let body = serde_json::from_slice(&body).unwrap();
                    self.told.lock().unwrap().push((told.to_owned(), body));
                    ("202 Accepted", "", b"{}".to_vec())
                }
                None => (
                    "403 Forbidden",
                    "",
                    b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>".to_vec(),
                ),
            };
            let length = answer.len();
            let mut connection = connection;
            write!(connection, "HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\n\r\n").unwrap();
            connection.write_all(&answer).unwrap();
        }
    }
}

/// The path of the next request and its body; `None` when the connection ends.
fn request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        match header.trim_end().to_ascii_lowercase().split_once(": ") {
            None => break,
            Some(("content-length", bytes)) => length = bytes.parse().unwrap(),
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, body))
}

#[test]
fn whatever_the_bytes_every_service_is_woken_and_the_failure_is_recorded_once() {
    let deep = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
    let payloads: [&[u8]; 3] = [br#"{"AlarmDescription":"cut \ud83d"}"#, &deep, b"\xff{"];
    let heard = run(&[], &payloads);
    assert_eq!(heard.told.len(), payloads.len());
    for (path, body) in &heard.told {
        assert_eq!((path.as_str(), &body["errorType"]), ("invocation/1/error", &json!("permanent")));
        let message = body["errorMessage"].as_str().unwrap();
        assert!(message.starts_with("1 part(s) of the payload name no alarm"), "{message}");
        assert!(message.contains("the payload cannot be read as JSON"), "{message}");
    }
    assert_eq!(heard.records("WARN").len(), payloads.len(), "{:?}", heard.records("WARN"));
    // For each of the two services: its ledger could not be read. For the invocation: what it was told.
    let errors = heard.records("ERROR");
    assert_eq!(errors.len(), 3 * payloads.len(), "{errors:#?}");
    for error in errors {
        assert_eq!(error["failure_class"], "permanent", "{error}");
        assert!(error["error"].is_string() && !error.to_string().contains("Diagnostic"), "{error}");
    }
}

#[test]
fn a_call_that_fails_is_an_error_of_its_class_and_one_record_of_its_service() {
    let heard = run(&[], &[br#"{"alarmData":{"alarmName":"shop.backend-blue-errors"}}"#]);
    let (path, body) = &heard.told[0];
    assert_eq!((path.as_str(), &body["errorType"]), ("invocation/1/error", &json!("permanent")));
    let errors = heard.records("ERROR");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0]["service"], "backend");
    assert_eq!(errors[0]["failure_class"], "permanent");
    assert_eq!(errors[0]["error"], body["errorMessage"]);
    let message = errors[0]["message"].as_str().unwrap();
    assert!(message.contains("NOTHING was taken back"), "{message}");
}

#[test]
fn a_function_that_does_not_start_tells_lambda_every_fault() {
    let heard = run(&[("GREENLIGHT_BAKE", "soon"), ("GREENLIGHT_LISTENER_ARN", "listener")], &[]);
    let [(path, body)] = heard.told.as_slice() else { panic!("{:?}", heard.told) };
    assert_eq!((path.as_str(), &body["errorType"]), ("init/error", &json!("permanent")));
    let message = body["errorMessage"].as_str().unwrap();
    assert!(
        message.contains("GREENLIGHT_BAKE is \"soon\"") && message.contains("GREENLIGHT_LISTENER_ARN"),
        "{message}"
    );
    assert_eq!(heard.records("ERROR").len(), 2);

    let heard = run(&[("AWS_CA_BUNDLE", "/no/such/file")], &[]);
    assert_eq!(heard.told[0].0, "init/error");
    let message = heard.told[0].1["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("AWS_CA_BUNDLE names /no/such/file"), "{message}");
}

/// The way back needs neither a strategy nor a time: an alarm wakes its service all the same.
#[test]
fn a_function_starts_with_a_bad_policy_and_names_the_variables_each_time() {
    let alarm: &[u8] = br#"{"alarmData":{"alarmName":"shop.backend-blue-errors"}}"#;
    let heard = run(&[("GREENLIGHT_BAKE", "soon"), ("GREENLIGHT_STRATEGY", "Slowly")], &[alarm, alarm]);
    for (path, body) in &heard.told {
        assert_eq!(path, "invocation/1/error", "the ledger could not be read, in this AWS: {body}");
    }
    let errors = heard.records("ERROR");
    let of = |name: &str| errors.iter().filter(|error| error["variable"] == *name).count();
    assert_eq!(
        (heard.told.len(), of("GREENLIGHT_BAKE"), of("GREENLIGHT_STRATEGY")),
        (2, 2, 2),
        "{errors:#?}"
    );
    assert_eq!(errors.iter().filter(|error| error["service"] == "backend").count(), 2);
}
