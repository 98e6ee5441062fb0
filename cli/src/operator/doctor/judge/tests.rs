//! A sound stack, and everything that can be wrong with it.

use super::super::facts::{
    Alarm, AlarmState, Alias, Bucket, Canary, Counts, Firewall, Function, FunctionState, Group, Held, Queue,
    Rule, Sample, Schedule, Service, Stack, Topic,
};
use super::*;
use release::{
    Colour, Creator, Deployment, DeploymentId, DeploymentStatus, InstanceId, Ledger, Odd, PerColour,
    ReleaseRule, Routing, RuleArn, RuleOwner, Rules, ServiceName, TargetHealth, Weights,
};

/// A service at rest.
const LEDGER: &[u8] =
    include_bytes!("../../../../../shared/release/tests/ledgers/schema-2/idle-with-a-previous-release.json");

/// A service with an open release.
const SHIFTING: &[u8] = include_bytes!("../../../../../shared/release/tests/ledgers/schema-2/shifting.json");

const FUNCTIONS: [&str; 5] = ["upload", "lifecycle", "alarm", "listener-rule", "waf-logs"];

/// A stack with one service and nothing wrong with it.
pub(in super::super) fn sound() -> Facts {
    let name = |function: &str| format!("greenlight-{function}");
    let state = FunctionState { state: "Active".to_owned(), ..FunctionState::default() };
    let groups = FUNCTIONS.iter().map(|function| format!("/aws/lambda/greenlight-{function}"));
    let groups = groups.chain(["/greenlight/greenlight/backend".to_owned()]);
    let own = [
        "no-tick",
        "lifecycle-errors",
        "upload-failed",
        "lifecycle-failed",
        "alarm-failed",
        "waf-logs-failed",
    ];
    let alarms = own.into_iter().map(name).chain(Colour::BOTH.map(alarm_of));
    let quiet = Alarm { state: AlarmState::Ok, actions_enabled: true, actions: 1 };
    let queue = |name, function| Queue { name, function, held: Ok(Held::default()) };
    let rule = Rule { name: "greenlight-tick".to_owned(), enabled: true, targets: 1 };
    let schedule = |name, without_it| Schedule { name, without_it, rule: Ok(rule.clone()) };
    let bucket = |kind: &str, tells| Bucket {
        name: format!("greenlight-{kind}-123456789012-eu-west-1"),
        versions: Ok(true),
        tells,
    };
    Facts {
        name: "greenlight".to_owned(),
        watched: true,
        stack: Ok(Stack {
            id: "arn:aws:cloudformation:eu-west-1:123456789012:stack/greenlight/1".to_owned(),
            status: "UPDATE_COMPLETE".to_owned(),
            reason: None,
            drift_checked: Some("2026-11-28T03:00:00Z".parse().unwrap()),
            drifted: Vec::new(),
        }),
        settings: Ok(Vec::new()),
        functions: FUNCTIONS
            .map(|function| Function { name: name(function), state: Ok(state.clone()) })
            .into(),
        aliases: Ok(["operators", "hooks"]
            .map(|name| Alias { name, version: "7".to_owned(), canary: None })
            .into()),
        last_hour: Ok(FUNCTIONS.map(|function| (name(function), Counts::default())).into()),
        log_groups: Ok(groups.map(|group| (group, Some(30))).collect()),
        queues: vec![queue("UploadFailures", "upload"), queue("LifecycleFailures", "lifecycle")],
        alarms: Ok(alarms.map(|alarm| (alarm, quiet.clone())).collect()),
        schedules: vec![schedule("LifecycleFunctionTick", "releases stand still")],
        buckets: vec![bucket("artifacts", Some(Ok(true))), bucket("state", None)],
        topic: Ok(Topic {
            arn: "arn:aws:sns:eu-west-1:123456789012:greenlight-notifications".to_owned(),
            confirmed: 1,
            pending: 0,
        }),
        firewall: Some(Firewall { before: Ok(Some("greenlight".to_owned())), logs: Some(Ok(true)) }),
        services: vec![service()],
    }
}

