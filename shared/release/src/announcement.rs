//! What the stack's topic and the account's event bus hear of a service: how each release has ended, and what waits for an operator.
//!
//! Announcing comes after everything else and decides nothing. A verdict is announced by the first tick that comes a
//! moment after it, and given up when the topic could not be reached for some minutes.

use crate::plan::schedule::since;
use crate::{By, Exposure, Ledger, Past, Phase, Purpose, Reason, Verdict, statement};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long after its end a release is announced at the earliest. Whoever ends a release is not alone: CodeDeploy's events
/// wake further functions in the same seconds, and each would announce it. The tick after that is alone.
const SETTLED: Duration = Duration::from_secs(10);

/// For how long after its end it is tried to announce a release, if it is not announced. A topic that takes messages and
/// a mark that cannot be written make a message a minute, so it ends soon.
const TRIED_FOR: Duration = Duration::from_secs(300);

/// For how long traffic must be where no release has put it before an operator is called. What repairs itself is
/// repaired by then.
const LASTS: Duration = Duration::from_secs(300);

/// The longest subject: SNS takes less than a hundred characters of ASCII (SNS API reference, Publish).
const SUBJECT: usize = 99;

/// Bytes of a reason that are told. It may hold what a hook has printed.
const REASON: usize = 1_024;

/// The source of the events that programs hear.
pub const EVENT_SOURCE: &str = "greenlight.release";

/// Something that is announced once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// What is remembered of it, so that it is announced once: a key of the state bucket.
    pub key: String,
    /// What has happened, in one line.
    headline: String,
    /// Why.
    says: String,
    /// What a person can do about it.
    next: Vec<String>,
    /// Messages of one release belong together.
    thread: String,
    /// The verdict, or `needs-operator`.
    kind: &'static str,
    /// What it was that ended, or nothing.
    purpose: Option<Purpose>,
    facts: BTreeMap<&'static str, String>,
    /// What users had of it, where it was rejected.
    exposure: Option<Exposure>,
}

/// The namespace of the metrics.
const NAMESPACE: &str = "Greenlight";

impl Ledger {
    /// What is due to be announced, by the reasons of the last pass. What was announced already is among it.
    pub fn announcements(&self, reasons: &[Reason], now: Timestamp) -> Vec<Announcement> {
        let is_due = |past: &&Past| {
            let ago = since(past.closed_at, now);
            (SETTLED..=TRIED_FOR).contains(&ago)
        };
        let ended = self.releases.iter().filter(is_due).filter_map(|past| self.of_past(past, now));
        let needs = [
            self.of_drift(reasons, now),
            self.of_reason(
                reasons,
                now,
                "rule",
                "a rule that is not ours keeps releases from opening",
                |reason| matches!(reason, Reason::StrangersRule { .. }),
            ),
            self.of_reason(reasons, now, "settings", "a setting is wrong, and no release opens", |reason| {
                *reason == Reason::WrongSettings
            }),
        ];
        let drill = self.of_drill(now);
        ended.chain(drill).chain(needs.into_iter().flatten()).collect()
    }

    /// A drill that failed, or whose way back does not end. One that passed is no news.
    fn of_drill(&self, now: Timestamp) -> Option<Announcement> {
        let stuck = self.open.as_ref().filter(|open| {
            let is_returning = matches!(open.phase, Phase::Returning(_));
            open.purpose.never_has_weight() && is_returning && since(open.since, now) >= LASTS
        });
        if let Some(open) = stuck {
            let (what, whose) = match open.purpose {
                Purpose::Reinstall => ("what follows a drill does not end", "the reinstallation"),
                _ => ("a drill does not end", "the drill"),
            };
            let says = format!(
                "{whose} is taken back for more than five minutes; users see nothing of it, and no release opens"
            );
            return Some(self.need("drill", what, says, now));
        }
        let drilled = self.drilled.as_ref()?;
        let why = drilled.failure()?;
        let (service, number) = (&self.service, drilled.number);
        (SETTLED..=TRIED_FOR).contains(&since(drilled.closed_at, now)).then(|| Announcement {
            key: format!("announced/{service}/drill-{}.json", drilled.closed_at.strftime("%Y%m%dT%H%M%SZ")),
            headline: format!("{service} needs an operator: the drill failed, {why}"),
            says: format!(
                "{drilled}; users saw nothing of it, and a release that goes bad may not be taken back either"
            ),
            next: vec![
                format!("greenlight logs {service}: what the functions decided"),
                format!("greenlight drill {service}: once more, when that is mended"),
            ],
            thread: format!("{service}-drill-{number}"),
            kind: "needs-operator",
            purpose: Some(Purpose::Drill),
            facts: BTreeMap::from([
                ("service", service.to_string()),
                ("release", number.to_string()),
                ("attempt", drilled.attempt.to_string()),
                ("closedAt", drilled.closed_at.to_string()),
            ]),
            exposure: None,
        })
    }

