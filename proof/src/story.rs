//! A schedule as a person reads it: one line a step, with the time, who, what, the phase and the weights.

use crate::invocation::At;
use crate::machine::Machine;
use crate::rest::{left_alone, rest};
use crate::schedule::Schedule;
use crate::step::Step;
use crate::world::{TICK, World};
use release::pass::{Amend, Next};
use release::plan::{Action, Plan};
use release::{Open, Reason};

impl Schedule {
    /// What happens, in lines.
    pub fn story(&self, machine: Machine) -> String {
        let setting = self.setting(machine);
        let mut world = self.world();
        let mut lines = vec![format!("start: {:?}, {:?}, {:?}", self.start, self.pace, self.manner)];
        for step in &self.steps {
            let Some(next) = setting.apply(&world, *step) else { continue };
            lines.push(line(&world, *step, &next));
            world = next;
            if let Some(rule) = world.broken {
                lines.push(format!("BROKEN: {rule}"));
                return lines.join("\n");
            }
        }
        lines.push("from here on nothing interferes".to_owned());
        let rest = rest(&setting, &world);
        world = left_alone(&world);
        for step in rest.steps {
            let Some(next) = setting.apply(&world, step) else { continue };
            lines.push(line(&world, step, &next));
            world = next;
        }
        if let Some((_, detail)) = rest.broken {
            lines.push(format!("BROKEN: {detail}"));
        }
        lines.join("\n")
    }
}

fn line(before: &World, step: Step, after: &World) -> String {
    let seconds = u64::from(after.tick) * TICK.as_secs();
    let (who, what) = told(before, step, after);
    let ledger = after.ledger_or_new();
    let open = ledger
        .open
        .as_ref()
        .map_or(String::new(), |open| format!(" {} attempt {}", open.upload.number, open.attempt));
    let live = ledger
        .live
        .as_ref()
        .map_or("nothing".to_owned(), |live| format!("{} on {}", live.upload.number, live.colour));
    let rule = if after.rule.is_some() { "release's rule" } else { "base rule" };
    format!(
        "t+{seconds:>4}s  {who:<10} {what:<74} | {}{open}, live {live} | {} ({rule})",
        ledger.phase(),
        after.traffic()
    )
}

fn told(before: &World, step: Step, after: &World) -> (String, String) {
    let name = |pass: usize| format!("function {pass}");
    match step {
        Step::Wake(pass, woken) => (name(pass), format!("woken {woken:?}, reads the ledger")),
        Step::Run(pass) => (name(pass), next_call(before, after, pass)),
        Step::Goes(pass, wrong) => (name(pass), format!("{} -> {wrong:?}", next_call(before, after, pass))),
        Step::Looks(pass, blind) => {
            (name(pass), format!("{} (could not read: {blind:?})", next_call(before, after, pass)))
        }
        Step::WakeBlind(pass) => (name(pass), "woken, cannot read the ledger".to_owned()),
        Step::Crash(pass) => (name(pass), "is killed".to_owned()),
        Step::Time => ("time".to_owned(), "passes".to_owned()),
        Step::Say(command) => ("operator".to_owned(), format!("{command:?}")),
        Step::Push(number) => ("upload".to_owned(), format!("release {number} arrives")),
        other => ("world".to_owned(), format!("{other:?}")),
    }
}

fn next_call(before: &World, after: &World, pass: usize) -> String {
    let at =
        |world: &World| world.passes.get(pass).and_then(Option::as_ref).map(|running| running.at.clone());
    match at(before) {
        None | Some(At::Reconciles(Next::Ended(_), _) | At::Amends(_, Amend::Ended(_))) => {
            "has ended".to_owned()
        }
        Some(At::Amends(_, Amend::Read(_)) | At::Reconciles(Next::ReadLedger(_), _)) => {
            "reads the ledger".to_owned()
        }
        Some(At::Amends(_, Amend::Write(_)) | At::Reconciles(Next::Write(_), _)) => {
            "writes the ledger".to_owned()
        }
        Some(At::Reconciles(Next::Look(_), _)) => match at(after) {
            Some(At::Reconciles(Next::Act(act), _)) => looks(act.plan()),
            Some(At::Reconciles(Next::Write(write), _)) => looks(write.plan()),
            Some(At::Reconciles(Next::LookBack(back), _)) => looks(back.plan()),
            _ => "looks, and has nothing to do".to_owned(),
        },
        Some(At::Reconciles(Next::Act(act), _)) => described(act.action()),
        Some(At::Reconciles(Next::LookBack(_), _)) => "looks back".to_owned(),
        Some(At::Reconciles(Next::LookWithoutLedger(_), _)) => "looks without a ledger".to_owned(),
        Some(At::Reconciles(Next::TakeBack(back), _)) => {
            format!("without a ledger {}", described(back.action()))
        }
    }
}

fn looks(plan: &Plan) -> String {
    let reasons: Vec<&str> = plan.reasons.iter().map(Reason::word).collect();
    let phase = plan.ledger.open.as_ref().map_or("idle", |open: &Open| open.phase.word());
    format!("looks, decides {phase}: {}", reasons.join(", "))
}

fn described(action: &Action) -> String {
    match action {
        Action::SetReleaseWeights { rule, weights } => format!("sets {rule} to {weights}"),
        Action::SetBaseWeights { weights } => format!("sets the base rule to {weights}"),
        Action::DeleteReleaseRule { rule } | Action::DeletePreviewRule { rule } => format!("deletes {rule}"),
        Action::CreatePreviewRule { release } => format!("creates a preview's rule for {}", release.number),
        Action::CreateReleaseRule { live, .. } => format!("creates the release's rule, all on {live}"),
        Action::CreateDeployment { description, .. } => format!("creates a deployment: {description}"),
        Action::SetAlarm { alarm, .. } => format!("sets {alarm}"),
        Action::StopDeployment { id } => format!("stops {id}"),
        Action::ReplaceInstance { instance } => format!("replaces {instance}"),
        Action::ResumeProcesses { .. } => "resumes Auto Scaling".to_owned(),
        Action::TellVerdict { verdict, .. } => format!("tells the verdict: {}", verdict.word()),
    }
}
