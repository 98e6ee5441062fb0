//! Beliefs that a watch tells about: what changed from one look to the next, and what stayed.

use super::Outcome;
use super::seen::{Look, Seen, ServiceLook};
use crate::operator::doctor::Looked;
use jiff::Timestamp;
use release::{Colour, InstanceId, ServiceName, TargetHealth};
use std::collections::{BTreeMap, BTreeSet};

/// Seconds from the end of a minute until its metric is there, and until it is whole.
const THERE: i64 = 150;
const WHOLE: i64 = 180;

/// Within so many seconds of a release's end its processes run again.
const RESUMED: i64 = 60;

pub(super) fn metric_late(seen: &Seen) -> Looked<Outcome> {
    let (mut came, mut grew) = (Vec::new(), Vec::new());
    for (before, after, (one, other)) in pairs(seen) {
        let (Ok(one), Ok(other)) = (&one.minutes, &other.minutes) else { continue };
        for (minute, requests) in other {
            let since_its_end = |at: Timestamp| at.as_second() - (minute + 1) * 60;
            // It came, or grew, after the look before this one.
            let span = (since_its_end(before), since_its_end(after));
            match one.get(minute) {
                // Each look begins with a later minute than the one before, so that none is new for having been left out.
                None => came.push(span),
                Some(less) if less != requests => grew.push(span),
                _ => {}
            }
        }
    }
    if came.is_empty() {
        unread(seen, |service| service.minutes.as_ref().err())?;
        return Ok(Outcome::not_seen("no minute with requests came up: watch for longer, under traffic"));
    }
    // What was absent at a look came later than that; how much later no look can tell.
    let latest = |spans: &[(i64, i64)]| spans.iter().map(|(after, _)| *after).max().unwrap_or(0);
    let first = came.iter().map(|(_, until)| *until).min().unwrap_or(0);
    let last = came.iter().map(|(_, until)| *until).max().unwrap_or(0);
    let whole = grew.iter().map(|(_, until)| *until).max();
    let there = match last {
        // As in a cloud whose clocks run faster.
        ..=0 => "there before they had ended".to_owned(),
        _ => format!("there {} to {last} s after their end", first.max(0)),
    };
    let says = match whole.filter(|until| *until > last) {
        Some(until) => format!("{there}, and the last that one grew was {until} s after its end"),
        None => format!("{there}, and none grew later than that"),
    };
    Ok(Outcome::of(latest(&came) <= THERE && latest(&grew) <= WHOLE, came.len(), says))
}

pub(super) fn weight_zero_unused(seen: &Seen) -> Looked<Outcome> {
    let (mut answers, mut targets, mut unused) = (0, 0, BTreeSet::new());
    for (_, service) in looked(seen) {
        let (Some(idle), Ok(group)) = (service.idle(), &service.group) else { continue };
        let Ok(health) = service.health.of(idle) else { continue };
        answers += 1;
        targets = targets.max(health.len());
        let is_unused = |(instance, health): &(&InstanceId, &TargetHealth)| {
            **health == TargetHealth::Gone && group.in_service.contains(*instance)
        };
        unused.extend(health.iter().filter(is_unused).map(|(instance, _)| instance.clone()));
    }
    if answers == 0 || targets == 0 {
        unread(seen, |service| service.health.blue.as_ref().err().or(service.health.green.as_ref().err()))?;
        return Ok(Outcome::not_seen("no service was at rest, with all traffic on its live colour"));
    }
    let says = match unused.len() {
        0 => "each target without weight was health-checked".to_owned(),
        _ => format!("unused although in service: {}", names(&unused)),
    };
    Ok(Outcome::of(unused.is_empty(), answers, says))
}

pub(super) fn target_left_out(seen: &Seen) -> Looked<Outcome> {
    let (mut answers, mut short, mut left_out) = (0, 0, BTreeSet::new());
    // An instance counts when it was in service before the look and after it: one that joins or goes is no belief's.
    for (_, _, (one, other)) in pairs(seen) {
        let (Ok(before), Ok(after)) = (&one.group, &other.group) else { continue };
        if !one.is_quiet() || !other.is_quiet() {
            continue;
        }
        for colour in Colour::BOTH {
            let Ok(listed) = other.health.of(colour) else { continue };
            let missing: Vec<&InstanceId> = before
                .in_service
                .intersection(&after.in_service)
                .filter(|instance| !listed.contains_key(*instance))
                .collect();
            answers += 1;
            short += usize::from(!missing.is_empty());
            left_out.extend(missing.into_iter().cloned());
        }
    }
    if answers == 0 {
        unread(seen, |service| service.group.as_ref().err())?;
        return Ok(Outcome::not_seen("no service was at rest during two looks"));
    }
    let says = match short {
        0 => "each answer listed each instance".to_owned(),
        _ => format!("{short} answers left one out: {}", names(&left_out)),
    };
    Ok(Outcome::of(short == 0, answers, says))
}

