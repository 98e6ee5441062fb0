//! What an operator says to the functions. They act, by their own rights; who may say it is decided by IAM.

mod answer;
pub(crate) mod doctor;
mod drill;
mod explain;
mod firewall;
mod logs;
mod page;
mod plan;
mod preview;
mod show;
mod status;
mod text;

use crate::aws::functions::Functions;
use crate::{UNREADABLE, aws, fit, say};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use release::Command;
use serde_json::{Value, json};
use std::process::ExitCode;

/// What can be said.
#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    /// Says what is live, what is open, how the traffic is divided, and what is waited for.
    ///
    /// Without a service all of them. Ends with 0, or with 3 when a service cannot be asked.
    Status(status::Arguments),
    /// Says what is wrong with the stack, of which object, and what to do.
    ///
    /// Looks at stack and drift, functions and their logs, alarms, queues of failures, schedules, buckets, topic, firewall, and
    /// at each service's rules, ledger, instances and agents. Ends with 0 when nothing is wrong, 1 when something is, 2 when
    /// the command is not understood, and 3 when nothing could be said.
    Doctor(doctor::Arguments),
    /// Tells what the functions decided, and what went wrong, in sentences.
    ///
    /// The last of it comes last. Ends with 0, or with 3 when the logs cannot be read.
    Logs(logs::Arguments),
    /// Lists the last releases of a service, the newest first, with their verdicts and reasons.
    Releases(Service),
    /// Shows what a release has left: its steps and why, what was counted, how it ended.
    ///
    /// Reads the state bucket with the caller's own credentials. Without a number the last one that has ended.
    Show(show::Arguments),
    /// Has a page of all services written, and prints a link that opens it for an hour.
    ///
    /// Whoever has the link can read the page. Ends with 0, or with 3 when nobody can be asked.
    Page(Asked),
    /// Says what a release would meet: what is wrong with its bundle, what is in its way, its steps, what traffic can prove.
    ///
    /// Changes nothing. Ends with 0 when it would open, 1 when it would be refused or could not go live as things are, and 3
    /// when the bundle cannot be read or nobody can be asked.
    Plan(plan::Arguments),
    /// Stops the raises of a release. An alarm still takes it back.
    Pause(Stated),
    /// Ends the pause.
    Resume(Change),
    /// Skips the remaining steps and the bake; every raise must still be proven safe.
    Promote(Change),
    /// Gives the open release up; traffic stays on, or returns to, the live version.
    Abort(Stated),
    /// Gives all traffic to the previous version again, after a success.
    Rollback(Stated),
    /// Makes one more attempt with the last rejected release.
    Retry(Change),
    /// Plays the way back with the live version, without users, and says how long it took.
    ///
    /// The live release is installed once more, on the idle colour, and gets no traffic. An alarm of that colour is set, and has
    /// to be obeyed. What ran there, the previous version, is replaced and taken down: from then on a rollback to it takes an
    /// installation. Ends with 0 when the drill has passed, 1 when it is refused, given up or failed, and 3 when nobody can be
    /// asked.
    Drill(drill::Arguments),
    /// Lets no release open for a time. What is open goes on, uploads wait, rollbacks do not.
    Freeze(Freeze),
    /// Ends a freeze.
    Thaw(Wide),
    /// Lets a candidate be asked before its first weight, by whoever sends a header, and prints the header.
    ///
    /// From when it is installed, and for as long as is said. It gets no traffic meanwhile; `resume` goes on sooner. Whoever
    /// knows the header reaches the candidate: it is a secret of the service, and stays until --rotate. Ends as the other
    /// commands do.
    Preview(preview::Arguments),
    /// Says what a reason in the log or in a verdict means, and what to do; of a phase, which commands do what in it.
    Explain(explain::Arguments),
    /// Lists who is blocked, why, and until when.
    Blocked(firewall::Listed),
    /// Blocks an address or a network.
    Block(firewall::Changed),
    /// Lifts a block.
    Unblock(firewall::Network),
    /// Never blocks an address or a network, whatever it does.
    Allow(firewall::Changed),
    /// Ends an `allow`.
    Disallow(firewall::Network),
}

