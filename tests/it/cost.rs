//! What the cost page promises: it is what its program prints, and its program counts what the template has.

use crate::template::{SERVICES, Template, root};
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
