//! What a run proves: requests, releases with their times, and AWS calls. Written as `tally.json`.

pub(crate) mod attack;

use crate::product::Product;
use crate::releases::Upload;
use anyhow::Result;
use attack::Attack;
use cloud::{AlarmState, Cloud, Invocation, Transition, Weights};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use visitors::{Counts, Log, Meaning};

/// The whole tally.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tally {
    /// Over all services.
    pub requests: Requests,
    /// Every upload, in order.
    pub releases: Vec<Release>,
    /// How many AWS calls a hook's question makes.
    pub aws_calls_per_poll: Calls,
    /// The attack, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attack: Option<Attack>,
}

/// The load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Requests {
    /// How many were sent.
    pub sent: u64,
    /// How many got no answer from any version of the service.
    pub lost: u64,
    /// How many were sent again on a fresh connection, by the visitors or by the load balancer, because a kept one
    /// was closed before any byte of the answer.
    pub retried: u64,
    /// How many were sent per second.
    pub per_second: f64,
}

/// One upload and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Release {
    /// The service.
    pub service: String,
    /// Its number.
    pub number: u32,
    /// `live`, `rejected` or `superseded`.
    pub verdict: String,
    /// The verdict's reason, as the object's tag has it.
    pub reason: String,
    /// The per cent of traffic that its colour had, one after another.
    pub weights: Vec<u16>,
    /// Requests that it answered although it was rejected in the end.
    pub served_by_rejected: u64,
    /// Of these, those with a 5xx that were sent before the rule had no weight for it.
    pub failed: u64,
    /// From the first to the last of these, in milliseconds.
    pub first_bad_to_last_bad_ms: Option<u64>,
    /// From its first 5xx to the alarm, in milliseconds; none where the counts were faster.
    pub first_bad_to_alarm_ms: Option<u64>,
    /// From the alarm to the rule without weight for it, in milliseconds.
    pub alarm_to_weights_ms: Option<u64>,
    /// From its first 5xx to that rule, in milliseconds.
    pub first_bad_to_weights_ms: Option<u64>,
    /// From that rule to the last request that it answered, in milliseconds: the load balancer's own delay.
    pub weights_to_traffic_ms: Option<u64>,
}

/// AWS calls of one invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// The largest number seen.
    pub max: usize,
    /// Half of all made no more.
    pub p50: usize,
}

impl Calls {
    /// Over the hooks' questions among these invocations.
    pub fn of_polls(invocations: &[Invocation]) -> Self {
        let polls = invocations.iter().filter(|invocation| invocation.is_poll());
        let mut counts: Vec<usize> = polls.map(|poll| poll.calls.len()).collect();
        counts.sort_unstable();
        let p50 = counts.get(counts.len().saturating_sub(1) / 2).copied().unwrap_or(0);
        Self { max: counts.last().copied().unwrap_or(0), p50 }
    }
}

/// When a release was open and where, from its service's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    colour: String,
    opened: Timestamp,
    closed: Timestamp,
}

impl Span {
    fn find(ledger: &Value, number: u32) -> Option<Self> {
        let entries = ledger.get("releases")?.as_array()?;
        let entry = entries
            .iter()
            .rev()
            .find(|entry| entry["upload"]["number"] == number && entry["deployment"].is_string())?;
        Some(Self {
            colour: entry["colour"].as_str()?.to_owned(),
            opened: entry["opened_at"].as_str()?.parse().ok()?,
            closed: entry["closed_at"].as_str()?.parse().ok()?,
        })
    }
}

