//! Beliefs that tell by what AWS has kept.

use super::Outcome;
use super::seen::{Boot, Seen};
use crate::operator::doctor::Looked;
use std::collections::BTreeSet;

/// Seconds from the end of the minute that an alarm judged.
const ALARM: i64 = 210;
/// What a new account has.
const EXECUTIONS: i32 = 10;
/// Milliseconds of a start.
const START: u64 = 500;
/// Seconds from an upload to its event.
const EVENT: i64 = 60;
/// More invocations than that for one upload are not to be seen often: one upload in ten may.
const TIMES: usize = 2;
const SELDOM: usize = 10;
/// Milliseconds between two clocks.
const APART: i64 = 20_000;
/// Seconds from the beginning of a log's time.
const LOG: i64 = 360;

/// Whom CodeDeploy may name.
const CREATORS: [&str; 4] = ["user", "autoscaling", "CodeDeployAutoUpdate", "codeDeployRollback"];

pub(super) fn empty_metric(seen: &Seen) -> Looked<Outcome> {
    let all = read(&seen.expressions)?;
    let telling: Vec<_> = all.iter().filter(|one| one.empty > 0 && one.minutes > 0).collect();
    if telling.is_empty() {
        return Ok(Outcome::not_seen(
            "no alarm has an expression of which one metric was never published and another was: it takes traffic without errors",
        ));
    }
    let minutes = telling.iter().map(|one| one.minutes).sum();
    let vanished: Vec<&str> =
        telling.iter().filter(|one| one.without_value > 0).map(|one| one.alarm.as_str()).collect();
    let says = match vanished.len() {
        0 => "each minute had a value although a metric was empty".to_owned(),
        _ => format!("minutes without a value: {}", vanished.join(", ")),
    };
    Ok(Outcome::of(vanished.is_empty(), minutes, says))
}

pub(super) fn alarm_late(seen: &Seen) -> Looked<Outcome> {
    let all = read(&seen.transitions)?;
    let Some(slowest) = all.iter().max_by_key(|one| one.seconds) else {
        return Ok(Outcome::not_seen("no alarm of a service has fired in the last two weeks"));
    };
    let says = format!("{} s at most, by {}", slowest.seconds, slowest.alarm);
    Ok(Outcome::of(slowest.seconds <= ALARM, all.len(), says))
}

pub(super) fn condition_members(seen: &Seen) -> Looked<Outcome> {
    let all = read(&seen.conditions)?;
    if all.is_empty() {
        return Ok(Outcome::not_seen("the listener has no rule with a condition"));
    }
    let foreign: Vec<String> = all
        .iter()
        .filter(|one| !one.others.is_empty())
        .map(|one| format!("{} of {}", one.others.join(" and "), one.rule))
        .collect();
    let says = if foreign.is_empty() { "nothing else".to_owned() } else { foreign.join(", ") };
    Ok(Outcome::of(foreign.is_empty(), all.len(), says))
}

pub(super) fn creator_told(seen: &Seen) -> Looked<Outcome> {
    let all = read(&seen.deployments)?;
    let words: BTreeSet<&str> = all.iter().map(|made| made.creator.as_str()).collect();
    let strange: Vec<&str> = words.iter().filter(|word| !CREATORS.contains(word)).copied().collect();
    let told = words.iter().copied().collect::<Vec<_>>().join(", ");
    if !strange.is_empty() {
        return Ok(Outcome::of(false, all.len(), format!("also {}", strange.join(", "))));
    }
    // Whether one by hand, without a description, was Auto Scaling's is what nobody can tell by looking.
    let unexplained = all.iter().find(|made| made.creator == "user" && !made.has_description);
    if let Some(made) = unexplained {
        let says = format!(
            "{} is told as user and has no description: somebody made it by hand, or it is a launch deployment",
            made.id
        );
        return Ok(Outcome::not_seen(says));
    }
    if !words.contains("autoscaling") {
        return Ok(Outcome::not_seen(
            "no instance was launched since the first release: none has a launch deployment",
        ));
    }
    Ok(Outcome::of(true, all.len(), told))
}

pub(super) fn role_assumed(seen: &Seen) -> Looked<Outcome> {
    let all = read(&seen.deployments)?;
    match all.iter().filter(|made| made.has_succeeded).count() {
        0 => Ok(Outcome::not_seen("no deployment has succeeded yet")),
        succeeded => Ok(Outcome::of(true, succeeded, "succeeded".to_owned())),
    }
}

