//! `greenlight release wait`: until the verdict.

use super::follow::{Ended, Follow, Step};
use super::output::Output;
use super::{address, service_of};
use crate::github::add_to;
use crate::{aws, say};
use clap::Args;
use greenlight::failure::{Failure, chain};
use serde_json::json;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Which release, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The upload: `s3://BUCKET/releases/SERVICE/NUMBER-COMMIT.zip`
    #[arg(value_name = "URI")]
    uri: String,
    /// Its version, as `release upload` said it; without it the newest one
    #[arg(long)]
    version_id: Option<String>,
    /// How long to wait; a release takes at most an hour, and one that waits for it another
    #[arg(long, default_value = "2h", value_parser = time)]
    timeout: Duration,
    /// How long between two looks
    #[arg(long, default_value = "5s", value_parser = time)]
    interval: Duration,
    /// How to say it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    account: aws::Account,
}

fn time(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| format!("{text} is no time: write 90s, 5m or 2h"))
}

/// A newer release took its place.
const SUPERSEDED: u8 = 4;
/// No verdict in time.
const TIMED_OUT: u8 = 5;

/// An upload that no function has looked at for so long is a sign that none will.
const UNSEEN_FOR_LONG: Duration = Duration::from_secs(120);

/// Says each step until the verdict.
///
/// # Errors
/// When the upload cannot be read. What may pass by itself, as a throttled call, is said and tried again.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let upload = address(&arguments.uri)?;
    let service = service_of(&upload.key)?;
    let number = upload
        .key
        .rsplit('/')
        .next()
        .and_then(|name| name.split('-').next())
        .and_then(|text| text.parse().ok());
    let looks = aws::Looks {
        client: arguments.account.s3().await,
        summary: format!("public/{service}.json"),
        // An output of a workflow that was not set is empty.
        version: arguments.version_id.clone().filter(|id| !id.is_empty()),
        upload,
    };
    let (started, mut follow, mut warned) = (Instant::now(), Follow::default(), false);
    loop {
        match looks.look(number).await {
            Ok(seen) => {
                let (step, ended) = follow.look(&seen);
                if let Some(step) = step {
                    tell(arguments.output, started.elapsed(), &step)?;
                }
                if let Some(ended) = ended {
                    return end(arguments, ended, follow.last());
                }
            }
            Err(failure) if aws::may_pass(&failure) => {
                say::beside(&format!("looking again: {}", chain(&failure)));
            }
            Err(failure) => return Err(gave_up(arguments.output, &failure, follow.last())?),
        }
        if started.elapsed() >= arguments.timeout {
            let last = in_words(follow.last());
            say::beside(&format!(
                "no verdict within {}; last seen: {last}. The release goes on: ask for its status, or wait again",
                duration::show(arguments.timeout)
            ));
            arguments.output.annotate("error", &format!("no verdict in time; last seen: {last}"))?;
            return Ok(ExitCode::from(TIMED_OUT));
        }
        if !warned && !follow.was_seen() && started.elapsed() >= UNSEEN_FOR_LONG {
            warned = true;
            say::beside(
                "no function has looked at the upload for two minutes: is this the stack's artifact bucket, and has the \
                 upload function errors?",
            );
        }
        tokio::time::sleep(arguments.interval).await;
    }
}

fn tell(output: Output, after: Duration, step: &Step) -> anyhow::Result<()> {
    let seconds = after.as_secs();
    let line = match output {
        Output::Json => {
            let mut line = serde_json::to_value(step)?;
            if let Some(line) = line.as_object_mut() {
                line.insert("seconds".to_owned(), json!(seconds));
            }
            line.to_string()
        }
        Output::Text | Output::Github => format!("{seconds:>5} s  {}", step.in_words()),
    };
    say::answer(&format!("{line}\n"))
}

fn in_words(last: Option<&Step>) -> String {
    last.map_or("nothing".to_owned(), Step::in_words)
}

/// Nobody looks any more, and the release goes on.
fn gave_up(output: Output, failure: &Failure, last: Option<&Step>) -> anyhow::Result<anyhow::Error> {
    let last = in_words(last);
    output.annotate("error", &format!("no verdict, {failure}; last seen: {last}"))?;
    say::beside(&format!("no verdict; last seen: {last}. What is under way goes on"));
    Ok(anyhow::anyhow!("{}", chain(failure)))
}

fn end(arguments: &Arguments, ended: Ended, last: Option<&Step>) -> anyhow::Result<ExitCode> {
    let said = last.map_or(String::new(), Step::in_words);
    let (level, code) = match ended {
        Ended::Live => ("notice", ExitCode::SUCCESS),
        Ended::Rejected => ("error", ExitCode::FAILURE),
        Ended::Superseded => ("warning", ExitCode::from(SUPERSEDED)),
    };
    arguments.output.annotate(level, &said)?;
    if arguments.output == Output::Github {
        let told = said.replace('`', "'");
        add_to("GITHUB_STEP_SUMMARY", &format!("### Release\n\n`{}`\n\n`{told}`\n", arguments.uri))?;
    }
    Ok(code)
}
