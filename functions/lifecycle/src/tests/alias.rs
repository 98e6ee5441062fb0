//! What instances may ask: a hook's questions, and nothing that moves traffic.

use super::*;
use crate::event::{Event, parse};

/// Every sample that the function understands, by its name.
fn samples() -> Vec<(String, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/lifecycle");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    };
    let all = std::fs::read_dir(folder).unwrap().map(read);
    all.filter(|(_, payload)| parse(payload).is_ok()).collect()
}

#[tokio::test]
async fn through_hooks_nothing_but_a_question_is_done_and_no_call_is_made() {
    let service = Service::with_open_release().await;
    let stored = service.stored();
    let mut refused = 0;
    for (name, payload) in samples() {
        if matches!(parse(&payload), Ok(Event::Question { .. })) {
            continue;
        }
        let ports = Faulty::new(&service.world, []);
        let failure = service.send_by(Alias::Hooks, &ports, payload).await.unwrap_err();
        assert_eq!((failure.class(), failure.is_recorded()), (Class::Permanent, true), "{name}: {failure}");
        let said = failure.to_string();
        assert!(said.starts_with("nothing was done: ") && said.contains("alias operators"), "{name}: {said}");
        assert!(ports.calls().is_empty(), "{name}: {:?}", ports.calls());
        refused += 1;
    }
    assert!(refused >= 20, "{refused} samples");
    assert_eq!(service.stored(), stored);
}

#[tokio::test]
async fn through_hooks_a_question_is_answered_as_ever() {
    let service = Service::with_open_release().await;
    let question = |event: &str| json!({"deploymentId": service.deployment(), "lifecycleEvent": event, "instanceId": "i-backend-1", "service": "backend"});
    for (event, member) in
        [("BeforeInstall", "colour"), ("ApplicationStart", "migrate"), ("ValidateService", "status")]
    {
        let by = |alias| service.send_by(alias, &service.world, question(event));
        let (heard, unqualified) = (by(Alias::Hooks).await.unwrap(), by(Alias::Operators).await.unwrap());
        assert!(!heard[member].is_null(), "{heard}");
        assert_eq!(heard, unqualified, "an instance of before asks without an alias");
    }
}

#[tokio::test]
async fn a_refused_command_names_itself_and_where_it_belongs() {
    let service = Service::with_open_release().await;
    let rollback = json!({"command": "rollback", "service": "backend"});
    let failure = service.send_by(Alias::Hooks, &service.world, rollback.clone()).await.unwrap_err();
    insta::assert_snapshot!(failure.to_string(), @"nothing was done: the command Rollback for backend came through the alias hooks, by which instances ask and nobody commands; send it through the alias operators, as greenlight does. If you did not send it, somebody else has the rights of an instance");
    // What is refused to an instance an operator is answered.
    assert!(service.send(rollback).await.unwrap()["says"].is_string());
}