fn alarm_of(colour: Colour) -> String {
    format!("greenlight.backend-{colour}-errors")
}

fn service() -> Service {
    let instances = || ["i-1", "i-2"].map(|id| InstanceId(id.to_owned()));
    let healthy = || Ok(instances().map(|instance| (instance, TargetHealth::Healthy)).into());
    let ledger = Ledger::from_json(LEDGER).unwrap();
    let live = ledger.live.as_ref().unwrap().colour;
    Service {
        name: ServiceName::new("backend").unwrap(),
        ledger: Ok(ledger),
        rules: Ok(Rules { base: Routing::Divides(Weights::all_on(live)), release: None, preview: None }),
        rule_owner: None,
        health: PerColour { blue: healthy(), green: healthy() },
        alarms: PerColour { blue: vec![alarm_of(Colour::Blue)], green: vec![alarm_of(Colour::Green)] },
        active: Ok(None),
        group: Ok(Group {
            name: "greenlight.backend".to_owned(),
            desired: 2,
            in_service: instances().into(),
            suspended: Vec::new(),
        }),
        agents: Ok(instances().map(|instance| (instance, Some("1.8.1-70".to_owned()))).into()),
        agent_line: "1",
    }
}

fn live(facts: &Facts) -> Colour {
    facts.services[0].ledger.as_ref().unwrap().live.as_ref().unwrap().colour
}

fn alarm<'a>(facts: &'a mut Facts, name: &str) -> &'a mut Alarm {
    facts.alarms.as_mut().unwrap().get_mut(name).unwrap()
}

/// What breaks a sound stack, and what is then found, and of which object.
type Broken = (&'static str, &'static str, fn(&mut Facts));

