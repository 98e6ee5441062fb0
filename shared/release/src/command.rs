//! What an operator can say, with a defined answer in every phase.

use crate::{Ledger, Phase, Purpose, Request, Verdict};
use serde::{Deserialize, Serialize};

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
    let phase = ledger.phase();
    let mut next = ledger.clone();
    let says = match command {
        Command::Status => status(ledger),
        Command::Pause if !ledger.paused => {
            next.paused = true;
            format!(
                "paused while {phase}: weights stay where they are until resume; alarms still take a release back"
            )
        }
        Command::Pause => "already paused: say resume to go on".to_owned(),
        Command::Resume if ledger.paused => {
            next.paused = false;
            format!("goes on ({phase})")
        }
        Command::Resume => "not paused: nothing to resume".to_owned(),
        Command::Promote => promote(&mut next),
        Command::Abort => abort(&mut next),
        Command::Rollback => rollback(&mut next),
        Command::Retry => retry(&mut next),
    };
    let changed = next != *ledger;
    (next, CommandAnswer { changed, says })
}

fn status(ledger: &Ledger) -> String {
    let live = match &ledger.live {
        Some(live) => format!("release {} is live on {}", live.upload.number, live.colour),
        None => {
            "no release is live yet: the service answers 502 or 503 until the first one succeeds".to_owned()
        }
    };
    let open = match &ledger.open {
        Some(open) => format!(
            "; {} {} on {} is {} at {} %",
            open.purpose.word(),
            open.upload.number,
            open.colour,
            open.phase.word(),
            open.intended_percent()
        ),
        None => String::new(),
    };
    let paused = if ledger.paused { "; paused" } else { "" };
    let last = match ledger.releases.last() {
        Some(past) => {
            format!("; last: {} {}, {}", past.upload.number, past.verdict.word(), past.verdict.reason())
        }
        None => String::new(),
    };
    format!("{live}{open}{paused}{last}")
}

fn promote(next: &mut Ledger) -> String {
    next.paused = false;
    match &mut next.open {
        Some(open) if matches!(open.phase, Phase::Shifting(_) | Phase::Baking(_)) => {
            open.request.get_or_insert(Request::Hurry);
            format!("release {} takes all traffic as soon as that is proven safe", open.upload.number)
        }
        Some(open) => format!(
            "nothing to promote while {}: promote means something while shifting or baking",
            open.phase.word()
        ),
        None => "nothing to promote: no release is open".to_owned(),
    }
}

fn abort(next: &mut Ledger) -> String {
    match &mut next.open {
        Some(open) if matches!(open.phase, Phase::Returning(_)) => {
            format!("release {} is being taken back already", open.upload.number)
        }
        Some(open) => {
            open.request = Some(Request::Abort);
            format!(
                "{} {} is given up; all traffic stays on or returns to the live colour",
                open.purpose.word(),
                open.upload.number
            )
        }
        None => {
            "nothing to abort: no release is open; rollback makes the previous release live again".to_owned()
        }
    }
}

fn rollback(next: &mut Ledger) -> String {
    match (&next.open, &next.previous) {
        (Some(open), _) => {
            format!(
                "no rollback while release {} is {}: abort gives it up",
                open.upload.number,
                open.phase.word()
            )
        }
        (None, None) => {
            "nothing to roll back to: no previous release is known; push the revision that you want"
                .to_owned()
        }
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
        return format!("no retry while release {} is {}", open.upload.number, open.phase.word());
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
