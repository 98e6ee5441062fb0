//! `greenlight logs`: what the functions decided, and what went wrong, in sentences.

use super::{Asked, Output};
use crate::aws::logs::{Event, Logs};
use crate::{aws, say};
use anyhow::bail;
use clap::Args;
use decisions::{Entry, News, Tone};
use greenlight::failure::chain;
use jiff::Timestamp;
use release::ReleaseNumber;
use serde::Serialize;
use std::collections::{BTreeSet, VecDeque};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

/// Of what, and since when.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight logs backend                  what was decided on the backend in the last hour
  greenlight logs --since 1d --lines 1000
  greenlight logs backend --follow         goes on until it is interrupted
  greenlight logs --output json | jq -r 'select(.tone == \"bad\") | .says'

Reads the functions' log groups with your own credentials (logs:FilterLogEvents). What happens is there some seconds later.")]
pub(crate) struct Arguments {
    /// The service, as `backend`; without it all of them
    service: Option<String>,
    /// How far back, as 90s, 15m, 6h or 2d; at most 7d
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = time)]
    since: Duration,
    /// How many lines at most, the last ones; those that follow are not counted
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    lines: u32,
    /// Go on with what happens, until it is interrupted
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    asked: Asked,
}

/// A day of a service at rest has 1,440 decisions of some kilobytes, so a week takes some minutes to read.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

fn time(text: &str) -> Result<Duration, String> {
    let known = duration::parse(text).filter(|time| !time.is_zero() && *time <= LONGEST);
    known.ok_or_else(|| format!("{text} is no time up to 7d: write 90s, 15m, 6h or 2d"))
}

/// As much is read at once: what a busy service writes in it fits into memory.
const WINDOW: Duration = Duration::from_secs(6 * 3600);

/// Between two looks while following.
const INTERVAL: Duration = Duration::from_secs(5);

/// An event may become readable so much later than it was written.
const LATE: Duration = Duration::from_secs(60);

/// One thing that was decided or went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    at: Timestamp,
    /// Absent where a function says something of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    function: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseNumber>,
    tone: Tone,
    /// The reason's word; absent where something went wrong or was commanded.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    says: String,
}

/// Makes lines of events, each once and nothing that was said before.
struct Teller<'a> {
    /// Only of this one.
    service: Option<&'a str>,
    news: News,
    /// The events of the last window that the next one may have too.
    told: BTreeSet<String>,
}

impl<'a> Teller<'a> {
    fn new(service: Option<&'a str>) -> Self {
        Self { service, news: News::default(), told: BTreeSet::new() }
    }

    /// What events say. They are those of a window that overlaps the one before it by what may be late.
    fn tell(&mut self, mut events: Vec<Event>, until: Timestamp) -> Vec<Line> {
        let late = until.saturating_sub(LATE).unwrap_or(Timestamp::MIN);
        let fresh = events.iter().filter(|event| event.at >= late).map(|event| event.id.clone()).collect();
        let told = std::mem::replace(&mut self.told, fresh);
        events.retain(|event| !told.contains(&event.id));
        let mut entries: Vec<(Timestamp, &'static str, Entry)> = events
            .into_iter()
            .filter_map(|event| {
                let entry = Entry::read(&event.line)?;
                let at = match &entry {
                    Entry::Decided(decision) => decision.at,
                    Entry::Commanded(_) | Entry::Trouble(_) => event.at,
                };
                Some((at, event.function, entry))
            })
            .collect();
        entries.sort_by_key(|(at, ..)| *at);
        entries.into_iter().flat_map(|(at, function, entry)| self.lines(at, function, entry)).collect()
    }

    fn lines(&mut self, at: Timestamp, function: &'static str, entry: Entry) -> Vec<Line> {
        let is_asked = |service: &str| self.service.is_none_or(|asked| asked == service);
        match entry {
            Entry::Decided(decision) if is_asked(&decision.service) => {
                let told = self.news.of(&decision).into_iter();
                told.map(|told| Line {
                    at,
                    service: Some(told.service),
                    function,
                    release: told.release,
                    tone: told.tone,
                    reason: Some(told.word),
                    says: told.text.split_whitespace().collect::<Vec<_>>().join(" "),
                })
                .collect()
            }
            Entry::Trouble(trouble) if trouble.service.as_deref().is_none_or(is_asked) => vec![Line {
                at,
                service: trouble.service,
                function,
                release: None,
                tone: Tone::Bad,
                reason: None,
                says: trouble.text,
            }],
            Entry::Commanded(commanded) if is_asked(&commanded.service) => vec![Line {
                at,
                service: Some(commanded.service),
                function,
                release: None,
                tone: Tone::Plain,
                reason: None,
                says: commanded.text,
            }],
            Entry::Decided(_) | Entry::Commanded(_) | Entry::Trouble(_) => Vec::new(),
        }
    }
}

impl Arguments {
    /// Tells what happened, the last of it last; then what happens, if that is asked for.
    ///
    /// # Errors
    /// When the logs cannot be read. While following, what may pass by itself is said, and read again.
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Self { service, since, lines, follow, asked } = self;
        let logs = Logs::of(&asked.account, &asked.stack).await;
        let mut teller = Teller::new(service.as_deref());
        let most = usize::try_from(*lines)?;
        let until = aws::now();
        let (mut last, mut left_out) = (VecDeque::new(), 0_usize);
        let mut from = until.saturating_sub(*since)?;
        while from < until {
            let end = from.saturating_add(WINDOW)?.min(until);
            let events = match logs.between(from, end).await {
                Ok(events) => events,
                Err(failure) => bail!("{}", chain(&failure)),
            };
            for line in teller.tell(events, end) {
                last.push_back(line);
                if last.len() > most {
                    last.pop_front();
                    left_out += 1;
                }
            }
            from = end;
        }
        if left_out > 0 {
            say::beside(&format!("{left_out} lines before these are left out: --lines gives more"));
        }
        self.print(last)?;
        if *follow { self.follow(&logs, &mut teller, until).await } else { Ok(ExitCode::SUCCESS) }
    }