/// Which stack, and how to answer.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// The stack's name, as `sam deploy` has it
    #[arg(long, env = "GREENLIGHT_STACK", default_value = "greenlight")]
    stack: String,
    /// How to say it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    account: aws::Account,
}

impl Asked {
    async fn functions(&self) -> Functions<'_> {
        Functions::of(&self.account, &self.stack).await
    }

    /// Sends what may change something, and says what became of it: a line for each service, where all were meant.
    async fn change(&self, payload: Value, dry_run: bool) -> anyhow::Result<ExitCode> {
        self.change_saying(payload, dry_run, |_| String::new()).await
    }

    /// The same, with more lines of the answer beneath.
    async fn change_saying(
        &self,
        mut payload: Value,
        dry_run: bool,
        more: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<ExitCode> {
        if dry_run {
            payload["dryRun"] = json!(true);
        }
        let answer = self.functions().await.lifecycle(&payload).await?;
        let taken = answer::Taken::read(&answer)?;
        match self.output {
            Output::Json => say::answer(&format!("{answer}\n"))?,
            Output::Text => {
                say::answer(&say::harmless(&format!("{}{}", taken.in_words(dry_run), more(&answer))))?;
            }
        }
        Ok(if taken.has_failed() {
            ExitCode::from(UNREADABLE)
        } else if taken.is_refused() {
            ExitCode::from(REFUSED)
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// A form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs: the function's answer
    Json,
}

/// A service to be shown.
#[derive(Debug, Args)]
pub(crate) struct Service {
    /// The service, as `backend`
    service: String,
    #[command(flatten)]
    asked: Asked,
}

/// A command that may change something.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The service, as `backend`
    service: String,
    /// Only say what it would do
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    asked: Asked,
}

/// A command whose reason is worth keeping.
#[derive(Debug, Args)]
pub(crate) struct Stated {
    #[command(flatten)]
    change: Change,
    /// Why, in one line: it stands in the verdict, in the message about it and in `status`
    #[arg(long)]
    reason: Option<String>,
    /// Who says so, beside the reason [default: the variable USER]. Nobody checks it
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// One service, or all of the stack.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Whom {
    /// The service, as `backend`
    service: Option<String>,
    /// Every service of the stack
    #[arg(long)]
    all: bool,
}

/// A command that may change all services.
#[derive(Debug, Args)]
pub(crate) struct Wide {
    #[command(flatten)]
    whom: Whom,
    /// Only say what it would do
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    asked: Asked,
}

/// A time without releases.
#[derive(Debug, Args)]
pub(crate) struct Freeze {
    #[command(flatten)]
    wide: Wide,
    /// Why, in one line, for whoever finds it so
    #[arg(long)]
    reason: String,
    /// For how long, as 90m, 12h or 3d
    #[arg(long = "for", value_name = "TIME", value_parser = a_time, required_unless_present = "until", conflicts_with = "until")]
    time: Option<String>,
    /// Until when, as 2026-12-27T06:00:00Z
    #[arg(long, value_parser = an_instant)]
    until: Option<String>,
}

fn a_time(text: &str) -> Result<String, &'static str> {
    duration::parse(text).map(|_| text.to_owned()).ok_or("a whole number and its unit, as 90m, 12h or 3d")
}

fn an_instant(text: &str) -> Result<String, &'static str> {
    let is_one = text.parse::<Timestamp>().is_ok();
    is_one
        .then(|| text.to_owned())
        .ok_or("an instant with its zone, as 2026-12-27T06:00:00Z; --for 12h needs none")
}

/// The command means nothing at the moment, and changes nothing.
const REFUSED: u8 = 1;

