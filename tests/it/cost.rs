//! What the cost page promises: it is what its program prints, and its program counts what the template has.

use crate::template::{SERVICES, Template, root};
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn the_cost_page_is_what_its_program_prints() {
    let output = Command::new("python3").arg(root().join("docs/cost/cost.py")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(root().join("docs/cost.md")).unwrap();
    let is_current = page == String::from_utf8_lossy(&output.stdout);
    assert!(is_current, "docs/cost.md is old: python3 docs/cost/cost.py > docs/cost.md");
}

/// The metrics that the alarms of a template read, each of which is paid for.
fn alarm_metrics(template: &Template) -> usize {
    let of = |properties: &serde_json::Value| {
        let lines = properties["Metrics"].as_array();
        lines.map_or(1, |lines| lines.iter().filter(|line| line.get("MetricStat").is_some()).count())
    };
    template.of_type("AWS::CloudWatch::Alarm").values().map(|alarm| of(&alarm.properties())).sum()
}

#[test]
fn the_cost_page_counts_the_alarms_that_the_templates_have() {
    let page = std::fs::read_to_string(root().join("docs/cost.md")).unwrap();
    let services = SERVICES.map(|(_, id)| Template::read().nested(id));
    let colours: usize = services.into_iter().map(alarm_metrics).sum();
    let own = alarm_metrics(&Template::with(
        "infra/watch.yaml",
        &[("WafLogsQueueName", ""), ("BudgetDollars", "0")],
    ));
    let says = format!("alarms ({colours} metrics of the colours, {own} of Greenlight itself)");
    assert!(page.contains(&says), "docs/cost.md does not say: {says}");
}

/// What the program takes for given, by name.
fn reckoned_with() -> Value {
    let script = "import json, cost; print(json.dumps({name: value for name, value in vars(cost).items() \
        if name.isupper() and isinstance(value, (int, float))}))";
    let folder = root().join("docs/cost");
    let output = Command::new("python3").args(["-B", "-c", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_cost_page_reckons_with_what_the_template_makes_by_default() {
    let (template, cost) = (Template::read(), reckoned_with());
    let default = |name: &str| {
        let (_, default) = template.parameters().find(|(known, _)| *known == name).unwrap();
        default.parse::<u64>().unwrap()
    };
    let memory =
        |id: &str| json!(template.resource(id).properties()["MemorySize"].as_f64().unwrap() / 1024.0);
    let rules = template.resource("WebAcl").properties()["Rules"].as_array().unwrap().clone();
    let groups = rules.iter().filter(|rule| rule.get("OverrideAction").is_some()).count();
    let services = u64::try_from(SERVICES.len()).unwrap();
    let made = [
        ("SERVICES", json!(services)),
        ("INSTANCES", json!(services * default("DesiredInstances"))),
        ("DISK_GB", json!(default("InstanceDiskGiB"))),
        ("DATABASE_GB", json!(default("DatabaseStorageGiB"))),
        ("WAF_RULES", json!(rules.len() - groups)),
        ("WAF_GROUPS", json!(groups)),
        ("FUNCTION_GB", memory("LifecycleFunction")),
        ("WAF_FUNCTION_GB", memory("WafLogsFunction")),
    ];
    for (name, expected) in made {
        assert_eq!(cost[name], expected, "{name} of docs/cost/cost.py");
    }
}