    async fn follow(
        &self,
        logs: &Logs<'_>,
        teller: &mut Teller<'_>,
        mut until: Timestamp,
    ) -> anyhow::Result<ExitCode> {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let now = aws::now();
            match logs.between(until.saturating_sub(LATE)?, now).await {
                Ok(events) => {
                    self.print(teller.tell(events, now))?;
                    until = now;
                }
                Err(failure) if aws::may_pass(&failure) => {
                    say::beside(&format!("reading again: {}", chain(&failure)));
                }
                Err(failure) => bail!("{}", chain(&failure)),
            }
        }
    }

    fn print(&self, lines: impl IntoIterator<Item = Line>) -> anyhow::Result<()> {
        let coloured = is_colourful();
        for line in lines {
            say::answer(&match self.asked.output {
                Output::Json => format!("{}\n", serde_json::to_string(&line)?),
                Output::Text => in_words(&line, coloured),
            })?;
        }
        Ok(())
    }
}

/// A terminal whose owner has not asked for none (<https://no-color.org>).
fn is_colourful() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn in_words(line: &Line, coloured: bool) -> String {
    let Line { at, service, function, tone, says, .. } = line;
    let who = service.as_deref().unwrap_or(function);
    let text = say::harmless(&format!("{}  {who:<9}  {says}", at.strftime("%Y-%m-%d %H:%M:%S")));
    match colour(*tone).filter(|_| coloured) {
        Some(colour) => format!("\x1b[{colour}m{text}\x1b[0m\n"),
        None => format!("{text}\n"),
    }
}

/// As the demo has them.
fn colour(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Plain => None,
        Tone::Waits => Some("2"),
        Tone::Step => Some("36"),
        Tone::Good => Some("32"),
        Tone::Bad => Some("31"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORY: &str = include_str!("../../../shared/decisions/records/story.jsonl");

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn event(id: &str, second: i64, function: &'static str, line: &str) -> Event {
        Event { at: at(second), function, id: id.to_owned(), line: line.to_owned() }
    }

    fn story() -> Vec<Event> {
        let line = |(number, line): (usize, &str)| {
            event(&number.to_string(), i64::try_from(number).unwrap(), "lifecycle", line)
        };
        STORY.lines().enumerate().map(line).collect()
    }

    fn told(lines: &[Line]) -> String {
        lines.iter().map(|line| in_words(line, false)).collect()
    }

    #[test]
    fn decisions_are_sentences_in_the_order_in_which_they_were_made() {
        let mut late_first = story();
        late_first.reverse();
        let lines = Teller::new(None).tell(late_first, at(100_000));
        assert_eq!(lines, Teller::new(None).tell(story(), at(100_000)));
        insta::assert_snapshot!(told(&lines));
    }

    #[test]
    fn of_one_service_nothing_is_told_of_another_and_what_concerns_all_is() {
        let services: BTreeSet<_> = Teller::new(None)
            .tell(story(), at(100_000))
            .into_iter()
            .filter_map(|line| line.service)
            .collect();
        let service = services.first().unwrap().as_str();
        let lines = Teller::new(Some(service)).tell(story(), at(100_000));
        assert!(!lines.is_empty() && lines.iter().all(|line| line.service.as_deref() == Some(service)));
        assert_eq!(Teller::new(Some("nothing-like-it")).tell(story(), at(100_000)), []);
        let of_all = r#"{"level":"ERROR","message":"the topic cannot be reached"}"#;
        let of_another = r#"{"level":"WARN","message":"a call failed","service":"another"}"#;
        let events = vec![event("a", 1, "alarm", of_all), event("b", 2, "alarm", of_another)];
        let lines = Teller::new(Some(service)).tell(events, at(10));
        assert_eq!(told(&lines), "2027-01-15 08:00:01  alarm      the topic cannot be reached\n");
    }

    #[test]
    fn what_comes_twice_is_told_once_and_what_comes_late_is_told() {
        let mut teller = Teller::new(None);
        let trouble =
            |id: &str, second| event(id, second, "upload", r#"{"level":"ERROR","message":"no such bucket"}"#);
        assert_eq!(teller.tell(vec![trouble("a", 95)], at(100)).len(), 1);
        assert_eq!(
            teller.tell(vec![trouble("late", 80), trouble("a", 95), trouble("b", 101)], at(105)).len(),
            2
        );
        assert_eq!(teller.tell(vec![trouble("a", 95), trouble("b", 101)], at(110)).len(), 0);
    }

    #[test]
    fn a_line_moves_no_cursor_and_has_a_colour_on_a_terminal_only() {
        let line = r#"{"level":"ERROR","message":"\u001b[2Jbad\nworse"}"#;
        let lines = Teller::new(None).tell(vec![event("a", 1, "upload", line)], at(2));
        assert_eq!(in_words(&lines[0], false), "2027-01-15 08:00:01  upload      [2Jbad worse\n");
        assert_eq!(
            in_words(&lines[0], true),
            "\x1b[31m2027-01-15 08:00:01  upload      [2Jbad worse\x1b[0m\n"
        );
    }

    #[test]
    fn no_more_than_a_week_is_read() {
        assert_eq!(time("7d"), Ok(LONGEST));
        assert!(time("8d").is_err() && time("0s").is_err() && time("yesterday").is_err());
    }
}
