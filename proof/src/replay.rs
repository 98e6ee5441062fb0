//! Production decision records, decided once more.

use release::pass::PassRecord;
use release::plan;
use serde_json::Value;
use std::fmt;

/// What a sentence in a record said once, and says now. Members and words that were renamed are read by their types.
const REWORDED: &[(&str, &str)] = &[(
    "the hold, while the load balancer still sends late requests",
    "the drain, while the load balancer still sends late requests",
)];

/// What became of a file of records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replayed {
    /// How many decisions came out as they were recorded.
    pub same: usize,
    /// Those that did not, and records that cannot be read.
    pub different: Vec<Different>,
}

/// A record that was not reproduced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Different {
    /// Its line in the file, from 1.
    pub line: usize,
    /// How it differs.
    pub how: String,
}

impl fmt::Display for Different {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.how)
    }
}

/// Decides every record of a log again. Lines without a decision are left out.
pub fn replay(log: &str) -> Replayed {
    let mut replayed = Replayed::default();
    for (index, text) in log.lines().enumerate() {
        match decide(text) {
            None => {}
            Some(Ok(())) => replayed.same += 1,
            Some(Err(how)) => replayed.different.push(Different { line: index + 1, how }),
        }
    }
    replayed
}

/// Whether a line's decision comes out as recorded; `None`: it holds none.
fn decide(text: &str) -> Option<Result<(), String>> {
    let line: Value = serde_json::from_str(text.get(text.find('{')?..)?).ok()?;
    // Flat as Lambda's log has it, below `fields` as tracing's own format has it.
    let pass = line.get("pass").or_else(|| line.get("fields")?.get("pass"))?;
    let text = pass.as_str().map_or_else(|| pass.to_string(), ToOwned::to_owned);
    let read = serde_json::from_str::<PassRecord>(&in_todays_words(text));
    Some(match read {
        Err(error) => Err(format!("the record cannot be read: {error}; was it written by this version?")),
        Ok(pass) => reproduce(pass),
    })
}

/// Sentences in a record as they are worded now.
fn in_todays_words(record: String) -> String {
    REWORDED.iter().fold(record, |record, (then, now)| record.replace(then, now))
}

fn reproduce(pass: PassRecord) -> Result<(), String> {
    let decided = plan(pass.ledger, &pass.observation, &pass.policy, pass.now);
    if decided == pass.plan {
        return Ok(());
    }
    let text = |value: &_| serde_json::to_string(value).unwrap_or_default();
    Err(format!("recorded {}, decided {}", text(&pass.plan), text(&decided)))
}
