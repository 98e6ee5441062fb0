//! The `hooks` section: which scripts run in which lifecycle event, for how long.

use super::findings::{Lint, ScriptReference};
use super::nodes::{alike, as_written, check_keys, get, is_mapping, is_truthy, items, present, text, value};
use crate::agent1::DEFAULT_TIMEOUT_SECONDS;
use crate::agent2;
use crate::finding::{Agent, Code, Fails, shown};
use crate::ruby::strip;
use crate::tree::{Content, Node};
use std::collections::BTreeMap;

/// Seconds that all scripts of one event may take together (CodeDeploy user guide, AppSpec hooks section),
/// and the agent's default for one script.
const LONGEST_EVENT_SECONDS: u64 = 3600;

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
pub(super) const KEYS: [&str; 4] = ["location", "timeout", "runas", "sudo"];

pub(super) fn check(root: &Node, lint: &mut Lint) {
    let hooks = get(root, "hooks");
    if let Some(hooks) = hooks.filter(|hooks| is_truthy(hooks))
        && is_mapping(hooks, "hooks", "a mapping from lifecycle events to lists of scripts", lint)
    {
        // Of two hooks for one event the agent takes the last.
        let mut by_event: BTreeMap<String, (&Node, &Node)> = BTreeMap::new();
        for (key, value) in hooks.entries() {
            by_event.insert(text(key), (key, value));
        }
        for (event, (key, value)) in by_event {
            // Not even Install, which asks whether it knows the event, sees a hook without a value.
            if is_truthy(value) {
                let runs = check_event(key, &event, lint);
                check_scripts(value, &event, runs, lint);
            }
        }
    }
    if !lint.asks.scripts.iter().any(|script| script.event == VALIDATE) {
        let remedy = "let hooks/validate_service.sh of the kit run there";
        lint.say(hooks.unwrap_or(root), Code::NoValidateService, "ValidateService has no script", remedy);
    }
}

/// Whether the event runs scripts.
fn check_event(key: &Node, event: &str, lint: &mut Lint) -> bool {
    let shown = shown(event);
    if IGNORED.contains(&event) {
        let remedy = "move them to BeforeInstall or AfterInstall";
        lint.say(key, Code::NeverRuns, format!("scripts of {shown} never run"), remedy);
    } else if RESERVED.contains(&event) {
        let what = format!("{shown} is an event that CodeDeploy keeps for itself");
        lint.say(key, Code::ReservedEvent, what, "move its scripts to another event");
    } else if !EVENTS.contains(&event) {
        let remedy = match alike(event, &EVENTS) {
            Some(name) => format!("write {name}, if that is meant"),
            None => format!("write one of {}", EVENTS.join(", ")),
        };
        lint.say(key, Code::UnknownEvent, format!("{shown} is no lifecycle event"), remedy);
    } else if event.ends_with("Traffic") {
        let what = format!("scripts of {shown} never run, for the deployment group has no load balancer");
        lint.say(key, Code::NeverRuns, what, "move them to ApplicationStart or ValidateService");
    } else {
        if event == "ApplicationStop" {
            let what = "ApplicationStop runs the script of the revision that was installed last";
            let remedy = "take down in the hook that starts the next version, as the kit does";
            lint.say(key, Code::ApplicationStop, what, remedy);
        }
        return true;
    }
    false
}