/// Everything that is found.
const BROKEN: [Broken; 39] = [
    ("stack_failed", "stack greenlight", |facts| {
        facts.stack.as_mut().unwrap().status = "UPDATE_ROLLBACK_COMPLETE".to_owned();
    }),
    ("stack_changes", "stack greenlight", |facts| {
        facts.stack.as_mut().unwrap().status = "UPDATE_ROLLBACK_IN_PROGRESS".to_owned();
    }),
    ("resource_drifted", "Listener", |facts| {
        let drifted = ("Listener".to_owned(), "arn:listener".to_owned(), "MODIFIED".to_owned());
        facts.stack.as_mut().unwrap().drifted.push(drifted);
    }),
    ("setting_wrong", "greenlight-lifecycle", |facts| {
        facts.settings = Ok(vec!["GREENLIGHT_BAKE is \"soon\": expected a time".to_owned()]);
    }),
    ("function_not_active", "function greenlight-upload", |facts| {
        facts.functions[0].state.as_mut().unwrap().state = "Failed".to_owned();
    }),
    ("function_not_updated", "function greenlight-lifecycle", |facts| {
        facts.functions[1].state.as_mut().unwrap().update_failed = Some("no such bucket".to_owned());
    }),
    ("function_stopped", "function greenlight-alarm", |facts| {
        facts.functions[2].state.as_mut().unwrap().reserved = Some(0);
    }),
    ("function_fails", "function greenlight-upload", |facts| {
        let counts = Counts { errors: 3, throttles: 0 };
        facts.last_hour.as_mut().unwrap().insert("greenlight-upload".to_owned(), counts);
    }),
    ("function_throttled", "function greenlight-alarm", |facts| {
        let counts = Counts { errors: 0, throttles: 9 };
        facts.last_hour.as_mut().unwrap().insert("greenlight-alarm".to_owned(), counts);
    }),
    ("canary_runs", "alias operators of greenlight-lifecycle", |facts| {
        facts.aliases.as_mut().unwrap()[0].canary = Some(Canary {
            version: "8".to_owned(),
            percent: 10,
            published_at: Some("2026-11-28T03:00:00Z".parse().unwrap()),
        });
    }),
    ("aliases_differ", "alias hooks of greenlight-lifecycle", |facts| {
        facts.aliases.as_mut().unwrap()[1].version = "8".to_owned();
    }),
    ("log_missing", "log group /greenlight/greenlight/backend", |facts| {
        facts.log_groups.as_mut().unwrap().remove("/greenlight/greenlight/backend");
    }),
    ("log_kept_for_ever", "log group /aws/lambda/greenlight-alarm", |facts| {
        facts.log_groups.as_mut().unwrap().insert("/aws/lambda/greenlight-alarm".to_owned(), None);
    }),
    ("schedule_disabled", "rule greenlight-tick", |facts| {
        facts.schedules[0].rule.as_mut().unwrap().enabled = false;
    }),
    ("schedule_wakes_nobody", "rule greenlight-tick", |facts| {
        facts.schedules[0].rule.as_mut().unwrap().targets = 0;
    }),
    ("events_failed", "queue UploadFailures", |facts| {
        let what = "s3://artifacts/releases/backend/42-abc1234.zip".to_owned();
        let samples = vec![Sample { what, why: "AccessDenied".to_owned() }];
        facts.queues[0].held = Ok(Held { url: "https://sqs/1".to_owned(), count: 1, samples });
    }),
    ("versions_not_kept", "bucket greenlight-state-123456789012-eu-west-1", |facts| {
        facts.buckets[1].versions = Ok(false);
    }),
    ("uploads_not_told", "bucket greenlight-artifacts-123456789012-eu-west-1", |facts| {
        facts.buckets[0].tells = Some(Ok(false));
    }),
    ("alarm_missing", "alarm greenlight-no-tick", |facts| {
        facts.alarms.as_mut().unwrap().remove("greenlight-no-tick");
    }),
    ("alarm_muted", "alarm greenlight.backend-green-errors", |facts| {
        alarm(facts, "greenlight.backend-green-errors").actions_enabled = false;
    }),
    ("alarm_without_action", "alarm greenlight-upload-failed", |facts| {
        alarm(facts, "greenlight-upload-failed").actions = 0;
    }),
    ("alarm_without_data", "alarm greenlight-alarm-failed", |facts| {
        alarm(facts, "greenlight-alarm-failed").state = AlarmState::NoData;
    }),
    ("alarm_fires", "alarm greenlight-lifecycle-errors", |facts| {
        alarm(facts, "greenlight-lifecycle-errors").state = AlarmState::Firing;
    }),
    ("live_alarm_fires", "alarm greenlight.backend-", |facts| {
        let name = alarm_of(live(facts));
        alarm(facts, &name).state = AlarmState::Firing;
    }),
    ("nobody_is_told", "topic arn:aws:sns", |facts| {
        let topic = facts.topic.as_mut().unwrap();
        (topic.confirmed, topic.pending) = (0, 1);
    }),
    ("firewall_aside", "the load balancer", |facts| facts.firewall.as_mut().unwrap().before = Ok(None)),
    ("firewall_log_off", "web ACL greenlight", |facts| {
        facts.firewall.as_mut().unwrap().logs = Some(Ok(false));
    }),
    ("ledger_unreadable", "the ledger of backend", |facts| {
        facts.services[0].ledger = Err("it is not a ledger of this version".to_owned());
    }),
    ("paused", "backend", |facts| {
        let mut ledger = Ledger::from_json(SHIFTING).unwrap();
        ledger.paused = true;
        let live = ledger.live.as_ref().unwrap().colour;
        facts.services[0].rules.as_mut().unwrap().base = Routing::Divides(Weights::all_on(live));
        facts.services[0].ledger = Ok(ledger);
    }),
    ("verdict_untold", "backend", |facts| {
        let ledger = facts.services[0].ledger.as_mut().unwrap();
        ledger.releases.last_mut().unwrap().untold_for = Some("AccessDenied".to_owned());
    }),
    ("base_rule_gone", "the base rule of backend", |facts| {
        let odd = Odd { why: "gone".to_owned(), gives: PerColour::default(), plain: false, gone: true };
        facts.services[0].rules.as_mut().unwrap().base = Routing::Odd(odd);
    }),
    ("base_rule_drifted", "the base rule of backend", |facts| {
        let other = live(facts).other();
        facts.services[0].rules.as_mut().unwrap().base = Routing::Divides(Weights::all_on(other));
    }),
    ("strangers_rule", "rule arn:rule", |facts| {
        let weights = Routing::Divides(Weights::all_on(Colour::Blue));
        let rule = ReleaseRule { arn: RuleArn("arn:rule".to_owned()), weights };
        facts.services[0].rules.as_mut().unwrap().release = Some(rule);
        facts.services[0].rule_owner = Some(Ok(None));
    }),
    ("deployment_in_the_way", "deployment d-FOREIGN", |facts| {
        facts.services[0].active = Ok(Some(deployment(Creator::User)));
    }),
    ("scaling_suspended", "Auto Scaling group greenlight.backend", |facts| {
        facts.services[0].group.as_mut().unwrap().suspended = vec!["Launch".to_owned()];
    }),
    ("instances_missing", "Auto Scaling group greenlight.backend", |facts| {
        facts.services[0].group.as_mut().unwrap().desired = 3;
    }),
    ("instance_not_registered", "instance i-2", |facts| {
        // Its target went, and another one is on its way out.
        let blue = facts.services[0].health.blue.as_mut().unwrap();
        blue.insert(InstanceId("i-2".to_owned()), TargetHealth::Gone);
        blue.insert(InstanceId("i-3".to_owned()), TargetHealth::Unproven);
    }),
    ("instance_unreachable", "instance i-1", |facts| {
        let PerColour { blue, green } = &mut facts.services[0].health;
        for health in [blue, green] {
            health.as_mut().unwrap().insert(InstanceId("i-1".to_owned()), TargetHealth::Unhealthy);
        }
    }),
    ("agent_wrong", "instance i-2", |facts| {
        facts.services[0].agents.as_mut().unwrap().remove(&InstanceId("i-2".to_owned()));
    }),
];

