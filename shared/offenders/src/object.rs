//! One log object, from its bytes to a tally: the hot path as a whole. Pure; bytes come in, counts come out.

use jiff::Timestamp;

use crate::action::WafAction;
use crate::classify::{Classifier, Meaning};
use crate::inflate::{BadObject, Block, Lines};
use crate::json;
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
    records: RecordReader,
    counter: Counter<'c>,
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
        Self { lines: Lines::default(), records: RecordReader::default(), counter }
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
        let (records, counter) = (&mut self.records, &mut self.counter);
        self.lines.push(piece, &mut |block| counter.block(records, block))
    }

    /// Ends the object.
    ///
    /// # Errors
    /// The object ended too early.
    pub fn finish(mut self) -> Result<(Summary, Tally), BadObject> {
        let (records, counter) = (&mut self.records, &mut self.counter);
        counter.summary.bytes = self.lines.inflated();
        self.lines.finish(&mut |block| counter.block(records, block))?;
        Ok((self.counter.summary, self.counter.tally))
    }
}

impl Counter<'_> {
    #[inline]
    fn block(&mut self, reader: &mut RecordReader, block: Block<'_>) {
        match block {
            Block::Lines(lines) => reader.read(lines, self),
            Block::TooLong => self.bad(BadRecord { json: b"", problem: "a line longer than any record" }),
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
        let summary = &mut self.summary;
        let Some(step) = step_of(record.timestamp) else {
            summary.bad_record(BadRecord { json: record.json, problem: "a time before 1970 or after 2600" });
            return;
        };
        summary.records += 1;
        if !self.tally.spans(step) {
            summary.out_of_span += 1;
            return;
        }
        let (first, last) = summary.span.unwrap_or((record.timestamp, record.timestamp));
        summary.span = Some((first.min(record.timestamp), last.max(record.timestamp)));
        let hit = match self.classifier.classify(record) {
            Meaning::Hit(hit) => hit,
            Meaning::Allowed => {
                summary.allowed += 1;
                return;
            }
            Meaning::NoClient => {
                summary.without_client += 1;
                return;
            }
        };
        if self.tally.hit(step, &hit) {
            self.tally.keep_sample(hit.client, || sample(record));
        }
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
