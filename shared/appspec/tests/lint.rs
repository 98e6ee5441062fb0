//! The lint against agent 1.8.1's verdict: it may say more, and it never says "no fault" where the agent says no.

use appspec::agent1::AppSpec;
use appspec::{AppSpecFault, lint};
use proptest::prelude::*;

/// Values that YAML, Ruby or the agent take in ways of their own.
const ODD: &[&str] = &[
    "",
    "~",
    "null",
    "false",
    "true",
    "yes",
    "off",
    "0",
    "1",
    "-1",
    "00",
    "0755",
    "0644",
    "08",
    "7_55",
    "30s",
    "'30'",
    "30.9",
    "1:30",
    "-1:30",
    "1:30.5",
    "1_000",
    "1__0",
    "0x1f",
    "0x_",
    ".inf",
    ".nan",
    "1e3",
    "2020-01-01",
    "2020-01-35",
    "2020-01-01 10:00",
    "99999999999999999999",
    "0,755",
    ":sym",
    "''",
    "' '",
    "a",
    "linux",
    "[]",
    "[a]",
    "[1]",
    "{}",
    "{a: b}",
    "{type: x}",
    "{type: x, range: s0}",
    "{type: x, range: 's0:c1,'}",
    "{range: s0}",
    "{type: x, range: s1-s0}",
    "{type: x, range: 's0:'}",
    "{type: x, range: 5}",
    "[file]",
    "[link]",
    "!!str 5",
    "!!float 3",
    "!!set {a: }",
    "!ruby/sym foo",
    "!ruby/object:Foo {}",
    "!foo bar",
    "*a",
    "['u:mary:rw']",
    "['m:rw']",
    "['o::r']",
    "['d:u:x:r']",
    "['u:m:r']",
    "['u:x:9']",
    "[5]",
    "[{location: c.sh}]",
    "[{location: ''}]",
    "[{location: 5, timeout: 0}]",
    "[{}]",
    "DISALLOW",
    "overwrite",
    "'0755'",
    "755",
    "4755",
];

const KEYS: &[&str] = &[
    "version",
    "os",
    "file_exists_behavior",
    "source",
    "destination",
    "location",
    "timeout",
    "runas",
    "hook",
    "object",
    "pattern",
    "except",
    "type",
    "mode",
    "acls",
    "context",
];

/// An AppSpec file with nothing wrong but the value of one key, or its absence.
fn file(key: &str, odd: Option<&str>) -> String {
    let line = |name: &str, good: &str| {
        let label = if name == "hook" { "ApplicationStart" } else { name };
        match odd {
            _ if name != key => format!("{label}: {good}"),
            Some(odd) => format!("{label}: {odd}"),
            None => "unknown: x".to_owned(),
        }
    };
    format!(
        "{}\n{}\n{}\nfiles:\n  - {}\n    {}\nhooks:\n  AfterInstall:\n    - {}\n      {}\n      {}\n  {}\n\
         permissions:\n  - {}\n    {}\n    {}\n    {}\n    {}\n    {}\n    {}\n",
        line("version", "0.0"),
        line("os", "linux"),
        line("file_exists_behavior", "OVERWRITE"),
        line("source", "/"),
        line("destination", "/srv"),
        line("location", "a.sh"),
        line("timeout", "30"),
        line("runas", "root"),
        line("hook", "[{location: b.sh}]"),
        line("object", "/srv"),
        line("pattern", "'*.js'"),
        line("except", "[]"),
        line("type", "[directory]"),
        line("mode", "'755'"),
        line("acls", "['u:mary:rwx']"),
        line("context", "{type: x}"),
    )
}

/// What the agent's parser takes, and Install or the service does not.
fn comes_later(fault: &AppSpecFault) -> bool {
    matches!(fault, AppSpecFault::UnknownEvent { .. } | AppSpecFault::TimeoutsTooLong { .. })
}

fn is_good_to_us(text: &str) -> bool {
    lint(text.as_bytes()).faults.iter().all(|found| comes_later(&found.what))
}

#[test]
fn every_odd_value_of_every_key_is_judged_as_the_agent_does() {
    let mut wrong = Vec::new();
    for key in KEYS {
        for odd in ODD.iter().copied().map(Some).chain([None]) {
            let text = file(key, odd);
            let theirs = AppSpec::parse(text.as_bytes());
            if theirs.is_ok() != is_good_to_us(&text) {
                wrong.push(format!(
                    "{key}: {odd:?}: the agent {theirs:?}, we {:?}",
                    lint(text.as_bytes()).faults
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_file_that_is_good_but_for_one_value_is_good() {
    assert_eq!(lint(file("", None).as_bytes()).faults, []);
}

#[test]
fn each_fault_has_its_line_and_none_is_left_out() {
    let text = "version: '0.0'\nos: Linux\nfiles:\n  - source: 2020-01-01\nhooks:\n  AfterInstall:\n    - timeout: 0x_\n";
    let said: Vec<_> =
        lint(text.as_bytes()).faults.iter().map(|found| format!("{}: {}", found.line, found.what)).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    1: version is a text in quotes, the agent wants the number: write version: 0.0
    2: os is Linux, the instances are Linux: write os: linux, in lower case
    4: 2020-01-01 is a date to the agent, which it refuses: put it in quotes
    4: an item of files has a source (a date) and no destination: add it
    7: 0x_ looks like a number and is none, which stops the agent: put it in quotes
    7: a script of AfterInstall has no location: add it
    7: timeout 0x of a script of AfterInstall is not a number of seconds above 0: correct it
    ");
}

proptest! {
    #[test]
    fn any_text_is_judged(text in "[a-z0-9:{}\\[\\]&*!|>'\"#%@, \n\t-]{0,200}") {
        lint(text.as_bytes());
        AppSpec::parse(text.as_bytes()).ok();
        appspec::agent2::judge(text.as_bytes()).ok();
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        lint(&bytes);
        AppSpec::parse(&bytes).ok();
        appspec::agent2::judge(&bytes).ok();
    }

    /// Scalars of the characters that numbers, dates and words are made of.
    #[test]
    fn what_the_agent_refuses_has_a_fault(
        key in prop::sample::select(KEYS),
        odd in "[0-9_,.:+eExbTZynofrlus '~-]{0,10}",
    ) {
        let text = file(key, Some(&odd));
        prop_assert!(AppSpec::parse(text.as_bytes()).is_ok() || !is_good_to_us(&text), "{}", text);
    }
}
