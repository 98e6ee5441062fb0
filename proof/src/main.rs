//! `prove`: the model, the random schedules and the mutants, and what they found.

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use proof::machine::Machine;
use proof::report::{Mutants, Report, scenes, schedules, try_mutants};
use proof::{model, replay, simulation};
use std::io::{Write, stdout};
use std::path::PathBuf;

/// Proves that the release path is safe, to a bound.
#[derive(Debug, Parser)]
#[command(name = "prove")]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// How many random schedules are run.
    #[arg(long, global = true, default_value_t = 1_000_000)]
    schedules: u64,
    /// On how many cores.
    #[arg(long, global = true, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
    /// Where the report goes.
    #[arg(long, default_value = "target/prove/report.json")]
    report: PathBuf,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Explores what CI explores, or one scenario by a part of its name, the deep ones included.
    Explore {
        /// A part of the name.
        name: Option<String>,
    },
    /// Runs the random schedules only.
    Simulate,
    /// Tells the story of a seed, shortened if it breaks a rule; writes the schedule as JSON if asked to.
    Seed {
        /// The seed.
        seed: u64,
        /// A file below proof/regressions.
        #[arg(long)]
        keep: Option<PathBuf>,
    },
    /// Tries the mutants only.
    Mutants,
    /// Decides the decision records of a log again.
    Replay {
        /// The log, one JSON object a line.
        file: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let threads = arguments.threads;
    let mut out = stdout().lock();
    match arguments.what {
        None => prove(&arguments, &mut out),
        Some(What::Explore { name }) => {
            let all = model::CI.iter().chain(model::DEEP);
            let chosen: Vec<_> = match &name {
                None => model::CI.to_vec(),
                Some(name) => all.filter(|scenario| scenario.name.contains(name.as_str())).copied().collect(),
            };
            explore(&chosen, threads, &mut out)
        }
        Some(What::Simulate) => {
            let failed = simulate(arguments.schedules, threads, &mut out)?;
            ensure!(failed == 0, "{failed} schedules broke a rule: see above");
            Ok(())
        }
        Some(What::Seed { seed, keep }) => tell(seed, keep, &mut out),
        Some(What::Mutants) => all_caught(&mutants(&mut out)?),
        Some(What::Replay { file }) => {
            let log =
                std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            let replayed = replay::replay(&log);
            writeln!(out, "{} decisions came out as recorded", replayed.same)?;
            for different in &replayed.different {
                writeln!(out, "{different}")?;
            }
            ensure!(
                replayed.different.is_empty(),
                "{} decisions came out differently",
                replayed.different.len()
            );
            Ok(())
        }
    }
}

fn prove(arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<()> {
    let all: Vec<_> = model::CI.iter().chain(model::DEEP).copied().collect();
    let mut telling = Ok(());
    let scenarios = scenes(&all, arguments.threads, |scene| telling = show(scene, out));
    telling?;
    let failed = simulate(arguments.schedules, arguments.threads, out)?;
    let mutants = mutants(out)?;
    let report = Report {
        states: scenarios.iter().map(|scene| scene.states).sum(),
        depth: scenarios.iter().map(|scene| scene.depth).max().unwrap_or(0),
        schedules: arguments.schedules,
        violations: failed + scenarios.iter().filter(|scene| scene.broken.is_some()).count(),
        mutants,
        scenarios,
    };
    if let Some(folder) = arguments.report.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&arguments.report, serde_json::to_string_pretty(&report)?)?;
    ensure!(report.violations == 0, "{} rules were broken: see above", report.violations);
    all_caught(&report.mutants)
}

fn mutants(out: &mut impl Write) -> anyhow::Result<Mutants> {
    let mutants = try_mutants();
    for (name, rule) in &mutants.by {
        let by = rule.map_or("NOT CAUGHT".to_owned(), |rule| rule.to_string());
        writeln!(out, "{name}: {by}")?;
    }
    writeln!(out, "mutants: {} of {} caught", mutants.caught, mutants.total)?;
    Ok(mutants)
}

fn all_caught(mutants: &Mutants) -> anyhow::Result<()> {
    let survivors = mutants.survivors();
    ensure!(survivors.is_empty(), "not caught: {}", survivors.join(", "));
    Ok(())
}

fn explore(chosen: &[model::Scenario], threads: usize, out: &mut impl Write) -> anyhow::Result<()> {
    let mut telling = Ok(());
    let found = scenes(chosen, threads, |scene| telling = show(scene, out));
    telling?;
    let broken = found.iter().filter(|scene| scene.broken.is_some()).count();
    ensure!(broken == 0, "{broken} scenarios break a rule");
    Ok(())
}

fn show(scene: &proof::report::Scene, out: &mut impl Write) -> anyhow::Result<()> {
    let left = if scene.whole { "" } else { ", left there" };
    writeln!(out, "{}: {} states, {} steps deep{left}", scene.name, scene.states, scene.depth)?;
    if let Some((rule, steps)) = &scene.broken {
        writeln!(out, "BROKEN: {rule}\n{}", model::story(scene.name, steps))?;
    }
    Ok(())
}

/// How many schedules broke a rule.
fn simulate(seeds: u64, threads: usize, out: &mut impl Write) -> anyhow::Result<usize> {
    let failed = schedules(seeds, threads);
    writeln!(out, "schedules: {seeds}, {} broke a rule", failed.len())?;
    let mut told = Vec::new();
    for failure in &failed {
        let rule = failure.violation.rule;
        writeln!(out, "seed {}: {}", failure.seed, failure.violation.detail)?;
        if !told.contains(&rule) {
            told.push(rule);
            let shortest = failure.schedule.shortened(Machine::default(), rule);
            writeln!(out, "{}", shortest.story(Machine::default()))?;
        }
    }
    Ok(failed.len())
}

fn tell(seed: u64, keep: Option<PathBuf>, out: &mut impl Write) -> anyhow::Result<()> {
    let schedule = match simulation::run(seed, Machine::default()) {
        Some(failed) => failed.schedule.shortened(Machine::default(), failed.violation.rule),
        None => simulation::schedule(seed, Machine::default()),
    };
    writeln!(out, "{}", schedule.story(Machine::default()))?;
    if let Some(file) = keep {
        std::fs::write(&file, serde_json::to_string_pretty(&schedule)? + "\n")?;
    }
    Ok(())
}
