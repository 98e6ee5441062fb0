//! Greenlight itself was rolled back in the middle of a release: the ledger is one that only a newer version reads.

use super::story::{Story, policy, upload};
use greenlight::failure::chain;
use greenlight::reconcile::{NoLedger, Reconciled, reconcile_all};
use release::pass::WayBack;
use release::{AlarmState, Colour, Command, DeploymentStatus, Wake, accept_command, accept_upload};
use serde_json::{Value, json};

/// A story whose ledger was rewritten by a newer version, and the bytes that it left.
async fn with_newer_ledger() -> (Story, String) {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    let mut document: Value = serde_json::from_str(&stored(&story)).unwrap();
    document["schema"] = json!(4);
    document["open"]["phase"] = json!("pondering");
    let text = document.to_string();
    story.world.world.put_ledger_text(&story.world.service, text.clone());
    story.world.world.forget_calls();
    (story, text)
}

fn stored(story: &Story) -> String {
    story.world.world.ledger_text(&story.world.service).unwrap()
}

async fn looks(story: &Story) -> Result<Reconciled, NoLedger> {
    let policy = policy("Canary10Percent5Minutes");
    let services = [(&story.world.service, &policy)];
    reconcile_all(story.world.world, services.into_iter(), story.world.world, Wake::Event).await.remove(0).1
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_never_rewritten_and_nothing_goes_forward() {
    let (story, text) = with_newer_ledger().await;
    for _ in 0..5 {
        story.pass(std::time::Duration::from_secs(120));
        let held = looks(&story).await.unwrap_err();
        assert_eq!(held.reason().unwrap().word(), "newer_ledger");
        assert_eq!(held.way_back.unwrap(), WayBack::NotNeeded);
        let why = chain(&held.failure);
        assert!(why.contains("newer version of Greenlight (schema 4; this version reads up to 3)"), "{why}");
    }
    assert_eq!(stored(&story), text);
    assert_eq!(story.world.world.count("write_ledger"), 0);
    assert_eq!(story.share(Colour::Green), 100, "the weight stays where it is");
}

#[tokio::test]
async fn a_firing_alarm_takes_the_candidate_back_without_the_ledger() {
    let (story, text) = with_newer_ledger().await;
    let before = story.world.world.ledger_text(&story.world.service);
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
    let held = looks(&story).await.unwrap_err();
    assert!(matches!(held.way_back, Ok(WayBack::Taken { candidate: Colour::Green, .. })), "{held:?}");
    assert_eq!((story.share(Colour::Green), story.world.rules().release), (0, None));
    let newest = story.world.world.deployments(&story.world.service).pop().unwrap();
    assert_eq!(newest.status, DeploymentStatus::Stopped);
    assert_eq!(Some(text), before, "the way back writes no ledger either");
    assert_eq!(looks(&story).await.unwrap_err().way_back.unwrap(), WayBack::NotNeeded);
    assert_eq!(story.world.world.count("write_ledger"), 0);
}

#[tokio::test]
async fn no_upload_and_no_command_changes_what_a_newer_version_wrote() {
    let (story, text) = with_newer_ledger().await;
    let now = story.now();
    let offered =
        story.try_amend(|ledger| accept_upload(ledger, upload(3), false, now)).await.map(|_| ()).unwrap_err();
    let commanded =
        story.try_amend(|ledger| accept_command(&ledger, Command::Abort)).await.map(|_| ()).unwrap_err();
    assert!(offered.newer_schema().is_some() && commanded.newer_schema().is_some());
    assert_eq!(stored(&story), text);
}

#[tokio::test]
async fn the_newer_version_finds_what_the_older_one_took_back_and_rejects_it() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    let readable = stored(&story);
    let mut newer: Value = serde_json::from_str(&readable).unwrap();
    newer["schema"] = json!(4);
    story.world.world.put_ledger_text(&story.world.service, newer.to_string());
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
    assert!(looks(&story).await.is_err());
    // The version that reads it is deployed again.
    story.world.world.put_ledger_text(&story.world.service, readable);
    story.tick().await;
    story.after(61).await;
    story.is_at_rest();
    assert_eq!(story.live(), Some((1, Colour::Blue)));
    assert_eq!(story.world.told(&upload(2).revision).unwrap().0, "rejected");
}
