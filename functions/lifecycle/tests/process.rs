//! The function as a process: that it goes by the alias of which Lambda tells it.

#![cfg(test)]

use greenlight::settings::VARIABLES;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

/// Path and body of a request.
fn request(stream: &TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = head
        .to_ascii_lowercase()
        .split_once("content-length: ")
        .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body)
}

/// What the function says to the same payload when it is invoked by each of these ARNs in turn.
fn says(payload: &Value, arns: &[&str]) -> Vec<String> {
    let runtime = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = runtime.local_addr().unwrap().to_string();
    let mut function = Command::new(env!("CARGO_BIN_EXE_lifecycle"))
        .env_clear()
        .envs(VARIABLES.iter().map(|variable| (variable.name, variable.example)))
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "shop-lifecycle"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_REGION", "eu-west-1"),
        ])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (mut invoked, mut said) = (arns.iter(), Vec::new());
    while said.len() < arns.len() {
        let (mut stream, _) = runtime.accept().unwrap();
        let (path, body) = request(&stream);
        let (head, answer) = match path.strip_prefix("/2018-06-01/runtime/invocation/") {
            Some("next") => {
                let head = "200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 9999999999999\r\n\
                            Lambda-Runtime-Invoked-Function-Arn: ";
                (format!("{head}{}", invoked.next().unwrap()), payload.to_string())
            }
            told => {
                assert_eq!(told, Some("1/error"), "{}", String::from_utf8_lossy(&body));
                let told: Value = serde_json::from_slice(&body).unwrap();
                said.push(told["errorMessage"].as_str().unwrap().to_owned());
                ("202 Accepted".to_owned(), String::new())
            }
        };
        let length = answer.len();
        write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{answer}")
            .unwrap();
    }
    function.kill().unwrap();
    function.wait().unwrap();
    said
}

#[test]
fn a_command_is_refused_by_the_alias_hooks_and_taken_by_any_other_name() {
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop-lifecycle";
    let by = |alias: &str| format!("{arn}{alias}");
    let arns = [by(":hooks"), by(":operators"), by(""), by(":hooks")];
    let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
    // No call of AWS is needed to know that there is no such service.
    let said = says(&json!({"command": "abort", "service": "nobody"}), &arns);
    let is_refused: Vec<bool> = said.iter().map(|said| said.starts_with("nothing was done: ")).collect();
    assert_eq!(is_refused, [true, false, false, true], "{said:#?}");
    assert!(said[1].starts_with("there is no service \"nobody\"") && said[1] == said[2], "{said:#?}");
}
