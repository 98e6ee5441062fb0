//! What becomes of an upload: order comes from the bundle's number, not from arrival.

use crate::{Aside, Ledger, Past, Purpose, ReleaseNumber, UnknownFields, Upload, Verdict, VerdictWord};
use jiff::Timestamp;

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Nothing is open: it opens at once.
    Opens,
    /// The open release has no weight yet: it is stopped, and this one opens.
    Supersedes {
        /// The one that is stopped.
        open: ReleaseNumber,
    },
    /// The open release has weight already: this one waits for its end.
    Waits {
        /// The one it waits for.
        open: ReleaseNumber,
    },
    /// This object version was offered before: the same release, nothing changes.
    Known {
        /// What is known of it.
        word: VerdictWord,
        /// In a sentence.
        reason: String,
    },
    /// It is not taken.
    Refused(Refusal),
}

/// Why an upload is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not above what carries traffic.
    #[error(
        "release {number} is older than live ({live}): push again, or upload it again with the tag greenlight:allow-downgrade=true"
    )]
    OlderThanLive {
        /// Its number.
        number: ReleaseNumber,
        /// The live one.
        live: ReleaseNumber,
    },
    /// Not above what is under way.
    #[error("release {number} is older than the open release {open}: push again")]
    OlderThanOpen {
        /// Its number.
        number: ReleaseNumber,
        /// The open one.
        open: ReleaseNumber,
    },
    /// A newer one waits already.
    #[error("release {number} is superseded by {by}, which waits already")]
    OlderThanWaiting {
        /// Its number.
        number: ReleaseNumber,
        /// The newer one.
        by: ReleaseNumber,
    },
    /// Other bytes under a number that was used.
    #[error(
        "release number {number} was used before with other bytes: push again, so that it gets a number of its own"
    )]
    NumberUsed {
        /// The number.
        number: ReleaseNumber,
    },
}

impl Refusal {
    /// The word on the uploaded object's tag.
    pub fn verdict(&self) -> VerdictWord {
        self.as_verdict().word()
    }

    fn as_verdict(&self) -> Verdict {
        match self {
            Self::OlderThanWaiting { by, .. } => Verdict::Superseded { by: *by },
            Self::OlderThanLive { .. } | Self::OlderThanOpen { .. } | Self::NumberUsed { .. } => {
                Verdict::Rejected { reason: self.to_string() }
            }
        }
    }
}

/// What an object's own tags say of it, when the ledger has forgotten it: a verdict that was told stays true for that
/// object version, whatever the ledger would make of it today.
///
/// `told`: the verdict and the reason on its tags. `None`: they say nothing that lasts, or the ledger knows better.
pub fn known_by_its_tags(
    ledger: &Ledger,
    upload: &Upload,
    told: Option<(VerdictWord, &str)>,
) -> Option<Offer> {
    let (word, reason) = told.filter(|(word, _)| word.is_final())?;
    let forgotten = known(ledger, upload).is_none();
    forgotten.then(|| Offer::Known { word, reason: reason.to_owned() })
}

/// Decides what becomes of an upload and writes it into the ledger, a refusal too: S3's duplicate, Lambda's retry and a
/// redrive of the same object version hear the same.
///
/// `allow_downgrade`: the object carries the tag that allows an older bundle to go live.
pub fn accept_upload(
    ledger: Ledger,
    upload: Upload,
    allow_downgrade: bool,
    now: Timestamp,
) -> (Ledger, Offer) {
    if let Some(known) = known(&ledger, &upload) {
        return (ledger, known);
    }
    let mut next = ledger;
    if let Some(refusal) = refusal(&next, &upload, allow_downgrade) {
        next.remember_refused(upload, refusal.as_verdict());
        return (next, Offer::Refused(refusal));
    }
    let number = upload.number;
    if let Some(older) = next.pending.replace(upload) {
        let colour = next.open.as_ref().map_or(super::Colour::Blue, |open| open.colour);
        next.remember(Past {
            purpose: Purpose::Release,
            upload: older,
            colour,
            attempt: 0,
            deployment: None,
            verdict: Verdict::Superseded { by: number },
            opened_at: now,
            closed_at: now,
            told: false,
            tell_tried_at: None,
            untold_for: None,
            receipt: Aside::default(),
            exposure: Aside::default(),
            unknown_fields: UnknownFields::default(),
        });
    }
    let offer = match &next.open {
        None => Offer::Opens,
        Some(open) if next.next_upload(now).is_some() && next.makes_room(open, number) => {
            Offer::Supersedes { open: open.upload.number }
        }
        Some(open) => Offer::Waits { open: open.upload.number },
    };
    (next, offer)
}

fn known(ledger: &Ledger, upload: &Upload) -> Option<Offer> {
    let is = |other: &Upload| other.revision == upload.revision;
    let known = |word, reason: String| Some(Offer::Known { word, reason });
    if let Some(open) =
        ledger.open.as_ref().filter(|open| is(&open.upload) && open.purpose == Purpose::Release)
    {
        return known(
            VerdictWord::Accepted,
            format!("release {} is {}", open.upload.number, open.phase.word()),
        );
    }
    if ledger.pending.as_ref().is_some_and(is) {
        return known(VerdictWord::Waiting, "waits for the open release to end".to_owned());
    }
    if let Some(live) = ledger.live.as_ref().filter(|live| is(&live.upload)) {
        return known(VerdictWord::Live, format!("release {} carries all traffic", live.upload.number));
    }
    let ended = ledger.releases.iter().rev().map(|past| (&past.upload, &past.verdict));
    let refused = ledger.refused.iter().rev().map(|refused| (&refused.upload, &refused.verdict));
    let (_, verdict) = ended.chain(refused).find(|(upload, _)| is(upload))?;
    known(verdict.word(), verdict.reason())
}

fn refusal(ledger: &Ledger, upload: &Upload, allow_downgrade: bool) -> Option<Refusal> {
    let number = upload.number;
    let used = |other: &Upload| other.number == number;
    let open = ledger.open.as_ref().filter(|open| open.purpose == Purpose::Release).map(|open| &open.upload);
    let live = ledger.live.as_ref().map(|live| &live.upload);
    let in_use = [open, live, ledger.pending.as_ref()].into_iter().flatten().any(used);
    let was_used = ledger.releases.iter().any(|past| used(&past.upload));
    // Who allows a downgrade names what was released before.
    if in_use || was_used && !allow_downgrade {
        return Some(Refusal::NumberUsed { number });
    }
    if let Some(waiting) = ledger.pending.as_ref().filter(|waiting| waiting.number > number) {
        return Some(Refusal::OlderThanWaiting { number, by: waiting.number });
    }
    if allow_downgrade {
        return None;
    }
    if let Some(live) = live.filter(|live| live.number > number) {
        return Some(Refusal::OlderThanLive { number, live: live.number });
    }
    open.filter(|open| open.number > number).map(|open| Refusal::OlderThanOpen { number, open: open.number })
}
