//! The `hooks` section: which scripts run in which lifecycle event, for how long.

use super::fault::{AppSpecFault, AppSpecWarning};
use super::findings::{Lint, ScriptReference};
use super::nodes::{alike, as_written, get, is_mapping, is_truthy, items, present, text, value};
use crate::ruby::{Value, strip};
use crate::tree::{Content, Node};
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

pub(super) fn check(root: &Node, findings: &mut Lint) -> Vec<ScriptReference> {
    let mut scripts = Vec::new();
    let hooks = get(root, "hooks");
    if let Some(hooks) = hooks.filter(|hooks| is_truthy(hooks))
        && is_mapping(hooks, "hooks", "a mapping from lifecycle events to lists of scripts", findings)
    {
        // Of two hooks for one event the agent takes the last.
        let mut by_event: BTreeMap<String, (&Node, &Node)> = BTreeMap::new();
        for (key, value) in hooks.entries() {
            by_event.insert(text(key), (key, value));
        }
        for (event, (key, value)) in by_event {
            check_event(key, &event, findings);
            check_scripts(value, &event, findings, &mut scripts);
        }
    }
    if !scripts.iter().any(|script| script.event == VALIDATE) {
        findings.warn(hooks.unwrap_or(root).line(), AppSpecWarning::NoValidateService);
    }
    scripts
}

fn check_event(key: &Node, event: &str, findings: &mut Lint) {
    let event = event.to_owned();
    if IGNORED.contains(&event.as_str()) {
        findings.warn(key.line(), AppSpecWarning::IgnoredEvent { event });
    } else if RESERVED.contains(&event.as_str()) {
        findings.fault(key.line(), AppSpecFault::ReservedEvent { event });
    } else if !EVENTS.contains(&event.as_str()) {
        let meant = alike(&event, &EVENTS);
        findings.fault(key.line(), AppSpecFault::UnknownEvent { event, meant });
    } else if event.ends_with("Traffic") {
        findings.warn(key.line(), AppSpecWarning::TrafficEvent { event });
    }
}

fn check_scripts(hook: &Node, event: &str, findings: &mut Lint, scripts: &mut Vec<ScriptReference>) {
    let mut sum = Some(0_i128);
    let mut defaults = false;
    let mut n_scripts = 0_usize;
    let what = format!("hook {event}");
    for item in items(Some(hook), &what, "a list of scripts, each with a location", findings) {
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
        if let Some(runas) = present(item, "runas").filter(|runas| strip(&text(runas)).is_empty()) {
            findings.warn(runas.line(), AppSpecWarning::EmptyRunas);
        }
    }
    let seconds = sum.unwrap_or(i128::MAX);
    let event = event.to_owned();
    if seconds > LONGEST_EVENT_SECONDS {
        findings.fault(hook.line(), AppSpecFault::TimeoutsTooLong { event, seconds });
    } else if defaults && n_scripts > 1 {
        findings.warn(hook.line(), AppSpecWarning::DefaultTimeouts { event });
    }
}

fn check_location(item: &Node, event: &str, findings: &mut Lint) -> Option<ScriptReference> {
    let location = present(item, "location").map(|node| (node, strip(&text(node)).to_owned()));
    let Some((node, location)) = location.filter(|(_, location)| !location.is_empty()) else {
        findings.fault(item.line(), AppSpecFault::LocationMissing { event: event.to_owned() });
        return None;
    };
    if !matches!(node.content, Content::Scalar { .. }) {
        findings.warn(node.line(), AppSpecWarning::LocationNotText { location: location.clone() });
    }
    Some(ScriptReference { line: node.line(), event: event.to_owned(), location })
}

enum Timeout {
    Seconds(i128),
    Default,
    Bad,
}

fn check_timeout(item: &Node, event: &str, findings: &mut Lint) -> Timeout {
    let Some(node) = get(item, "timeout") else { return Timeout::Default };
    let value = value(node);
    if !value.is_truthy() {
        return Timeout::Default;
    }
    let Some(seconds) = value.to_i().filter(|seconds| *seconds > 0) else {
        let fault = AppSpecFault::Timeout { event: event.to_owned(), found: text(node) };
        findings.fault(node.line(), fault);
        return Timeout::Bad;
    };
    let found = as_written(node);
    let quoted = matches!(value, Value::Text(_));
    if quoted || found != seconds.to_string() {
        findings.warn(node.line(), AppSpecWarning::Timeout { found, seconds });
    }
    Timeout::Seconds(seconds)
}
