//! Reads WAF log objects and says what it took: what `make bench-waf` runs. See `bench/waf/run.py`.
//!
//! `measure whole|inflate|serde|merge FILE...` with `--ipv6-prefix 64`, `--threshold 100`.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Read;

use jiff::Timestamp;
use offenders::address::Address;
use offenders::classify::Classifier;
use offenders::configuration::Configuration;
use offenders::inflate::WINDOW;
use offenders::object::ObjectReader;
use offenders::partial::{self, Header};
use offenders::state::State;
use offenders::tally::{Activity, Room, Tally};

type Failure = Box<dyn std::error::Error>;

/// Requests by client and clock minute.
type Minutes = HashMap<(Address, u32), u32, BuildHasherDefault<Fold>>;

/// A quick hash for the benchmark's own counting of minutes, which is no part of the function.
#[derive(Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u128(&mut self, word: u128) {
        self.write(&word.to_le_bytes());
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}

#[derive(Default)]
struct Measured {
    records: u64,
    clients: usize,
    partial_bytes: usize,
    error: u64,
    bad: u64,
    over: BTreeMap<String, u32>,
}

/// Pieces as a download hands them over.
fn pieces(path: &str, mut each: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut file = std::fs::File::open(path)?;
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(()),
            n => each(&piece[..n])?,
        }
    }
}

/// When a log was written: generated files have that time, and so have copies that the AWS CLI made.
fn written(path: &str) -> Result<Timestamp, Failure> {
    Ok(Timestamp::try_from(std::fs::metadata(path)?.modified()?)?)
}

fn inflate(files: &[String]) -> Result<Measured, Failure> {
    let mut measured = Measured::default();
    let mut buffer = vec![0; WINDOW];
    for path in files {
        let mut decompress = flate2::Decompress::new_gzip(15);
        pieces(path, |mut piece| {
            while !piece.is_empty() {
                let before = decompress.total_in();
                let status = decompress.decompress(piece, &mut buffer, flate2::FlushDecompress::None)?;
                piece = &piece[usize::try_from(decompress.total_in() - before)?..];
                if status == flate2::Status::StreamEnd {
                    break;
                }
            }
            Ok(())
        })?;
        measured.records += decompress.total_out();
    }
    Ok(measured)
}

#[derive(serde::Deserialize)]
struct PlainRecord<'a> {
    timestamp: i64,
    action: &'a str,
    #[serde(rename = "httpRequest", borrow)]
    request: PlainRequest<'a>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlainRequest<'a> {
    client_ip: &'a str,
    #[serde(borrow)]
    uri: std::borrow::Cow<'a, str>,
}

/// What one writes first: inflate, one line, one `serde_json`, one map.
fn plain_serde(files: &[String], threshold: u32) -> Result<Measured, Failure> {
    use std::io::BufRead;
    let mut measured = Measured::default();
    let mut minutes: HashMap<(String, i64), u32> = HashMap::new();
    for path in files {
        let file = flate2::bufread::MultiGzDecoder::new(std::io::BufReader::new(std::fs::File::open(path)?));
        let mut reader = std::io::BufReader::with_capacity(WINDOW, file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            let record: PlainRecord<'_> = serde_json::from_slice(&line)?;
            measured.records += 1;
            measured.bad += u64::from(record.action.is_empty() && record.request.uri.is_empty());
            let minute = record.timestamp / 60_000;
            *minutes.entry((record.request.client_ip.to_owned(), minute)).or_default() += 1;
            line.clear();
        }
    }
    for ((client, _), count) in minutes.into_iter().filter(|&(_, count)| count >= threshold) {
        let most = measured.over.entry(client).or_default();
        *most = count.max(*most);
    }
    Ok(measured)
}

/// Counts by clock minute: requests from steps of five seconds, and what a load balancer's log says went well.
fn add_minutes(minutes: &mut Minutes, client: Address, activity: &Activity) {
    let per_minute = u32::try_from(60 / offenders::BUCKET_SECONDS).unwrap_or(1);
    for &(step, _) in &activity.requests {
        *minutes.entry((client, step / per_minute)).or_default() += 1;
    }
    for &(minute, count) in &activity.successes {
        *minutes.entry((client, minute / per_minute)).or_default() += count;
    }
}

