//! From an event to verdicts: each record by itself, then one reconcile per service.
//!
//! S3 invokes the function asynchronously. If it returns an error, Lambda retries twice and then keeps the event in the
//! on-failure queue.
//! - An object that breaks a rule is rejected: its tags and the log say why, and the answer is `Ok`. A retry would
//!   change nothing, and the evidence stays on the object.
//! - An event that cannot be acted on (not S3's, no versions) names no object whose tags could say so. The answer is an
//!   error, so that Lambda keeps the event.
//! - A failed call of AWS is an error too. A retry is harmless: the same object version is the same release.
//! - Once the ledger holds the upload, a failed call is only logged: the next tick carries on from there.

use crate::bundles::{Bundles, ObjectTags, ReadFailure};
use crate::event::{Ignored, Unusable, UploadNotice, Uploaded, read};
use crate::key::{self, BundleKey};
use crate::verdict::{Rejection, ToldVerdict, listing};
use appspec::finding::Severity;
use bundle::{Expected, Limits, inspect};
use futures::{FutureExt, TryFutureExt};
use greenlight::decision_log;
use greenlight::failure::{Class, Excerpt, Failure, KeyExcerpt, chain};
use greenlight::ports::{Clock, Ports};
use greenlight::reconcile::{amend, read as read_ledger, reconcile};
use greenlight::settings::Settings;
use release::{
    Offer, Revision, ServiceName, UnknownFields, Upload, VerdictWord, Wake, accept_upload, known_by_its_tags,
};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;

/// What the function works with.
#[derive(Debug)]
pub struct Surroundings<'a, P, B, C> {
    /// The release path's ports.
    pub ports: &'a P,
    /// The uploaded bundles.
    pub bundles: &'a B,
    /// The clock.
    pub clock: &'a C,
    /// What the function is told about its stack.
    pub settings: &'a Settings,
    /// How much of a bundle is looked at.
    pub limits: &'a Limits,
}

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Handled {
    /// The object, or empty if the record names none.
    pub key: String,
    /// In a word.
    pub verdict: HandledAs,
    /// In a sentence.
    pub reason: String,
}

/// What became of one record, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HandledAs {
    /// Its object names nothing that this stack releases.
    Ignored,
    /// A call failed: the event is tried again.
    Failed,
    /// Its object was judged.
    #[serde(untagged)]
    Judged(VerdictWord),
}

impl HandledAs {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Judged(word) => word.as_str(),
        }
    }
}

/// Handles one invocation.
///
/// # Errors
/// When an event cannot be acted on (permanent) or a call of AWS failed, after all other records were handled.
pub async fn handle<P: Ports, B: Bundles, C: Clock>(
    with: &Surroundings<'_, P, B, C>,
    payload: Value,
) -> Result<Vec<Handled>, Failure> {
    decision_log::log_faults(with.settings);
    let mut handled = Vec::new();
    let mut failures = Vec::new();
    let mut services = BTreeSet::new();
    for record in read(&payload) {
        let key = record.key().map(ToString::to_string).unwrap_or_default();
        match caught(&key, handle_record(with, record, &mut services)).await {
            Ok((verdict, reason)) => handled.push(Handled { key, verdict, reason }),
            Err(failure) => {
                tracing::error!(
                    bundle_key = key,
                    decision = "failed",
                    failure_class = failure.class().word(),
                    error = chain(&failure),
                    "a record could not be handled; Lambda sends the event twice more and then keeps it in the on-failure queue"
                );
                handled.push(Handled { key, verdict: HandledAs::Failed, reason: failure.to_string() });
                failures.push(failure.recorded());
            }
        }
    }
    for service in &services {
        let reconciled = reconcile(with.ports, service, &with.settings.policy, with.clock, Wake::Event)
            .map_err(|no_ledger| decision_log::failure_without_ledger(service, no_ledger));
        match caught(service.as_str(), reconciled).await {
            Ok(reconciled) => decision_log::log(&reconciled),
            Err(failure) => {
                tracing::error!(
                    service = service.as_str(),
                    failure_class = failure.class().word(),
                    error = chain(&failure),
                    "the uploads are known, and the release could not be carried on; the next tick tries again"
                );
                failures.push(failure.recorded());
            }
        }
    }
    worst(failures).map_or(Ok(handled), Err)
}

/// One bug must not take the other records with it.
async fn caught<T>(what: &str, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|_| Err(Failure::panicked(&format!("handling {what}"))))
}

