//! What a pass decided and what it saw, from its decision record: one JSON line in a function's log.

use jiff::Timestamp;
use release::{AlarmState, Colour, Observation, Reason, ReleaseNumber};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// When its pass began to look.
    pub at: Timestamp,
    /// Of which service.
    pub service: String,
    /// Why it was decided.
    pub why: Vec<Reason>,
    /// The candidate's share of the traffic that it asks for, in percent.
    pub weight: Option<u64>,
    /// The release that it leaves open.
    pub open: Option<Placed>,
    /// The release that it found open.
    pub found: Option<Placed>,
    /// What was live before it.
    pub live: Option<Placed>,
    /// What its pass saw of AWS.
    pub seen: Observation,
}

/// A release and where it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "StoredRelease")]
pub struct Placed {
    /// Its number.
    pub number: ReleaseNumber,
    /// Where it runs.
    pub colour: Colour,
}

/// As the ledger stores it.
#[derive(Deserialize)]
struct StoredRelease {
    upload: StoredUpload,
    colour: Colour,
}

#[derive(Deserialize)]
struct StoredUpload {
    number: ReleaseNumber,
}

impl From<StoredRelease> for Placed {
    fn from(stored: StoredRelease) -> Self {
        Self { number: stored.upload.number, colour: stored.colour }
    }
}

/// What is read of a pass.
#[derive(Deserialize)]
struct RecordedPass {
    ledger: Ledger,
    observation: Observation,
    now: Timestamp,
    plan: Plan,
    done: Vec<(String, Option<String>)>,
}

#[derive(Deserialize)]
struct Ledger {
    open: Option<Placed>,
    live: Option<Placed>,
}

#[derive(Deserialize)]
struct Plan {
    ledger: Ledger,
}

impl Decision {
    /// The decision of a log's line; none for lines that record no pass, and for decisions of which nothing came because another
    /// pass wrote the ledger first.
    ///
    /// # Errors
    /// When the line is a decision record of another form.
    pub fn read(line: &str) -> Result<Option<Self>, serde_json::Error> {
        let Ok(record) = serde_json::from_str::<Value>(line) else { return Ok(None) };
        if record.get("pass").is_none() {
            return Ok(None);
        }
        let service = record.get("service").and_then(Value::as_str).unwrap_or_default().to_owned();
        let RecordedPass { ledger, observation, now, plan, done } = field(&record, "pass")?;
        let came_too_late =
            done.first().is_some_and(|(first, failure)| first == "commit" && failure.is_some());
        if came_too_late {
            return Ok(None);
        }
        Ok(Some(Self {
            at: now,
            service,
            weight: record.get("weight").and_then(Value::as_u64),
            why: field(&record, "why")?,
            open: plan.ledger.open,
            found: ledger.open,
            live: ledger.live,
            seen: observation,
        }))
    }

    /// How many targets of a colour were seen healthy, and of how many.
    pub fn healthy(&self, colour: Colour) -> Option<(usize, usize)> {
        Some((self.seen.healthy_count(colour)?, self.seen.health.of(colour).known()?.len()))
    }

    /// How many alarms of a colour fire, where they were read.
    pub fn firing(&self, colour: Colour) -> Option<usize> {
        let alarms = self.seen.alarms.of(colour).known()?;
        Some(alarms.values().filter(|state| **state == AlarmState::Firing).count())
    }

    /// Whether a colour was seen to get traffic from the release's rule.
    pub fn has_traffic(&self, colour: Colour) -> bool {
        let rule = self.seen.rules.known().and_then(|rules| rules.release.as_ref());
        rule.is_some_and(|rule| rule.weights.gives(colour))
    }
}

/// A member of the record that is JSON inside a string.
fn field<T: DeserializeOwned>(record: &Value, name: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(record.get(name).and_then(Value::as_str).unwrap_or_default())
}
