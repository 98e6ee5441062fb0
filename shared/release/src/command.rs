//! What an operator can say, with a defined answer in every phase.

use crate::{DrillAsked, Ledger, Open, Past, Phase, Promotion, Purpose, Request, Statement, Verdict};
use crate::{drill, preview, status};
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
    /// Play the way back with what is live, without users.
    Drill,
    /// Let the candidate be asked by a header before its first weight.
    Preview,
    /// Change nothing, say how things are.
    Status,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandAnswer {
    /// Whether anything changes.
    pub changed: bool,
    /// Whether it means nothing in this phase. A command that was carried out already is not refused.
    pub refused: bool,
    /// What happens now, or why nothing does.
    pub says: String,
}

impl Command {
    /// The word that an operator says.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Promote => "promote",
            Self::Abort => "abort",
            Self::Rollback => "rollback",
            Self::Retry => "retry",
            Self::Drill => "drill",
            Self::Preview => "preview",
            Self::Status => "status",
        }
    }

    /// Whether a reason may be given with it: of what takes traffic away, or keeps it from a release, and of a drill, whose
    /// record says who held it.
    pub fn takes_a_reason(self) -> bool {
        match self {
            Self::Pause | Self::Abort | Self::Rollback | Self::Drill => true,
            Self::Resume | Self::Promote | Self::Retry | Self::Preview | Self::Status => false,
        }
    }
}

/// Writes a command into the ledger. A command that means nothing now changes nothing and says so.
pub fn accept_command(ledger: &Ledger, command: Command) -> (Ledger, CommandAnswer) {
    accept_command_with(ledger, command, None)
}

/// The same, with what the operator said. Said again with another reason, a command changes nothing but that.
pub fn accept_command_with(
    ledger: &Ledger,
    command: Command,
    said: Option<&Statement>,
) -> (Ledger, CommandAnswer) {
    let mut next = ledger.clone();
    let taken = match command {
        Command::Status => Ok(status::of_ledger(ledger)),
        Command::Pause => Ok(pause(&mut next, said)),
        Command::Resume => Ok(resume(&mut next)),
        Command::Promote => promote(&mut next),
        Command::Abort => abort(&mut next, said),
        Command::Rollback => rollback(&mut next, said),
        Command::Retry => retry(&mut next),
        Command::Drill => drill(&mut next, said),
        Command::Preview => preview::ask(&mut next, None),
    };
    let changed = next != *ledger;
    let refused = taken.is_err();
    let (Ok(says) | Err(says)) = taken;
    (next, CommandAnswer { changed, refused, says })
}

/// What is said of a command: `Ok` where it is so now, or was so already, `Err` where it means nothing in this phase.
type Taken = Result<String, String>;

pub(crate) fn named(open: &Open) -> String {
    match open.purpose {
        Purpose::Settle => format!("the settling of release {}", open.upload.number),
        Purpose::Drill => format!("the drill with release {}", open.upload.number),
        Purpose::Reinstall => format!("the reinstallation of release {}", open.upload.number),
        Purpose::Release | Purpose::Rollback => format!("{} {}", open.purpose.word(), open.upload.number),
    }
}

/// The last reason counts; a command without one takes none away.
fn note(noted: &mut Option<Statement>, said: Option<&Statement>) {
    if let Some(said) = said {
        *noted = Some(said.clone());
    }
}