fn check_scripts(hook: &Node, event: &str, runs: bool, lint: &mut Lint) {
    let mut seconds = 0_u64;
    let (mut without_timeout, mut n_scripts) = (false, 0_usize);
    let what = format!("hook {}", shown(event));
    for item in items(Some(hook), &what, "a list of scripts, each with a location", lint) {
        let what = format!("a script of {}", shown(event));
        if !is_mapping(item, &what, "a mapping with a location", lint) {
            continue;
        }
        check_keys(item, &KEYS, lint);
        n_scripts += 1;
        let timeout = check_timeout(item, event, lint);
        match timeout {
            Timeout::Seconds(timeout) => seconds = seconds.saturating_add(timeout),
            Timeout::Default => without_timeout = true,
            Timeout::Bad => {}
        }
        let has_user = check_runas(item, lint);
        check_sudo(item, lint);
        if let Some((at, location)) = check_location(item, event, lint) {
            let timeout =
                if let Timeout::Seconds(timeout) = timeout { timeout } else { DEFAULT_TIMEOUT_SECONDS };
            let (position, event) = (at.position(), event.to_owned());
            lint.asks.scripts.push(ScriptReference {
                position,
                event,
                runs,
                location,
                timeout,
                runas: has_user,
            });
        }
    }
    if seconds > LONGEST_EVENT_SECONDS {
        let what = format!("the time-outs of {} add up to {seconds} seconds", shown(event));
        lint.say(hook, Code::TimeoutsTooLong, what, "lower them to 3600 seconds together");
    } else if without_timeout && n_scripts > 1 {
        let what = format!("scripts of {} have no timeout, so each may take 3600 seconds", shown(event));
        lint.say(hook, Code::NoTimeout, what, "give each script a timeout");
    }
}

fn check_location<'a>(item: &'a Node, event: &str, lint: &mut Lint) -> Option<(&'a Node, String)> {
    let location = present(item, "location").map(|node| (node, strip(&text(node)).to_owned()));
    let Some((node, location)) = location.filter(|(_, location)| !location.is_empty()) else {
        let what = format!("a script of {} has no location", shown(event));
        lint.say(item, Code::NoLocation, what, "add the script's path from the bundle's root");
        return None;
    };
    if !matches!(node.content, Content::Scalar { .. }) {
        let what = format!("location {} is no text", shown(&location));
        lint.say(node, Code::Type, what, "write the script's path");
    }
    Some((node, location))
}

fn check_runas(item: &Node, lint: &mut Lint) -> bool {
    let Some(runas) = present(item, "runas") else { return false };
    if strip(&text(runas)).is_empty() {
        lint.say(runas, Code::EmptyRunas, "runas is empty", "remove it, or name a user");
    }
    true
}

fn check_sudo(item: &Node, lint: &mut Lint) {
    let Some(sudo) = present(item, "sudo") else { return };
    let Content::Scalar { text, .. } = &sudo.content else { return };
    let is_flag =
        sudo.is_plain() && matches!(text.as_str(), "true" | "True" | "TRUE" | "false" | "False" | "FALSE");
    if !is_flag {
        let remedy = if is_truthy(sudo) { "write sudo: true" } else { "write sudo: false" };
        lint.say(sudo, Code::Type, format!("sudo is {}, which is not true or false", shown(text)), remedy);
    }
}

#[derive(Clone, Copy)]
enum Timeout {
    Seconds(u64),
    Default,
    Bad,
}

fn check_timeout(item: &Node, event: &str, lint: &mut Lint) -> Timeout {
    let Some(node) = get(item, "timeout") else { return Timeout::Default };
    let value = value(node);
    if !value.is_truthy() {
        return Timeout::Default;
    }
    let written = if node.is_plain() { as_written(node) } else { format!("\"{}\"", as_written(node)) };
    let fits_agent2 = node.is_plain() && agent2::is_timeout(&written);
    let written = shown(&written);
    let Some(seconds) = value.to_i().filter(|seconds| *seconds > 0) else {
        let fails = if fits_agent2 { Fails::With(Agent::One) } else { Fails::Everywhere };
        let what = format!("timeout {written} of a script of {} is not a number above 0", shown(event));
        lint.say_of(fails, node, Code::Timeout, what, "write the seconds as a number");
        return Timeout::Bad;
    };
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    if !fits_agent2 {
        let what =
            format!("timeout {written} is {seconds} seconds to agent 1.x and not a number to agent 2.x");
        let remedy = format!("write timeout: {seconds}");
        lint.say_of(Fails::With(Agent::Two), node, Code::Timeout, what, remedy);
    } else if written != seconds.to_string() {
        let what = format!("timeout {written} is {seconds} seconds to agent 1.x");
        lint.say_of(Fails::Nowhere, node, Code::Timeout, what, format!("write timeout: {seconds}"));
    }
    Timeout::Seconds(seconds)
}