fn deployment(creator: Creator) -> Deployment {
    Deployment {
        id: DeploymentId("d-FOREIGN".to_owned()),
        group: "backend".to_owned(),
        status: DeploymentStatus::Active,
        creator,
        description: None,
        error: None,
        failed: 0,
    }
}

#[test]
fn nothing_is_found_in_a_sound_stack() {
    assert_eq!(findings(&sound()), []);
}

#[test]
fn each_broken_thing_is_the_one_that_is_found() {
    for (kind, object, break_it) in BROKEN {
        let mut facts = sound();
        break_it(&mut facts);
        let found = findings(&facts);
        let [finding] = &found[..] else { panic!("{kind}: {found:#?}") };
        assert_eq!(finding.kind, kind, "{finding:?}");
        assert!(finding.object.starts_with(object), "{finding:?}");
        assert!(!finding.says.is_empty() && !finding.todo.is_empty(), "{finding:?}");
    }
}

/// What is changed, and how.
type Still = (&'static str, fn(&mut Facts));

/// What stands at the other side of a number or a condition, one thing each.
const SOUND_STILL: [Still; 13] = [
    ("a new stack", |facts| facts.stack.as_mut().unwrap().status = "CREATE_COMPLETE".to_owned()),
    ("executions that are reserved", |facts| {
        facts.functions[0].state.as_mut().unwrap().reserved = Some(1);
    }),
    ("a version tried by both aliases that is another's", |facts| {
        for alias in facts.aliases.as_mut().unwrap() {
            alias.version = "8".to_owned();
        }
    }),
    ("a stack without aliases", |facts| facts.aliases = Ok(Vec::new())),
    ("a firewall's queue that is empty", |facts| {
        facts.queues.push(Queue { name: "WafLogsFailures", function: "waf-logs", held: Ok(Held::default()) });
    }),
    ("a stack that nobody watches", |facts| {
        facts.watched = false;
        facts.alarms.as_mut().unwrap().retain(|name, _| name.starts_with("greenlight.backend"));
    }),
    ("an alarm that is the firewall's, without one", |facts| {
        facts.firewall = None;
        facts.alarms.as_mut().unwrap().remove("greenlight-waf-logs-failed");
    }),
    ("an alarm of the colour that nobody uses", |facts| {
        let name = alarm_of(live(facts).other());
        alarm(facts, &name).state = AlarmState::Firing;
    }),
    ("a subscription beside a confirmed one", |facts| facts.topic.as_mut().unwrap().pending = 1),
    ("a pause for the release that comes", |facts| {
        facts.services[0].ledger.as_mut().unwrap().paused = true;
    }),
    ("more instances than are needed", |facts| facts.services[0].group.as_mut().unwrap().desired = 1),
    ("an instance that is on its way out", |facts| {
        let PerColour { blue, green } = &mut facts.services[0].health;
        for health in [blue, green] {
            health.as_mut().unwrap().insert(InstanceId("i-3".to_owned()), TargetHealth::Unhealthy);
        }
        let agents = facts.services[0].agents.as_mut().unwrap();
        agents.insert(InstanceId("i-3".to_owned()), Some("1.7.0".to_owned()));
    }),
    ("an agent that does not tell its version", |facts| {
        facts.services[0].agents.as_mut().unwrap().insert(InstanceId("i-2".to_owned()), None);
    }),
];

#[test]
fn what_is_only_near_to_wrong_is_not_found() {
    for (what, change) in SOUND_STILL {
        let mut facts = sound();
        change(&mut facts);
        assert_eq!(findings(&facts), [], "{what}");
    }
}

#[test]
fn one_failure_and_one_refusal_of_the_last_hour_are_enough() {
    let mut facts = sound();
    let hour = facts.last_hour.as_mut().unwrap();
    hour.insert("greenlight-upload".to_owned(), Counts { errors: 1, throttles: 1 });
    let kinds: Vec<&str> = findings(&facts).iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, ["function_fails", "function_throttled"]);
}

