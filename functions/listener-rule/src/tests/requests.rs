//! What CloudFormation hears, whatever happens.

use crate::answer::LONGEST;
use crate::handler::{WORK, handle};
use crate::ports::{Answers, Listener, LiveColour};
use base_rule::{Change, Owner, Rule, Tags, Wanted};
use greenlight::failure::{Class, Failure, chain};
use release::{Colour, RuleArn, ServiceName, Weights};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/1/2";
const RULE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/1/2/made";
const URL: &str = "https://bucket.s3.test/answer?X-Amz-Signature=5eC2e7";

/// What goes wrong, in the order of the calls.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The next look fails.
    Look(Class),
    /// The next change is carried out, and its answer is lost.
    LostChange,
    /// The next answer does not arrive.
    Answer(Class),
    /// The ledger cannot be read.
    Ledger(Class),
    Panic,
    Hang,
}

#[derive(Debug, Default)]
struct World {
    rules: Mutex<Vec<Rule>>,
    changes: Mutex<Vec<Change>>,
    faults: Mutex<Vec<Fault>>,
    answers: Mutex<Vec<Value>>,
    live: Option<Colour>,
}

impl World {
    fn with(faults: &[Fault]) -> Self {
        Self { faults: Mutex::new(faults.iter().rev().copied().collect()), ..Self::default() }
    }

    fn next(&self, pick: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        faults.last().is_some_and(&pick).then(|| faults.pop()).flatten()
    }

    /// The one answer that was given.
    fn answer(&self) -> Value {
        let answers = self.answers.lock().unwrap();
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers[0].clone()
    }

    fn changes(&self) -> Vec<Change> {
        self.changes.lock().unwrap().clone()
    }
}

impl Listener for World {
    async fn rules(&self, listener: &str) -> Result<Vec<Rule>, Failure> {
        assert_eq!(listener, LISTENER);
        match self.next(|fault| matches!(fault, Fault::Look(_) | Fault::Panic | Fault::Hang)) {
            Some(Fault::Look(class)) => return Err(Failure::new(class, "the look failed")),
            Some(Fault::Panic) => panic!("out of range"),
            Some(Fault::Hang) => tokio::time::sleep(Duration::from_secs(3600)).await,
            _ => {}
        }
        let bare = |rule: &Rule| Rule { tags: Tags::new(), ..rule.clone() };
        Ok(self.rules.lock().unwrap().iter().map(bare).collect())
    }

    async fn tags(&self, rules: &[RuleArn]) -> Result<BTreeMap<RuleArn, Tags>, Failure> {
        let known = self.rules.lock().unwrap();
        let asked = known.iter().filter(|rule| rules.contains(&rule.arn));
        Ok(asked.map(|rule| (rule.arn.clone(), rule.tags.clone())).collect())
    }

    async fn carry_out(
        &self,
        change: &Change,
        owner: &Owner,
        wanted: Option<&Wanted>,
    ) -> Result<(), Failure> {
        self.changes.lock().unwrap().push(change.clone());
        let mut rules = self.rules.lock().unwrap();
        match (change, wanted) {
            (Change::Create(_), Some(wanted)) => rules.push(Rule {
                arn: RuleArn(RULE.to_owned()),
                priority: wanted.priority,
                hosts: wanted.hosts.clone(),
                groups: [wanted.groups.blue.clone(), wanted.groups.green.clone()].into(),
                tags: owner.tags(&wanted.service),
            }),
            (Change::SetHosts(arn), Some(wanted)) => {
                let rule = rules.iter_mut().find(|rule| rule.arn == *arn).unwrap();
                rule.hosts.clone_from(&wanted.hosts);
            }
            (Change::Delete(arn), _) => rules.retain(|rule| rule.arn != *arn),
            other => panic!("{other:?}"),
        }
        match self.next(|fault| matches!(fault, Fault::LostChange)) {
            Some(_) => Err(Failure::new(Class::OutcomeUnknown, "the answer was lost")),
            None => Ok(()),
        }
    }
}

impl LiveColour for World {
    async fn live_colour(&self, bucket: &str, service: &ServiceName) -> Result<Option<Colour>, Failure> {
        assert_eq!((bucket, service.as_str()), ("shop-state", "backend"));
        match self.next(|fault| matches!(fault, Fault::Ledger(_))) {
            Some(Fault::Ledger(class)) => Err(Failure::new(class, "the ledger is no ledger")),
            _ => Ok(self.live),
        }
    }
}

