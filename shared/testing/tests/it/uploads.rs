//! Which upload opens, waits, supersedes or is refused, and that it stays so.

use super::story::{Story, upload};
use greenlight::failure::Class;
use release::{
    AlarmState, Colour, Command, Offer, Refusal, ReleaseNumber, Upload, VerdictWord, accept_upload,
};
use testing::{At, FaultAt, Kind};

fn number(number: u64) -> ReleaseNumber {
    ReleaseNumber(number)
}

/// The same number with other bytes.
fn other_bytes(number: u64) -> Upload {
    Upload { revision: upload(1000 + number).revision, ..upload(number) }
}

impl Story {
    async fn is_refused(&self, upload: Upload, expected: Refusal) {
        let (deployments, open) = (self.deployments(), self.ledger().open);
        assert_eq!(self.offer(upload.clone()).await, Offer::Refused(expected.clone()));
        // S3's duplicate, Lambda's retry, a redrive: the same answer.
        let Offer::Known { word, .. } = self.offer(upload).await else { panic!("it was forgotten") };
        assert_eq!(word, expected.verdict());
        self.tick().await;
        assert_eq!(self.deployments(), deployments);
        assert_eq!(self.ledger().open.map(|open| open.upload), open.map(|open| open.upload));
    }

    fn deployments(&self) -> usize {
        self.world.world.deployments(&self.world.service).len()
    }

    async fn release_goes_live(&self, number: u64) {
        self.push(number).await;
        self.open_release_goes_live(number).await;
    }

    async fn open_release_goes_live(&self, number: u64) {
        for _ in 0..20 {
            if self.phase() == "promoting" {
                self.codedeploy_agrees().await;
                break;
            }
            self.install().await;
            self.after(61).await;
        }
        assert_eq!(self.live().map(|(number, _)| number), Some(number), "{}", self.phase());
    }
}

#[tokio::test]
async fn a_refused_upload_stays_refused_when_its_event_comes_again() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(6).await;
    let refusal = Refusal::OlderThanOpen { number: number(5), open: number(6) };
    story.is_refused(upload(5), refusal.clone()).await;
    story.say(Command::Abort).await;
    for _ in 0..3 {
        story.after(61).await;
    }
    assert_eq!(story.phase(), "idle");
    let again = story.push(5).await;
    assert_eq!(again, Offer::Known { word: VerdictWord::Rejected, reason: refusal.to_string() });
    story.is_at_rest();
    assert_eq!(story.live(), Some((1, Colour::Blue)));
}

#[tokio::test]
async fn a_new_version_of_what_was_refused_is_judged_anew() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(6).await;
    story.is_refused(upload(5), Refusal::OlderThanOpen { number: number(5), open: number(6) }).await;
    story.say(Command::Abort).await;
    for _ in 0..3 {
        story.after(61).await;
    }
    assert_eq!(story.offer(other_bytes(5)).await, Offer::Opens);
}

#[tokio::test]
async fn what_is_refused_neither_counts_as_a_release_nor_is_it_what_retry_means() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(6).await;
    story.say(Command::Abort).await;
    for _ in 0..3 {
        story.after(61).await;
    }
    let releases = story.ledger().releases;
    // Older than nothing that is live or open now, so it would open: number 6 is the one that was used.
    story.is_refused(other_bytes(6), Refusal::NumberUsed { number: number(6) }).await;
    assert_eq!(story.ledger().releases, releases);
    assert!(story.say(Command::Retry).await.changed);
    assert_eq!(story.ledger().open.unwrap().upload, upload(6));
}

#[tokio::test]
async fn only_so_many_refusals_are_remembered() {
    let story = Story::with_live("AllAtOnce").await;
    story.release_goes_live(100).await;
    for older in 2..40 {
        story.offer(upload(older)).await;
    }
    let remembered: Vec<u64> = story.ledger().refused.iter().map(|refused| refused.upload.number.0).collect();
    assert_eq!(remembered, (20..40).collect::<Vec<_>>(), "the newest twenty");
}

#[tokio::test]
async fn a_number_that_a_release_has_used_is_not_used_again_with_other_bytes() {
    let story = Story::with_live("AllAtOnce").await;
    let used = |used| Refusal::NumberUsed { number: number(used) };
    // Of the live release, of one that has ended, of one that is open, of one that waits.
    story.is_refused(other_bytes(1), used(1)).await;
    story.push(2).await;
    story.say(Command::Abort).await;
    for _ in 0..3 {
        story.after(61).await;
    }
    assert_eq!(story.phase(), "idle");
    story.is_refused(other_bytes(2), used(2)).await;
    story.push(3).await;
    story.is_refused(other_bytes(3), used(3)).await;
    story.install().await;
    story.after(5).await;
    assert_eq!(story.offer(upload(4)).await, Offer::Waits { open: number(3) });
    story.is_refused(other_bytes(4), used(4)).await;
}

#[tokio::test]
async fn an_older_upload_does_not_replace_the_newer_one_that_waits() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    assert_eq!(story.offer(upload(5)).await, Offer::Waits { open: number(2) });
    story.is_refused(upload(4), Refusal::OlderThanWaiting { number: number(4), by: number(5) }).await;
    assert_eq!(story.ledger().pending, Some(upload(5)));
}

#[tokio::test]
async fn a_release_that_has_no_weight_yet_is_superseded_whatever_its_phase() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.push(2).await;
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::NoData);
    story.install().await;
    story.after(5).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 0));
    assert_eq!(story.push(3).await, Offer::Supersedes { open: number(2) });
    story.tick().await;
    assert_eq!(story.ledger().open.map(|open| open.upload.number), Some(number(3)));
    assert_eq!(story.world.told(&upload(2).revision).unwrap().1, "superseded by 3");
}

#[tokio::test]
async fn an_older_bundle_that_is_uploaded_with_the_tag_that_allows_it_goes_live_even_if_its_number_was_used()
{
    let story = Story::with_live("AllAtOnce").await;
    let now = story.now();
    let downgrade = |upload: Upload| {
        let story = &story;
        async move { story.try_amend(|ledger| accept_upload(ledger, upload.clone(), true, now)).await.unwrap() }
    };
    story.release_goes_live(2).await;
    story.after(61).await;
    story.release_goes_live(3).await;
    story.after(61).await;
    assert_eq!(story.offer(other_bytes(1)).await, Offer::Refused(Refusal::NumberUsed { number: number(1) }));
    let again = Upload { revision: upload(500).revision, ..upload(1) };
    assert_eq!(downgrade(again.clone()).await, Offer::Opens);
    story.tick().await;
    story.open_release_goes_live(1).await;
    // What is under a number now keeps it.
    let refused = Offer::Refused(Refusal::NumberUsed { number: number(1) });
    assert_eq!(downgrade(Upload { revision: upload(501).revision, ..upload(1) }).await, refused);
}

#[tokio::test]
async fn a_deployment_that_codedeploy_refuses_for_good_ends_its_release_at_once() {
    let story = Story::with_live("AllAtOnce").await;
    let refuses = FaultAt { at: At::Every("create_deployment"), kind: Kind::Before(Class::Permanent) };
    story.world.expect_faults(&[refuses]);
    story.push(2).await;
    story.after(5).await;
    story.after(5).await;
    story.is_at_rest();
    let (word, reason) = story.world.told(&upload(2).revision).unwrap();
    assert_eq!((word.as_str(), reason.starts_with("CodeDeploy refused the deployment")), ("rejected", true));
    let tries = story.world.ports().calls().iter().filter(|call| **call == "create_deployment").count();
    assert_eq!(tries, 1);
}
