//! The lint against the agents' verdicts: it says "error" for an agent exactly where that agent says no, and more about
//! what comes later.

use crate::generated::{self, KEYS, filled};
use appspec::agent1::AppSpec;
use appspec::finding::{Agent, Code, Finding, Severity};
use appspec::{agent2, lint};
use proptest::prelude::*;

/// What the agents' parsers take, and Install or the service does not.
fn comes_later(finding: &Finding) -> bool {
    matches!(
        finding.code,
        Code::UnknownEvent
            | Code::ReservedEvent
            | Code::TimeoutsTooLong
            | Code::NotText
            | Code::RelativeDestination
    )
}

/// What a lint holds against a text that `agent` reads. What follows from the parser's verdict alone does not count:
/// there is a rule for each reason.
fn against(agent: Agent, text: &[u8]) -> Vec<Finding> {
    let from_verdict =
        |finding: &Finding| matches!(finding.code, Code::RefusedByAgent1 | Code::RefusedByAgent2);
    let findings = lint(text).findings;
    let errors = findings.of_severity(Severity::Error, agent);
    errors.filter(|finding| !comes_later(finding) && !from_verdict(finding)).cloned().collect()
}

#[test]
fn every_odd_value_of_every_key_is_judged_as_agent_1_does() {
    let mut wrong = Vec::new();
    for bytes in generated::odd_values() {
        let (theirs, ours) = (AppSpec::parse(&bytes), against(Agent::One, &bytes));
        if theirs.is_ok() != ours.is_empty() {
            wrong.push(format!("{}: the agent {theirs:?}, we {ours:?}", String::from_utf8_lossy(&bytes)));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Types have no rules of their own: what agent 2.x says of them is the finding.
#[test]
fn no_odd_value_that_agent_2_takes_is_held_against_it() {
    let mut wrong = Vec::new();
    for bytes in generated::odd_values() {
        let (theirs, ours) = (agent2::judge(&bytes), against(Agent::Two, &bytes));
        if theirs.is_ok() && !ours.is_empty() {
            wrong.push(format!("{}: the agent takes it, we say {ours:?}", String::from_utf8_lossy(&bytes)));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_file_that_is_good_but_for_one_value_is_good() {
    let text = filled("", Some(""));
    assert_eq!(against(Agent::One, text.as_bytes()), []);
    assert_eq!(against(Agent::Two, text.as_bytes()), []);
}

#[test]
fn each_fault_has_its_line_and_none_is_left_out() {
    let text = "version: '0.0'\nos: Linux\nfiles:\n  - source: 2020-01-01\nhooks:\n  AfterInstall:\n    - timeout: 0x_\n";
    let findings = lint(text.as_bytes()).findings;
    let said: Vec<_> = findings.listed().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    GL213 appspec.yml:1:10: version is a text, and CodeDeploy wants a number: write version: 0.0
    GL214 appspec.yml:2:5: os is Linux, and the instances are Linux: write os: linux, in lower case
    GL402 appspec.yml:4:5: an item of files has a source (a date) and no destination: add it
    GL208 appspec.yml:4:13: 2020-01-01 is a date: put it in quotes
    GL316 appspec.yml:6:3: ValidateService has no script: let hooks/validate_service.sh of the kit run there
    GL304 appspec.yml:7:7: a script of AfterInstall has no location: add the script's path from the bundle's root
    GL209 appspec.yml:7:16: 0x_ looks like a number and is none: put it in quotes
    GL305 appspec.yml:7:16: timeout 0x_ of a script of AfterInstall is not a number above 0: write the seconds as a number
    ");
}

/// Texts at which a YAML library in Rust gives up where the one in C goes on.
#[test]
fn texts_that_end_oddly_are_judged() {
    assert!(AppSpec::parse(b"version: 0.0\nos: linux\nx: [!,]").is_ok());
    assert!(AppSpec::parse(b"version: 0.0\nos: linux\nx: [!foo, b]").is_ok());
    for text in ["['a'!,", "[\"a\"!b,c", "\"\\", ">\n `", "|\n\tx", "'", "- !", "%", "&"] {
        lint(text.as_bytes());
    }
}

#[test]
fn a_file_of_many_parts_takes_no_time() {
    let long = 128 * 1024;
    let shapes =
        ["[", "{", "- ", "? ", "a: {", "&a [*a,", "!", "'", "\"", "|", "a: b\n", "{a: b}, ", "#", "\t", "%"];
    for shape in shapes {
        let text = format!("version: 0.0\nos: linux\nx: {}", shape.repeat(long / shape.len()));
        let started = std::time::Instant::now();
        lint(text.as_bytes());
        let took = started.elapsed();
        assert!(took.as_secs() < 5, "{shape:?} takes {took:?}");
    }
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
    fn a_value_is_judged_as_agent_1_does(
        key in prop::sample::select(KEYS),
        odd in "[0-9_,.:+eExbTZynofrlus '~-]{0,10}",
    ) {
        let text = filled(key.0, Some(&odd));
        let theirs = AppSpec::parse(text.as_bytes());
        prop_assert_eq!(theirs.is_ok(), against(Agent::One, text.as_bytes()).is_empty(), "{}", text);
    }
}