pub(super) fn without_revision(seen: &Seen) -> Looked<Outcome> {
    let (mut new, mut serving) = (BTreeSet::new(), BTreeSet::new());
    for (name, service) in looked(seen) {
        let (Ok(ledger), Ok(group)) = (&service.ledger, &service.group) else { continue };
        if ledger.as_ref().is_some_and(|ledger| ledger.live.is_some() || ledger.open.is_some()) {
            continue;
        }
        new.insert(name);
        serving.extend(group.in_service.iter().cloned());
    }
    if new.is_empty() {
        unread(seen, |service| service.ledger.as_ref().err().or(service.group.as_ref().err()))?;
        return Ok(Outcome::not_seen("each service has had a release: only a new stack shows it"));
    }
    if serving.is_empty() {
        return Ok(Outcome::not_seen("no instance of a service without a release is in service yet"));
    }
    Ok(Outcome::of(true, serving.len(), "in service without a revision".to_owned()))
}

pub(super) fn processes_resumed(seen: &Seen) -> Looked<Outcome> {
    let (mut suspended, mut in_time, mut late) = (BTreeMap::new(), BTreeSet::new(), None::<i64>);
    for look in &seen.looks {
        for (name, service) in &look.services {
            let (Some(ledger), Ok(group)) = (service.at_rest(), &service.group) else { continue };
            let Some(ended) = ledger.releases.last().map(|past| past.closed_at) else { continue };
            let since = look.at.as_second() - ended.as_second();
            if !group.suspended.is_empty() && since > RESUMED {
                suspended.insert(
                    name.clone(),
                    format!("{} {since} s after the end of {name}'s", group.suspended.join(" ")),
                );
            } else if group.suspended.is_empty() && (0..=RESUMED).contains(&since) {
                in_time.insert(name.clone());
            } else if group.suspended.is_empty() {
                late = Some(late.map_or(since, |known| known.min(since)));
            }
        }
    }
    if !suspended.is_empty() {
        let says = suspended.values().map(String::as_str).collect::<Vec<_>>().join(", ");
        return Ok(Outcome::of(false, suspended.len(), format!("still suspended: {says} last release")));
    }
    if !in_time.is_empty() {
        return Ok(Outcome::of(
            true,
            in_time.len(),
            "none suspended within 60 s of a release's end".to_owned(),
        ));
    }
    unread(seen, |service| service.group.as_ref().err().or(service.ledger.as_ref().err()))?;
    Ok(Outcome::not_seen(match late {
        Some(since) => format!("none is suspended {since} s after a release has ended: watch while one ends"),
        None => "no release has ended yet".to_owned(),
    }))
}

/// Each service of each look.
fn looked(seen: &Seen) -> impl Iterator<Item = (&ServiceName, &ServiceLook)> {
    seen.looks.iter().flat_map(|look| &look.services)
}

/// Two looks at a service, one after the other, and when they were.
fn pairs(seen: &Seen) -> impl Iterator<Item = (Timestamp, Timestamp, (&ServiceLook, &ServiceLook))> {
    seen.looks.iter().zip(seen.looks.iter().skip(1)).flat_map(|(before, after): (&Look, &Look)| {
        let both = before.services.iter().filter_map(|(name, one)| Some((one, after.services.get(name)?)));
        both.map(|both| (before.at, after.at, both))
    })
}

/// Why nothing was seen, if that is that it could not be read.
fn unread(seen: &Seen, why: impl Fn(&ServiceLook) -> Option<&String>) -> Looked<()> {
    seen.known.clone()?;
    looked(seen).find_map(|(_, service)| why(service)).map_or(Ok(()), |why| Err(why.clone()))
}

fn names(instances: &BTreeSet<InstanceId>) -> String {
    instances.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
