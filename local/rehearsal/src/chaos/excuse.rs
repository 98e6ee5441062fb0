//! What was lost, and what of it nobody could have saved.

use jiff::Timestamp;
use visitors::{Log, Meaning, VisitRecord};

/// A time in which the data plane itself must lose requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excuse {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) why: String,
}

/// The lost requests of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Got no answer although a healthy colour was there.
    pub(crate) needless: u64,
    /// The data plane itself must lose them.
    pub(crate) by_the_data_plane: u64,
    /// The first that was needless, in words.
    pub(crate) first: Option<String>,
}

impl Losses {
    /// Those of one host.
    pub(crate) fn of(log: &Log, host: &str, excuses: &[Excuse]) -> Self {
        let mut losses = Self::default();
        for record in log.of(host).filter(|record| record.meaning() == Meaning::Lost) {
            if is_excused(log, record, excuses) {
                losses.by_the_data_plane += 1;
                continue;
            }
            losses.needless += 1;
            losses.first.get_or_insert_with(|| {
                format!("the first at {} as {:?}", log.time(record.ended()), record.outcome())
            });
        }
        losses
    }
}

fn is_excused(log: &Log, record: &VisitRecord, excuses: &[Excuse]) -> bool {
    let (sent, ended) = (log.time(record.sent()), log.time(record.ended()));
    excuses.iter().any(|excuse| sent <= excuse.until && ended >= excuse.from)
}
