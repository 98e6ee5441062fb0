//! What an operator can say, with a defined answer in every phase.

use crate::{Ledger, Observation, Open, Phase, Promotion, Purpose, Reading, Reason, Request, Rules, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An operator's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    /// Keep the weights where they are. The way back stays open.
    Pause,
    /// Go on.
    Resume,
    /// Skip the remaining steps and the bake; each raise must still be proven safe.
    Promote,
    /// Give the open release up.
    Abort,
    /// Put the previous colour back.
    Rollback,
    /// Try the last rejected release once more.
    Retry,
    /// Change nothing, say how things are.
    Status,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandAnswer {
    /// Whether anything changes.
    pub changed: bool,
    /// What happens now, or why nothing does.
    pub says: String,
}

/// Writes a command into the ledger. A command that means nothing now changes nothing and says so.
pub fn accept_command(ledger: &Ledger, command: Command) -> (Ledger, CommandAnswer) {
    let mut next = ledger.clone();
    let says = match command {
        Command::Status => status(ledger),
        Command::Pause => pause(&mut next),
        Command::Resume => resume(&mut next),
        Command::Promote => promote(&mut next),
        Command::Abort => abort(&mut next),
        Command::Rollback => rollback(&mut next),
        Command::Retry => retry(&mut next),
    };
    let changed = next != *ledger;
    (next, CommandAnswer { changed, says })
}

/// Bytes of each reason that [`status_of`] repeats.
const LONGEST: usize = 256;

/// What `status` says with a look at AWS: how the rules really divide the traffic, and what the next pass would wait for.
pub fn status_of(ledger: &Ledger, seen: &Observation, reasons: &[Reason]) -> String {
    let rules = match &seen.rules {
        Reading::Known(Rules { base, release: Some(rule), .. }) => {
            format!("; the release's rule gives {}, the base rule behind it {base}", rule.weights)
        }
        Reading::Known(Rules { base, release: None, .. }) => format!("; the base rule gives {base}"),
        Reading::Unknown(why) => format!("; the rules cannot be read: {}", beginning(why)),
        Reading::NotRead => String::new(),
    };
    let reasons: Vec<String> = reasons.iter().map(in_words).collect();
    format!("{}{rules}; now: {}", status(ledger), reasons.join("; "))
}

/// A reason's word, as it stands in the log, and what it says beside that: `not_proven (waiting i-1 to be healthy)`.
fn in_words(reason: &Reason) -> String {
    if let Some(says) = reason.says() {
        return format!("{} ({says})", reason.word());
    }
    let members = serde_json::to_value(reason).ok();
    let members = members.as_ref().and_then(Value::as_object).into_iter().flatten();
    let details: Vec<String> = members
        .filter(|(name, _)| *name != "reason")
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            other => format!("{name} {other}"),
        })
        .collect();
    let details = details.join(", ");
    let details = beginning(&details);
    if details.is_empty() { reason.word().to_owned() } else { format!("{} ({details})", reason.word()) }
}

fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default()
}

fn status(ledger: &Ledger) -> String {
    let live = match &ledger.live {
        Some(live) => format!("release {} is live on {}", live.upload.number, live.colour),
        None => "no release is live yet: the service answers 503 until the first one succeeds".to_owned(),
    };
    let open = match &ledger.open {
        Some(open) => format!(
            "; {} on {} is {}, {} % intended",
            named(open),
            open.colour,
            open.phase.word(),
            open.intended_percent()
        ),
        None => String::new(),
    };
    let waits = match &ledger.pending {
        Some(pending) => format!("; release {} waits", pending.number),
        None => String::new(),
    };
    let paused = if ledger.paused { "; paused" } else { "" };
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
    format!("{live}{open}{waits}{paused}{last}")
}

fn named(open: &Open) -> String {
    match open.purpose {
        Purpose::Settle => format!("the settling of release {}", open.upload.number),
        Purpose::Release | Purpose::Rollback => format!("{} {}", open.purpose.word(), open.upload.number),
    }
}