impl Tally {
    /// From what was recorded while the story ran.
    ///
    /// # Errors
    /// When the functions' settings lack a colour of a service.
    pub fn draw_up(
        cloud: &Cloud,
        product: &Product,
        log: &Log,
        uploads: &[Upload],
        ledgers: &[(String, Value)],
    ) -> Result<Self> {
        let counts = Counts::of(log);
        let (history, transitions) = (cloud.traffic.history(), cloud.alarms.transitions());
        let mut releases = Vec::new();
        let mut seen = Vec::new();
        for upload in uploads {
            let verdict = upload.verdict.clone().unwrap_or_default();
            let mut release = Release {
                service: upload.service.clone(),
                number: upload.number,
                verdict: verdict.word,
                reason: verdict.reason,
                weights: Vec::new(),
                served_by_rejected: 0,
                failed: 0,
                first_bad_to_last_bad_ms: None,
                first_bad_to_alarm_ms: None,
                alarm_to_weights_ms: None,
                first_bad_to_weights_ms: None,
                weights_to_traffic_ms: None,
            };
            let ledger = ledgers.iter().find(|(service, _)| *service == upload.service);
            let span = ledger.and_then(|(_, ledger)| Span::find(ledger, upload.number));
            // A number that was uploaded before has no release of its own.
            let first = !seen.contains(&(upload.service.clone(), upload.number));
            seen.push((upload.service.clone(), upload.number));
            if let (true, Some(span)) = (first, span) {
                let group = product.target_group(&upload.service, &span.colour)?;
                let host = product.host_of(&upload.service, &history)?;
                let shares = shares(&history, &host, group);
                release.weights = during(&shares, &span);
                if release.verdict == "rejected" {
                    let alarms = product.alarms(&upload.service, &span.colour)?;
                    release.way_back(log, &host, &shares, &transitions, alarms, &span);
                }
            }
            releases.push(release);
        }
        let requests = Requests {
            sent: counts.requests(),
            lost: counts.lost(),
            retried: counts.total().retried + cloud.traffic.retried(),
            per_second: (log.per_second() * 10.0).round() / 10.0,
        };
        let aws_calls_per_poll = cloud.functions.journal().look(Calls::of_polls);
        Ok(Self { requests, releases, aws_calls_per_poll, attack: None })
    }

    /// For the screen.
    pub fn lines(&self) -> Vec<String> {
        let Requests { sent, lost, retried, per_second } = &self.requests;
        let mut lines =
            vec![format!("{sent} requests, {per_second} a second, {lost} lost, {retried} sent again")];
        for release in &self.releases {
            let weights: Vec<String> = release.weights.iter().map(ToString::to_string).collect();
            let weights = if weights.is_empty() { "-".to_owned() } else { weights.join(" > ") };
            let Release { service, number, verdict, reason, .. } = release;
            lines.push(format!("{service:<9} {number:>3}  {verdict:<10} weights {weights:<16} {reason}"));
            if release.served_by_rejected > 0 {
                let time =
                    |value: Option<u64>| value.map_or_else(|| "?".to_owned(), |value| format!("{value} ms"));
                let to_weights = match release.first_bad_to_alarm_ms {
                    None => time(release.first_bad_to_weights_ms),
                    alarm => format!("{} > alarm > {}", time(alarm), time(release.alarm_to_weights_ms)),
                };
                lines.push(format!(
                    "               answered {} requests; first bad answer > {to_weights} > weights > {} > traffic",
                    release.served_by_rejected,
                    time(release.weights_to_traffic_ms),
                ));
            }
        }
        let Calls { max, p50 } = self.aws_calls_per_poll;
        lines.push(format!("AWS calls per poll: {p50} in the median, {max} at most"));
        lines.extend(self.attack.iter().flat_map(Attack::lines));
        lines
    }
}

impl Release {
    fn way_back(
        &mut self,
        log: &Log,
        host: &str,
        shares: &[(Timestamp, u16)],
        transitions: &[Transition],
        alarms: &[String],
        span: &Span,
    ) {
        let ours = || {
            log.of(host).filter(|record| {
                record.release() == Some(self.number) && log.time(record.sent()) >= span.opened
            })
        };
        self.served_by_rejected = u64::try_from(ours().count()).unwrap_or(u64::MAX);
        let failed = || ours().filter(|record| record.meaning() == Meaning::Error);
        let bad = failed().map(|record| log.time(record.ended())).min();
        let last = ours().map(|record| log.time(record.ended())).max();
        let weights = bad
            .and_then(|bad| shares.iter().find(|(at, share)| *at >= bad && *share == 0).map(|(at, _)| *at));
        let in_time = || failed().filter(|record| weights.is_none_or(|gone| log.time(record.sent()) < gone));
        let alarm = bad.and_then(|bad| {
            let fired = transitions.iter().filter(|one| one.state == AlarmState::Alarm && one.at >= bad);
            let ours = fired.filter(|one| alarms.contains(&one.alarm)).map(|one| one.at).min();
            ours.filter(|alarm| weights.is_none_or(|weights| *alarm <= weights))
        });
        self.failed = u64::try_from(in_time().count()).unwrap_or(u64::MAX);
        let last_bad = in_time().map(|record| log.time(record.ended())).max();
        self.first_bad_to_last_bad_ms = between(bad, last_bad);
        self.first_bad_to_alarm_ms = between(bad, alarm);
        self.alarm_to_weights_ms = between(alarm, weights);
        self.first_bad_to_weights_ms = between(bad, weights);
        self.weights_to_traffic_ms = between(weights, last);
    }
}