/// The failure that Lambda hears: one that a repeat may mend, if there is any, and how many others there are.
fn worst(mut failures: Vec<Failure>) -> Option<Failure> {
    let mends = |failure: &Failure| !matches!(failure.class(), Class::Permanent | Class::Bug);
    let worst = failures.iter().position(mends).unwrap_or(0);
    match failures.len() {
        0 => None,
        1 => failures.pop(),
        count => {
            let worst = failures.swap_remove(worst);
            let message = format!("{count} failures, the log has each with its key; one of them");
            Some(Failure::new(worst.class(), message).caused_by(worst).recorded())
        }
    }
}

async fn handle_record<P: Ports, B: Bundles, C: Clock>(
    with: &Surroundings<'_, P, B, C>,
    record: UploadNotice,
    services: &mut BTreeSet<ServiceName>,
) -> Result<(HandledAs, String), Failure> {
    let ignored = |reason: String| (HandledAs::Ignored, reason);
    let judged = |verdict: ToldVerdict| (HandledAs::Judged(verdict.word), verdict.reason);
    // What is wrong in a foreign bucket is not this stack's to judge.
    if let Some(foreign) = record.bucket().filter(|bucket| *bucket != with.settings.artifact_bucket) {
        let object = record.key().map_or_else(|| "an object".to_owned(), ToString::to_string);
        let reason = format!("{object} is in bucket {}, which is not this stack's", Excerpt(foreign));
        tracing::warn!(
            decision = "ignored",
            reason,
            "an upload into another bucket: check the notification's source"
        );
        return Ok(ignored(reason));
    }
    match record {
        UploadNotice::Unusable(unusable) => Err(permanent(&unusable)),
        UploadNotice::Ignored(Ignored { reason, .. }) => {
            tracing::info!(decision = "ignored", reason, "{reason}");
            Ok(ignored(reason))
        }
        UploadNotice::Uploaded(uploaded) => match judge(with, &uploaded).await {
            Ok(Judged::Offered(service, verdict)) => {
                services.insert(service);
                Ok(judged(verdict))
            }
            Ok(Judged::Rejected(verdict)) => Ok(judged(verdict)),
            Err(ReadFailure::Failed(failure)) => Err(failure),
            Err(gone @ (ReadFailure::Gone(_) | ReadFailure::Changed(_))) => {
                let reason = gone.to_string();
                tracing::warn!(decision = "ignored", bundle_key = %uploaded.key, reason, "{reason}");
                Ok(ignored(reason))
            }
        },
    }
}

fn permanent(unusable: &Unusable) -> Failure {
    Failure::new(Class::Permanent, unusable.to_string())
}

enum Judged {
    Offered(ServiceName, ToldVerdict),
    Rejected(ToldVerdict),
}

async fn judge<P: Ports, B: Bundles, C: Clock>(
    with: &Surroundings<'_, P, B, C>,
    uploaded: &Uploaded,
) -> Result<Judged, ReadFailure> {
    let revision = Revision {
        bucket: uploaded.bucket.clone(),
        key: uploaded.key.as_str().to_owned(),
        version: uploaded.version_id.clone(),
        etag: uploaded.etag.clone(),
        unknown_fields: UnknownFields::default(),
    };
    let key = match key::parse(&uploaded.key, with.settings.services.keys()) {
        Ok(key) => key,
        Err(fault) => return reject(with, uploaded, &revision, &Rejection::Key(fault)).await,
    };
    let expected = Expected {
        release_seconds: Some(with.settings.policy.longest_release().as_secs()),
        disk_bytes: Some(with.settings.instances.disk_bytes),
    };
    let inspection = inspect(&with.bundles.bundle(&revision), with.limits, expected).await?;
    let of = |severity| inspection.findings.of_severity(severity, with.settings.instances.agent);
    let warnings: Vec<_> = of(Severity::Warning).collect();
    if !warnings.is_empty() {
        let said = listing(&uploaded.key, "has warnings", &warnings);
        tracing::warn!(bundle_key = %uploaded.key, bundle_version = uploaded.version_id, warnings = warnings.len(), "{said}");
    }
    tracing::info!(bundle_key = %uploaded.key, entries = inspection.entries, unpacked = inspection.unpacked, "{}: {inspection}", uploaded.key);
    let errors: Vec<_> = of(Severity::Error).cloned().collect();
    if !errors.is_empty() {
        let said = listing(&uploaded.key, "was rejected", &errors);
        tracing::warn!(bundle_key = %uploaded.key, faults = errors.len(), "{said}");
        return reject(with, uploaded, &revision, &Rejection::Bundle(errors)).await;
    }
    let BundleKey { service, number, commit } = key;
    let tells_smoke = inspection.tells_smoke;
    let upload = Upload { number, commit, revision, tells_smoke, unknown_fields: UnknownFields::default() };
    let verdict = offer(with, uploaded, &service, upload).await?;
    Ok(Judged::Offered(service, verdict))
}

