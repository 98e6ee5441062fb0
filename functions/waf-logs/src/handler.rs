//! One invocation: what it asks for, done.

use greenlight::failure::{Class, Failure, chain};
use jiff::Timestamp;
use offenders::classify::Classifier;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::event::{self, Message, Trigger};
use crate::ports::{Answer, LogObject, Ports};
use crate::settings::Settings;
use crate::{command, ingest, pass, stored};

/// How long a reader of logs goes on with a configuration before it looks again, seconds.
const CONFIGURATION_AGE: i64 = 60;

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

    async fn refresh(&self, reading: &mut Option<Reading>) -> Answer<()> {
        let now = self.ports.now();
        let is_fresh = |reading: &Reading| now.duration_since(reading.since).as_secs() < CONFIGURATION_AGE;
        if !reading.as_ref().is_some_and(is_fresh) {
            let configuration = stored::in_force(self.ports).await?;
            *reading = Some(Reading {
                since: now,
                classifier: Classifier::new(&configuration, Some(&self.settings.rule)),
                ipv6_prefix: configuration.clients.ipv6_prefix,
            });
        }
        Ok(())
    }

    /// Reads objects one after the other; every one is tried.
    async fn objects(&self, objects: &[LogObject]) -> Answer<()> {
        if objects.is_empty() {
            return Ok(());
        }
        let mut reading = self.reading.lock().await;
        self.refresh(&mut reading).await?;
        let Some(reading) = reading.as_mut() else { return Ok(()) };
        let mut first_failure = None;
        for object in objects {
            let ingested =
                ingest::object(self.ports, &mut reading.classifier, object, reading.ipv6_prefix).await;
            if let Err(failure) = ingested {
                tracing::error!(object = %object, failure_class = failure.class().word(), error = chain(&failure), "object not counted");
                first_failure.get_or_insert(failure);
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// Every message is tried; the answer names those to be sent again, which ends in the on-failure queue.
    async fn queue(&self, messages: Vec<Message>) -> Value {
        let mut failed = Vec::new();
        for message in messages {
            let done = match message.objects {
                Ok(objects) => self.objects(&objects).await,
                Err(failure) => {
                    tracing::error!(
                        message_id = message.id,
                        error = chain(&failure),
                        "message not understood"
                    );
                    Err(failure)
                }
            };
            if done.is_err() {
                failed.push(json!({ "itemIdentifier": message.id }));
            }
        }
        json!({ "batchItemFailures": failed })
    }

    async fn subscription(&self, data: &str) -> Answer<()> {
        let mut reading = self.reading.lock().await;
        self.refresh(&mut reading).await?;
        let Some(reading) = reading.as_mut() else { return Ok(()) };
        ingest::subscription(self.ports, &mut reading.classifier, data, reading.ipv6_prefix).await?;
        Ok(())
    }
}

/// Answers one invocation.
///
/// # Errors When Lambda must retry and at last keep the event in the on-failure queue. For a batch from the queue the
/// answer names the messages that failed instead.
pub async fn handle<P: Ports>(function: &Function<'_, P>, payload: Value) -> Answer<Value> {
    let trigger = event::read(payload).inspect_err(log)?;
    match trigger {
        Trigger::Queue(messages) => Ok(function.queue(messages).await),
        Trigger::Objects(objects) => function.objects(&objects).await.map(|()| Value::Null),
        Trigger::Subscription(data) => {
            function.subscription(&data).await.inspect_err(log).map(|()| Value::Null)
        }
        Trigger::Tick => {
            let passed = pass::pass(function.ports, function.settings).await.inspect_err(log)?;
            serde_json::to_value(passed).map_err(|error| {
                Failure::new(Class::Permanent, "the pass cannot be reported as JSON; report this as a bug")
                    .caused_by(error)
            })
        }
        Trigger::Command(request) => {
            command::command(function.ports, function.settings, request).await.inspect_err(log)
        }
    }
}

fn log(failure: &Failure) {
    tracing::error!(failure_class = failure.class().word(), error = chain(failure), "invocation failed");
}
