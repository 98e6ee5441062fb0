//! A sound stack, and everything that can be wrong with it.

use super::super::facts::{
    Alarm, AlarmState, Bucket, Counts, Firewall, Function, FunctionState, Group, Held, Queue, Rule, Sample,
    Schedule, Service, Stack, Topic,
};
use super::*;
use release::{
    Colour, Creator, Deployment, DeploymentId, DeploymentStatus, InstanceId, Ledger, Odd, PerColour,
    ReleaseRule, Routing, RuleArn, RuleOwner, Rules, ServiceName, TargetHealth, Weights,
};

/// A service at rest.
const LEDGER: &[u8] =
    include_bytes!("../../../../../shared/release/tests/ledgers/schema-2/idle-with-a-previous-release.json");

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
const BROKEN: [Broken; 33] = [
    ("stack_failed", "stack greenlight", |facts| {
        facts.stack.as_mut().unwrap().status = "UPDATE_ROLLBACK_COMPLETE".to_owned();
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
    ("log_missing", "log group /greenlight/greenlight/backend", |facts| {
        facts.log_groups.as_mut().unwrap().remove("/greenlight/greenlight/backend");
    }),
    ("log_kept_for_ever", "log group /aws/lambda/greenlight-alarm", |facts| {
        facts.log_groups.as_mut().unwrap().insert("/aws/lambda/greenlight-alarm".to_owned(), None);
    }),
    ("schedule_disabled", "rule greenlight-tick", |facts| {
        facts.schedules[0].rule.as_mut().unwrap().enabled = false;
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
    let open = include_bytes!("../../../../../shared/release/tests/ledgers/schema-2/shifting.json");
    let ledger = Ledger::from_json(open).unwrap();
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
