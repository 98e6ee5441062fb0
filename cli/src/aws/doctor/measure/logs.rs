//! What functions and instances have written, and when.

use super::super::why;
use crate::operator::doctor::Looked;
use crate::operator::doctor::measure::{Boot, Clock, Told};
use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
use jiff::Timestamp;
use release::{InstanceId, ServiceName};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Answers of `FilterLogEvents` that are read of one log. Each looks through about a megabyte.
const PAGES: usize = 10;
/// Uploads that are looked up in S3, the newest.
const UPLOADS: usize = 20;
/// Milliseconds by which a function's clock may be behind S3's.
const SKEW: i64 = 2000;

/// The stack's functions.
const FUNCTIONS: [&str; 5] = ["lifecycle", "upload", "alarm", "listener-rule", "waf-logs"];

/// The logs of a stack.
pub(super) struct Logs<'a> {
    client: Client,
    stack: &'a str,
    /// Milliseconds.
    now: i64,
}

/// A line.
struct Line {
    stream: String,
    /// When CloudWatch took it in, in milliseconds.
    taken_in: i64,
    text: String,
}

impl<'a> Logs<'a> {
    pub(super) fn of(config: &SdkConfig, stack: &'a str, now: Timestamp) -> Self {
        Self { client: Client::new(config), stack, now: now.as_millisecond() }
    }

