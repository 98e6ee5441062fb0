//! The function from payload to answer, on an AWS in memory.

use crate::alias::Alias;
use crate::handler::handle;
use crate::hook_execution::{HookExecutions, HookStatus};
use greenlight::failure::{Class, Failure, chain};
use greenlight::ports::{Clock, Pages, Ports, PreviewSecrets};
use greenlight::reconcile::{amend, reconcile};
use greenlight::settings::{InstanceSettings, ServiceSettings, Settings};
use release::evidence::AtMax;
use release::{
    Colour, Creator, Drift, Ledger, PerColour, Policy, Revision, ServiceName, TargetHealth, VerdictWord,
    Wake, accept_upload,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;
use testing::{self, At, FaultAt, Faulty, Kind, World};

mod alias;
mod all;
mod close_look;
mod drill;
mod gate;
mod hook_execution;
mod page;
mod plan;
mod preview;
mod records;

fn execution() -> Revision {
    testing::upload(&testing::service("hook-execution"), 1).revision
}

/// A deployment of this function.
const OF_ITSELF: &str = "d-itself";

impl HookExecutions for World {
    async fn is_of(&self, application: &str, deployment_id: &str) -> Result<bool, Failure> {
        Ok((application, deployment_id) == ("app.functions", OF_ITSELF))
    }

    async fn put_status(&self, _: &str, _: &str, status: HookStatus) -> Result<(), Failure> {
        greenlight::ports::Uploads::tag_verdict(self, &execution(), VerdictWord::Live, &format!("{status:?}"))
            .await
    }
}

impl HookExecutions for Faulty<'_, World> {
    async fn is_of(&self, application: &str, deployment_id: &str) -> Result<bool, Failure> {
        Ok((application, deployment_id) == ("app.functions", OF_ITSELF))
    }

    async fn put_status(&self, _: &str, _: &str, status: HookStatus) -> Result<(), Failure> {
        greenlight::ports::Uploads::tag_verdict(self, &execution(), VerdictWord::Live, &format!("{status:?}"))
            .await
    }
}

struct Service {
    world: World,
    settings: Settings,
    name: ServiceName,
}

