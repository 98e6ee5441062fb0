//! Which services an alarm wakes, on an AWS in memory.

use crate::handler::handle;
use greenlight::failure::{Class, Failure, chain};
use greenlight::settings::{InstanceSettings, ServiceSettings, Settings};
use release::evidence::AtMax;
use release::{Drift, PerColour, Policy, ServiceName};
use serde_json::{Value, json};
use std::time::Duration;
use testing::{At, FaultAt, Faulty, Kind, World};

fn settings() -> Settings {
    let service = |name: &str| {
        let alarms = |colour: &str| vec![format!("{name}-{colour}-errors")];
        let settings = ServiceSettings {
            deployment_group: name.to_owned(),
            base_rule_arn: "rule".to_owned(),
            target_groups: PerColour { blue: "blue".to_owned(), green: "green".to_owned() },
            alarms: PerColour { blue: alarms("blue"), green: alarms("green") },
            auto_scaling_group: name.to_owned(),
        };
        (ServiceName::new(name).unwrap(), settings)
    };
    let minute = Duration::from_secs(60);
    Settings {
        services: [service("backend"), service("frontend")].into(),
        state_bucket: "state".to_owned(),
        artifact_bucket: "artifacts".to_owned(),
        application: "app".to_owned(),
        listener_arn: "listener".to_owned(),
        topic_arn: "topic".to_owned(),
        policy: Policy {
            strategy: "AllAtOnce".parse().unwrap(),
            bake: minute,
            install_deadline: minute,
            drain: minute,
            unhealthy_grace: minute,
            unknown_limit: minute,
            look_interval: minute,
            silence_limit: Duration::ZERO,
            rollback_window: Duration::ZERO,
            heal_after: Duration::ZERO,
            drift: Drift::Report,
            harm: 10,
            at_max: AtMax::GoOn,
            gate: Duration::ZERO,
            is_sound: true,
        },
        instances: InstanceSettings::default(),
        gate: None,
        faults: Vec::new(),
    }
}

async fn services_read_for(payload: Value) -> (usize, bool) {
    let world = World::new(&["backend", "frontend"]);
    let answer = handle(&world, &settings(), &world, Ok(payload)).await;
    (world.count("read_ledger"), answer.is_ok())
}

#[tokio::test]
async fn an_alarm_wakes_the_service_it_belongs_to() {
    assert_eq!(
        services_read_for(json!({"alarmData": {"alarmName": "frontend-green-errors"}})).await,
        (1, true)
    );
}

#[tokio::test]
async fn an_alarm_that_nobody_knows_wakes_every_service() {
    assert_eq!(services_read_for(json!({"alarmData": {"alarmName": "other"}})).await, (2, true));
}

#[tokio::test]
async fn a_payload_that_names_no_alarm_wakes_every_service_and_is_kept() {
    for payload in [json!({}), json!(null), json!([1]), json!({"alarmData": {"alarmName": 5}})] {
        assert_eq!(services_read_for(payload).await, (2, false));
    }
}

#[tokio::test]
async fn a_payload_of_which_one_record_is_not_understood_wakes_every_service_and_is_kept() {
    let record = |message: &str| json!({ "Sns": { "Message": message } });
    let known = record(r#"{"AlarmName": "frontend-green-errors"}"#);
    assert_eq!(services_read_for(json!({ "Records": [known] })).await, (1, true));
    assert_eq!(services_read_for(json!({ "Records": [known, record("?")] })).await, (2, false));
}

#[tokio::test]
async fn alarms_of_two_services_wake_both() {
    let record = |alarm: &str| json!({ "Sns": { "Message": json!({ "AlarmName": alarm }).to_string() } });
    let both = [record("frontend-green-errors"), record("backend-blue-errors")];
    assert_eq!(services_read_for(json!({ "Records": both })).await, (2, true));
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_told_after_the_way_back_was_looked_for() {
    let world = World::new(&["backend", "frontend"]);
    let fault = FaultAt { at: At::Every("read_ledger"), kind: Kind::Before(Class::Transient) };
    let ports = Faulty::new(&world, [fault]);
    let payload = json!({"alarmData": {"alarmName": "frontend-green-errors"}});
    let failure = handle(&ports, &settings(), &world, Ok(payload)).await.unwrap_err();
    assert_eq!(failure.class(), Class::Transient);
    let looks = ["rules", "alarm_states", "active_deployment", "target_health", "target_health"];
    assert_eq!(ports.calls(), [&["read_ledger"][..], &looks].concat());
}

#[tokio::test]
async fn a_payload_that_no_reader_of_json_takes_wakes_every_service_and_is_kept() {
    let world = World::new(&["backend", "frontend"]);
    let unreadable = Failure::new(Class::Permanent, "the payload cannot be read as JSON");
    let failure = handle(&world, &settings(), &world, Err(unreadable)).await.unwrap_err();
    assert_eq!(world.count("read_ledger"), 2);
    assert!(chain(&failure).ends_with("the payload cannot be read as JSON"), "{}", chain(&failure));
}

#[tokio::test]
async fn a_payload_that_is_not_understood_is_still_told_when_a_call_fails_too() {
    let world = World::new(&["backend", "frontend"]);
    let fault = FaultAt { at: At::Every("read_ledger"), kind: Kind::Before(Class::Transient) };
    let failure =
        handle(&Faulty::new(&world, [fault]), &settings(), &world, Ok(json!({}))).await.unwrap_err();
    assert_eq!(failure.class(), Class::Transient);
    assert!(failure.to_string().starts_with("1 part(s) of the payload name no alarm"), "{failure}");
    assert!(chain(&failure).contains("; then a call failed: "), "{}", chain(&failure));
}