impl Answers for World {
    async fn put(&self, url: &str, answer: String) -> Result<(), Failure> {
        assert_eq!(url, URL);
        assert!(answer.len() <= LONGEST, "{} bytes", answer.len());
        match self.next(|fault| matches!(fault, Fault::Answer(_))) {
            Some(Fault::Answer(class)) => Err(Failure::new(class, "it did not arrive")),
            _ => {
                self.answers.lock().unwrap().push(serde_json::from_str(&answer).unwrap());
                Ok(())
            }
        }
    }
}

fn properties(hosts: &[&str]) -> Value {
    let group = |colour: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{colour}/1");
    json!({
        "ServiceToken": "arn:function", "Service": "backend", "ListenerArn": LISTENER, "Priority": "20",
        "Hosts": hosts, "BlueTargetGroupArn": group("blue"), "GreenTargetGroupArn": group("green"),
        "StateBucket": "shop-state", "Policy": { "Strategy": "AllAtOnce" },
    })
}

fn request(kind: &str, rule: Option<&str>, properties: &Value) -> Value {
    let mut request = json!({
        "RequestType": kind, "ResponseURL": URL, "StackId": "arn:stack", "RequestId": "r-1",
        "LogicalResourceId": "BackendRule", "ResourceProperties": properties,
    });
    if let Some(rule) = rule {
        request["PhysicalResourceId"] = json!(rule);
    }
    request
}

fn create() -> Value {
    request("Create", None, &properties(&["api.shop.test"]))
}

/// The status, the name and the reason that were told.
async fn told(world: &World, request: Value) -> (String, String, String) {
    handle(world, request).await.unwrap();
    let answer = world.answer();
    for (member, value) in
        [("StackId", "arn:stack"), ("RequestId", "r-1"), ("LogicalResourceId", "BackendRule")]
    {
        assert_eq!(answer[member], value);
    }
    let text = |member: &str| answer[member].as_str().unwrap_or_default().to_owned();
    (text("Status"), text("PhysicalResourceId"), text("Reason"))
}

async fn succeeds(world: &World, request: Value) -> String {
    let (status, id, reason) = told(world, request).await;
    assert_eq!((status.as_str(), reason.as_str()), ("SUCCESS", ""));
    id
}

async fn fails(world: &World, request: Value) -> String {
    let (status, id, reason) = told(world, request.clone()).await;
    assert_eq!(status, "FAILED");
    // Another name would have CloudFormation delete the resource that had the old one.
    assert_eq!(json!(id), *request.get("PhysicalResourceId").unwrap_or(&json!("not-created")));
    reason
}