impl Operator {
    /// Says it, and how it was taken: 0 when it is so now, 1 when it means nothing at the moment, 2 when the command line
    /// is not understood, 3 when nobody can be asked.
    ///
    /// # Errors
    /// When the function cannot be asked, or fails.
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Status(arguments) => status::run(arguments).await,
            Self::Doctor(arguments) => arguments.run().await,
            Self::Logs(arguments) => arguments.run().await,
            Self::Releases(Service { service, asked }) => releases(service, asked).await,
            Self::Show(arguments) => arguments.run().await,
            Self::Page(asked) => page::run(asked).await,
            Self::Plan(arguments) => arguments.run().await,
            Self::Pause(stated) => stated.send(Command::Pause).await,
            Self::Resume(change) => change.send(Command::Resume).await,
            Self::Promote(change) => change.send(Command::Promote).await,
            Self::Abort(stated) => stated.send(Command::Abort).await,
            Self::Rollback(stated) => stated.send(Command::Rollback).await,
            Self::Retry(change) => change.send(Command::Retry).await,
            Self::Drill(arguments) => arguments.run().await,
            Self::Freeze(freeze) => freeze.send().await,
            Self::Thaw(wide) => wide.say(json!({ "command": "thaw" })).await,
            Self::Preview(arguments) => arguments.run().await,
            Self::Explain(arguments) => arguments.run(),
            Self::Blocked(listed) => listed.run().await,
            Self::Block(changed) => changed.run("block").await,
            Self::Allow(changed) => changed.run("allow").await,
            Self::Unblock(network) => network.run("unblock").await,
            Self::Disallow(network) => network.run("disallow").await,
        }
    }
}

impl Change {
    async fn send(&self, command: Command) -> anyhow::Result<ExitCode> {
        self.say(json!({ "command": command })).await
    }

    async fn say(&self, mut payload: Value) -> anyhow::Result<ExitCode> {
        let Self { service, dry_run, asked } = self;
        payload["service"] = json!(service);
        asked.change(payload, *dry_run).await
    }
}

impl Wide {
    async fn say(&self, mut payload: Value) -> anyhow::Result<ExitCode> {
        let Self { whom: Whom { service, all }, dry_run, asked } = self;
        match service {
            Some(service) => payload["service"] = json!(service),
            None => payload["all"] = json!(all),
        }
        asked.change(payload, *dry_run).await
    }
}

impl Stated {
    /// Without a reason it is what every version of the functions understands.
    async fn send(&self, command: Command) -> anyhow::Result<ExitCode> {
        self.change.say(self.payload(command)).await
    }

    fn payload(&self, command: Command) -> Value {
        let Self { reason, by, .. } = self;
        let mut payload = json!({ "command": command });
        if let Some(reason) = reason {
            payload["reason"] = json!(reason);
            if let Some(by) = by.clone().or_else(user) {
                payload["by"] = json!(by);
            }
        }
        payload
    }
}

/// Bytes of a name that are sent. The function keeps fewer (`release::Statement`).
const LONGEST_NAME: usize = 256;

/// Whoever this machine says we are, as far as it is text: a command is not held up by a name.
fn user() -> Option<String> {
    let name = std::env::var_os("USER").filter(|name| !name.is_empty())?;
    let mut name = name.to_string_lossy().into_owned();
    name.truncate(name.floor_char_boundary(LONGEST_NAME));
    Some(name)
}

impl Freeze {
    async fn send(&self) -> anyhow::Result<ExitCode> {
        let Self { wide, reason, time, until } = self;
        let mut payload = json!({ "command": "freeze", "reason": reason });
        for (name, value) in [("time", time), ("until", until)] {
            if let Some(value) = value {
                payload[name] = json!(value);
            }
        }
        wide.say(payload).await
    }
}

async fn releases(service: &str, asked: &Asked) -> anyhow::Result<ExitCode> {
    let payload = json!({ "command": Command::Status, "service": service });
    let answer = asked.functions().await.lifecycle(&payload).await?;
    let ledger = answer::ledger(&answer)?;
    match asked.output {
        Output::Json => say::answer(&format!("{}\n", json!(ledger.releases)))?,
        Output::Text => {
            say::answer(&fit::for_terminal(&say::harmless(&text::releases(&ledger)), text::HANG))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