pub(super) fn boot_succeeds(seen: &Seen) -> Looked<Outcome> {
    let all = read(&seen.boots)?;
    let of =
        |boot: Boot| all.iter().filter(move |(_, known)| **known == boot).map(|(name, _)| name.to_string());
    let failed: Vec<String> = of(Boot::Failed).collect();
    if !failed.is_empty() {
        return Ok(Outcome::of(false, all.len(), format!("the boot failed of {}", failed.join(", "))));
    }
    match of(Boot::Ready).count() {
        0 => Ok(Outcome::not_seen("no instance's log says how its boot ended; logs are kept for some weeks")),
        ready => Ok(Outcome::of(true, ready, "ready for releases".to_owned())),
    }
}

pub(super) fn version_follows(seen: &Seen) -> Looked<Outcome> {
    let versions = read(&seen.versions)?;
    if versions.aliases.is_empty() {
        return Ok(Outcome::not_seen("the stack has no aliases yet"));
    }
    if let Some(alias) = versions.aliases.iter().find(|alias| alias.canary.is_some()) {
        return Ok(Outcome::not_seen(format!(
            "alias {} is on its way to another version: ask when it is there",
            alias.name
        )));
    }
    let behind: Vec<String> = versions
        .others
        .iter()
        .filter(|(_, variables)| !variables.is_empty())
        .map(|(alias, variables)| {
            format!("{alias} ({})", variables.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        })
        .collect();
    let says = match behind.len() {
        0 => versions
            .aliases
            .iter()
            .map(|alias| format!("{} has version {}", alias.name, alias.version))
            .collect::<Vec<_>>()
            .join(", "),
        _ => format!("settings differ from the function's: {}", behind.join(", ")),
    };
    Ok(Outcome::of(behind.is_empty(), versions.aliases.len(), says))
}

pub(super) fn executions(seen: &Seen) -> Looked<Outcome> {
    let account = read(&seen.account)?;
    let says = format!("{} at a time, and {} refused in the last day", account.executions, account.throttles);
    Ok(Outcome::of(account.executions >= EXECUTIONS && account.throttles == 0, 1, says))
}

pub(super) fn start_slow(seen: &Seen) -> Looked<Outcome> {
    let all = read(&seen.starts)?;
    let slowest = all
        .iter()
        .filter_map(|(function, starts)| Some((starts.iter().max()?, function)))
        .max_by_key(|(longest, _)| **longest);
    let Some((longest, function)) = slowest else {
        return Ok(Outcome::not_seen(
            "no function was started in the last day, or its log does not say how long it took",
        ));
    };
    let count = all.values().map(Vec::len).sum();
    Ok(Outcome::of(*longest <= START, count, format!("{longest} ms at most, by {function}")))
}

pub(super) fn event_late(seen: &Seen) -> Looked<Outcome> {
    let all = read(&seen.uploads)?;
    let Some(latest) = all.iter().max_by_key(|told| told.seconds) else {
        return Ok(Outcome::not_seen("nothing was uploaded in the last week"));
    };
    let often = all.iter().filter(|told| told.times > TIMES).count();
    let says = format!("{} s at most, of {}; {often} told of more than twice", latest.seconds, latest.key);
    Ok(Outcome::of(latest.seconds <= EVENT && often * SELDOM <= all.len(), all.len(), says))
}

pub(super) fn clocks_apart(seen: &Seen) -> Looked<Outcome> {
    let all = read(&seen.clocks)?;
    let behind = || all.iter().map(|clock| clock.behind);
    let (Some(least), Some(most)) = (behind().min(), behind().max()) else {
        return Ok(Outcome::not_seen("no function has written anything in the last hour"));
    };
    if all.len() < 2 {
        return Ok(Outcome::not_seen("one execution environment alone has written in the last hour"));
    }
    Ok(Outcome::of(most - least <= APART, all.len(), format!("{} ms apart at most", most - least)))
}

pub(super) fn no_value_left_out(seen: &Seen) -> Looked<Outcome> {
    Ok(match read(&seen.endpoint)?.as_deref() {
        None => Outcome::of(true, 1, "it has none".to_owned()),
        Some("") => Outcome::of(false, 1, "it is there, and empty".to_owned()),
        Some(_) => Outcome::not_seen("it has a value of somebody's own"),
    })
}

pub(super) fn firewall_log_late(seen: &Seen) -> Looked<Outcome> {
    let Some(logs) = read(&seen.firewall_logs)? else {
        return Ok(Outcome::not_seen("the stack has no firewall"));
    };
    let Some(latest) = logs.iter().max() else {
        return Ok(Outcome::not_seen("no log was delivered in the last hour: it takes requests"));
    };
    Ok(Outcome::of(*latest <= LOG, logs.len(), format!("{latest} s at most")))
}

fn read<T>(looked: &Looked<T>) -> Looked<&T> {
    looked.as_ref().map_err(Clone::clone)
}
