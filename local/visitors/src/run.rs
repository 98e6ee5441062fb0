//! A running load.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use http::header::InvalidHeaderValue;
use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::connection::{Connection, Exchange};
use crate::counts::Counts;
use crate::log::{Failure, Log, Timing, VisitEnding, VisitRecord};
use crate::pace::{Due, pace};
use crate::plan::Plan;
use crate::requests::request;

/// After so many requests a visitor leaves and the next one comes.
const STAY: usize = 100;

/// Visitors on their way. Dropping them ends the load at once.
#[derive(Debug)]
pub struct Visitors {
    pacers: JoinSet<()>,
    connections: JoinSet<()>,
    asks: UnboundedSender<Due>,
    run: Arc<Run>,
    started: Timestamp,
}

/// What the connections share.
#[derive(Debug)]
struct Run {
    plan: Plan,
    hosts: Vec<HeaderValue>,
    start: Instant,
    arrived: AtomicUsize,
    due: tokio::sync::Mutex<UnboundedReceiver<Due>>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    records: Vec<VisitRecord>,
    counts: Counts,
}

impl Visitors {
    /// Starts the load on the runtime that this is called on.
    ///
    /// # Errors
    /// When a host of the plan cannot be a Host header.
    pub fn start(plan: Plan) -> Result<Self, InvalidHeaderValue> {
        let hosts =
            plan.hosts.iter().map(|rate| HeaderValue::from_str(&rate.host)).collect::<Result<Vec<_>, _>>()?;
        let (sender, due) = unbounded_channel();
        let (start, started) = (Instant::now(), now());
        let mut pacers = JoinSet::new();
        for (index, rate) in (0..).zip(&plan.hosts) {
            pacers.spawn(pace(index, rate.per_second, start, sender.clone()));
        }
        let connections = plan.connections.max(1);
        let run = Arc::new(Run {
            plan,
            hosts,
            start,
            arrived: AtomicUsize::new(0),
            due: tokio::sync::Mutex::new(due),
            book: Mutex::default(),
        });
        let connections = (0..connections).map(|_| Arc::clone(&run).visit()).collect();
        Ok(Self { pacers, connections, asks: sender, run, started })
    }

    /// Lets one request more come now. `number` decides what it asks for, `host` is an index of the plan's.
    pub fn ask(&self, host: u16, number: u64) {
        // Where nobody serves any more, the load has ended.
        let _ended = self.asks.send(Due { host, number, at: Instant::now() });
    }

    /// What has ended so far.
    pub fn counts(&self) -> Counts {
        self.run.book().counts.clone()
    }

    /// Takes the records out that are there, so that a long run does not keep them all. Counts go on.
    pub fn take_log(&self) -> Log {
        self.run.take_log(self.started)
    }

    /// Ends the load, waits for everything that was due, and gives the records that were not taken yet.
    pub async fn stop(self) -> Log {
        let Self { mut pacers, mut connections, asks, run, started } = self;
        pacers.shutdown().await;
        drop(asks);
        while connections.join_next().await.is_some() {}
        run.take_log(started)
    }
}

impl Run {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_log(&self, started: Timestamp) -> Log {
        let records = std::mem::take(&mut self.book().records);
        let hosts = self.plan.hosts.iter().map(|rate| rate.host.clone()).collect();
        Log { started, hosts, records }
    }

    fn next_client(&self) -> Option<IpAddr> {
        let turn = self.arrived.fetch_add(1, Ordering::Relaxed);
        self.plan.clients.get(turn.checked_rem(self.plan.clients.len())?).copied()
    }

    /// Serves one connection until nothing becomes due any more. The lock is fair: connections take turns.
    async fn visit(self: Arc<Self>) {
        let mut connection = Connection::new(self.plan.target, self.next_client());
        for number in 1_usize.. {
            let Some(due) = self.due.lock().await.recv().await else { return };
            let Some(host) = self.hosts.get(usize::from(due.host)) else { continue };
            let request = request(host, due.number);
            let sent = self.start.elapsed();
            let limited = timeout(self.plan.timeout, connection.exchange(request)).await;
            let exchange = limited.unwrap_or(Exchange {
                outcome: VisitEnding::Failed(Failure::TimedOut),
                release: None,
                retried: false,
            });
            let timing = Timing { due: due.at - self.start, sent, ended: self.start.elapsed() };
            self.note(VisitRecord::new(
                due.host,
                timing,
                exchange.outcome,
                exchange.release,
                exchange.retried,
            ));
            if number % STAY == 0 {
                connection = Connection::new(self.plan.target, self.next_client());
            }
        }
    }

    fn note(&self, record: VisitRecord) {
        let mut book = self.book();
        if let Some(rate) = self.plan.hosts.get(usize::from(record.host_index())) {
            book.counts.add(&rate.host, &record);
        }
        book.records.push(record);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the load generator is an edge: its log carries the time of day"
)]
fn now() -> Timestamp {
    Timestamp::now()
}
