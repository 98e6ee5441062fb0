//! What is said to all services at once.

use super::*;

/// Both services with a release live, and the ledger of one that nobody can read.
fn backend_and_frontend(is_readable: bool) -> Service {
    let name = ServiceName::new("backend").unwrap();
    let mut service = Service { world: World::new(&["backend", "frontend"]), settings: settings(), name };
    let frontend = ServiceName::new("frontend").unwrap();
    let other = service.settings.services[&service.name].clone();
    service.settings.services.insert(frontend.clone(), other);
    service.world.make_live(&service.name, Colour::Blue, 1);
    service.world.make_live(&frontend, Colour::Blue, 1);
    if !is_readable {
        service.world.put_ledger_text(&service.name, r#"{"schema": 99}"#.to_owned());
    }
    service
}

fn freeze() -> Value {
    json!({"command": "freeze", "all": true, "time": "12h", "reason": "the database moves"})
}

/// Each service, whether it changed, and why not.
fn taken(answer: &Value) -> Vec<(&str, Option<bool>, &str)> {
    let services = answer["services"].as_array().unwrap().iter();
    services
        .map(|answer| {
            let error = answer["error"].as_str().unwrap_or_default();
            (answer["service"].as_str().unwrap(), answer["changed"].as_bool(), error)
        })
        .collect()
}

#[tokio::test]
async fn every_service_is_frozen_and_thawed_by_one_command() {
    let service = backend_and_frontend(true);
    let frontend = ServiceName::new("frontend").unwrap();
    let both = |changed| vec![("backend", Some(changed), ""), ("frontend", Some(changed), "")];
    let dry = json!({"command": "freeze", "all": true, "time": "12h", "reason": "x", "dryRun": true});
    assert_eq!(taken(&service.send(dry).await.unwrap()), both(true));
    assert_eq!(service.ledger().frozen, None, "it was a dry run");
    for changed in [true, false] {
        assert_eq!(taken(&service.send(freeze()).await.unwrap()), both(changed));
    }
    assert!(service.ledger().frozen.is_some() && service.world.ledger(&frontend).unwrap().frozen.is_some());
    let thaw = json!({"command": "thaw", "all": true});
    assert_eq!(taken(&service.send(thaw).await.unwrap()), both(true));
    assert_eq!((service.ledger().frozen, service.world.ledger(&frontend).unwrap().frozen), (None, None));
}

#[tokio::test]
async fn a_service_that_cannot_be_frozen_is_named_and_holds_no_other_up() {
    let service = backend_and_frontend(false);
    let answer = service.send(freeze()).await.unwrap();
    let [(_, None, why), ("frontend", Some(true), "")] = taken(&answer)[..] else { panic!("{answer}") };
    assert!(why.contains("newer version"), "{why}");
}

#[tokio::test]
async fn a_reason_is_taken_with_the_command() {
    let service = Service::with_open_release().await;
    let abort = json!({"command": "abort", "service": "backend", "reason": "totals are wrong", "by": "anna"});
    service.send(abort).await.unwrap();
    let given_up = service.ledger().releases.pop().unwrap();
    assert_eq!(given_up.verdict.reason(), "aborted by an operator (anna: totals are wrong)");
    let status = service.send(json!({"command": "status", "service": "backend"})).await.unwrap();
    assert!(status["says"].as_str().unwrap().contains("(anna: totals are wrong)"), "{status}");
}
