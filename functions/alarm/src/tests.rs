//! Which services an alarm wakes, on an AWS in memory.

use crate::handler::handle;
use greenlight::release::{PerColour, Policy, ServiceName};
use greenlight::settings::{ServiceSettings, Settings};
use greenlight::testing::World;
use serde_json::{Value, json};
use std::time::Duration;

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
        policy: Policy {
            strategy: "AllAtOnce".parse().unwrap(),
            bake: minute,
            install_deadline: minute,
            hold: minute,
            unhealthy_grace: minute,
            unknown_limit: minute,
            look_interval: minute,
        },
    }
}

async fn services_read_for(payload: Value) -> (usize, bool) {
    let world = World::new(&["backend", "frontend"]);
    let answer = handle(&world, &settings(), &world, payload).await;
    (world.count("read_ledger"), answer.is_ok())
}

#[tokio::test]
async fn an_alarm_wakes_the_service_it_belongs_to() {
    assert_eq!(services_read_for(json!({"alarmData": {"alarmName": "frontend-green-errors"}})).await, (1, true));
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
