//! Services as they may be at night, for the tests and to be looked at.

use jiff::{SignedDuration, Timestamp};
use page::{Firewall, Service};
use release::evidence::{Counted, Minute, Sum};
use release::{
    Colour, Commit, Exposure, Freeze, Held, Instances, Ledger, Open, PerColour, Receipt, ServiceName, Status,
    UnknownFields, Verdict,
};
use std::path::{Path, PathBuf};

/// A file of the release domain's tests.
fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../release/tests");
    std::fs::read(folder.join(name)).expect("the file is there")
}

/// The names of the stored ledgers, in order.
pub(crate) fn names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../release/tests/ledgers/schema-3");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the folder is there").flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect()
}

/// A stored ledger.
pub(crate) fn ledger(name: &str) -> Ledger {
    Ledger::from_json(&file(&format!("ledgers/schema-3/{name}.json"))).expect("it is a ledger")
}

/// A release that was taken back, as it is documented.
pub(crate) fn receipt() -> Receipt {
    serde_json::from_slice(&file("receipts/rejected.json")).expect("it is a receipt")
}

/// A service with this ledger, whose release has what it is meant to have.
pub(crate) fn service(ledger: Ledger) -> Service {
    let live = ledger.live.as_ref().map_or(Colour::Green, |live| live.colour);
    let open = ledger.open.as_ref();
    let share = open.filter(|open| open.colour != live).map_or(0, Open::intended_percent);
    let traffic = match live {
        Colour::Blue => PerColour { blue: 100 - share, green: share },
        Colour::Green => PerColour { blue: share, green: 100 - share },
    };
    let at = open.map_or_else(|| receipt().closed_at, |open| open.since);
    let healthy = Some(Instances { healthy: 2, registered: 2 });
    let status = Status {
        at: at.checked_add(SignedDuration::from_mins(4)).expect("a time"),
        says: String::new(),
        traffic: Some(traffic),
        instances: PerColour { blue: healthy, green: open.map(|_| Instances { healthy: 1, registered: 2 }) },
        now: match open {
            Some(_) => vec!["the candidate stays at its weight for another 240 s".to_owned()],
            None => vec!["no release is open".to_owned()],
        },
    };
    Service::Known { ledger: Box::new(ledger), status }
}

/// A service whose last release was rejected for its requests.
pub(crate) fn rejected() -> Ledger {
    let mut ledger = ledger("idle-after-a-rejection");
    let receipt = receipt();
    if let Some(past) = ledger.releases.last_mut() {
        past.upload.number = receipt.number;
        past.upload.commit = receipt.commit.clone();
        (past.opened_at, past.closed_at) = (receipt.opened_at, receipt.closed_at);
        past.verdict = Verdict::Rejected { reason: receipt.reason.clone() };
        past.exposure.0 = Some(Exposure { seconds: 550, failed: receipt.failed_by_candidate });
        past.receipt.0 = Some(Box::new(receipt));
    }
    ledger
}

/// A service with a release that is judged by its requests.
pub(crate) fn shifting() -> Ledger {
    let mut ledger = ledger("shifting-in-trouble-paused-one-waits");
    ledger.service = ServiceName::new("frontend").expect("a name");
    ledger.paused = false;
    if let Some(open) = &mut ledger.open {
        let receipt = receipt();
        let course = &mut open.course.0;
        course.opened_at = Some(receipt.opened_at);
        course.steps = receipt.steps;
        if let Some(last) = course.steps.last_mut() {
            (last.until, last.requests) = (None, None);
            open.since = last.since;
        }
        let sum = |arrived, failed| Sum { arrived, failed, ..Sum::default() };
        let minute = Minute { minute: 0, blue: sum(431, 2), green: sum(44, 1) };
        open.counted = Some(Box::new(Counted { closed: vec![minute], ..Counted::default() }));
    }
    ledger
}

/// Who is kept out at night.
pub(crate) fn firewall() -> Firewall {
    let document =
        br#"{"schema": 1, "at": "2026-11-28T14:58:00Z", "mode": "block", "challenged": 4, "held": 0,
        "blocked": {"scanning": 31, "brute force": 12, "blocked by hand": 1}}"#;
    Firewall::read(Some(document))
}

/// What somebody writes who would have the page do something.
pub(crate) const HOSTILE: &str =
    "</style></p><script>alert(1)</script><img src=x onerror=alert(1)>\" onload=\"x\u{202e}\u{7}&lt;";

/// What somebody may have written where the firewall's document lies.
pub(crate) fn hostile_firewall() -> Firewall {
    let document = serde_json::json!({
        "schema": 1, "at": "2026-11-28T14:58:00Z", "mode": "block", "challenged": u64::MAX, "held": 3,
        "blocked": { HOSTILE: u64::MAX, "brute force": 12, "w".repeat(400): 1, "\u{5e9}\u{5dc}\u{5d5}\u{5dd}": 2 },
    });
    Firewall::read(Some(document.to_string().as_bytes()))
}

pub(crate) fn frozen(reason: &str) -> Freeze {
    let until = "2099-12-27T06:00:00Z".parse().expect("a time");
    Freeze { since: now(), until, reason: reason.to_owned(), unknown_fields: UnknownFields::default() }
}

/// A service with as much as can stand in a page, with `text` wherever somebody else may write.
pub(crate) fn full(name: String, text: &str) -> Service {
    let mut ledger = shifting();
    ledger.service = ServiceName::new(name).expect("a name");
    let mut past = rejected().releases.pop().expect("a release");
    past.verdict = Verdict::Rejected { reason: text.to_owned() };
    past.untold_for = Some(text.to_owned());
    past.upload.commit = Commit::new("a".repeat(40)).expect("a commit");
    ledger.releases = vec![past; Ledger::REMEMBERED];
    ledger.frozen = Some(frozen(text));
    if let Some(open) = &mut ledger.open {
        let step = open.course.0.steps.first().cloned().expect("a step");
        open.course.0.steps = vec![Held { reason: text.to_owned(), ..step }; 110];
    }
    let mut service = service(ledger);
    if let Service::Known { status, .. } = &mut service {
        status.now = vec![text.to_owned(); 40];
    }
    service
}

/// When the page is written.
pub(crate) fn now() -> Timestamp {
    "2026-11-28T15:05:00Z".parse().expect("a time")
}