    /// The lines with this pattern; none of a log that is not there.
    async fn lines(
        &self,
        group: &str,
        streams: Option<String>,
        pattern: &str,
        since: i64,
    ) -> Looked<Vec<Line>> {
        let call = self
            .client
            .filter_log_events()
            .log_group_name(group)
            .set_log_stream_name_prefix(streams)
            .filter_pattern(pattern)
            .start_time(self.now - since);
        let (mut lines, mut token) = (Vec::new(), None);
        for _ in 0..PAGES {
            let page = match call.clone().set_next_token(token).send().await {
                Ok(page) => page,
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(FilterLogEventsError::is_resource_not_found_exception) =>
                {
                    break;
                }
                Err(error) => return Err(why(error)),
            };
            for event in page.events.unwrap_or_default() {
                let (Some(stream), Some(text)) = (event.log_stream_name, event.message) else { continue };
                lines.push(Line { stream, taken_in: event.ingestion_time.unwrap_or_default(), text });
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(lines)
    }

    fn group(&self, function: &str) -> String {
        format!("/aws/lambda/{}-{function}", self.stack)
    }

    /// How long starts took, in the last day.
    pub(super) async fn starts(&self) -> Looked<BTreeMap<String, Vec<u64>>> {
        let mut starts = BTreeMap::new();
        for function in FUNCTIONS {
            let lines = self.lines(&self.group(function), None, "\"Init Duration\"", DAY).await?;
            let took: Vec<u64> = lines.iter().filter_map(|line| start(&line.text)).collect();
            if !took.is_empty() {
                starts.insert(function.to_owned(), took);
            }
        }
        Ok(starts)
    }

    /// When the upload function spoke of an upload of the last week, and when S3 had it.
    pub(super) async fn uploads(&self, s3: &aws_sdk_s3::Client, bucket: &str) -> Looked<Vec<Told>> {
        let lines = self.lines(&self.group("upload"), None, "\"bundle_key\"", 7 * DAY).await?;
        let mut by_key: BTreeMap<String, Vec<Spoken>> = BTreeMap::new();
        for (key, spoken) in lines.iter().filter_map(|line| spoken(&line.text)) {
            by_key.entry(key).or_default().push(spoken);
        }
        let newest = |spoken: &[Spoken]| spoken.iter().map(|one| one.at).max();
        let mut keys: Vec<(String, Vec<Spoken>)> = by_key.into_iter().collect();
        keys.sort_by_key(|(_, spoken)| std::cmp::Reverse(newest(spoken)));
        let mut told = Vec::new();
        for (key, spoken) in keys.into_iter().take(UPLOADS) {
            let Ok(head) = s3.head_object().bucket(bucket).key(&key).send().await else {
                // It has gone since, or may not be read: others tell as much.
                continue;
            };
            let Some(there) = head.last_modified().map(|at| at.secs() * 1000) else { continue };
            let about: Vec<&Spoken> = spoken.iter().filter(|one| one.at >= there - SKEW).collect();
            let Some(first) = about.iter().map(|one| one.at).min() else { continue };
            let times = about.iter().filter(|one| one.judges).count().max(1);
            told.push(Told { key, seconds: (first - there).max(0) / 1000, times });
        }
        Ok(told)
    }

    /// The clock of each execution environment that has written in the last hour. Each has a stream of its own (Lambda
    /// developer guide, "Using CloudWatch Logs with Lambda").
    pub(super) async fn clocks(&self) -> Looked<Vec<Clock>> {
        let mut least: BTreeMap<String, i64> = BTreeMap::new();
        for function in FUNCTIONS {
            for line in self.lines(&self.group(function), None, "\"level\"", HOUR).await? {
                let Some(behind) = written(&line.text).map(|at| line.taken_in - at) else { continue };
                let known = least.entry(format!("{function} {}", line.stream)).or_insert(behind);
                *known = behind.min(*known);
            }
        }
        Ok(least.into_iter().map(|(environment, behind)| Clock { environment, behind }).collect())
    }

    /// What the boots of these instances have said last.
    pub(super) async fn boots(
        &self,
        instances: &BTreeMap<ServiceName, BTreeSet<InstanceId>>,
    ) -> Looked<BTreeMap<InstanceId, Boot>> {
        let mut boots = BTreeMap::new();
        for (service, instances) in instances {
            let group = format!("/greenlight/{}/{service}", self.stack);
            for instance in instances {
                let stream = Some(format!("{instance}/boot"));
                let lines = self.lines(&group, stream, "\"greenlight:\"", self.now).await?;
                boots.insert(instance.clone(), boot(lines.iter().map(|line| line.text.as_str())));
            }
        }
        Ok(boots)
    }
}

/// Milliseconds of `… Init Duration: 36.18 ms …`, rounded up.
fn start(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("Init Duration: ")?;
    let (whole, _) = rest.split_whitespace().next()?.split_once('.').unwrap_or((rest, ""));
    whole.trim().parse::<u64>().ok().map(|whole| whole + 1)
}

/// Of an upload, what a line says.
struct Spoken {
    at: i64,
    /// Whether it says what was found in the bundle, which each invocation does once.
    judges: bool,
}

fn spoken(line: &str) -> Option<(String, Spoken)> {
    let record: Value = serde_json::from_str(line).ok()?;
    let key = record.get("bundle_key")?.as_str()?.to_owned();
    Some((key, Spoken { at: written(line)?, judges: record.get("entries").is_some() }))
}

/// When a line was written by the clock of whoever wrote it, in milliseconds.
fn written(line: &str) -> Option<i64> {
    let record: Value = serde_json::from_str(line).ok()?;
    record.get("timestamp")?.as_str()?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// By the last words of the boot script (`instance/boot/greenlight.sh`).
fn boot<'a>(lines: impl Iterator<Item = &'a str>) -> Boot {
    lines.fold(Boot::Silent, |boot, line| match line {
        _ if line.contains("greenlight: FAILED") => Boot::Failed,
        _ if line.contains("greenlight: ready for releases") => Boot::Ready,
        _ => boot,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_told_in_the_line_that_lambda_writes_of_an_invocation() {
        let line = "REPORT RequestId: 8f5\tDuration: 4.10 ms\tBilled Duration: 41 ms\tMemory Size: 256 MB\tMax Memory Used: \
                    24 MB\tInit Duration: 36.18 ms\t\n";
        assert_eq!(start(line), Some(37));
        assert_eq!(start("REPORT RequestId: 8f5\tDuration: 4.10 ms"), None);
    }

    #[test]
    fn an_upload_is_known_by_its_key_and_the_first_line_about_it_by_its_clock() {
        let line = r#"{"timestamp":"2026-11-28T03:00:02.500Z","level":"INFO","message":"…","bundle_key":"releases/backend/7-a.zip","entries":12}"#;
        let (key, spoken) = spoken(line).unwrap();
        assert_eq!(
            (key.as_str(), spoken.at % 60_000, spoken.judges),
            ("releases/backend/7-a.zip", 2500, true)
        );
        assert!(super::spoken("START RequestId: 8f5").is_none());
    }

    #[test]
    fn a_boot_that_failed_before_it_was_ready_is_ready() {
        let ready = "greenlight: ready for releases of backend";
        let failed = "greenlight: FAILED: dnf";
        assert_eq!(boot([failed, ready].into_iter()), Boot::Ready);
        assert_eq!(boot([ready, failed].into_iter()), Boot::Failed);
        assert_eq!(boot(["cloud-init"].into_iter()), Boot::Silent);
    }
}