#[test]
fn a_deployment_that_the_release_has_made_is_in_nobodys_way() {
    let mut facts = sound();
    let of_release_7 =
        "greenlight release 7 3f9c2ab of backend on green by Linear10PercentEvery10Minutes attempt 1"
            .parse()
            .unwrap();
    let ours = Deployment { description: Some(of_release_7), ..deployment(Creator::User) };
    facts.services[0].active = Ok(Some(ours));
    assert_eq!(findings(&facts), []);
}

#[test]
fn a_deployment_of_the_open_release_is_in_nobodys_way_whatever_it_is_called() {
    let mut facts = sound();
    let mut ledger = Ledger::from_json(SHIFTING).unwrap();
    let live = ledger.live.as_ref().unwrap().colour;
    let running = deployment(Creator::User);
    ledger.open.as_mut().unwrap().deployment = Some(running.id.clone());
    let service = &mut facts.services[0];
    service.rules.as_mut().unwrap().base = Routing::Divides(Weights::all_on(live));
    (service.ledger, service.active) = (Ok(ledger), Ok(Some(running)));
    assert_eq!(findings(&facts), []);
}

#[test]
fn another_web_acl_than_the_stacks_keeps_nobody_out() {
    let mut facts = sound();
    facts.firewall.as_mut().unwrap().before = Ok(Some("shop".to_owned()));
    let found = findings(&facts);
    assert!(found.len() == 1 && found[0].says.contains("the web ACL shop, and not the stack's"), "{found:?}");
}

#[test]
fn a_stack_that_was_never_made_has_failed() {
    for status in ["CREATE_FAILED", "DELETE_FAILED"] {
        let mut facts = sound();
        facts.stack.as_mut().unwrap().status = status.to_owned();
        let kinds: Vec<&str> = findings(&facts).iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, ["stack_failed"], "{status}");
    }
}

#[test]
fn aliases_differ_only_when_neither_tries_a_version() {
    let mut facts = sound();
    let aliases = facts.aliases.as_mut().unwrap();
    aliases[1].version = "8".to_owned();
    aliases[0].canary = Some(Canary { version: "8".to_owned(), percent: 90, published_at: None });
    let kinds: Vec<&str> = findings(&facts).iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, ["canary_runs"]);
}

