//! What happens in the demo, and how each release has to end.

use crate::display::{Display, Line, Tone};
use crate::product::Product;
use crate::releases::{Releases, Upload};
use anyhow::{Context, Result};
use cloud::{Deliveries, Knobs};
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

/// Longer than any release of the story takes.
const RELEASE: Duration = Duration::from_secs(100);

/// Longer than a verdict that needs no release takes.
const REFUSAL: Duration = Duration::from_secs(20);

/// The story so far.
#[derive(Debug)]
pub(super) struct Story<'a> {
    releases: &'a Releases,
    product: &'a Product,
    display: &'a Display,
    notifications: &'a Deliveries,
    /// All uploads in order, with their verdicts.
    pub(super) uploads: Vec<Upload>,
    /// What went otherwise than it had to.
    pub(super) deviations: Vec<String>,
}

impl<'a> Story<'a> {
    /// A story that has not begun. `notifications` are S3's.
    pub(super) fn new(
        releases: &'a Releases,
        product: &'a Product,
        display: &'a Display,
        notifications: &'a Deliveries,
    ) -> Self {
        Self { releases, product, display, notifications, uploads: Vec::new(), deviations: Vec::new() }
    }

    fn service(&self, number: usize) -> Result<String> {
        self.product.services.get(number).cloned().context("the story needs two services")
    }

    /// Release 1 of every service. There are no visitors yet, because there is nothing to visit.
    ///
    /// # Errors
    /// When an upload gets no verdict.
    pub(super) async fn first_releases(&mut self) -> Result<()> {
        self.display.chapter("Release 1 of each service: nothing to protect, all traffic at once");
        let mut first = Vec::new();
        for service in &self.product.services {
            first.push(self.push(service, 1, 0).await?);
        }
        for upload in first {
            self.ends_as(upload, "live", RELEASE).await?;
        }
        Ok(())
    }

    /// Everything that happens while people visit.
    ///
    /// # Errors
    /// When an upload gets no verdict.
    pub(super) async fn with_visitors(&mut self) -> Result<()> {
        let (first, second) = (self.service(0)?, self.service(1)?);

        self.display
            .chapter(&format!("Release 3 of {first}: a canary by time, under load; S3 tells of it twice"));
        self.notifications.set(Knobs { duplicate: 1, ..Knobs::default() });
        let canary = self.push(&first, 3, 0).await?;
        self.ends_as(canary, "live", RELEASE).await?;

        self.display.chapter(&format!("Release 4 of {first} answers 500 to one request in five"));
        let bad = self.push(&first, 4, 5).await?;
        self.ends_as(bad, "rejected", RELEASE).await?;
        self.was_because("alarm");

        self.display.chapter("Release 3 once more, and release 2, which comes too late: both are refused");
        let duplicate = self.push(&first, 3, 0).await?;
        self.ends_as(duplicate, "rejected", REFUSAL).await?;
        let older = self.push(&first, 2, 0).await?;
        self.ends_as(older, "rejected", REFUSAL).await?;

        self.display.chapter(&format!("Two pushes to {second} during a release: only the newest waits"));
        let open = self.push(&second, 2, 0).await?;
        self.releases.until_shifting(&second, RELEASE).await?;
        let passed_over = self.push(&second, 3, 0).await?;
        let waits = self.releases.until(&passed_over, &["waiting"], REFUSAL).await?;
        self.tell(&passed_over, cloud::now(), Tone::Waits, &waits.sentence());
        let newest = self.push(&second, 4, 0).await?;
        self.ends_as(passed_over, "superseded", RELEASE).await?;
        self.ends_as(open, "live", RELEASE).await?;
        self.ends_as(newest, "live", RELEASE).await?;
        Ok(())
    }

    /// The last verdict's reason has to speak of this.
    fn was_because(&mut self, of: &str) {
        let Some((upload, verdict)) =
            self.uploads.last().and_then(|last| Some((last, last.verdict.as_ref()?)))
        else {
            return;
        };
        if !verdict.reason.contains(of) {
            self.deviations.push(format!(
                "release {} of {} had to end because of the {of}, and the reason given is: {}",
                upload.number, upload.service, verdict.reason
            ));
        }
    }

    /// Says something about an upload.
    fn tell(&self, upload: &Upload, at: Timestamp, tone: Tone, what: &str) {
        let text = format!("release {} {what}", upload.number);
        self.display.tell(Line::of(&upload.service, at, tone, &text));
    }

    async fn push(&self, service: &str, number: u32, error_one_in: u32) -> Result<Upload> {
        let upload = self.releases.upload(service, number, &json!({ "errorOneIn": error_one_in })).await?;
        self.tell(&upload, upload.at, Tone::Plain, "is uploaded");
        Ok(upload)
    }

    async fn ends_as(&mut self, mut upload: Upload, expected: &str, limit: Duration) -> Result<()> {
        self.display.waiting(&format!("release {} of {}", upload.number, upload.service), limit);
        let ends = ["live", "rejected", "superseded"];
        let verdict = self.releases.until(&upload, &ends, limit).await;
        self.display.waited();
        let verdict = verdict?;
        let tone = if verdict.word == "live" { Tone::Good } else { Tone::Bad };
        self.tell(&upload, cloud::now(), tone, &verdict.sentence());
        if verdict.word != expected {
            let deviation = format!(
                "release {} of {} had to end as {expected}, and is {}: {}",
                upload.number, upload.service, verdict.word, verdict.reason
            );
            self.deviations.push(deviation);
        }
        upload.verdict = Some(verdict);
        self.uploads.push(upload);
        Ok(())
    }
}