fn pause(next: &mut Ledger, said: Option<&Statement>) -> String {
    if next.paused {
        note(&mut next.pause_said, said);
        let noted = said.map_or("", |_| ", and the reason is noted");
        return format!("already paused{noted}: say resume to go on");
    }
    // Without a reason none: a version that knows of no reasons may have left the last one.
    next.pause_said = said.cloned();
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

/// The preview first: a pause may be somebody else's, who has not looked yet.
fn resume(next: &mut Ledger) -> String {
    let ended = next.open.as_mut().and_then(|open| open.ends_preview().then(|| named(open)));
    if let Some(name) = ended {
        return if next.paused {
            format!("the preview of {name} is over; still paused: resume once more")
        } else {
            format!("goes on ({}): the preview of {name} is over", next.phase())
        };
    }
    let was_paused = std::mem::take(&mut next.paused);
    next.pause_said.take_if(|_| was_paused);
    if was_paused && next.open.is_none() {
        "the pause is over: the next release may get traffic".to_owned()
    } else if was_paused {
        format!("goes on ({})", next.phase())
    } else {
        "not paused: nothing to resume".to_owned()
    }
}

fn promote(next: &mut Ledger) -> Taken {
    let Ledger { open: Some(open), paused, pause_said, .. } = next else {
        return Err("nothing to promote: no release is open".to_owned());
    };
    if open.is_requested(Request::Abort) {
        return Err(format!("nothing to promote: {} is being given up", named(open)));
    }
    if !is_moving(open) {
        let meant = "promote means something while a release is shifting or baking";
        return Err(format!("nothing to promote while {} is {}: {meant}", named(open), open.phase.word()));
    }
    (*paused, *pause_said) = (false, None);
    open.request = Some(Request::Hurry);
    open.ends_preview();
    let number = open.upload.number;
    Ok(match open.phase {
        Phase::Baking(_) => {
            format!("release {number} succeeds without the rest of its bake, as soon as that is proven safe")
        }
        _ => format!("release {number} takes all traffic as soon as that is proven safe"),
    })
}

fn abort(next: &mut Ledger, said: Option<&Statement>) -> Taken {
    let Some(open) = &mut next.open else { return Err(nothing_to_abort(&next.releases)) };
    let name = named(open);
    match &open.phase {
        Phase::Returning(_) => return Ok(format!("{name} is being taken back already")),
        Phase::Promoting(Promotion { agreed: true, .. }) => {
            return Err(format!(
                "too late to abort: {name} has succeeded and is going live; after that, rollback makes the previous release live again"
            ));
        }
        _ if open.is_requested(Request::Abort) => {
            note(&mut open.said, said);
            return Ok(format!("{name} is being given up already"));
        }
        _ => {}
    }
    open.said = said.cloned();
    open.request = Some(Request::Abort);
    Ok(match &open.phase {
        Phase::Promoting(_) if open.purpose == Purpose::Release => format!(
            "{name} is given up, unless CodeDeploy has called it a success already: then it goes live, and rollback makes the previous release live again"
        ),
        Phase::Settling => format!(
            "{name} is given up: until a release succeeds, new instances may boot another version than the one that carries traffic"
        ),
        _ => format!("{name} is given up; all traffic stays on or returns to the live colour"),
    })
}

/// Whoever says it may have been overtaken by what takes a release back by itself.
fn nothing_to_abort(releases: &[Past]) -> String {
    match releases.last() {
        Some(Past {
            purpose: Purpose::Release,
            verdict: Verdict::Rejected { .. },
            upload,
            closed_at,
            ..
        }) => {
            format!(
                "nothing to abort: no release is open; release {} was rejected at {} and has no traffic, and rollback takes back what is live",
                upload.number,
                closed_at.strftime("%Y-%m-%d %H:%M:%S UTC")
            )
        }
        _ => {
            "nothing to abort: no release is open; rollback makes the previous release live again".to_owned()
        }
    }
}

/// A drill delays no rollback: it is given up, and the rollback begins when it has ended. A reinstallation goes on, because
/// nothing makes the previous version ready sooner.
fn rollback(next: &mut Ledger, said: Option<&Statement>) -> Taken {
    if let Some(open) = next.open.as_ref().filter(|open| !open.purpose.never_has_weight()) {
        let (name, phase) = (named(open), open.phase.word());
        return Err(format!("no rollback while {name} is {phase}: abort gives it up"));
    }
    let Some(previous) = &next.previous else {
        return Err("nothing to roll back to: no previous release is known; push the revision that you want"
            .to_owned());
    };
    if next.rollback {
        note(&mut next.rollback_said, said);
        return Ok("a rollback is asked for already".to_owned());
    }
    let (number, colour) = (previous.upload.number, previous.colour);
    let says = match &mut next.open {
        Some(open) if open.purpose == Purpose::Reinstall => {
            let abort = match open.phase {
                Phase::Installing => "abort ends that sooner",
                _ => "abort would cost an installation",
            };
            let name = named(open);
            format!(
                "release {number} takes all traffic when {name} has ended: at once if it stands by on {colour} by then, else when it is installed there; {abort}"
            )
        }
        Some(drill) => {
            if !matches!(drill.phase, Phase::Returning(_)) {
                drill.request = Some(Request::Abort);
            }
            format!(
                "{} is given up, and then release {number} is installed again on {colour} and takes all traffic",
                named(drill)
            )
        }
        None => format!("release {number} on {colour} takes all traffic again"),
    };
    (next.rollback, next.rollback_said) = (true, said.cloned());
    Ok(says)
}

/// What time says against it [`crate::accept_drill`] has asked, and the pass that begins it asks again.
fn drill(next: &mut Ledger, said: Option<&Statement>) -> Taken {
    if let Some(asked) = &mut next.drill {
        note(&mut asked.said, said);
        return Ok("a drill is asked for already".to_owned());
    }
    if let Some(open) = next.open.as_ref().filter(|open| open.purpose == Purpose::Drill) {
        return Ok(format!("{} is {} already", named(open), open.phase.word()));
    }
    if let Some(open) = next.open.as_ref().filter(|open| open.purpose == Purpose::Reinstall) {
        return Ok(format!("the drill is over, and {} is {}", named(open), open.phase.word()));
    }
    if let Some(why) = drill::against(next) {
        return Err(format!("no drill: {why}"));
    }
    let Some(live) = &next.live else { return Err(format!("no drill: {}", drill::NOTHING_LIVE)) };
    let says = drill::beforehand(live, next.previous.as_ref());
    next.drill = Some(DrillAsked { said: said.cloned(), ..DrillAsked::default() });
    Ok(says)
}

fn retry(next: &mut Ledger) -> Taken {
    if let Some(open) = &next.open {
        return Err(format!("no retry while {} is {}", named(open), open.phase.word()));
    }
    let last = next.releases.iter().rev().find(|past| past.purpose == Purpose::Release);
    if let Some(pending) = &next.pending {
        let says = format!("release {} opens next", pending.number);
        let is_the_last = last.is_some_and(|past| past.upload == *pending);
        return if is_the_last { Ok(says) } else { Err(format!("no retry: {says}")) };
    }
    match last {
        Some(past) if matches!(past.verdict, Verdict::Rejected { .. }) => {
            let upload = past.upload.clone();
            let waits = next
                .frozen
                .as_ref()
                .map(|freeze| format!(", when the freeze is over: {}, or thaw", freeze.until));
            let says = format!("release {} is tried once more{}", upload.number, waits.unwrap_or_default());
            next.pending = Some(upload);
            Ok(says)
        }
        Some(past) => {
            Err(format!("nothing to retry: release {} ended as {}", past.upload.number, past.verdict.word()))
        }
        None => Err("nothing to retry: no release has ended yet".to_owned()),
    }
}