    fn of_past(&self, past: &Past, now: Timestamp) -> Option<Announcement> {
        let (service, number, reason) = (&self.service, past.upload.number, past.verdict.reason());
        let receipt = past.receipt.0.as_deref();
        let retry =
            format!("greenlight retry {service}: releases it once more, if the bundle is not to blame");
        // A newer bundle, waiting or under way, does better what settling is for.
        let needs_settling = self.unsettled && self.next_upload(now).is_none() && self.open.is_none();
        let (headline, says, mut next) = match (past.purpose, &past.verdict) {
            (Purpose::Release, Verdict::Live) => (
                format!("{service} {number} is live"),
                reason,
                vec![format!("greenlight rollback {service}: makes the release before it live again")],
            ),
            (Purpose::Release, Verdict::Rejected { .. }) => {
                let show = format!(
                    "greenlight show {service} {number}: what was seen of it; mend it and push again"
                );
                (format!("{service} {number} is rejected: {reason}"), reason, vec![show, retry])
            }
            (Purpose::Release, Verdict::Superseded { .. }) => {
                (format!("{service} {number} is {reason}"), reason, vec![])
            }
            (Purpose::Rollback, Verdict::Live) => {
                let why = match receipt.map(|receipt| &receipt.by) {
                    Some(By::Alarm(alarm)) => format!("alarm {alarm} fired after the release"),
                    Some(By::Minutes) => {
                        "too many minutes were bad after the release, and nobody can say whose fault it is"
                            .to_owned()
                    }
                    _ => {
                        let said = receipt.and_then(|receipt| receipt.said.as_ref());
                        statement::with("an operator asked for it", said)
                    }
                };
                (format!("{service} is rolled back to {number}: {why}"), why, vec![])
            }
            (Purpose::Rollback, Verdict::Rejected { .. } | Verdict::Superseded { .. }) => (
                format!("{service} is not rolled back to {number}: {reason}"),
                reason,
                vec![format!("greenlight status {service}: says what carries the traffic")],
            ),
            (Purpose::Settle, Verdict::Rejected { .. }) if needs_settling => (
                format!("{service} needs an operator: new instances would boot another release"),
                reason,
                vec![format!("greenlight status {service}"), "push again, which settles it".to_owned()],
            ),
            // A drill and its reinstallation leave records of their own.
            (Purpose::Settle | Purpose::Drill | Purpose::Reinstall, _) => return None,
        };
        if self.paused && self.open.is_none() {
            next.push(format!(
                "greenlight resume {service}: it is paused, and the next release gets no traffic"
            ));
        }
        let mut facts = BTreeMap::from([
            ("service", service.to_string()),
            ("release", number.to_string()),
            ("commit", past.upload.commit.to_string()),
            ("colour", past.colour.to_string()),
            ("attempt", past.attempt.to_string()),
            ("closedAt", past.closed_at.to_string()),
        ]);
        facts.extend(past.deployment.as_ref().map(|id| ("deployment", id.to_string())));
        Some(Announcement {
            key: format!(
                "announced/{service}/{:010}-{}.json",
                number.0,
                past.closed_at.strftime("%Y%m%dT%H%M%SZ")
            ),
            headline,
            says,
            next,
            thread: format!("{service}-{number}"),
            kind: if past.purpose == Purpose::Settle {
                "needs-operator"
            } else {
                past.verdict.word().as_str()
            },
            purpose: Some(past.purpose),
            facts,
            exposure: past.exposure.0.filter(|_| past.purpose == Purpose::Release),
        })
    }

    /// Traffic that stays where no release has put it.
    fn of_drift(&self, reasons: &[Reason], now: Timestamp) -> Option<Announcement> {
        let lasts = self.drifted_at.is_some_and(|at| since(at, now) >= LASTS);
        let drift = reasons.iter().find(|reason| matches!(reason, Reason::BaseRuleDrifted { .. }))?;
        let todo = reasons.iter().find(|reason| matches!(reason, Reason::WaitsForBaseRule { .. }));
        let says = todo.map_or_else(|| drift.to_string(), |todo| format!("{drift}; {todo}"));
        lasts.then(|| self.need("traffic", "its traffic is not where the ledger says", says, now))
    }

    /// What does not mend itself.
    fn of_reason(
        &self,
        reasons: &[Reason],
        now: Timestamp,
        word: &str,
        what: &str,
        is_it: impl Fn(&Reason) -> bool,
    ) -> Option<Announcement> {
        let found = reasons.iter().find(|reason| is_it(reason))?;
        Some(self.need(word, what, found.to_string(), now))
    }

    /// What lasts is said once a day.
    fn need(&self, word: &str, what: &str, says: String, now: Timestamp) -> Announcement {
        let (service, day) = (&self.service, now.strftime("%Y%m%d"));
        Announcement {
            key: format!("announced/{service}/needs-{word}-{day}.json"),
            headline: format!("{service} needs an operator: {what}"),
            says,
            next: vec![format!("greenlight status {service}: says it in full")],
            thread: format!("{service}-needs-{word}-{day}"),
            kind: "needs-operator",
            purpose: None,
            facts: BTreeMap::from([("service", service.to_string())]),
            exposure: None,
        }
    }
}

