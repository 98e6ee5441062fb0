//! What was found, in four forms.

use super::SEVERITIES;
use crate::github::{in_message, in_property};
use appspec::finding::{Agent, Code, Fails, Finding, Position, Severity};
use bundle::Inspection;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

/// An inspection and how it is looked at.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// As it was named.
    pub(crate) bundle: &'a str,
    /// The folder that was packed; annotations point into it.
    pub(crate) folder: Option<&'a Path>,
    pub(crate) inspection: &'a Inspection,
    pub(crate) agent: Agent,
}

/// What may stand in the path of a URI (RFC 3986, 3.3).
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Report<'_> {
    fn of(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.inspection.findings.of_severity(severity, self.agent)
    }

    fn all(&self) -> impl Iterator<Item = (Severity, &Finding)> {
        SEVERITIES.into_iter().flat_map(|severity| self.of(severity).map(move |finding| (severity, finding)))
    }

    /// The file of a finding from where the command was started, or the bundle.
    fn file(&self, finding: &Finding) -> String {
        match (&finding.file, self.folder) {
            (Some(file), Some(folder)) => folder
                .join(file)
                .components()
                .filter(|part| *part != Component::CurDir)
                .collect::<PathBuf>()
                .display()
                .to_string(),
            (Some(file), None) => file.clone(),
            (None, _) => self.bundle.to_owned(),
        }
    }

    /// For people: nothing when there is nothing to say.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (severity, finding) in self.all() {
            let Finding { what, remedy, .. } = finding;
            let place = match finding.position {
                Some(Position { line, column }) => format!("{}:{line}:{column}", self.file(finding)),
                None => self.file(finding),
            };
            writeln!(text, "{}[{}] {place}: {what}", severity.as_str(), finding.code).unwrap_or_default();
            writeln!(text, "    {}", finding.on_instance()).unwrap_or_default();
            writeln!(text, "    To mend it: {remedy}").unwrap_or_default();
        }
        for (code, more) in self.inspection.findings.left_out() {
            writeln!(text, "{code}: and {more} more of its kind").unwrap_or_default();
        }
        if !text.is_empty() {
            let [errors, warnings] = SEVERITIES.map(|severity| self.of(severity).count());
            let bundle = self.bundle;
            writeln!(text, "{bundle}: {errors} errors, {warnings} warnings for agent {}", self.agent)
                .unwrap_or_default();
        }
        text
    }

    /// Everything that is known.
    pub(crate) fn json(&self) -> Value {
        let finding = |(severity, finding): (Severity, &Finding)| {
            json!({
                "code": finding.code.as_str(),
                "severity": severity.as_str(),
                "title": finding.code.title(),
                "fails": fails(finding.fails),
                "file": finding.file,
                "line": finding.position.map(|position| position.line),
                "column": finding.position.map(|position| position.column),
                "what": finding.what,
                "onInstance": finding.on_instance(),
                "remedy": finding.remedy,
            })
        };
        let [errors, warnings] = SEVERITIES.map(|severity| self.of(severity).count());
        let left_out =
            self.inspection.findings.left_out().map(|(code, more)| (code.to_string(), more.into()));
        json!({
            "bundle": self.bundle,
            "agent": self.agent.as_str(),
            "errors": errors,
            "warnings": warnings,
            "findings": self.all().map(finding).collect::<Vec<_>>(),
            "leftOut": left_out.collect::<serde_json::Map<String, Value>>(),
            "entries": self.inspection.entries,
            "notUnpacked": self.inspection.not_unpacked(),
        })
    }

    /// SARIF 2.1.0 (OASIS standard), as GitHub's code scanning reads it.
    pub(crate) fn sarif(&self) -> Value {
        let rules: Vec<Value> = Code::ALL
            .iter()
            .map(|code| {
                json!({
                    "id": code.as_str(),
                    "name": format!("{code:?}"),
                    "shortDescription": { "text": code.title() },
                    "fullDescription": { "text": code.on_instance() },
                })
            })
            .collect();
        let result = |(severity, finding): (Severity, &Finding)| {
            let uri = utf8_percent_encode(&self.file(finding), IN_PATH).to_string();
            let mut place = json!({ "artifactLocation": { "uri": uri } });
            if let (Some(Position { line, column }), Some(place)) = (finding.position, place.as_object_mut())
            {
                place.insert("region".to_owned(), json!({ "startLine": line, "startColumn": column }));
            }
            json!({
                "ruleId": finding.code.as_str(),
                "ruleIndex": Code::ALL.iter().position(|code| *code == finding.code),
                "level": severity.as_str(),
                "message": { "text": sentence(finding) },
                "locations": [{ "physicalLocation": place }],
            })
        };
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "greenlight",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                } },
                "columnKind": "unicodeCodePoints",
                "results": self.all().map(result).collect::<Vec<_>>(),
            }],
        })
    }

    /// Commands that a GitHub workflow makes annotations of.
    pub(crate) fn github(&self) -> String {
        let mut text = String::new();
        for (severity, finding) in self.all() {
            let place =
                finding.position.map(|Position { line, column }| format!(",line={line},col={column}"));
            let (level, title) = (severity.as_str(), format!("{} {}", finding.code, finding.code.title()));
            let (file, title) = (in_property(&self.file(finding)), in_property(&title));
            let (place, message) = (place.unwrap_or_default(), in_message(&sentence(finding)));
            writeln!(text, "::{level} file={file}{place},title={title}::{message}").unwrap_or_default();
        }
        for (code, more) in self.inspection.findings.left_out() {
            writeln!(text, "::notice::{code}: and {more} more of its kind").unwrap_or_default();
        }
        text
    }
}

fn sentence(finding: &Finding) -> String {
    let Finding { what, remedy, .. } = finding;
    format!("{what}. {} To mend it: {remedy}.", finding.on_instance())
}

fn fails(fails: Fails) -> Vec<&'static str> {
    let agents = [Agent::One, Agent::Two];
    let does = |agent: &Agent| match fails {
        Fails::Everywhere => true,
        Fails::With(failing) => failing == *agent,
        Fails::Nowhere => false,
    };
    agents.iter().filter(|agent| does(agent)).map(|agent| agent.as_str()).collect()
}