fn settings() -> Settings {
    let service = ServiceSettings {
        deployment_group: "shop-backend".to_owned(),
        base_rule_arn: "rule".to_owned(),
        target_groups: PerColour { blue: "blue".to_owned(), green: "green".to_owned() },
        alarms: PerColour {
            blue: vec!["backend-blue-errors".to_owned()],
            green: vec!["backend-green-errors".to_owned()],
        },
        auto_scaling_group: "backend".to_owned(),
    };
    let minute = Duration::from_secs(60);
    Settings {
        services: BTreeMap::from([(ServiceName::new("backend").unwrap(), service)]),
        state_bucket: "state".to_owned(),
        artifact_bucket: "artifacts".to_owned(),
        application: "app".to_owned(),
        listener_arn: "listener".to_owned(),
        topic_arn: "topic".to_owned(),
        policy: Policy {
            strategy: "Canary10Percent5Minutes".parse().unwrap(),
            bake: minute,
            install_deadline: 15 * minute,
            drain: minute,
            unhealthy_grace: minute / 2,
            unknown_limit: 3 * minute,
            look_interval: Duration::from_secs(5),
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

impl Service {
    /// A service on which release 1 is live and release 2 was just pushed.
    async fn with_open_release() -> Self {
        Self::with_open_release_by(settings()).await
    }

    async fn with_open_release_by(settings: Settings) -> Self {
        let name = ServiceName::new("backend").unwrap();
        let service = Self { world: World::new(&["backend"]), settings, name };
        service.world.make_live(&service.name, Colour::Blue, 1);
        let upload = testing::upload(&service.name, 2);
        let now = service.world.now();
        amend(&service.world, &service.name, |ledger| accept_upload(ledger, upload.clone(), false, now))
            .await
            .unwrap();
        service.tick().await;
        service
    }

    fn ledger(&self) -> Ledger {
        self.world.ledger(&self.name).unwrap()
    }

    /// The ledger's bytes.
    fn stored(&self) -> String {
        self.world.ledger_text(&self.name).unwrap()
    }

    /// The id of the open release's deployment.
    fn deployment(&self) -> String {
        self.ledger().open.unwrap().deployment.unwrap().0
    }

    async fn tick(&self) {
        reconcile(&self.world, &self.name, &self.settings.policy, &self.world, Wake::Event).await.unwrap();
    }

    async fn send(&self, payload: Value) -> Result<Value, Failure> {
        self.send_through(&self.world, payload).await
    }

    async fn send_through(
        &self,
        ports: &(impl Ports + HookExecutions + Pages + PreviewSecrets),
        payload: Value,
    ) -> Result<Value, Failure> {
        self.send_by(Alias::Operators, ports, payload).await
    }

    async fn send_by(
        &self,
        alias: Alias,
        ports: &(impl Ports + HookExecutions + Pages + PreviewSecrets),
        payload: Value,
    ) -> Result<Value, Failure> {
        // As production does: a pass keeps ledgers, and they are large.
        let gates = gate::Played::default();
        Box::pin(handle(ports, &gates, &self.settings, &self.world, alias, payload)).await
    }

    async fn ask(&self, event: &str, deployment: &str) -> Value {
        self.ask_on("i-backend-1", event, deployment).await
    }

    async fn ask_on(&self, instance: &str, event: &str, deployment: &str) -> Value {
        let payload = json!({"deploymentId": deployment, "deploymentGroupId": "g", "lifecycleEvent": event, "instanceId": instance, "service": "backend"});
        self.send(payload).await.unwrap()
    }
}

#[tokio::test]
async fn before_install_hears_the_candidate_colour() {
    let service = Service::with_open_release().await;
    assert_eq!(
        service.ask("BeforeInstall", &service.deployment()).await,
        json!({"colour": "green", "port": 8081, "release": 2})
    );
}

#[tokio::test]
async fn validate_service_waits_while_the_shift_goes_on_and_hears_the_weight() {
    let service = Service::with_open_release().await;
    service.world.install_done(&service.name);
    service.ask("ValidateService", &service.deployment()).await;
    service.world.pass(Duration::from_secs(5));
    let heard = service.ask("ValidateService", &service.deployment()).await;
    assert_eq!(heard, json!({"status": "wait", "retryAfterSeconds": 5, "phase": "shifting", "weight": 10}));
}

#[tokio::test]
async fn polls_within_the_look_interval_make_one_call() {
    let service = Service::with_open_release().await;
    service.ask("ValidateService", &service.deployment()).await;
    service.world.forget_calls();
    service.world.pass(Duration::from_secs(4));
    service.ask("ValidateService", &service.deployment()).await;
    assert_eq!(service.world.forget_calls(), 1);
}

#[tokio::test]
async fn success_is_heard_only_after_it_is_written() {
    let service = Service::with_open_release().await;
    service.world.install_done(&service.name);
    let mut heard = Value::Null;
    for _ in 0..200 {
        service.world.pass(Duration::from_secs(5));
        heard = service.ask("ValidateService", &service.deployment()).await;
        if heard["status"] == "succeeded" {
            break;
        }
    }
    assert_eq!(heard, json!({"status": "succeeded"}));
    assert_eq!(service.ledger().phase(), "promoting");
    assert!(service.world.rules_of(&service.name).0.are_all_on(Colour::Blue));
}

#[tokio::test]
async fn a_candidate_is_told_to_fail_only_after_the_drain() {
    let service = Service::with_open_release().await;
    service.world.install_done(&service.name);
    service.tick().await;
    service.world.pass(Duration::from_secs(5));
    service.tick().await;
    service.send(json!({"command": "abort", "service": "backend"})).await.unwrap();
    assert_eq!(service.ask("ValidateService", &service.deployment()).await["status"], "wait");
    service.world.pass(Duration::from_secs(61));
    let heard = service.ask("ValidateService", &service.deployment()).await;
    assert_eq!(heard, json!({"status": "failed", "reason": "aborted by an operator"}));
}

#[tokio::test]
async fn one_instance_is_told_to_migrate_after_it_is_written_and_is_told_again() {
    let service = Service::with_open_release().await;
    let deployment = service.deployment();
    let chosen = || service.ledger().open.unwrap().migrates.map(|instance| instance.0);
    let ask = async |instance: &str| service.ask_on(instance, "ApplicationStart", &deployment).await;
    assert_eq!(ask("i-elsewhere").await["status"], "wait", "it would be told to migrate for all");
    assert_eq!(chosen(), None);
    assert_eq!(ask("i-backend-2").await, json!({"migrate": true}));
    assert_eq!(chosen().as_deref(), Some("i-backend-2"));
    assert_eq!(ask("i-backend-1").await, json!({"migrate": false}));
    assert_eq!(ask("i-backend-2").await, json!({"migrate": true}), "its answer was lost");
    // No weight before every instance stands in ValidateService, and the one that migrates does not.
    service.world.validate(&service.name, "i-backend-1");
    service.world.set_instance_health(&service.name, "i-backend-1", Colour::Green, TargetHealth::Healthy);
    service.world.pass(Duration::from_secs(60));
    service.tick().await;
    assert_eq!(service.ledger().open.unwrap().phase.word(), "installing");
}

#[tokio::test]
async fn an_instance_that_auto_scaling_starts_installs_on_the_live_colour_and_shifts_nothing() {
    let service = Service::with_open_release().await;
    let creator = Creator::Service("autoscaling".to_owned());
    let revision = testing::upload(&service.name, 1).revision;
    let id = service.world.add_deployment(&service.name, creator, None, revision).0;
    assert_eq!(
        service.ask("BeforeInstall", &id).await,
        json!({"colour": "blue", "port": 8080, "release": 1})
    );
    assert_eq!(service.ask("ApplicationStart", &id).await, json!({"migrate": false}));
    assert_eq!(service.ask("ValidateService", &id).await, json!({"status": "succeeded"}));
    service.world.set_instance_health(&service.name, "i-backend-1", Colour::Blue, TargetHealth::Unproven);
    assert_eq!(service.ask("ValidateService", &id).await["status"], "wait");
}

#[tokio::test]
async fn a_new_instance_does_not_wait_for_the_target_group_that_it_joins_afterwards() {
    let service = Service::with_open_release().await;
    let creator = Creator::Service("autoscaling".to_owned());
    let revision = testing::upload(&service.name, 1).revision;
    let id = service.world.add_deployment(&service.name, creator, None, revision).0;
    service.world.remove_instance(&service.name, "i-backend-1");
    assert_eq!(service.ask("ValidateService", &id).await, json!({"status": "succeeded"}));
    // A release is given no such trust, once a second look has found the same.
    assert_eq!(service.ask("ValidateService", &service.deployment()).await["status"], "wait");
    service.world.pass(Duration::from_secs(15));
    assert_eq!(service.ask("ValidateService", &service.deployment()).await["status"], "failed");
}

#[tokio::test]
async fn a_deployment_of_another_hand_is_refused() {
    let service = Service::with_open_release().await;
    let heard = service.ask("BeforeInstall", "d-999999999").await;
    assert_eq!(
        heard,
        json!({"status": "failed", "reason": "CodeDeploy does not know deployment d-999999999"})
    );
}

#[tokio::test]
async fn every_command_says_what_happens() {
    let service = Service::with_open_release().await;
    let mut said = String::new();
    for command in
        ["status", "promote", "pause", "pause", "resume", "resume", "rollback", "retry", "abort", "abort"]
    {
        let answer = service.send(json!({"command": command, "service": "backend"})).await.unwrap();
        let taken = match (&answer["changed"], &answer["refused"]) {
            (Value::Bool(true), _) => "changes",
            (_, Value::Bool(true)) => "refused",
            _ => "is so  ",
        };
        writeln!(said, "{command}: {taken} {}", answer["says"].as_str().unwrap()).unwrap();
    }
    insta::assert_snapshot!(said);
}

#[tokio::test]
async fn a_dry_run_says_what_a_command_would_do_and_does_nothing() {
    let service = Service::with_open_release().await;
    let stored = service.stored();
    for command in ["pause", "abort", "rollback"] {
        let dry =
            service.send(json!({"command": command, "service": "backend", "dryRun": true})).await.unwrap();
        assert_eq!((service.stored(), &dry["dryRun"]), (stored.clone(), &json!(true)), "{command}");
        assert_eq!(dry["ledger"], serde_json::from_str::<Value>(&stored).unwrap(), "{command}");
        let other = Service::with_open_release().await;
        let real = other.send(json!({"command": command, "service": "backend"})).await.unwrap();
        for member in ["changed", "refused", "says"] {
            assert_eq!(dry[member], real[member], "{command}");
        }
    }
}

#[tokio::test]
async fn the_status_of_all_services_is_asked_at_once_and_one_that_cannot_be_read_hides_no_other() {
    let name = ServiceName::new("backend").unwrap();
    let mut service = Service { world: World::new(&["backend", "frontend"]), settings: settings(), name };
    let other = service.settings.services.values().next().unwrap().clone();
    service.settings.services.insert(ServiceName::new("frontend").unwrap(), other);
    service.world.put_ledger_text(&service.name, r#"{"schema": 99}"#.to_owned());
    let answer = service.send(json!({"command": "status"})).await.unwrap();
    let services = answer["services"].as_array().unwrap();
    assert_eq!(
        (services.len(), &services[0]["service"], &services[1]["service"]),
        (2, &json!("backend"), &json!("frontend"))
    );
    assert!(services[0]["error"].as_str().unwrap().contains("newer version"), "{}", services[0]);
    assert!(services[1]["says"].as_str().unwrap().starts_with("no release is live yet"), "{}", services[1]);
}

#[tokio::test]
async fn a_command_for_no_service_of_ours_names_those_that_are() {
    let service = Service::with_open_release().await;
    let error = service.send(json!({"command": "abort", "service": "bakcend"})).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no service \"bakcend\": use one of backend");
    assert_eq!(error.class(), Class::Permanent);
}

/// Greenlight itself was rolled back: only a newer version reads the ledger.
async fn with_newer_ledger() -> (Service, String, String) {
    let service = Service::with_open_release().await;
    let deployment = service.deployment();
    let mut document: Value = serde_json::from_str(&service.stored()).unwrap();
    document["schema"] = json!(99);
    let text = document.to_string();
    service.world.put_ledger_text(&service.name, text.clone());
    (service, deployment, text)
}

#[tokio::test]
async fn a_hook_waits_while_only_a_newer_version_reads_the_ledger_and_is_told_nothing_that_takes_its_colour_down()
 {
    let (service, deployment, text) = with_newer_ledger().await;
    for (event, deployment) in [
        ("BeforeInstall", deployment.as_str()),
        ("ValidateService", deployment.as_str()),
        ("ValidateService", "d-of-somebody-else"),
    ] {
        assert_eq!(
            service.ask(event, deployment).await,
            json!({"status": "wait", "retryAfterSeconds": 5, "phase": "unknown", "weight": 100}),
            "{event}"
        );
    }
    assert_eq!(service.stored(), text);
}

#[tokio::test]
async fn a_command_says_that_only_a_newer_version_reads_the_ledger() {
    let (service, _, text) = with_newer_ledger().await;
    for command in ["status", "pause", "abort"] {
        let error = service.send(json!({"command": command, "service": "backend"})).await.unwrap_err();
        assert!(chain(&error).contains("deploy the newer version of Greenlight again"), "{}", chain(&error));
    }
    assert_eq!(service.stored(), text);
}

#[tokio::test]
async fn whatever_fails_is_recorded_where_the_event_is_known_and_not_a_second_time() {
    let service = Service::with_open_release().await;
    let fault = FaultAt { at: At::Every("read_ledger"), kind: Kind::Before(Class::Transient) };
    let question = json!({"deploymentId": service.deployment(), "lifecycleEvent": "ValidateService", "instanceId": "i-backend-1", "service": "backend"});
    let tick = json!({"source": "aws.events", "detail-type": "Scheduled Event"});
    for payload in [question, tick, json!({"command": "status", "service": "backend"})] {
        let faulty = Faulty::new(&service.world, [fault]);
        let failure = service.send_through(&faulty, payload).await.unwrap_err();
        assert_eq!(failure.class(), Class::Transient);
        assert!(failure.is_recorded(), "{failure}");
    }
}

/// The ledger was restored from before release 2, which has weight.
async fn with_an_old_ledger() -> (Service, String) {
    let service = Service::with_open_release().await;
    let mut earlier = service.ledger();
    earlier.open = None;
    let deployment = service.deployment();
    service.world.install_done(&service.name);
    for _ in 0..2 {
        service.world.pass(Duration::from_secs(5));
        service.tick().await;
    }
    assert_eq!(service.world.traffic(&service.name).per_mille(Colour::Green), 100);
    service.world.put_ledger(&earlier);
    (service, deployment)
}

#[tokio::test]
async fn a_hook_that_the_ledger_does_not_know_waits_with_a_reason_and_its_question_returns_the_traffic() {
    let (service, deployment) = with_an_old_ledger().await;
    let heard = service.ask("ValidateService", &deployment).await;
    assert_eq!((&heard["status"], &heard["weight"]), (&json!("wait"), &json!(10)));
    let reason = heard["reason"].as_str().unwrap();
    assert!(reason.starts_with("release 2 of backend is not open, but it is not taken down"), "{reason}");
    assert_eq!(
        service.world.traffic(&service.name).per_mille(Colour::Green),
        100,
        "first it is written down"
    );
    service.world.pass(Duration::from_secs(5));
    assert_eq!(service.ask("ValidateService", &deployment).await["status"], "wait");
    assert_eq!(
        service.world.traffic(&service.name).per_mille(Colour::Green),
        0,
        "by passes that questions woke"
    );
    assert_eq!(service.ask("ValidateService", &deployment).await["status"], "wait", "it drains");
    service.world.pass(Duration::from_mins(1));
    assert_eq!(
        service.ask("ValidateService", &deployment).await,
        json!({"status": "failed", "reason": "release 2 of backend is not open"})
    );
}

#[tokio::test]
async fn a_thousand_hooks_that_the_ledger_does_not_know_wake_one_pass() {
    let (service, deployment) = with_an_old_ledger().await;
    let faulty = FaultAt { at: At::Every("delete_release_rule"), kind: Kind::Before(Class::Transient) };
    let ports = Faulty::new(&service.world, [faulty]);
    let question = json!({"deploymentId": deployment, "lifecycleEvent": "ValidateService", "instanceId": "i-backend-1", "service": "backend"});
    for _ in 0..2 {
        for _ in 0..20 {
            let heard = service.send_through(&ports, question.clone()).await.unwrap();
            assert_eq!((&heard["status"], &heard["weight"]), (&json!("wait"), &json!(10)));
        }
        service.world.pass(Duration::from_secs(5));
    }
    let tries = ports.calls().iter().filter(|call| **call == "delete_release_rule").count();
    assert_eq!(tries, 1);
}

#[tokio::test]
async fn a_hook_that_the_ledger_does_not_know_waits_while_the_rules_cannot_be_read() {
    let (service, deployment) = with_an_old_ledger().await;
    let blind = FaultAt { at: At::Every("rules"), kind: Kind::Before(Class::Transient) };
    let question = json!({"deploymentId": deployment, "lifecycleEvent": "ValidateService", "instanceId": "i-backend-1", "service": "backend"});
    let heard = service.send_through(&Faulty::new(&service.world, [blind]), question).await.unwrap();
    assert_eq!((&heard["status"], &heard["weight"]), (&json!("wait"), &json!(100)));
}

#[tokio::test]
async fn status_says_what_the_release_waits_for_and_how_the_rules_really_are() {
    let service = Service::with_open_release().await;
    service.world.install_done(&service.name);
    for _ in 0..2 {
        service.world.pass(Duration::from_secs(5));
        service.tick().await;
    }
    service.world.pass(Duration::from_secs(300));
    service.world.set_instance_health(&service.name, "i-backend-2", Colour::Green, TargetHealth::Unproven);
    let stored = service.stored();
    let answer = service.send(json!({"command": "status", "service": "backend"})).await.unwrap();
    insta::assert_snapshot!(answer["says"].as_str().unwrap(), @"release 1 is live on blue; release 2 on green is shifting, 10 % intended; the release's rule gives blue 90 green 10, the base rule behind it blue 100 green 0; now: the candidate gets no more traffic yet: waiting for i-backend-2 to be healthy");
    assert_eq!(answer["status"]["traffic"], json!({"blue": 90, "green": 10}));
    assert_eq!(answer["status"]["instances"]["green"], json!({"healthy": 1, "registered": 2}));
    assert_eq!(answer["summary"]["open"]["percent"], json!(10));
    assert_eq!((service.stored(), &answer["changed"]), (stored, &json!(false)), "it only looks");
    let blind = FaultAt { at: At::Every("rules"), kind: Kind::Before(Class::Transient) };
    let ports = Faulty::new(&service.world, [blind]);
    let answer =
        service.send_through(&ports, json!({"command": "status", "service": "backend"})).await.unwrap();
    assert!(answer["says"].as_str().unwrap().contains("the rules cannot be read: rules was made to fail"));
}

#[tokio::test]
async fn what_a_hook_has_counted_never_decides_whether_it_is_answered() {
    let count = json!({"arrived": 9, "failed": 9, "open": 0, "total": 9});
    let minute = |number: i64| json!({"minute": number, "blue": count, "green": count});
    let now = testing::START.as_second() / 60;
    let good = json!([minute(now)]);
    for counts in [
        // An older kit's question, and those of kits and attackers to come.
        Value::Null,
        good.clone(),
        json!([]),
        json!([minute(now - 600), minute(now), minute(now + 600)]),
        json!([minute(i64::MIN), minute(i64::MAX)]),
        json!([{"minute": now, "blue": {"arrived": 1, "failed": 2, "open": 0}, "green": count}]),
        json!(vec![minute(now); 10_000]),
        json!("a".repeat(100_000)),
        json!({"minute": {"minute": {}}}),
    ] {
        let service = Service::with_open_release().await;
        service.world.install_done(&service.name);
        for _ in 0..2 {
            let deployment = service.deployment();
            let question = json!({
                "deploymentId": deployment, "deploymentGroupId": "g", "lifecycleEvent": "ValidateService",
                "instanceId": "i-backend-1", "service": "backend", "counts": counts, "moods": ["good"],
            });
            let heard = service.send(question).await.unwrap();
            assert_eq!(heard["status"], "wait", "{heard}");
            service.world.pass(Duration::from_secs(5));
        }
        assert_eq!(service.ledger().phase(), "shifting");
    }
    // Nor is it looked at where it has no place.
    let service = Service::with_open_release().await;
    let mut question = json!({
        "deploymentId": service.deployment(), "lifecycleEvent": "BeforeInstall", "instanceId": "i-backend-1",
        "counts": good,
    });
    assert_eq!(service.send(question.clone()).await.unwrap()["colour"], "green");
    question["lifecycleEvent"] = json!("ValidateService");
    question["deploymentId"] = json!("d-of-somebody");
    assert_eq!(service.send(question).await.unwrap()["status"], "failed");
}

#[tokio::test]
async fn an_instance_that_always_asks_second_is_heard_all_the_same() {
    let service = Service::with_open_release().await;
    service.world.install_done(&service.name);
    let ask = async |instance: &str| {
        let nothing = json!({"arrived": 0, "failed": 0, "open": 0});
        let minute = service.world.now().as_second() / 60;
        let question = json!({
            "deploymentId": service.deployment(), "lifecycleEvent": "ValidateService", "instanceId": instance,
            "service": "backend", "counts": [{"minute": minute, "blue": nothing, "green": nothing}],
        });
        assert_eq!(service.send(question).await.unwrap()["status"], "wait");
    };
    for _ in 0..12 {
        ask("i-backend-1").await;
        service.world.pass(Duration::from_secs(1));
        ask("i-backend-2").await;
        service.world.pass(Duration::from_secs(4));
    }
    let reports = service.ledger().open.unwrap().counted.unwrap().reports;
    let ages: Vec<i64> =
        reports.values().map(|reported| service.world.now().as_second() - reported.at.as_second()).collect();
    assert!(ages.len() == 2 && ages.iter().all(|age| *age <= 20), "{ages:?}");
}
