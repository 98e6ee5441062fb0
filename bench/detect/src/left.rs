//! What a release has left: the shares that it had, why, and when that was decided.

use jiff::Timestamp;
use serde::Deserialize;

/// Of a receipt what is measured (docs/receipts.md).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Left {
    pub(crate) attempt: u32,
    closed_at: Timestamp,
    #[serde(default)]
    steps: Vec<Step>,
}

/// A share, and why it was given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Step {
    percent: u8,
    since: Timestamp,
    reason: String,
    until: Option<Timestamp>,
}

/// When it was decided that a release goes on or back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) at: Timestamp,
    /// Why; none where the verdict says it.
    pub(crate) reason: Option<String>,
}

/// From so many percent on it bakes: an evidence step gives half at most.
const BAKES: u8 = 51;

impl Left {
    /// When it had its first weight, at the first attempt.
    pub(crate) fn first_weight(&self) -> Option<Timestamp> {
        self.steps.first().map(|step| step.since)
    }

    /// The shares one after another, in percent.
    pub(crate) fn shares(&self) -> Vec<u8> {
        self.steps.iter().map(|step| step.percent).collect()
    }

    /// Of one that is live, when it got most of the traffic and why; else when it lost all of it.
    pub(crate) fn decided(&self, verdict: &str) -> Decided {
        let bakes = self.steps.iter().rev().take_while(|step| step.percent >= BAKES).last();
        match bakes.filter(|_| verdict == "live") {
            Some(step) => Decided { at: step.since, reason: Some(step.reason.clone()) },
            None => {
                let until = self.steps.last().and_then(|step| step.until);
                Decided { at: until.unwrap_or(self.closed_at), reason: None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn left(steps: &Value) -> Left {
        let receipt =
            json!({ "schema": 1, "attempt": 2, "closedAt": "2026-01-01T00:09:00Z", "steps": steps });
        serde_json::from_value(receipt).unwrap()
    }

    fn step(percent: u8, minute: u8, reason: &str) -> Value {
        json!({
            "attempt": 1, "percent": percent, "reason": reason, "requests": null,
            "since": format!("2026-01-01T00:0{minute}:00Z"), "until": format!("2026-01-01T00:0{}:00Z", minute + 1),
        })
    }

    fn at(minute: u8) -> Timestamp {
        format!("2026-01-01T00:0{minute}:00Z").parse().unwrap()
    }

    #[test]
    fn one_that_is_live_was_decided_when_it_got_most_of_the_traffic() {
        let steps =
            json!([step(30, 1, "healthy"), step(3, 2, "healthy"), step(90, 4, "fine"), step(100, 6, "over")]);
        let left = left(&steps);
        assert_eq!((left.first_weight(), left.shares()), (Some(at(1)), vec![30, 3, 90, 100]));
        assert_eq!(left.decided("live"), Decided { at: at(4), reason: Some("fine".to_owned()) });
        assert_eq!(left.decided("rejected"), Decided { at: at(7), reason: None });
    }

    #[test]
    fn one_without_weight_was_decided_when_it_was_over() {
        let left = left(&json!([]));
        assert_eq!((left.first_weight(), left.shares()), (None, Vec::new()));
        assert_eq!(left.decided("rejected").at, at(9));
    }

    #[test]
    fn a_receipt_of_the_product_is_read() {
        let receipt = include_str!("../../../shared/release/tests/receipts/rejected.json");
        let left: Left = serde_json::from_str(receipt).unwrap();
        assert!(left.first_weight().is_some() && !left.shares().is_empty());
    }
}