fn pause(next: &mut Ledger) -> String {
    if next.paused {
        return "already paused: say resume to go on".to_owned();
    }
    next.paused = true;
    match &next.open {
        Some(open) if is_moving(open) => format!(
            "paused while {}: weights stay where they are until resume; alarms still take a release back",
            open.phase.word()
        ),
        Some(open) if open.purpose == Purpose::Release && open.phase == Phase::Installing => {
            format!("paused while installing: release {} gets no weight until resume", open.upload.number)
        }
        Some(open) => format!(
            "paused: {} is {}, which goes on to its end; the next release gets no weight until resume",
            named(open),
            open.phase.word()
        ),
        None => "paused while idle: no release gets weight until resume".to_owned(),
    }
}

/// Whether its next step is a raise that an operator may hold back, or ask for.
fn is_moving(open: &Open) -> bool {
    open.purpose == Purpose::Release && matches!(open.phase, Phase::Shifting(_) | Phase::Baking(_))
}

fn resume(next: &mut Ledger) -> String {
    if !next.paused {
        return "not paused: nothing to resume".to_owned();
    }
    next.paused = false;
    format!("goes on ({})", next.phase())
}

fn promote(next: &mut Ledger) -> String {
    let Ledger { open: Some(open), paused, .. } = next else {
        return "nothing to promote: no release is open".to_owned();
    };
    if open.is_requested(Request::Abort) {
        return format!("nothing to promote: {} is being given up", named(open));
    }
    if !is_moving(open) {
        let meant = "promote means something while a release is shifting or baking";
        return format!("nothing to promote while {} is {}: {meant}", named(open), open.phase.word());
    }
    *paused = false;
    open.request = Some(Request::Hurry);
    format!("release {} takes all traffic as soon as that is proven safe", open.upload.number)
}

fn abort(next: &mut Ledger) -> String {
    let Some(open) = &mut next.open else {
        return "nothing to abort: no release is open; rollback makes the previous release live again"
            .to_owned();
    };
    let name = named(open);
    match &open.phase {
        Phase::Returning(_) => return format!("{name} is being taken back already"),
        Phase::Promoting(Promotion { agreed: true, .. }) => {
            return format!(
                "too late to abort: {name} has succeeded and is going live; after that, rollback makes the previous release live again"
            );
        }
        _ if open.is_requested(Request::Abort) => return format!("{name} is being given up already"),
        _ => {}
    }
    open.request = Some(Request::Abort);
    match &open.phase {
        Phase::Promoting(_) if open.purpose == Purpose::Release => format!(
            "{name} is given up, unless CodeDeploy has called it a success already: then it goes live, and rollback makes the previous release live again"
        ),
        Phase::Settling => format!(
            "{name} is given up: until a release succeeds, new instances may boot another version than the one that carries traffic"
        ),
        _ => format!("{name} is given up; all traffic stays on or returns to the live colour"),
    }
}

fn rollback(next: &mut Ledger) -> String {
    match (&next.open, &next.previous) {
        (Some(open), _) => {
            format!("no rollback while {} is {}: abort gives it up", named(open), open.phase.word())
        }
        (None, None) => {
            "nothing to roll back to: no previous release is known; push the revision that you want"
                .to_owned()
        }
        (None, Some(_)) if next.rollback => "a rollback is asked for already".to_owned(),
        (None, Some(previous)) => {
            let says =
                format!("release {} on {} takes all traffic again", previous.upload.number, previous.colour);
            next.rollback = true;
            says
        }
    }
}

fn retry(next: &mut Ledger) -> String {
    if let Some(open) = &next.open {
        return format!("no retry while {} is {}", named(open), open.phase.word());
    }
    if let Some(pending) = &next.pending {
        return format!("no retry: release {} opens next", pending.number);
    }
    let last = next.releases.iter().rev().find(|past| past.purpose == Purpose::Release);
    match last {
        Some(past) if matches!(past.verdict, Verdict::Rejected { .. }) => {
            let upload = past.upload.clone();
            let says = format!("release {} is tried once more", upload.number);
            next.pending = Some(upload);
            says
        }
        Some(past) => {
            format!("nothing to retry: release {} ended as {}", past.upload.number, past.verdict.word())
        }
        None => "nothing to retry: no release has ended yet".to_owned(),
    }
}
