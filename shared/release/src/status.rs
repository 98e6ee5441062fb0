//! How a service is, for an operator who asks.

use crate::command::named;
use crate::{
    Colour, Ledger, Observation, PerColour, Reading, Reason, Routing, Rules, Statement, TargetHealth,
    statement,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Bytes of each reason that is repeated.
const LONGEST: usize = 256;

/// What a look at AWS shows of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// When AWS was looked at.
    pub at: Timestamp,
    /// All of it in one sentence.
    pub says: String,
    /// The per cent of the traffic that each colour has, as the rules say. `None`: they could not be read.
    pub traffic: Option<PerColour<u8>>,
    /// The instances of each colour's target group. `None`: they could not be read.
    pub instances: PerColour<Option<Instances>>,
    /// What the next pass would do or wait for, a sentence each.
    pub now: Vec<String>,
}

/// The instances of a target group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instances {
    /// How many are healthy.
    pub healthy: usize,
    /// How many there are.
    pub registered: usize,
}

impl Status {
    /// From the ledger, what was seen, and the reasons of a pass that would decide on it.
    pub fn of(ledger: &Ledger, seen: &Observation, reasons: &[Reason], now: Timestamp) -> Self {
        let next: Vec<String> =
            reasons.iter().map(|reason| beginning(&reason.to_string()).to_owned()).collect();
        let rules = match &seen.rules {
            Reading::Known(Rules { base, release: Some(rule), .. }) => {
                format!("; the release's rule gives {}, the base rule behind it {base}", rule.weights)
            }
            Reading::Known(Rules { base, release: None, .. }) => format!("; the base rule gives {base}"),
            Reading::Unknown(why) => format!("; the rules cannot be read: {}", beginning(why)),
            Reading::NotRead => String::new(),
        };
        let instances = |colour| {
            seen.health.of(colour).known().map(|targets| Instances {
                healthy: targets.values().filter(|health| **health == TargetHealth::Healthy).count(),
                registered: targets.values().filter(|health| **health != TargetHealth::Gone).count(),
            })
        };
        Self {
            at: now,
            says: format!("{}{rules}; now: {}", of_ledger(ledger), next.join("; ")),
            traffic: seen.rules.known().map(traffic),
            instances: PerColour { blue: instances(Colour::Blue), green: instances(Colour::Green) },
            now: next,
        }
    }
}

/// The release's rule comes before the base rule, and leaves it nothing.
fn traffic(rules: &Rules) -> PerColour<u8> {
    let routing = rules.release.as_ref().map_or(&rules.base, |rule| &rule.weights);
    let percent = |colour| percent(routing, colour);
    PerColour { blue: percent(Colour::Blue), green: percent(Colour::Green) }
}

/// A share that is not nothing is not shown as nothing, nor one that is not all as all.
fn percent(routing: &Routing, colour: Colour) -> u8 {
    match routing.per_mille(colour) {
        0 => 0,
        1000.. => 100,
        share => u8::try_from((share + 5) / 10).unwrap_or(100).clamp(1, 99),
    }
}

fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default()
}

/// What the ledger alone says.
pub(crate) fn of_ledger(ledger: &Ledger) -> String {
    let live = match &ledger.live {
        Some(live) => format!("release {} is live on {}", live.upload.number, live.colour),
        None => "no release is live yet: the service answers 503 until the first one succeeds".to_owned(),
    };
    let open = match &ledger.open {
        Some(open) => format!(
            "; {} on {} is {}, {} % intended{}{}",
            named(open),
            open.colour,
            open.phase.word(),
            open.intended_percent(),
            Statement::bracketed(open.said.as_ref()),
            open.says_preview().map(|says| format!("; {says}")).unwrap_or_default()
        ),
        None => String::new(),
    };
    let waits = match &ledger.pending {
        Some(pending) => format!("; release {} waits", pending.number),
        None => String::new(),
    };
    let paused =
        if ledger.paused { statement::with("; paused", ledger.pause_said.as_ref()) } else { String::new() };
    let last = match ledger.releases.last() {
        Some(past) => {
            let untold = match &past.untold_for {
                Some(why) => format!(" (its object could not be told: {why})"),
                None => String::new(),
            };
            format!(
                "; last: {} {}, {}{untold}",
                past.upload.number,
                past.verdict.word(),
                past.verdict.reason()
            )
        }
        None => String::new(),
    };
    let drilled = ledger.drilled.as_ref().map(|drilled| format!("; {}: {drilled}", drilled.closed_at));
    let drilled = drilled.unwrap_or_default();
    let reinstalled = ledger.reinstalled.as_ref().filter(|_| !drilled.is_empty());
    let reinstalled = reinstalled.map(|reinstalled| format!("; {}: {reinstalled}", reinstalled.closed_at));
    let reinstalled = reinstalled.unwrap_or_default();
    format!("{live}{open}{waits}{paused}{last}{drilled}{reinstalled}")
}