#[test]
fn a_stack_with_ten_things_broken_names_all_ten() {
    let ten = BROKEN.iter().step_by(3).take(10);
    let mut facts = sound();
    let mut kinds: Vec<&str> = Vec::new();
    for (kind, _, break_it) in ten {
        break_it(&mut facts);
        kinds.push(kind);
    }
    let mut found: Vec<&str> = findings(&facts).iter().map(|finding| finding.kind).collect();
    found.sort_unstable();
    kinds.sort_unstable();
    assert_eq!(found, kinds);
}

#[test]
fn what_is_found_is_said_in_full() {
    let mut all = Vec::new();
    for (_, _, break_it) in BROKEN {
        let mut facts = sound();
        break_it(&mut facts);
        all.extend(findings(&facts));
    }
    let told = all.iter().map(|finding| {
        let Finding { kind, object, says, todo } = finding;
        format!("{kind}: {object} {says}\n    {todo}")
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_cannot_be_looked_at_is_found_and_hides_nothing_else() {
    let mut facts = sound();
    let why = || "AccessDenied".to_owned();
    facts.stack = Err(why());
    facts.alarms = Err(why());
    facts.log_groups = Err(why());
    facts.services[0].rules = Err(why());
    facts.services[0].group.as_mut().unwrap().desired = 3;
    let found = findings(&facts);
    let kinds: Vec<&str> = found.iter().map(|finding| finding.kind).collect();
    assert_eq!(
        kinds,
        ["could_not_look", "could_not_look", "could_not_look", "could_not_look", "instances_missing"]
    );
    assert!(found[0].todo.contains("cloudformation:DescribeStacks"), "{found:?}");
}

#[test]
fn what_belongs_to_an_open_release_is_not_found() {
    let mut facts = sound();
    let ledger = Ledger::from_json(SHIFTING).unwrap();
    let (live, open) = (ledger.live.clone().unwrap().colour, ledger.open.clone().unwrap());
    let service = &mut facts.services[0];
    service.ledger = Ok(ledger);
    service.group.as_mut().unwrap().suspended = vec!["Terminate".to_owned()];
    service.rules = Ok(Rules {
        base: Routing::Divides(Weights::all_on(live)),
        release: Some(ReleaseRule {
            arn: RuleArn("arn:rule".to_owned()),
            weights: Routing::Divides(Weights::all_on(live)),
        }),
        preview: None,
    });
    let owner = RuleOwner { number: open.upload.number, attempt: open.attempt, candidate: None };
    service.rule_owner = Some(Ok(Some(owner)));
    assert_eq!(findings(&facts), []);
    facts.services[0].ledger = sound().services[0].ledger.clone();
    let kinds: Vec<&str> = findings(&facts).iter().map(|finding| finding.kind).collect();
    assert!(kinds.contains(&"rule_left_over") && kinds.contains(&"scaling_suspended"), "{kinds:?}");
}

#[test]
fn a_deployment_of_auto_scaling_is_in_nobodys_way() {
    let mut facts = sound();
    facts.services[0].active = Ok(Some(deployment(Creator::Service("autoscaling".to_owned()))));
    assert_eq!(findings(&facts), []);
}

#[test]
fn agents_of_another_line_and_of_several_versions_are_found() {
    let mut facts = sound();
    let agents = facts.services[0].agents.as_mut().unwrap();
    agents.insert(InstanceId("i-2".to_owned()), Some("2.0.1".to_owned()));
    let kinds: Vec<&str> = findings(&facts).iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, ["agent_wrong", "agents_differ"]);
}

#[test]
fn every_kind_stands_in_the_documentation() {
    let page = include_str!("../../../../../docs/operating.md");
    for (kind, ..) in BROKEN {
        assert!(page.contains(&format!("`{kind}`")), "{kind} is not in docs/operating.md");
    }
}