/// The per cent of a host's traffic that goes to a group, whenever it changed.
fn shares(history: &[Weights], host: &str, group: &str) -> Vec<(Timestamp, u16)> {
    let mut shares: Vec<(Timestamp, u16)> = Vec::new();
    for weights in history {
        let Some(groups) = weights.hosts.get(host) else { continue };
        let all: u32 = groups.values().map(|weight| u32::from(*weight)).sum();
        let own = u32::from(groups.get(group).copied().unwrap_or(0));
        let share = u16::try_from((own * 200 + all) / (2 * all.max(1))).unwrap_or(100);
        if shares.last().is_none_or(|(_, last)| *last != share) {
            shares.push((weights.changed, share));
        }
    }
    shares
}

/// The shares that stood while a release was open, beginning with the one that it found.
fn during(shares: &[(Timestamp, u16)], span: &Span) -> Vec<u16> {
    let found = shares.iter().rev().find(|(at, _)| *at <= span.opened).map(|(_, share)| *share);
    let changed =
        shares.iter().filter(|(at, _)| *at > span.opened && *at <= span.closed).map(|(_, share)| *share);
    found.into_iter().chain(changed).collect()
}

/// Milliseconds from one to the other; 0 when the other came first.
fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<u64> {
    let passed = Duration::try_from(to?.duration_since(from?)).unwrap_or_default();
    u64::try_from(passed.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn weights(second: i64, blue: u16, green: u16) -> Weights {
        let groups = BTreeMap::from([("blue".to_owned(), blue), ("green".to_owned(), green)]);
        Weights { changed: at(second), hosts: BTreeMap::from([("shop".to_owned(), groups)]) }
    }

    #[test]
    fn the_weights_of_a_release_are_those_of_its_colour_while_it_was_open() {
        let history = [
            weights(0, 100, 0),
            weights(10, 100, 0),
            weights(20, 90, 10),
            weights(30, 0, 999),
            weights(40, 100, 0),
        ];
        let shares = shares(&history, "shop", "green");
        assert_eq!(shares, [(at(0), 0), (at(20), 10), (at(30), 100), (at(40), 0)]);
        let span = Span { colour: "green".to_owned(), opened: at(15), closed: at(35) };
        assert_eq!(during(&shares, &span), [0, 10, 100]);
        let by_evidence =
            [weights(0, 987, 10), weights(1, 967, 30), weights(2, 901, 96), weights(3, 702, 295)];
        let percents: Vec<u16> =
            super::shares(&by_evidence, "shop", "green").into_iter().map(|(_, share)| share).collect();
        assert_eq!(percents, [1, 3, 10, 30]);
    }

    #[test]
    fn a_span_is_that_of_the_release_with_a_deployment() {
        let entry = |deployment: Value, opened: &str| json!({"upload": {"number": 3}, "colour": "green", "deployment": deployment, "opened_at": opened, "closed_at": "1970-01-01T00:01:00Z"});
        let ledger = json!({"releases": [entry(json!("d-1"), "1970-01-01T00:00:10Z"), entry(Value::Null, "1970-01-01T00:00:20Z")]});
        assert_eq!(Span::find(&ledger, 3).unwrap().opened, at(10));
        assert_eq!(Span::find(&ledger, 4), None);
    }

    #[test]
    fn calls_are_counted_over_polls_only() {
        let invocation = |event: &str, calls: usize| Invocation {
            function: "lifecycle".to_owned(),
            payload: json!({ "lifecycleEvent": event }),
            answer: Value::Null,
            failed: false,
            milliseconds: 1,
            calls: vec!["s3:GetObject".to_owned(); calls],
        };
        let invocations = [
            invocation("BeforeInstall", 50),
            invocation("ValidateService", 1),
            invocation("ValidateService", 1),
            invocation("ValidateService", 9),
        ];
        assert_eq!(Calls::of_polls(&invocations), Calls { max: 9, p50: 1 });
        assert_eq!(Calls::of_polls(&[]), Calls { max: 0, p50: 0 });
    }
}