async fn reject<P: Ports, B: Bundles, C: Clock>(
    with: &Surroundings<'_, P, B, C>,
    uploaded: &Uploaded,
    revision: &Revision,
    rejection: &Rejection,
) -> Result<Judged, ReadFailure> {
    let verdict = ToldVerdict::rejected(rejection);
    tell(with, revision, &verdict).await?;
    log(uploaded, &verdict, Some(rejection.word()));
    Ok(Judged::Rejected(verdict))
}

/// Offers a good bundle to the release domain.
///
/// The tag ends as what the ledger says, in whatever order this and other functions write:
/// - Nothing is tagged before the ledger was read, which tells whether the bundle will be taken.
/// - `accepted` is written before the ledger. Written later, it could overwrite a verdict.
/// - `waiting` can only be written after the ledger, which is read once more then: a verdict that came in between is told
///   again. One that comes later is told later.
/// - A repeat of the event finds what the first invocation left and puts right what differs.
async fn offer<P: Ports, B: Bundles, C: Clock>(
    with: &Surroundings<'_, P, B, C>,
    uploaded: &Uploaded,
    service: &ServiceName,
    upload: Upload,
) -> Result<ToldVerdict, ReadFailure> {
    let ObjectTags { allow_downgrade, told } = with.bundles.tags(&upload.revision).await?;
    let (number, revision, now) = (upload.number, upload.revision.clone(), with.clock.now());
    let told_before = told.as_ref().map(|(word, reason)| (*word, reason.as_str()));
    let accept = |ledger| match known_by_its_tags(&ledger, &upload, told_before) {
        Some(known) => (ledger, known),
        None => accept_upload(ledger, upload.clone(), allow_downgrade, now),
    };
    let (ledger, _) = read_ledger(with.ports, service).await?;
    let (_, expected) = accept(ledger);
    let is_taken = matches!(expected, Offer::Opens | Offer::Supersedes { .. } | Offer::Waits { .. });
    if told.is_none() && is_taken {
        tell(with, &revision, &ToldVerdict::accepted(number)).await?;
    }
    let offer = amend(with.ports, service, accept).await?;
    let verdict = ToldVerdict::offered(number, &offer);
    if differs(told.as_ref().map(|(word, _)| *word), &offer) {
        tell(with, &revision, &verdict).await?;
    }
    if verdict.word == VerdictWord::Waiting {
        let (ledger, _) = read_ledger(with.ports, service).await?;
        if let (_, Offer::Known { word, reason }) =
            accept_upload(ledger, upload.clone(), allow_downgrade, now)
            && word.is_final()
        {
            tell(with, &revision, &ToldVerdict { word, reason }).await?;
        }
    }
    log(uploaded, &verdict, None);
    Ok(verdict)
}

/// Whether the object's tag has to be written. `told`: what it said before this invocation.
fn differs(told: Option<VerdictWord>, offer: &Offer) -> bool {
    match offer {
        // It says `accepted`, or something that an earlier invocation has told.
        Offer::Opens | Offer::Supersedes { .. } => false,
        Offer::Waits { .. } => told != Some(VerdictWord::Waiting),
        Offer::Refused(_) => true,
        Offer::Known { word, .. } if word.is_final() => told != Some(*word),
        // A write of the ledger whose reply was lost makes this very upload known and waiting, until the reconcile.
        Offer::Known { word, .. } => told.is_none() && *word != VerdictWord::Waiting,
    }
}

/// Tags the object. One that can carry no tag is given up with a record: neither a release nor an answer waits for it.
async fn tell<P: Ports, B, C>(
    with: &Surroundings<'_, P, B, C>,
    revision: &Revision,
    verdict: &ToldVerdict,
) -> Result<(), Failure> {
    match with.ports.tag_verdict(revision, verdict.word, &verdict.reason).await {
        Err(failure) if failure.class() == Class::Permanent => {
            tracing::error!(
                bundle_key = %KeyExcerpt(&revision.key),
                decision = verdict.word.as_str(),
                failure_class = failure.class().word(),
                error = chain(&failure),
                "the verdict cannot be written onto the object, so whoever uploaded it is not told"
            );
            Ok(())
        }
        told => told,
    }
}

fn log(uploaded: &Uploaded, verdict: &ToldVerdict, rejected_for: Option<&'static str>) {
    tracing::info!(
        decision = verdict.word.as_str(),
        reason = verdict.reason,
        rejected_for,
        bundle_bucket = uploaded.bucket,
        bundle_key = %uploaded.key,
        bundle_version = uploaded.version_id,
        bundle_size_bytes = uploaded.size,
        sequencer = uploaded.sequencer,
        "{} is {}: {}",
        uploaded.key,
        verdict.word,
        verdict.reason
    );
}
