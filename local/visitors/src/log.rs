//! What became of each request.

use std::time::Duration;

use jiff::Timestamp;

/// One request. Times are offsets from the start of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitRecord {
    due_us: u64,
    waited_us: u32,
    took_us: u32,
    host: u16,
    release: Option<u32>,
    outcome: VisitEnding,
    retried: bool,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitEnding {
    /// An answer with this status, read to its end.
    Answered(u16),
    /// No answer.
    Failed(Failure),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The connection could not be made.
    Refused,
    /// The connection ended before the answer's head.
    Closed,
    /// The answer broke off.
    Truncated,
    /// The answer took too long.
    TimedOut,
}

/// What an outcome means to the visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// A version of the service answered, below 500.
    Served,
    /// A version of the service answered 5xx.
    Error,
    /// Something before the service answered below 500: a web ACL, a redirect.
    TurnedAway,
    /// No answer, or a 5xx that no version of the service gave.
    Lost,
}

/// A request while it is on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) due: Duration,
    pub(crate) sent: Duration,
    pub(crate) ended: Duration,
}

impl VisitRecord {
    pub(crate) fn new(
        host: u16,
        timing: Timing,
        outcome: VisitEnding,
        release: Option<u32>,
        retried: bool,
    ) -> Self {
        let short = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        Self {
            due_us: u64::try_from(timing.due.as_micros()).unwrap_or(u64::MAX),
            waited_us: short(timing.sent.saturating_sub(timing.due)),
            took_us: short(timing.ended.saturating_sub(timing.sent)),
            host,
            release,
            outcome,
            retried,
        }
    }

    /// When it should have been sent.
    pub fn due(&self) -> Duration {
        Duration::from_micros(self.due_us)
    }

    /// When it was sent: later than due when all connections were busy.
    pub fn sent(&self) -> Duration {
        self.due() + Duration::from_micros(self.waited_us.into())
    }

    /// When its answer had been read, or when it failed.
    pub fn ended(&self) -> Duration {
        self.due() + self.latency()
    }

    /// From due to ended, so that waiting for a connection counts.
    pub fn latency(&self) -> Duration {
        Duration::from_micros(u64::from(self.waited_us) + u64::from(self.took_us))
    }

    /// The version that answered.
    pub fn release(&self) -> Option<u32> {
        self.release
    }

    /// What came back.
    pub fn outcome(&self) -> VisitEnding {
        self.outcome
    }

    /// Whether it was sent again because the server had closed the idle connection.
    pub fn retried(&self) -> bool {
        self.retried
    }

    /// What it means to the visitor.
    pub fn meaning(&self) -> Meaning {
        match (self.outcome, self.release) {
            (VisitEnding::Failed(_), _) | (VisitEnding::Answered(500..), None) => Meaning::Lost,
            (VisitEnding::Answered(500..), Some(_)) => Meaning::Error,
            (VisitEnding::Answered(_), Some(_)) => Meaning::Served,
            (VisitEnding::Answered(_), None) => Meaning::TurnedAway,
        }
    }

    pub(crate) fn host_index(&self) -> u16 {
        self.host
    }
}

/// The records of a run, or of a part of it, by the time they ended.
#[derive(Debug, Clone)]
pub struct Log {
    pub(crate) started: Timestamp,
    pub(crate) hosts: Vec<String>,
    pub(crate) records: Vec<VisitRecord>,
}

impl Log {
    /// When the run started.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// The time of day of an offset.
    pub fn time(&self, offset: Duration) -> Timestamp {
        self.started.saturating_add(offset).unwrap_or(self.started)
    }

    /// All records, by the time they ended.
    pub fn records(&self) -> &[VisitRecord] {
        &self.records
    }

    /// The host that a record of this log asked for.
    pub fn host(&self, record: &VisitRecord) -> &str {
        self.hosts.get(usize::from(record.host)).map_or("", String::as_str)
    }

    /// The records of one host.
    pub fn of<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a VisitRecord> {
        self.records.iter().filter(move |record| self.host(record) == host)
    }

    /// Requests per second, from the first to the last that was due; 0 with fewer than two.
    pub fn per_second(&self) -> f64 {
        let due = || self.records.iter().map(VisitRecord::due);
        let (Some(first), Some(last)) = (due().min(), due().max()) else { return 0.0 };
        if first == last {
            return 0.0;
        }
        let intervals = u32::try_from(self.records.len() - 1).unwrap_or(u32::MAX);
        f64::from(intervals) / last.saturating_sub(first).as_secs_f64()
    }

    /// The latency that `percent` (0 to 100) of all requests did not exceed; none without requests.
    pub fn latency(&self, percent: u8) -> Option<Duration> {
        let mut latencies: Vec<Duration> = self.records.iter().map(VisitRecord::latency).collect();
        latencies.sort_unstable();
        let rank = (latencies.len() * usize::from(percent.min(100))).div_ceil(100).max(1);
        latencies.get(rank - 1).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(due: u64, outcome: VisitEnding, release: Option<u32>) -> VisitRecord {
        let due = Duration::from_millis(due);
        let timing =
            Timing { due, sent: due + Duration::from_millis(2), ended: due + Duration::from_millis(5) };
        VisitRecord::new(0, timing, outcome, release, false)
    }

    #[test]
    fn an_answer_is_lost_only_when_no_version_gave_it() {
        for (outcome, release, expected) in [
            (VisitEnding::Answered(200), Some(2), Meaning::Served),
            (VisitEnding::Answered(404), Some(2), Meaning::Served),
            (VisitEnding::Answered(503), Some(2), Meaning::Error),
            (VisitEnding::Answered(502), None, Meaning::Lost),
            (VisitEnding::Answered(500), None, Meaning::Lost),
            (VisitEnding::Answered(403), None, Meaning::TurnedAway),
            (VisitEnding::Failed(Failure::Closed), None, Meaning::Lost),
            (VisitEnding::Failed(Failure::Truncated), Some(2), Meaning::Lost),
        ] {
            assert_eq!(record(0, outcome, release).meaning(), expected, "{outcome:?} {release:?}");
        }
    }

    #[test]
    fn waiting_for_a_connection_counts_as_latency() {
        let record = record(10, VisitEnding::Answered(200), None);
        assert_eq!(record.sent(), Duration::from_millis(12));
        assert_eq!(record.ended(), Duration::from_millis(15));
        assert_eq!(record.latency(), Duration::from_millis(5));
    }

    #[test]
    fn a_log_knows_its_rate_and_latencies() {
        let records = (0..=10).map(|at| record(at * 10, VisitEnding::Answered(200), Some(1))).collect();
        let log = Log { started: Timestamp::UNIX_EPOCH, hosts: vec!["a".to_owned()], records };
        assert!((log.per_second() - 100.0).abs() < 0.01);
        assert_eq!(log.latency(99), Some(Duration::from_millis(5)));
        assert_eq!(log.of("a").count(), 11);
        assert_eq!(log.time(Duration::from_secs(1)).as_second(), 1);
    }

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<VisitRecord>() <= 32);
    }
}