impl Announcement {
    /// One line of ASCII that says all: the stack, what has happened and why.
    pub fn subject(&self, stack: &str) -> String {
        let line = format!("[{stack}] {}", self.headline);
        let legal = |letter: char| match letter {
            ' '..='~' => letter,
            _ if letter.is_whitespace() || letter.is_control() => ' ',
            _ => '?',
        };
        let mut line: String = line.chars().map(legal).collect();
        if line.len() > SUBJECT {
            line.truncate(SUBJECT - 3);
            line.push_str("...");
        }
        line
    }

    /// As a mail says it.
    pub fn mail(&self, stack: &str) -> String {
        let mut lines = vec![format!("[{stack}] {}", one_line(&self.headline)), String::new()];
        if !self.headline.ends_with(&self.says) {
            lines.extend([one_line(&self.says), String::new()]);
        }
        lines.extend(self.facts.iter().map(|(name, value)| format!("{name}: {}", one_line(value))));
        if !self.next.is_empty() {
            lines.extend([String::new(), "What you can do:".to_owned()]);
        }
        lines.extend(self.next.iter().map(|step| format!("- {}", one_line(step))));
        lines.join("\n") + "\n"
    }

    /// As AWS's chat integration shows it in Slack and Teams: a custom notification (Amazon Q Developer in chat
    /// applications, administrator guide, custom notifications).
    pub fn chat(&self, stack: &str) -> Value {
        let facts: BTreeMap<&str, String> =
            self.facts.iter().map(|(name, value)| (*name, plain(value))).collect();
        json!({
            "version": "1.0",
            "source": "custom",
            "id": format!("{stack}/{}", self.key),
            "content": {
                "textType": "client-markdown",
                "title": plain(&self.subject(stack)),
                "description": plain(&self.says),
                "nextSteps": self.next.iter().map(|step| plain(step)).collect::<Vec<_>>(),
                "keywords": [stack, &self.facts["service"], self.kind],
            },
            "metadata": {
                "threadId": format!("{stack}-{}", self.thread),
                "summary": plain(&self.subject(stack)),
                "eventType": format!("greenlight.{}", self.kind),
                "additionalContext": facts,
            },
        })
    }

    /// What has happened, in one word: `live`, `rejected`, `superseded`, `needs-operator`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// As an event tells it to programs: docs/events.md describes each member.
    pub fn event(&self, stack: &str) -> Value {
        let mut event = json!({
            "schema": 1,
            "id": format!("{stack}/{}", self.key),
            "stack": stack,
            "purpose": self.purpose,
            "headline": one_line(&self.headline),
            "reason": one_line(&self.says),
        });
        for (name, value) in &self.facts {
            event[*name] = one_line(value).into();
        }
        event
    }

    /// As CloudWatch counts it, by service: a line of the log in its embedded metric format (CloudWatch user guide,
    /// "Specification: Embedded metric format").
    pub fn metrics(&self, stack: &str, now: Timestamp) -> Value {
        let count = match self.kind {
            "live" if self.purpose == Some(Purpose::Rollback) => "RolledBack",
            "live" => "Live",
            "rejected" => "Rejected",
            "superseded" => "Superseded",
            _ => "NeedsOperator",
        };
        let mut metrics = vec![(count, "Count", 1)];
        if let Some(Exposure { seconds, failed }) = self.exposure {
            metrics.push(("SecondsWithTraffic", "Seconds", seconds));
            metrics.extend(failed.map(|failed| ("FailedRequests", "Count", failed)));
        }
        let definitions: Vec<Value> =
            metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": now.as_millisecond(),
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE, "Dimensions": [["Stack", "Service"]], "Metrics": definitions,
                }],
            },
            "Stack": stack,
            "Service": self.facts["service"],
        });
        for (name, _, value) in metrics {
            line[name] = value.into();
        }
        line
    }

    /// What SNS is given: a text for mails, and the notification for everybody else.
    pub fn message(&self, stack: &str) -> Value {
        json!({ "default": self.chat(stack).to_string(), "email": self.mail(stack) })
    }
}

/// A text that came in, as one line of bounded length.
fn one_line(text: &str) -> String {
    let mut line: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if line.len() > REASON {
        line.truncate(line.floor_char_boundary(REASON - 3));
        line.push_str("...");
    }
    line
}

/// The same for a chat, where a bundle's words must neither call people together nor hide a link: `<!channel>`, `@here`,
/// `<address|text>`.
fn plain(text: &str) -> String {
    let harmless = |letter: char| match letter {
        '<' => '\u{2039}',
        '>' => '\u{203a}',
        '@' => '\u{ff20}',
        other => other,
    };
    one_line(text).chars().map(harmless).collect()
}
