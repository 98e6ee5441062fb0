//! A service and its releases as text.

use super::answer::Shown;
use super::show::sums;
use jiff::Timestamp;
use release::{Colour, Freeze, Instances, Ledger, Past, Purpose, Statement, Status, Verdict};
use std::fmt::Write as _;
use std::time::Duration;

/// The column in which what stands behind the first word of a line begins.
pub(super) const HANG: usize = 9;

/// Cells of a bar.
const BAR: usize = 20;

/// One service, first what has the traffic, then what is under way.
pub(crate) fn status(shown: &Shown) -> String {
    let (ledger, status) = match shown {
        Shown::Known { ledger, status } => (ledger, status),
        Shown::Failed { service, error } => return format!("{service}\n  cannot be read: {error}\n"),
        Shown::Told { service, says } => {
            return format!(
                "{service}\n  {says}\n  (the stack runs another version of Greenlight than this one)\n"
            );
        }
    };
    let mut lines = vec![ledger.service.to_string()];
    for colour in Colour::BOTH {
        lines.push(of_colour(colour, ledger, status));
    }
    if ledger.live.is_none() {
        lines.push(
            "  live   nothing yet: the service answers 503 until its first release succeeds".to_owned(),
        );
    }
    for sentence in &status.now {
        lines.push(format!("  now    {sentence}"));
    }
    if let Some(counted) = ledger.open.as_ref().and_then(|open| open.counted.as_ref()) {
        lines.extend(sums(&counted.sums()).iter().map(|line| format!("  so far {line}")));
    }
    if let Some(said) = ledger.open.as_ref().and_then(|open| open.said.as_ref()) {
        lines.push(format!("  said   {said}"));
    }
    if let Some(pending) = &ledger.pending {
        lines.push(format!("  next   release {} ({}) waits", pending.number, pending.commit));
    }
    if ledger.paused {
        let said = Statement::bracketed(ledger.pause_said.as_ref());
        let held = ledger
            .open
            .as_ref()
            .map_or("the next release gets no traffic", |_| "no release gets more traffic");
        lines.push(format!("  paused by an operator{said}: {held} until resume"));
    }
    if let Some(freeze) = ledger.frozen.as_ref().filter(|freeze| freeze.until > status.at) {
        let Freeze { until, reason, .. } = freeze;
        lines.push(format!("  frozen until {until}, or until thaw: no release opens: {reason}"));
    }
    if let Some(last) = ledger.releases.last() {
        lines.push(format!("  last   {}", of_past(last)));
        if let Some(why) = &last.untold_for {
            lines.push(format!("         its object could not be told: {why}"));
        }
    }
    if let Some(drilled) = &ledger.drilled {
        lines.push(format!("  drill  {}: {drilled}", drilled.closed_at.strftime("%Y-%m-%d %H:%M UTC")));
    }
    if let Some(reinstalled) = &ledger.reinstalled {
        lines.push(format!(
            "         {}: {reinstalled}",
            reinstalled.closed_at.strftime("%Y-%m-%d %H:%M UTC")
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn of_colour(colour: Colour, ledger: &Ledger, status: &Status) -> String {
    let share = status.traffic.map(|traffic| *traffic.of(colour));
    let traffic = match share {
        Some(percent) => format!("{} {percent:>3} %", bar(percent)),
        None => format!("{}   ? %", " ".repeat(BAR)),
    };
    let instances = match status.instances.of(colour) {
        Some(Instances { healthy, registered }) => format!("{healthy} of {registered} healthy"),
        None => "health unknown".to_owned(),
    };
    format!("  {:<6} {traffic}  {instances:<14}  {}", colour.word(), runs(colour, ledger, status.at))
        .trim_end()
        .to_owned()
}

/// What runs on a colour.
fn runs(colour: Colour, ledger: &Ledger, now: Timestamp) -> String {
    if let Some(open) = ledger.open.as_ref().filter(|open| open.colour == colour) {
        let intended = open.intended_percent();
        let purpose = match open.purpose {
            Purpose::Release | Purpose::Settle => "",
            Purpose::Drill => ", a drill,",
            Purpose::Reinstall => ", installed again after a drill,",
            Purpose::Rollback => ", a rollback,",
        };
        return format!(
            "release {} ({}){purpose} is {} for {}, {intended} % intended",
            open.upload.number,
            open.upload.commit,
            open.phase.word(),
            ago(open.since, now)
        );
    }
    if let Some(live) = ledger.live.as_ref().filter(|live| live.colour == colour) {
        return format!(
            "release {} ({}) is live for {}",
            live.upload.number,
            live.upload.commit,
            ago(live.since, now)
        );
    }
    match ledger.previous.as_ref().filter(|previous| previous.colour == colour) {
        Some(previous) if previous.overwritten => "idle".to_owned(),
        Some(previous) => {
            format!("release {} ({}), the previous one", previous.upload.number, previous.upload.commit)
        }
        None => "idle".to_owned(),
    }
}

fn bar(percent: u8) -> String {
    let full = (usize::from(percent) * BAR).div_ceil(100).min(BAR);
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

/// A time that has passed, in its two largest units.
pub(super) fn ago(since: Timestamp, now: Timestamp) -> String {
    let passed = Duration::try_from(now.duration_since(since)).unwrap_or_default().as_secs();
    match passed {
        0..60 => format!("{passed} s"),
        60..3600 => format!("{} min {} s", passed / 60, passed % 60),
        3600..86_400 => format!("{} h {} min", passed / 3600, passed / 60 % 60),
        _ => format!("{} d {} h", passed / 86_400, passed / 3600 % 24),
    }
}

/// The last releases, the newest first.
pub(crate) fn releases(ledger: &Ledger) -> String {
    let mut page = String::new();
    if let Some(open) = &ledger.open {
        let (what, since) = (named(open.purpose), open.opened_at.strftime("%Y-%m-%d %H:%M UTC"));
        let (number, commit, colour) = (open.upload.number, &open.upload.commit, open.colour);
        writeln!(page, "{what} {number} ({commit}) on {colour} is {}, opened {since}", open.phase.word())
            .unwrap_or_default();
    }
    for past in ledger.releases.iter().rev() {
        writeln!(page, "{}", of_past(past)).unwrap_or_default();
    }
    if page.is_empty() { "no release has ended yet\n".to_owned() } else { page }
}

pub(super) fn named(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Release => "release",
        Purpose::Rollback => "the rollback to release",
        Purpose::Settle => "the settling of release",
        Purpose::Drill => "the drill with release",
        Purpose::Reinstall => "the reinstallation of release",
    }
}

fn of_past(past: &Past) -> String {
    let Past { purpose, upload, colour, verdict, opened_at, closed_at, .. } = past;
    let what = named(*purpose);
    let ended = closed_at.strftime("%Y-%m-%d %H:%M UTC");
    let took = ago(*opened_at, *closed_at);
    let head = format!("{what} {} ({}) on {colour}", upload.number, upload.commit);
    match verdict {
        Verdict::Live => format!("{head} went live, {ended}, after {took}"),
        _ => format!("{head} was {}, {ended}, after {took}: {}", verdict.word(), verdict.reason()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use release::PerColour;
    use serde_json::json;
    use std::path::Path;

    fn ledgers() -> Vec<(String, Ledger)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/release/tests/ledgers/schema-2");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
            .into_iter()
            .map(|file| {
                let name = file.file_stem().unwrap().to_string_lossy().into_owned();
                (name, Ledger::from_json(&std::fs::read(&file).unwrap()).unwrap())
            })
            .collect()
    }

    #[test]
    fn a_service_in_each_phase_is_a_page() {
        let both = Some(Instances { healthy: 2, registered: 2 });
        let mut pages = String::new();
        for (name, ledger) in ledgers() {
            let now = ledger.open.as_ref().map_or(Timestamp::UNIX_EPOCH, |open| open.since);
            let seen = Status {
                at: now.checked_add(Duration::from_secs(90_061)).unwrap(),
                says: String::new(),
                traffic: Some(PerColour { blue: 99, green: 1 }),
                instances: PerColour { blue: both, green: None },
                now: vec!["the candidate stays at its weight for another 240 s".to_owned()],
            };
            let page = status(&Shown::Known { ledger: Box::new(ledger), status: seen });
            writeln!(pages, "{name}\n\n{page}").unwrap();
        }
        insta::assert_snapshot!(pages);
    }

    #[test]
    fn the_last_releases_are_listed_the_newest_first() {
        let mut pages = String::new();
        for (name, ledger) in ledgers() {
            writeln!(pages, "{name}\n{}", releases(&ledger)).unwrap();
        }
        insta::assert_snapshot!(pages);
    }

    #[test]
    fn a_service_that_cannot_be_read_or_understood_is_told_all_the_same() {
        let read = |answer| status(&Shown::read(&answer).unwrap());
        insta::assert_snapshot!(
            read(json!({"service": "backend", "error": "reading ledger/backend.json failed: throttled"})),
            @r"
        backend
          cannot be read: reading ledger/backend.json failed: throttled
        "
        );
        let newer =
            json!({"service": "backend", "says": "release 7 is live on blue", "ledger": {"schema": 99}});
        insta::assert_snapshot!(
            read(newer),
            @r"
        backend
          release 7 is live on blue
          (the stack runs another version of Greenlight than this one)
        "
        );
        assert!(Shown::read(&json!({"says": "?"})).is_err());
    }

    #[test]
    fn a_share_that_is_not_nothing_has_a_cell() {
        assert_eq!(
            (bar(0).matches('█').count(), bar(1).matches('█').count(), bar(100).matches('█').count()),
            (0, 1, BAR)
        );
    }
}
