//! The gate is asked by a hook's question: once, however many hooks ask, and only while a release waits for it.

use super::*;
use crate::gate::{Gates, asked};
use greenlight::reconcile::read;
use release::{GateAnswer, GateQuestion};
use std::sync::Mutex;

/// A gate that says one thing after the other, then nothing more, and remembers what it was asked.
#[derive(Default)]
pub(super) struct Played {
    says: Mutex<Vec<GateAnswer>>,
    asked: Mutex<Vec<(String, Value)>>,
}

impl Gates for Played {
    async fn ask(&self, function: &str, question: &GateQuestion) -> GateAnswer {
        self.asked.lock().unwrap().push((function.to_owned(), json!(question)));
        let mut says = self.says.lock().unwrap();
        if says.is_empty() { GateAnswer::unreached("it threw Error") } else { says.remove(0) }
    }
}

impl Played {
    fn says(answers: &[GateAnswer]) -> Self {
        Self { says: Mutex::new(answers.to_vec()), asked: Mutex::default() }
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Service {
    /// Release 2 is installed on green, all is proven, and the gate is waited for.
    async fn at_its_gate() -> Self {
        let mut gated = settings();
        gated.gate = Some("shop-gate".to_owned());
        gated.policy.gate = Duration::from_secs(120);
        let service = Self::with_open_release_by(gated).await;
        service.world.install_done(&service.name);
        service.tick().await;
        service.world.pass(Duration::from_secs(5));
        service.tick().await;
        service
    }

    async fn asks(
        &self,
        ports: &(impl Ports + HookExecutions + Pages + PreviewSecrets),
        gates: &Played,
        instance: &str,
    ) -> Value {
        let question = json!({
            "deploymentId": self.world.deployments(&self.name).pop().unwrap().id.0, "deploymentGroupId": "g", "lifecycleEvent": "ValidateService",
            "instanceId": instance, "service": "backend",
        });
        Box::pin(handle(ports, gates, &self.settings, &self.world, Alias::Hooks, question)).await.unwrap()
    }

    /// Both instances ask, and again after five seconds, so many times.
    async fn ask_on_both(&self, gates: &Played, times: usize) {
        for _ in 0..times {
            self.world.pass(Duration::from_secs(5));
            for instance in ["i-backend-1", "i-backend-2"] {
                self.asks(&self.world, gates, instance).await;
            }
        }
    }

    fn has_weight(&self) -> bool {
        self.ledger().open.unwrap().had_weight()
    }
}

#[tokio::test]
async fn many_hooks_ask_and_the_gate_is_asked_once_for_each_of_two_answers() {
    let service = Service::at_its_gate().await;
    let gates = Played::says(&[GateAnswer::Yes, GateAnswer::Yes]);
    assert!(!service.has_weight());
    service.ask_on_both(&gates, 2).await;
    assert!(service.has_weight());
    service.ask_on_both(&gates, 120).await;
    assert_eq!(service.ledger().phase(), "promoting");
    let asked: Vec<String> = gates
        .asked()
        .into_iter()
        .map(|(function, question)| {
            format!("{function} {} {} {}", question["service"], question["release"], question["before"])
        })
        .collect();
    assert_eq!(asked, [r#"shop-gate "backend" 2 "weight""#, r#"shop-gate "backend" 2 "promotion""#]);
}

#[tokio::test]
async fn a_gate_that_says_wait_is_asked_again_a_little_later() {
    let service = Service::at_its_gate().await;
    let gates = Played::says(&[GateAnswer::unreached("it said wait"), GateAnswer::Yes]);
    service.ask_on_both(&gates, 3).await;
    assert_eq!((gates.asked().len(), service.has_weight()), (1, false));
    service.ask_on_both(&gates, 1).await;
    assert_eq!((gates.asked().len(), service.has_weight()), (2, true));
}

#[tokio::test]
async fn what_a_gate_does_instead_of_answering_stands_in_the_verdict() {
    let mut service = Service::at_its_gate().await;
    let gates = Played::default();
    service.ask_on_both(&gates, 24).await;
    let heard = service.asks(&service.world, &gates, "i-backend-1").await;
    let reason = "the gate gave no yes before the first weight: none within 2m, at last it threw Error; see the gate's log, then retry";
    assert_eq!(heard, json!({"status": "failed", "reason": reason}));
    assert!((7..=9).contains(&gates.asked().len()), "{}", gates.asked().len());
    // Whoever takes the gate out of the stack has not said yes for the release that is open.
    service = Service::at_its_gate().await;
    service.settings.gate = None;
    service.settings.policy.gate = Duration::ZERO;
    service.ask_on_both(&gates, 24).await;
    let heard = service.asks(&service.world, &gates, "i-backend-1").await;
    assert!(heard["reason"].as_str().unwrap().contains("the parameter Gate names none any more"), "{heard}");
}

#[tokio::test]
async fn nothing_but_a_hooks_question_asks_a_gate() {
    let service = Service::at_its_gate().await;
    let gates = Played::says(&[GateAnswer::Yes]);
    let tick: Value =
        serde_json::from_str(include_str!("../../../../events/lifecycle/scheduled-tick.json")).unwrap();
    for payload in [
        tick,
        json!({"command": "status", "service": "backend"}),
        json!({"command": "promote", "service": "backend"}),
    ] {
        service.world.pass(Duration::from_secs(5));
        handle(&service.world, &gates, &service.settings, &service.world, Alias::Operators, payload)
            .await
            .unwrap();
    }
    assert_eq!((gates.asked().len(), service.has_weight()), (0, false));
    let status = service.send(json!({"command": "status", "service": "backend"})).await.unwrap();
    let says = status["says"].as_str().unwrap();
    let waits = "waiting for the gate's yes before the first weight since 2026-01-01T00:00:05Z; without it the release goes back at 2026-01-01T00:02:05Z";
    assert!(says.contains(waits), "{says}");
}

#[tokio::test]
async fn a_question_that_cannot_be_written_down_is_not_asked_and_the_hook_is_answered() {
    for fault in ["read_ledger", "write_ledger"] {
        let service = Service::at_its_gate().await;
        service.world.pass(Duration::from_secs(5));
        // The ledger that the hook is answered from is read first.
        let at = if fault == "read_ledger" { At::NthOf(fault, 2) } else { At::Every(fault) };
        let ports = Faulty::new(&service.world, [FaultAt { at, kind: Kind::Before(Class::Transient) }]);
        let gates = Played::says(&[GateAnswer::Yes]);
        let heard = service.asks(&ports, &gates, "i-backend-1").await;
        assert_eq!((&heard["status"], gates.asked().len()), (&json!("wait"), 0), "{fault}");
    }
}

#[tokio::test]
async fn whoever_has_read_the_ledger_before_another_has_asked_does_not_ask_too() {
    let service = Service::at_its_gate().await;
    service.world.pass(Duration::from_secs(5));
    let gates = Played::says(&[GateAnswer::unreached("it said wait"), GateAnswer::Yes]);
    let old = read(&service.world, &service.name).await.unwrap();
    service.asks(&service.world, &gates, "i-backend-1").await;
    let (_, report) = asked(&service.world, &gates, &service.settings, &service.world, old).await;
    assert_eq!((report, gates.asked().len()), (None, 1));
}
