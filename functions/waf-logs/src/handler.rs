//! One invocation: what it asks for, done.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use greenlight::failure::{Class, Failure, chain};
use jiff::Timestamp;
use offenders::classify::Classifier;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::event::{self, Message, Named, Trigger};
use crate::ports::{PortResult, Ports};
use crate::settings::Settings;
use crate::{command, ingest, pass, stored};

/// How long a reader of logs goes on with a configuration before it looks again, seconds.
const CONFIGURATION_AGE: i64 = 60;

/// Most records of a notification that are logged because they are skipped; the others are counted.
const MOST_SKIPPED: usize = 20;

/// The function, with what it keeps between invocations.
#[derive(Debug)]
pub struct Function<'a, P> {
    ports: &'a P,
    settings: &'a Settings,
    reading: Mutex<Option<Reading>>,
}

/// The configuration in force, made ready.
#[derive(Debug)]
struct Reading {
    since: Timestamp,
    classifier: Classifier,
    ipv6_prefix: u8,
}

impl<'a, P: Ports> Function<'a, P> {
    /// Over these ports.
    pub fn new(ports: &'a P, settings: &'a Settings) -> Self {
        Self { ports, settings, reading: Mutex::new(None) }
    }

    async fn refresh<'r>(&self, reading: &'r mut Option<Reading>) -> PortResult<&'r mut Reading> {
        let now = self.ports.now();
        let is_fresh = |reading: &Reading| now.duration_since(reading.since).as_secs() < CONFIGURATION_AGE;
        if reading.as_ref().is_some_and(|reading| !is_fresh(reading)) {
            *reading = None;
        }
        match reading {
            Some(reading) => Ok(reading),
            None => {
                let configuration = stored::in_force(self.ports).await?;
                Ok(reading.insert(Reading {
                    since: now,
                    classifier: Classifier::new(&configuration, Some(&self.settings.rule)),
                    ipv6_prefix: configuration.clients.ipv6_prefix,
                }))
            }
        }
    }

    /// Reads objects one after the other; every one is tried.
    async fn objects(&self, named: Named) -> PortResult<()> {
        for skipped in named.skipped.iter().take(MOST_SKIPPED) {
            tracing::warn!("skipped, because it is no new log: {skipped}");
        }
        if let Some(more @ 1..) = named.skipped.len().checked_sub(MOST_SKIPPED) {
            tracing::warn!(more, "further records were skipped, because they are no new logs");
        }
        let mut first_failure = None;
        let mut failed = |object: String, failure: Failure| {
            tracing::error!(
                object,
                failure_class = failure.class().word(),
                error = chain(&failure),
                "object not counted"
            );
            first_failure.get_or_insert(failure.recorded());
        };
        let mut objects = Vec::new();
        for object in named.objects {
            match object {
                Ok(object) => objects.push(object),
                Err(failure) => failed(String::new(), failure),
            }
        }
        if !objects.is_empty() {
            let mut reading = self.reading.lock().await;
            for object in &objects {
                let refreshed = self.refresh(&mut reading).await?;
                let Reading { classifier, ipv6_prefix, .. } = refreshed;
                let ingesting = ingest::object(self.ports, classifier, object, *ipv6_prefix);
                let ingested = AssertUnwindSafe(ingesting).catch_unwind().await.unwrap_or_else(|_| {
                    // What a panic left behind is not read on with.
                    *reading = None;
                    Err(Failure::panicked(&format!("reading {object}")))
                });
                if let Err(failure) = ingested {
                    failed(object.to_string(), failure);
                }
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// Every message is tried; the answer names those to be sent again, which ends in the on-failure queue.
    async fn queue(&self, messages: Vec<Message>) -> Value {
        let mut failed = Vec::new();
        for message in messages {
            if self.objects(message.named).await.is_err() {
                failed.push(json!({ "itemIdentifier": message.id }));
            }
        }
        json!({ "batchItemFailures": failed })
    }

    async fn subscription(&self, data: &str) -> PortResult<()> {
        let mut reading = self.reading.lock().await;
        let reading = self.refresh(&mut reading).await?;
        ingest::subscription(self.ports, &mut reading.classifier, data, reading.ipv6_prefix).await?;
        Ok(())
    }
}

/// Answers one invocation.
///
/// # Errors
/// When Lambda must retry and at last keep the event in the on-failure queue. For a batch from the queue the
/// answer names the messages that failed instead.
pub async fn handle<P: Ports>(function: &Function<'_, P>, payload: Value) -> PortResult<Value> {
    let trigger = event::read(payload)?;
    match trigger {
        Trigger::Queue(messages) => Ok(function.queue(messages).await),
        Trigger::Objects(named) => function.objects(named).await.map(|()| Value::Null),
        Trigger::Subscription(data) => function.subscription(&data).await.map(|()| Value::Null),
        Trigger::Tick => {
            let passed = pass::pass(function.ports, function.settings).await?;
            serde_json::to_value(passed).map_err(|error| {
                Failure::new(Class::Permanent, "the pass cannot be reported as JSON; report this as a bug")
                    .caused_by(error)
            })
        }
        Trigger::Command(request) => command::command(function.ports, function.settings, request).await,
    }
}
