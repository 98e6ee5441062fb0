//! Whom `waf-logs` blocks, beside fail2ban's rule and AWS's Security Automations: what `make bench-offenders` runs.
//!
//! `judge [SEEDS] [PART OF A SCENARIO'S NAME]`: writes `target/bench/offenders.json`, a row for each scenario, seed and
//! tool, and prints the means.

use std::collections::BTreeMap;

use scenarios::play::{Outcome, play};
use scenarios::{ATTACKS, BENIGN, judges};
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::cast_precision_loss, reason = "a handful of seeds")]
fn mean(outcomes: &[Outcome], value: fn(&Outcome) -> f64) -> f64 {
    outcomes.iter().map(value).sum::<f64>() / outcomes.len().max(1) as f64
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let seeds: u64 = arguments.next().map_or(Ok(10), |seeds| seeds.parse())?;
    let wanted = arguments.next().unwrap_or_default();
    let mut rows = Vec::new();
    say(&format!(
        "{:32}{:28}{:>8}{:>10}{:>9}{:>20}{:>12}",
        "scenario", "tool", "recall", "precision", "stopped", "innocents (worst)", "challenged"
    ));
    for scenario in BENIGN.iter().chain(ATTACKS).filter(|scenario| scenario.name.contains(&wanted)) {
        let mut of_tool: BTreeMap<&str, Vec<Outcome>> = BTreeMap::new();
        for seed in 1..=seeds {
            let traffic = scenario.traffic(seed);
            for mut judge in judges::all() {
                let outcome = play(&traffic, judge.as_mut());
                let mut row = json!({ "scenario": scenario.name, "seed": seed, "tool": judge.name() });
                if let (Some(row), serde_json::Value::Object(figures)) =
                    (row.as_object_mut(), serde_json::to_value(&outcome)?)
                {
                    row.extend(figures);
                }
                rows.push(row);
                of_tool.entry(judge.name()).or_default().push(outcome);
            }
        }
        for (tool, outcomes) in &of_tool {
            let worst = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).max().unwrap_or(0);
            say(&format!(
                "{:32}{tool:28}{:>8.2}{:>10.2}{:>9.2}{:>20}{:>12}",
                scenario.name,
                mean(outcomes, |outcome| outcome.recall),
                mean(outcomes, |outcome| outcome.precision),
                mean(outcomes, |outcome| outcome.stopped),
                worst(|outcome| outcome.innocents_blocked),
                worst(|outcome| outcome.innocents_challenged),
            ));
        }
    }
    let folder = std::path::Path::new("target/bench");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("offenders.json"), serde_json::to_vec_pretty(&rows)?)?;
    Ok(())
}
