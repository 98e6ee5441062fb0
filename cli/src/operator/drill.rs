//! `greenlight drill`: the way back, played without users, followed to its end.

use super::{Output, REFUSED, Stated, answer};
use crate::aws::functions::Functions;
use crate::say;
use anyhow::bail;
use clap::Args;
use jiff::Timestamp;
use release::{Command, DrillEnd, Drilled, Ledger, Purpose, Reinstalled};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

/// Of which service.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    stated: Stated,
    /// Do not wait for its end: `status` says how it went
    #[arg(long)]
    no_wait: bool,
}

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(5);

/// So many looks in a row may fail: a function that is being updated answers again within a minute.
const FAILURES: u32 = 12;

impl Arguments {
    /// # Errors
    /// When the function cannot be asked, or no more while the drill goes on. It ends by itself all the same.
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Self { stated, no_wait } = self;
        let change = &stated.change;
        if change.dry_run || *no_wait {
            return change.say(stated.payload(Command::Drill)).await;
        }
        let functions = change.asked.functions().await;
        let mut payload = stated.payload(Command::Drill);
        payload["service"] = json!(change.service);
        let told = functions.lifecycle(&payload).await?;
        let taken = answer::Taken::read(&told)?;
        let is_text = change.asked.output == Output::Text;
        if is_text || taken.is_refused() {
            self.tell(&taken.in_words(false), &told)?;
        }
        if taken.is_refused() {
            return Ok(ExitCode::from(REFUSED));
        }
        let begun = answer::ledger(&told)?;
        let Some(since) = begins(&begun) else {
            bail!("the drill was not begun: `greenlight logs` says why");
        };
        let (drilled, reinstalled) = self.follow(&functions, &begun, since).await?;
        let mut text = format!("{drilled}\n");
        let mut answer = json!({ "service": change.service, "drilled": drilled });
        if let Some(reinstalled) = &reinstalled {
            writeln!(text, "{reinstalled}")?;
            answer["reinstalled"] = json!(reinstalled);
        }
        self.tell(&text, &answer)?;
        Ok(if drilled.end == DrillEnd::Passed { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
    }

    fn tell(&self, text: &str, answer: &Value) -> anyhow::Result<()> {
        match self.stated.change.asked.output {
            Output::Json => say::answer(&format!("{answer}\n")),
            Output::Text => say::answer(&say::harmless(text)),
        }
    }

    /// Until it has ended, and what it has replaced is installed again or is not to be. Its phases are said beside the answer.
    async fn follow(
        &self,
        functions: &Functions<'_>,
        begun: &Ledger,
        since: Timestamp,
    ) -> anyhow::Result<(Drilled, Option<Reinstalled>)> {
        let payload = json!({ "command": Command::Status, "service": self.stated.change.service });
        let (mut phase, mut failures, mut waited) = (begun.phase(), 0, 0);
        say::beside(phase);
        loop {
            let ledger = functions.lifecycle(&payload).await.and_then(|told| answer::ledger(&told));
            match ledger {
                Ok(ledger) => {
                    failures = 0;
                    waited += u32::from(is_due(&ledger) && ledger.open.is_none());
                    if let Some(ended) = ended(&ledger, since, waited > WAITS) {
                        if is_due(&ledger) {
                            say::beside("what it has replaced is not installed again yet: `status` says why");
                        }
                        return Ok(ended);
                    }
                    if ledger.phase() != phase {
                        phase = ledger.phase();
                        say::beside(phase);
                    }
                }
                Err(error) if failures >= FAILURES => {
                    return Err(error.context("the drill goes on, and nobody says how: see `status` later"));
                }
                Err(error) => {
                    failures += 1;
                    say::beside(&format!("{error:#}: asked again"));
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// Since when the drill goes on that was asked for. Asked for once more, it may be over, with what it has replaced under way.
fn begins(ledger: &Ledger) -> Option<Timestamp> {
    let open = ledger.open.as_ref()?;
    match open.purpose {
        Purpose::Drill => Some(open.opened_at),
        Purpose::Reinstall => ledger.drilled.as_ref().map(|drilled| drilled.opened_at),
        Purpose::Release | Purpose::Rollback | Purpose::Settle => None,
    }
}

/// How many looks it is followed for while what it has replaced waits until the live colour is well, which may take any time.
const WAITS: u32 = 36;

fn is_due(ledger: &Ledger) -> bool {
    ledger.previous.as_ref().is_some_and(|previous| previous.comes_back)
}

/// How the drill that began then has ended, and the reinstallation after it, if there was one.
fn ended(ledger: &Ledger, since: Timestamp, is_long: bool) -> Option<(Drilled, Option<Reinstalled>)> {
    let drilled = ledger.drilled.as_ref().filter(|last| last.opened_at >= since)?;
    let waits = is_due(ledger) && !is_long;
    if waits || ledger.open.as_ref().is_some_and(|open| open.purpose == Purpose::Reinstall) {
        return None;
    }
    let reinstalled = ledger.reinstalled.as_ref().filter(|last| last.opened_at >= drilled.closed_at);
    Some(((**drilled).clone(), reinstalled.map(|last| (**last).clone())))
}
