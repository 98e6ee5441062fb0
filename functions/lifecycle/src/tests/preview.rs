//! A preview: what an operator is told, and who else is not.

use super::*;
use greenlight::secret::Secret;
use release::Command;

const SECRET: &str = "01010101010101010101010101010101";
const SECOND: &str = "02020202020202020202020202020202";

fn asks() -> Value {
    json!({"service": "backend", "command": "preview", "time": "5m"})
}

fn rotates() -> Value {
    json!({"service": "backend", "command": "preview", "rotate": true})
}

impl Service {
    /// Release 2 is installed, and its preview stands.
    async fn previewed() -> (Self, Value) {
        let service = Self::with_open_release().await;
        let answer = service.send(asks()).await.unwrap();
        service.world.install_done(&service.name);
        service.tick().await;
        service.world.pass(Duration::from_secs(5));
        service.tick().await;
        assert!(service.world.preview_rule(&service.name).is_some());
        (service, answer)
    }

    async fn secret(&self) -> Option<Secret> {
        self.world.preview_secret(&self.name).await.unwrap()
    }
}

#[tokio::test]
async fn who_asks_is_told_the_header_and_nothing_that_is_stored_or_published_has_it() {
    let (service, answer) = Service::previewed().await;
    assert_eq!(answer["preview"]["header"], "X-Greenlight-Preview");
    assert_eq!(answer["preview"]["value"], SECRET);
    assert_eq!(answer["preview"]["hosts"], json!(["backend.shop.test"]));
    assert_eq!((&answer["changed"], &answer["refused"]), (&json!(true), &json!(false)));
    service.send(json!({"command": "page"})).await.unwrap();
    let summary = json!(service.world.summary(&service.name).unwrap()).to_string();
    for seen in [service.stored(), service.world.page().unwrap(), summary] {
        assert!(!seen.contains(SECRET), "{seen}");
    }
    // Once more: the same header, and when it is over.
    let again = service.send(asks()).await.unwrap();
    assert_eq!((&again["changed"], &again["preview"]["value"]), (&json!(false), &json!(SECRET)));
    assert!(again["preview"]["until"].is_string(), "{again}");
    // Nor is one that stands changed by who says no time.
    let plain = service.send(json!({"service": "backend", "command": "preview"})).await.unwrap();
    assert_eq!((&plain["changed"], &plain["preview"]), (&json!(false), &again["preview"]));
}

#[tokio::test]
async fn status_says_that_a_preview_stands_and_until_when() {
    let (service, _) = Service::previewed().await;
    let status = service.send(json!({"service": "backend", "command": "status"})).await.unwrap();
    let says = status["says"].as_str().unwrap();
    let stands = "the candidate can be asked with the preview's header until 2026-01-01T00:05:05Z, and has no traffic before";
    assert!(says.contains(stands), "{says}");
}

#[tokio::test]
async fn a_dry_run_makes_no_secret_and_changes_nothing() {
    let service = Service::with_open_release().await;
    let before = service.stored();
    for mut payload in [asks(), rotates()] {
        payload["dryRun"] = json!(true);
        let answer = service.send(payload).await.unwrap();
        assert_eq!((&answer["changed"], &answer["dryRun"]), (&json!(true), &json!(true)));
        assert_eq!(answer.get("preview"), None);
    }
    assert_eq!((service.stored(), service.secret().await), (before, None));
}

#[tokio::test]
async fn a_new_secret_is_made_while_no_preview_stands() {
    let (service, _) = Service::previewed().await;
    let refused = service.send(rotates()).await.unwrap();
    assert_eq!((&refused["refused"], refused.get("preview")), (&json!(true), None));
    assert!(refused["says"].as_str().unwrap().contains("resume ends it"), "{refused}");
    assert_eq!(service.secret().await.unwrap().reveal(), SECRET);
    service.send(json!({"service": "backend", "command": "resume"})).await.unwrap();
    assert_eq!(service.world.preview_rule(&service.name), None);
    let made = service.send(rotates()).await.unwrap();
    assert_eq!((&made["changed"], &made["preview"]["value"]), (&json!(true), &json!(SECOND)));
}

#[tokio::test]
async fn where_a_preview_means_nothing_no_header_is_told() {
    let service = Service::with_open_release().await;
    service.send(json!({"service": "backend", "command": "abort"})).await.unwrap();
    let answer = service.send(asks()).await.unwrap();
    assert_eq!((&answer["refused"], answer.get("preview")), (&json!(true), None));
    let unknown = json!({"service": "billing", "command": "preview"});
    assert!(service.send(unknown).await.is_err());
    for wrong in [
        json!({"service": "backend", "command": "preview", "time": "soon"}),
        json!({"service": "backend", "command": "preview", "time": "5m", "rotate": true}),
        json!({"service": "backend", "command": "preview", "dry-run": true}),
    ] {
        assert_eq!(service.send(wrong.clone()).await.unwrap_err().class(), Class::Permanent, "{wrong}");
    }
}

#[tokio::test]
async fn an_instance_asks_for_no_preview() {
    let service = Service::with_open_release().await;
    let refused = service.send_by(Alias::Hooks, &service.world, asks()).await.unwrap_err();
    assert!(refused.to_string().contains("alias hooks"), "{refused}");
    assert_eq!(service.secret().await, None);
    assert_eq!(Command::Preview.word(), "preview");
}