#[tokio::test]
async fn a_rule_is_made_changed_and_removed() {
    let world = World { live: Some(Colour::Green), ..World::default() };
    assert_eq!(succeeds(&world, create()).await, RULE);
    assert_eq!(world.changes(), [Change::Create(Weights::all_on(Colour::Green))]);

    world.answers.lock().unwrap().clear();
    let mut update = request("Update", Some(RULE), &properties(&["api.shop.test", "www.shop.test"]));
    update["OldResourceProperties"] = properties(&["api.shop.test"]);
    assert_eq!(succeeds(&world, update).await, RULE);
    assert_eq!(world.changes()[1..], [Change::SetHosts(RuleArn(RULE.to_owned()))]);

    for _ in 0..2 {
        world.answers.lock().unwrap().clear();
        let delete = request("Delete", Some(RULE), &properties(&["api.shop.test", "www.shop.test"]));
        assert_eq!(succeeds(&world, delete).await, RULE);
        assert_eq!(world.changes()[2..], [Change::Delete(RuleArn(RULE.to_owned()))]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_repeat_mends_is_repeated() {
    // The role may be seconds old, and AWS busy; an answer that was lost had its effect.
    let refused = Fault::Look(Class::Permanent);
    for faults in [
        vec![refused; 12],
        vec![Fault::Look(Class::Transient); 8],
        vec![Fault::Ledger(Class::Transient), Fault::Ledger(Class::Permanent)],
        vec![Fault::LostChange],
        vec![Fault::Answer(Class::OutcomeUnknown), Fault::Answer(Class::Transient)],
    ] {
        let world = World::with(&faults);
        assert_eq!(succeeds(&world, create()).await, RULE, "{faults:?}");
        assert_eq!(world.changes().len(), 1, "{faults:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_is_answered_all_the_same() {
    for (faults, says) in [
        (vec![Fault::Look(Class::Permanent); 13], "the look failed"),
        (vec![Fault::Look(Class::Transient); 100], "it took more than 45 s"),
        (vec![Fault::Hang], "it took more than 45 s"),
        (vec![Fault::Panic], "met a bug in Greenlight"),
        (vec![Fault::Ledger(Class::Permanent); 13], "the ledger does not say which colour is live"),
    ] {
        let world = World::with(&faults);
        let began = tokio::time::Instant::now();
        let reason = fails(&world, create()).await;
        assert!(reason.contains(says), "{reason}");
        assert!(began.elapsed() <= WORK && world.changes().is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_does_not_arrive_is_left_to_the_next_invocation_and_tells_no_url() {
    let world = World::with(&[Fault::Answer(Class::OutcomeUnknown); 3]);
    let failure = handle(&world, create()).await.unwrap_err();
    assert_eq!(failure.class(), Class::OutcomeUnknown);
    assert!(!chain(&failure).contains("5eC2e7"), "{}", chain(&failure));
    // Lambda repeats the request; the rule is there and is taken.
    assert_eq!(succeeds(&world, create()).await, RULE);
    assert_eq!(world.changes().len(), 1);
}

#[tokio::test]
async fn a_policy_that_cannot_be_used_says_by_the_parameters_names_what_to_write() {
    let world = World::default();
    let mut bad = properties(&["api.shop.test"]);
    bad["Policy"] = json!({ "Strategy": "canary:5", "InstallDeadline": "0s", "Hold": "1m" });
    insta::assert_snapshot!(fails(&world, request("Update", Some(RULE), &bad)).await);
    world.answers.lock().unwrap().clear();
    bad["Policy"] = json!({ "Strategy": "Linear10PercentEvery10Minutes", "Bake": "45m" });
    insta::assert_snapshot!(fails(&world, request("Create", None, &bad)).await);
    assert!(world.changes().is_empty());
    // What such a policy never made can be taken away.
    world.answers.lock().unwrap().clear();
    succeeds(&world, request("Delete", Some("not-created"), &bad)).await;
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_answered_where_it_says_whom_to_answer() {
    let with = |change: fn(&mut Value)| {
        let mut properties = properties(&["api.shop.test"]);
        change(&mut properties);
        properties
    };
    for (wrong, says) in [
        (with(|p| p["Priority"] = json!("first")), "Priority is \"first\""),
        (with(|p| p["Priority"] = json!(70000)), "from 3 to 50000"),
        (with(|p| p["Priorty"] = json!("20")), "unknown field `Priorty`"),
        (with(|p| p["Service"] = json!("Back End")), "Back End"),
        (with(|p| p["Hosts"] = json!("api.shop.test")), "expected a sequence"),
        (with(|p| p["Service"] = json!("\u{1b}[31m".repeat(100_000))), "bytes)"),
        (json!(null), "expected struct Properties"),
    ] {
        let world = World::default();
        let reason = fails(&world, request("Create", None, &wrong)).await;
        assert!(reason.contains(says) && !reason.contains('\u{1b}'), "{reason}");
        // What could not be read then made nothing, and can be deleted.
        let world = World::default();
        succeeds(&world, request("Delete", Some("not-created"), &wrong)).await;
        assert!(world.changes().is_empty());
    }
    let world = World::default();
    assert!(fails(&world, request("Recreate", None, &json!({}))).await.contains("\"Recreate\""));
}

#[tokio::test]
async fn nobody_is_answered_where_nobody_asks() {
    for payload in [json!(null), json!([]), json!({ "RequestType": "Create" }), json!({ "ResponseURL": URL })]
    {
        let failure = handle(&World::default(), payload).await.unwrap_err();
        assert_eq!(failure.class(), Class::Permanent);
        assert!(!chain(&failure).contains("5eC2e7"), "{}", chain(&failure));
    }
}

/// The name stays, because CloudFormation deletes a resource that has another.
#[tokio::test]
async fn a_configuration_is_told_as_a_digest_that_changes_with_it_and_nothing_is_looked_at() {
    let told = async |kind: &str, known: Option<&str>, memory: &str| {
        let mut request =
            request(kind, known, &json!({ "ServiceToken": "arn:function", "MemorySize": memory }));
        request["ResourceType"] = json!("Custom::Configuration");
        request["LogicalResourceId"] = json!("LifecycleConfiguration");
        let world = World::with(&[Fault::Look(Class::Permanent)]);
        handle(&world, request).await.unwrap();
        assert_eq!(world.changes(), []);
        world.answer()
    };
    let made = told("Create", None, "256").await;
    let name = made["PhysicalResourceId"].as_str();
    assert_eq!((made["Status"].as_str(), name), (Some("SUCCESS"), Some("LifecycleConfiguration")));
    let changed = told("Update", name, "512").await;
    assert_ne!(changed["Data"]["Digest"], made["Data"]["Digest"]);
    // As when an update is rolled back.
    assert_eq!(told("Update", name, "256").await, made);
    assert_eq!(told("Delete", name, "256").await["PhysicalResourceId"], made["PhysicalResourceId"]);
}
