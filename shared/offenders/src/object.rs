//! One log object, from its bytes to a tally: the hot path as a whole. Pure; bytes come in, counts come out.

use jiff::Timestamp;

use crate::access::{self, Access, AccessReader};
use crate::action::WafAction;
use crate::classify::{Classifier, Meaning};
use crate::inflate::{BadObject, Block, Lines};
use crate::json::{self, Text};
use crate::judge::step_at;
use crate::record::{BadRecord, Record, RecordReader, Sink};
use crate::tally::{Room, Sample, Tally, step_of};

/// Records of an object that could not be read, for the log.
const MOST_COMPLAINTS: usize = 3;

/// What was in an object beside the clients' activity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records read, those far from the object's time too.
    pub records: u64,
    /// Records whose time is so far from the object's that they are not counted.
    pub out_of_span: u64,
    /// Records that could not be read, and were passed over.
    pub bad: u64,
    /// The first of them: what was wrong, and the record's shape without its values.
    pub complaints: Vec<String>,
    /// Messages in which CloudWatch Logs only checks whether it can deliver.
    pub control: u64,
    /// Records from allowed networks.
    pub allowed: u64,
    /// Records that name no client.
    pub without_client: u64,
    /// Lines of a load balancer's log that say nothing about their client.
    pub without_meaning: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// Time of the first and the last request that is near the object's time, milliseconds since 1970.
    pub span: Option<(i64, i64)>,
}

impl Summary {
    fn bad_record(&mut self, bad: BadRecord<'_>) {
        self.bad += 1;
        if self.complaints.len() < MOST_COMPLAINTS {
            self.complaints.push(format!("{}: {}", bad.problem, json::shape(bad.json, 160)));
        }
    }
}

/// Reads one object.
#[derive(Debug)]
pub struct ObjectReader<'c> {
    lines: Lines,
    format: Option<Format>,
    counter: Counter<'c>,
}

/// Which log it is, told by its first line.
#[derive(Debug)]
enum Format {
    /// The web ACL's.
    Firewall(RecordReader),
    /// The load balancer's.
    Access(AccessReader),
}

impl Format {
    fn of(lines: &[u8]) -> Self {
        if access::is_access_log(lines) {
            Self::Access(AccessReader::default())
        } else {
            Self::Firewall(RecordReader::default())
        }
    }
}

#[derive(Debug)]
struct Counter<'c> {
    classifier: &'c mut Classifier,
    tally: Tally,
    summary: Summary,
}

impl<'c> ObjectReader<'c> {
    /// Reads with this classifier, into a tally with this much room, an object that was written at this time. Records
    /// of about 45 h to either side are counted: no record decides for the others.
    pub fn new(classifier: &'c mut Classifier, room: Room, written: Timestamp) -> Self {
        let tally = Tally::new(room, step_at(written));
        let counter = Counter { classifier, tally, summary: Summary::default() };
        Self { lines: Lines::default(), format: None, counter }
    }

    /// Refuses what inflates to more than so many bytes.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.lines = Lines::new(bytes);
        self
    }

    /// Takes the next bytes of the object.
    ///
    /// # Errors
    /// The object is bad as a whole; nothing of it may be counted.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), BadObject> {
        let (format, counter) = (&mut self.format, &mut self.counter);
        self.lines.push(piece, &mut |block| counter.block(format, block))
    }

    /// Ends the object.
    ///
    /// # Errors
    /// The object ended too early.
    pub fn finish(mut self) -> Result<(Summary, Tally), BadObject> {
        let (format, counter) = (&mut self.format, &mut self.counter);
        counter.summary.bytes = self.lines.inflated();
        self.lines.finish(&mut |block| counter.block(format, block))?;
        Ok((self.counter.summary, self.counter.tally))
    }
}

impl Counter<'_> {
    #[inline]
    fn block(&mut self, format: &mut Option<Format>, block: Block<'_>) {
        match block {
            Block::Lines(lines) => match format.get_or_insert_with(|| Format::of(lines)) {
                Format::Firewall(reader) => reader.read(lines, self),
                Format::Access(reader) => self.access_lines(reader, lines),
            },
            Block::TooLong => self.bad(BadRecord { json: b"", problem: "a line longer than any record" }),
        }
    }
}

impl Counter<'_> {
    #[inline]
    fn access_lines(&mut self, reader: &mut AccessReader, lines: &[u8]) {
        let mut rest = lines;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest[..end].trim_ascii_end();
            rest = rest.get(end + 1..).unwrap_or_default();
            match reader.read(line) {
                Ok(access) => self.access(&access),
                Err(_) if line.is_empty() => {}
                Err(problem) => self.summary.bad_record(BadRecord { json: line, problem }),
            }
        }
    }

    #[inline]
    fn access(&mut self, access: &Access<'_>) {
        let Some(step) = self.step(access.timestamp) else { return };
        let meaning = self.classifier.classify_access(access);
        self.count(step, meaning, || sample_of_access(access));
    }

    /// The step to count a record in; `None` when its time is too far from the object's.
    #[inline]
    fn step(&mut self, timestamp: i64) -> Option<u32> {
        let summary = &mut self.summary;
        let step = step_of(timestamp)?;
        summary.records += 1;
        if !self.tally.spans(step) {
            summary.out_of_span += 1;
            return None;
        }
        let (first, last) = summary.span.unwrap_or((timestamp, timestamp));
        summary.span = Some((first.min(timestamp), last.max(timestamp)));
        Some(step)
    }

    #[inline]
    fn count(&mut self, step: u32, meaning: Meaning, sample: impl FnOnce() -> Sample) {
        let summary = &mut self.summary;
        match meaning {
            Meaning::Hit(hit) => {
                if self.tally.hit(step, &hit) {
                    self.tally.keep_sample(hit.client, sample);
                }
            }
            Meaning::Allowed => summary.allowed += 1,
            Meaning::NoClient => summary.without_client += 1,
            Meaning::Nothing => summary.without_meaning += 1,
        }
    }
}

impl Sink for Counter<'_> {
    fn bad(&mut self, bad: BadRecord<'_>) {
        self.summary.bad_record(bad);
    }

    fn control(&mut self) {
        self.summary.control += 1;
    }

    #[inline]
    fn record(&mut self, record: &Record<'_>) {
        if step_of(record.timestamp).is_none() {
            self.bad(BadRecord { json: record.json, problem: "a time before 1970 or after 2600" });
            return;
        }
        let Some(step) = self.step(record.timestamp) else { return };
        let meaning = self.classifier.classify(record);
        self.count(step, meaning, || sample(record));
    }
}

#[cold]
fn sample_of_access(access: &Access<'_>) -> Sample {
    let status = access.status.unwrap_or_default();
    Sample {
        timestamp: access.timestamp,
        method: Text::new(access.method).readable(16),
        path: Text::new(access.path).readable(120),
        rule: format!("answered {status}"),
        action: "ALLOW".to_owned(),
    }
}

#[cold]
fn sample(record: &Record<'_>) -> Sample {
    let action = match record.action {
        WafAction::Allow => "ALLOW",
        WafAction::Block => "BLOCK",
        WafAction::Captcha => "CAPTCHA",
        WafAction::Challenge => "CHALLENGE",
        WafAction::Other => "other",
    };
    Sample {
        timestamp: record.timestamp,
        method: record.method.readable(16),
        path: record.uri.readable(120),
        rule: record.rule_in_full(),
        action: action.to_owned(),
    }
}
