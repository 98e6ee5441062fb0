//! The `hooks` section: which scripts run in which lifecycle event, for how long.

use super::psych::Value;
use super::yaml::{Content, Node};
use super::{AppSpecFault, AppSpecWarning, Script, alike, is_mapping, items, present};
use crate::bundle::fault::Findings;
use std::collections::BTreeMap;

/// Seconds that all scripts of one event may take together (CodeDeploy user guide, AppSpec hooks section),
/// and the agent's default for one script.
const LONGEST_EVENT_SECONDS: i128 = 3600;

/// The events that scripts may run in (CodeDeploy user guide, AppSpec hooks section).
const EVENTS: [&str; 9] = [
    "ApplicationStop",
    "BeforeInstall",
    "AfterInstall",
    "ApplicationStart",
    VALIDATE,
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
];
const VALIDATE: &str = "ValidateService";
/// Not for scripts; the agent accepts these two all the same and runs nothing.
const IGNORED: [&str; 2] = ["DownloadBundle", "Install"];
/// Not for scripts.
const RESERVED: [&str; 4] = ["Start", "BlockTraffic", "AllowTraffic", "End"];

pub(super) fn check(root: &Node, findings: &mut Findings) -> Vec<Script> {
    let mut scripts = Vec::new();
    let hooks = root.get("hooks");
    let absent = hooks.is_none_or(|hooks| matches!(hooks.value(), Some(Value::Null | Value::Bool(false))));
    if let Some(hooks) = hooks.filter(|_| !absent)
        && is_mapping(hooks, "hooks", "a mapping from lifecycle events to lists of scripts", findings)
    {
        // Of two hooks for one event the agent takes the last.
        let mut by_event: BTreeMap<String, (&Node, &Node)> = BTreeMap::new();
        for (key, value) in hooks.entries() {
            by_event.insert(key.text(), (key, value));
        }
        for (event, (key, value)) in by_event {
            check_event(key, &event, findings);
            check_scripts(value, &event, findings, &mut scripts);
        }
    }
    if !scripts.iter().any(|script| script.event == VALIDATE) {
        findings.appspec_warn(hooks.unwrap_or(root).line, AppSpecWarning::NoValidateService);
    }
    scripts
}

fn check_event(key: &Node, event: &str, findings: &mut Findings) {
    let event = event.to_owned();
    if IGNORED.contains(&event.as_str()) {
        findings.appspec_warn(key.line, AppSpecWarning::IgnoredEvent { event });
    } else if RESERVED.contains(&event.as_str()) {
        findings.appspec_fault(key.line, AppSpecFault::ReservedEvent { event });
    } else if !EVENTS.contains(&event.as_str()) {
        let meant = alike(&event, &EVENTS);
        findings.appspec_fault(key.line, AppSpecFault::UnknownEvent { event, meant });
    } else if event.ends_with("Traffic") {
        findings.appspec_warn(key.line, AppSpecWarning::TrafficEvent { event });
    }
}

fn check_scripts(value: &Node, event: &str, findings: &mut Findings, scripts: &mut Vec<Script>) {
    // Unlike other sections, the agent does not take `false` for an empty list here.
    let what = format!("hook {event}");
    let expected = "a list of scripts, each with a location";
    if value.value() == Some(Value::Bool(false)) {
        return findings.appspec_fault(value.line, AppSpecFault::Shape { what, expected });
    }
    let mut sum = Some(0_i128);
    let mut defaults = false;
    let mut n_scripts = 0_usize;
    for item in items(Some(value), &what, expected, findings) {
        if !is_mapping(item, &format!("a script of {event}"), "a mapping with a location", findings) {
            continue;
        }
        n_scripts += 1;
        if let Some(script) = check_location(item, event, findings) {
            scripts.push(script);
        }
        match check_timeout(item, event, findings) {
            Timeout::Seconds(seconds) => sum = sum.and_then(|sum| sum.checked_add(seconds)),
            Timeout::Default => defaults = true,
            Timeout::Bad => {}
        }
        if let Some(runas) = present(item, "runas").filter(|runas| runas.text().trim().is_empty()) {
            findings.appspec_warn(runas.line, AppSpecWarning::EmptyRunas);
        }
    }
    let seconds = sum.unwrap_or(i128::MAX);
    let event = event.to_owned();
    if seconds > LONGEST_EVENT_SECONDS {
        findings.appspec_fault(value.line, AppSpecFault::TimeoutsTooLong { event, seconds });
    } else if defaults && n_scripts > 1 {
        findings.appspec_warn(value.line, AppSpecWarning::DefaultTimeouts { event });
    }
}

fn check_location(item: &Node, event: &str, findings: &mut Findings) -> Option<Script> {
    let location = present(item, "location").map(|node| (node, node.text().trim().to_owned()));
    let Some((node, location)) = location.filter(|(_, location)| !location.is_empty()) else {
        findings.appspec_fault(item.line, AppSpecFault::LocationMissing { event: event.to_owned() });
        return None;
    };
    if !matches!(node.content, Content::Scalar(_)) {
        findings.appspec_warn(node.line, AppSpecWarning::LocationNotText { location: location.clone() });
    }
    Some(Script { line: node.line, event: event.to_owned(), location })
}

enum Timeout {
    Seconds(i128),
    Default,
    Bad,
}

fn check_timeout(item: &Node, event: &str, findings: &mut Findings) -> Timeout {
    let Some(node) = item.get("timeout") else { return Timeout::Default };
    let value = node.value();
    if matches!(value, Some(Value::Null | Value::Bool(false))) {
        return Timeout::Default;
    }
    let seconds = value.as_ref().and_then(Value::to_int).filter(|seconds| *seconds > 0);
    let Some(seconds) = seconds else {
        let fault = AppSpecFault::Timeout { event: event.to_owned(), found: node.text() };
        findings.appspec_fault(node.line, fault);
        return Timeout::Bad;
    };
    let found = if let Content::Scalar(scalar) = &node.content { scalar.text.clone() } else { node.text() };
    let quoted = matches!(value, Some(Value::Text(_)));
    if quoted || found != seconds.to_string() {
        findings.appspec_warn(node.line, AppSpecWarning::Timeout { found, seconds });
    }
    Timeout::Seconds(seconds)
}