/// The function's whole work on each object, up to the bytes of the partial result.
fn whole(files: &[String], ipv6_prefix: u8, threshold: u32, with_answers: bool) -> Result<Measured, Failure> {
    let mut configuration = Configuration::default();
    configuration.clients.ipv6_prefix = ipv6_prefix;
    let mut classifier = Classifier::new(&configuration, Some("greenlight-blocked"));
    let mut measured = Measured::default();
    let mut minutes = Minutes::default();
    for path in files {
        let mut reader = ObjectReader::new(&mut classifier, Room::default(), written(path)?);
        pieces(path, |piece| Ok(reader.push(piece)?))?;
        let (summary, tally) = reader.finish()?;
        measured.records += summary.records;
        measured.bad += summary.bad;
        measured.clients += tally.len();
        measured.error += tally.error();
        let header = Header { records: summary.records, ..Header::default() };
        let partial = partial::encode(header, &tally, ipv6_prefix);
        measured.partial_bytes += partial.len();
        if with_answers {
            tally.each(|client, activity| add_minutes(&mut minutes, client, activity));
        }
    }
    for ((client, _), count) in minutes.into_iter().filter(|&(_, count)| count >= threshold) {
        let most = measured.over.entry(client.ip().to_string()).or_default();
        *most = count.max(*most);
    }
    Ok(measured)
}

/// What a pass does: partial results into a window, and the decision on it.
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
fn merge(files: &[String]) -> Result<(), Failure> {
    const ROUNDS: usize = 20;
    let configuration = Configuration::default();
    let mut classifier = Classifier::new(&configuration, None);
    let mut partials = Vec::new();
    let (mut n_clients, mut last) = (0, 0);
    for path in files {
        let mut reader = ObjectReader::new(&mut classifier, Room::default(), written(path)?);
        pieces(path, |piece| Ok(reader.push(piece)?))?;
        let (summary, tally) = reader.finish()?;
        n_clients += tally.len();
        last = summary.span.map_or(last, |(_, last)| last);
        partials.push(partial::encode(Header::default(), &tally, 64));
    }
    let step = offenders::tally::step_of(last).unwrap_or(0);
    let (before, _) = usage()?;
    let mut window = Tally::new(Room::default(), step);
    for _ in 0..ROUNDS {
        window = Tally::new(Room::default(), step);
        for file in &partials {
            partial::merge(file, &mut window, 0, u32::MAX)?;
        }
    }
    let (merged, _) = usage()?;
    for _ in 0..ROUNDS {
        let now = offenders::judge::time_of(step);
        let decision = offenders::decide::decide(&window, &State::default(), &configuration, now);
        if decision.seen == 0 {
            return Err("nobody was seen".into());
        }
    }
    let (decided, _) = usage()?;
    let per_second = |count: usize, seconds: f64| (count * ROUNDS) as f64 / seconds;
    let report = serde_json::json!({
        "clients": window.len(), "partials": partials.len(), "clients_in_partials": n_clients,
        "merged_per_cpu_s": per_second(n_clients, merged - before),
        "decided_per_cpu_s": per_second(window.len(), decided - merged),
    });
    say(&report);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn say(report: &serde_json::Value) {
    println!("{report}");
}

/// Processor time of this process so far, seconds; peak resident memory, MB.
fn usage() -> Result<(f64, f64), Failure> {
    let nanoseconds = std::fs::read_to_string("/proc/self/schedstat")?;
    let seconds: f64 = nanoseconds.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kilobytes: f64 = peak.trim().trim_end_matches("kB").trim().parse()?;
    Ok((seconds, kilobytes / 1024.0))
}

fn main() -> Result<(), Failure> {
    let (mut files, mut ipv6_prefix, mut threshold) = (Vec::new(), 64, 100);
    let mut what = String::new();
    let mut with_answers = true;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--ipv6-prefix" => ipv6_prefix = arguments.next().unwrap_or_default().parse()?,
            "--threshold" => threshold = arguments.next().unwrap_or_default().parse()?,
            "--no-answers" => with_answers = false,
            _ if what.is_empty() => what = argument,
            _ => files.push(argument),
        }
    }
    if what == "merge" {
        return merge(&files);
    }
    let started = std::time::Instant::now();
    let measured = match what.as_str() {
        "whole" => whole(&files, ipv6_prefix, threshold, with_answers)?,
        "inflate" => inflate(&files)?,
        "serde" => plain_serde(&files, threshold)?,
        _ => return Err("say whole, inflate, serde or merge, then the files".into()),
    };
    let wall = started.elapsed().as_secs_f64();
    let (cpu, peak) = usage()?;
    let report = serde_json::json!({
        "records": measured.records, "wall_s": wall, "cpu_s": cpu, "peak_rss_mb": peak, "bad": measured.bad,
        "clients": measured.clients, "partial_bytes": measured.partial_bytes, "error": measured.error,
        "over": measured.over,
    });
    say(&report);
    Ok(())
}
