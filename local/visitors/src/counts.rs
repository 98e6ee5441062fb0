//! Requests counted by host and version.

use std::collections::BTreeMap;

use crate::log::{Log, Meaning, VisitRecord};

/// Requests that have ended, by host and by the version that answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    by_host: BTreeMap<String, BTreeMap<Option<u32>, Count>>,
}

/// How many requests ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Answered below 500 by a version of the service.
    pub served: u64,
    /// Answered 5xx by a version of the service.
    pub errors: u64,
    /// Answered below 500 by something before the service.
    pub turned_away: u64,
    /// Not answered by any version of the service.
    pub lost: u64,
    /// Of all these, sent again over a fresh connection.
    pub retried: u64,
}

impl Count {
    /// However they ended.
    pub fn all(&self) -> u64 {
        self.served + self.errors + self.turned_away + self.lost
    }

    fn add(&mut self, record: &VisitRecord) {
        match record.meaning() {
            Meaning::Served => self.served += 1,
            Meaning::Error => self.errors += 1,
            Meaning::TurnedAway => self.turned_away += 1,
            Meaning::Lost => self.lost += 1,
        }
        self.retried += u64::from(record.retried());
    }
}

impl std::ops::AddAssign<&Count> for Count {
    fn add_assign(&mut self, other: &Self) {
        self.served += other.served;
        self.errors += other.errors;
        self.turned_away += other.turned_away;
        self.lost += other.lost;
        self.retried += other.retried;
    }
}

impl Counts {
    /// Every request of a log.
    pub fn of(log: &Log) -> Self {
        let mut counts = Self::default();
        for record in log.records() {
            counts.add(log.host(record), record);
        }
        counts
    }

    pub(crate) fn add(&mut self, host: &str, record: &VisitRecord) {
        if !self.by_host.contains_key(host) {
            self.by_host.insert(host.to_owned(), BTreeMap::new());
        }
        if let Some(releases) = self.by_host.get_mut(host) {
            releases.entry(record.release()).or_default().add(record);
        }
    }

    /// Of one host and version; `None` for answers that no version gave.
    pub fn get(&self, host: &str, release: Option<u32>) -> Count {
        self.by_host.get(host).and_then(|releases| releases.get(&release)).copied().unwrap_or_default()
    }

    /// Everything: host, version, count.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<u32>, &Count)> {
        self.by_host.iter().flat_map(|(host, releases)| {
            releases.iter().map(move |(release, count)| (host.as_str(), *release, count))
        })
    }

    /// All hosts and versions together.
    pub fn total(&self) -> Count {
        let mut total = Count::default();
        for (_, _, count) in self.iter() {
            total += count;
        }
        total
    }

    /// Requests that have ended, however.
    pub fn requests(&self) -> u64 {
        self.total().all()
    }

    /// Requests that no version of a service answered.
    pub fn lost(&self) -> u64 {
        self.total().lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Timing, VisitEnding};
    use jiff::Timestamp;
    use std::time::Duration;

    #[test]
    fn every_request_of_a_log_is_counted() {
        let at = |due| Timing { due, sent: due, ended: due };
        let record = |at_ms| {
            VisitRecord::new(0, at(Duration::from_millis(at_ms)), VisitEnding::Answered(200), Some(1), false)
        };
        let records = (0..=10).map(|at| record(at * 10)).collect();
        let log = Log { started: Timestamp::UNIX_EPOCH, hosts: vec!["a".to_owned()], records };
        assert_eq!(Counts::of(&log).get("a", Some(1)).served, 11);
    }
}
