//! How a script is started: its first bytes, as the kernel reads them, and what the agents do where it cannot.
//!
//! Agent 1.x hands the path to `Process.spawn`, which gives a file without `#!` to sh. Agent 2.x executes it itself, and
//! such a file is "Exec format error"; only for another user does it go through a shell, by `su`.

use super::at;
use appspec::ScriptReference;
use appspec::finding::{Agent, Code, Fails, Finding, Findings, shown};

/// Bytes of the first line that the kernel reads (Linux: `BINPRM_BUF_SIZE`).
const FIRST_LINE_BYTES: usize = 255;

const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "zsh"];

/// What an instance has of its own, or an author will have put there.
const PROGRAMS: [&str; 8] = ["python3", "python", "perl", "node", "ruby", "php", "awk", "env"];

/// What starts a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Starter {
    Shell,
    /// Another program, or the file itself.
    Other,
    /// Nothing does.
    None,
}

/// Says what is wrong with the beginning of a script; `whole` if these are all its bytes.
pub(super) fn check(script: &ScriptReference, bytes: &[u8], whole: bool, findings: &mut Findings) -> Starter {
    let location = shown(&script.location);
    let mut say = |code, what: String, remedy: &str| findings.push(at(script, code, what, remedy));
    match bytes {
        [0x7f, b'E', b'L', b'F', ..] => {
            if whole && !is_program(bytes) {
                let what = format!("script {location} begins as a program and is none");
                say(Code::NotAScript, what, "build it again for the instance's processor");
                return Starter::None;
            }
            return Starter::Other;
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            say(Code::NotAScript, format!("script {location} is UTF-16 text"), "save it as UTF-8");
            return Starter::None;
        }
        _ if bytes.get(..bytes.len().min(512)).is_some_and(|head| head.contains(&0)) => {
            say(Code::NotAScript, format!("script {location} holds zero bytes"), "save it as UTF-8 text");
            return Starter::None;
        }
        _ => {}
    }
    let Some(rest) = bytes.strip_prefix(b"#!") else {
        say_without(script, bytes, findings);
        return Starter::Shell;
    };
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line.ends_with(b"\r") {
        let what = format!("the first line of script {location} ends in a carriage return");
        say(Code::CarriageReturn, what, REMEDY_LINES);
        return Starter::None;
    }
    if line.len() > FIRST_LINE_BYTES {
        let what = format!("the first line of script {location} is longer than {FIRST_LINE_BYTES} bytes");
        say(Code::BadInterpreter, what, "name the interpreter by a shorter path");
        return Starter::None;
    }
    let line = String::from_utf8_lossy(line);
    match judge(line.trim_matches([' ', '\t'])) {
        Ok(starter) => starter,
        Err(Problem { fails, what, remedy }) => {
            let what = format!("script {location} starts with #!{}: {what}", shown(&line));
            findings.push(at(script, Code::BadInterpreter, what, remedy).fails(fails));
            Starter::Other
        }
    }
}

pub(super) const REMEDY_LINES: &str = "save it with Unix line ends (git: *.sh text eol=lf in .gitattributes)";

struct Problem {
    fails: Fails,
    what: String,
    remedy: &'static str,
}

/// Judges what follows `#!`: a path, and one argument however many words it has.
fn judge(line: &str) -> Result<Starter, Problem> {
    let problem = |fails, what: &str, remedy| Err(Problem { fails, what: what.to_owned(), remedy });
    let (path, argument) =
        line.split_once([' ', '\t']).map_or((line, ""), |(path, rest)| (path, rest.trim()));
    let name = path.rsplit('/').next().unwrap_or_default();
    if path.is_empty() {
        return problem(Fails::With(Agent::Two), "it names no interpreter", "write #!/bin/bash");
    }
    if !path.starts_with('/') {
        return problem(
            Fails::Everywhere,
            "the kernel looks for it in the folder in which the agent runs",
            "write the interpreter's whole path, or #!/usr/bin/env and its name",
        );
    }
    if name == "env" {
        if let Some(words) = argument.strip_prefix("-S") {
            let program = words.split_whitespace().next().unwrap_or_default();
            return Ok(if SHELLS.contains(&program) { Starter::Shell } else { Starter::Other });
        }
        if argument.split_whitespace().count() > 1 {
            return problem(
                Fails::Everywhere,
                "env takes all that follows for the program's name",
                "write #!/usr/bin/env -S and the words, or set options in the script",
            );
        }
        return Ok(if SHELLS.contains(&argument) { Starter::Shell } else { Starter::Other });
    }
    if SHELLS.contains(&name) {
        if argument.split_whitespace().count() > 1 {
            return problem(
                Fails::Everywhere,
                "a shell gets all options as one word, which is none",
                "write them as one (-eu), or set them in the script",
            );
        }
        return Ok(Starter::Shell);
    }
    let usual =
        ["/bin/", "/usr/bin/", "/usr/local/bin/", "/opt/"].iter().any(|folder| path.starts_with(folder));
    if usual && PROGRAMS.contains(&name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'))
        || PROGRAMS.contains(&name)
    {
        return Ok(Starter::Other);
    }
    problem(
        Fails::Nowhere,
        "an instance has no such interpreter of its own",
        "make sure that the image has it, or write #!/bin/bash",
    )
}

/// A file that names no interpreter.
fn say_without(script: &ScriptReference, bytes: &[u8], findings: &mut Findings) {
    let location = shown(&script.location);
    let what = match bytes {
        [] => format!("script {location} is empty"),
        [0xef, 0xbb, 0xbf, ..] => format!("script {location} starts with a byte order mark"),
        _ => format!("script {location} does not start with #!"),
    };
    let fails = if script.runas { Fails::Nowhere } else { Fails::With(Agent::Two) };
    let finding: Finding =
        at(script, Code::NoInterpreter, what, "write #!/bin/bash in its first line, from the first byte on");
    findings.push(finding.fails(fails));
}

/// Whether it is a program of 64 bits for a processor that EC2 has (ELF 1.2: `e_ident`, `e_type`, `e_machine`).
fn is_program(bytes: &[u8]) -> bool {
    const HEADER_BYTES: usize = 64;
    let number = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    bytes.len() > HEADER_BYTES
        && bytes.get(4) == Some(&2)
        && matches!(number(16), Some(2 | 3))
        && matches!(number(18), Some(62 | 183))
}
