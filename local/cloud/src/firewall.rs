//! AWS WAF before the load balancer: the web ACL that the emulator holds judges every request, and its log is written
//! to S3.
//!
//! As on AWS, a change of a rule or an IP set takes effect some time after it was answered, and logs come in files. AWS
//! writes them every five minutes; here it is a setting.

mod definition;
mod log;
mod networks;
mod rates;
mod record;
mod rules;

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_config::SdkConfig;
use load_balancer::{RequestFacts, Verdict};
use serde_json::{Value, json};

use crate::clock;
use crate::emulator::Emulator;
use log::LogFile;
use rates::Rates;
use record::{Redaction, Surroundings, record};
use rules::{Request, Sets, WebAcl};

/// How late WAF carries out a change, on AWS's clock: "a few seconds to a number of minutes".
pub const PROPAGATION: Duration = Duration::from_secs(30);

/// The web ACL of a load balancer at work.
#[derive(Debug)]
pub struct Firewall {
    emulator: Arc<Emulator>,
    load_balancer: String,
    source: String,
    speed: u32,
    in_force: RwLock<Arc<InForce>>,
    turns: Mutex<Turns>,
    rates: Mutex<Rates>,
    open: Mutex<Option<LogFile>>,
    delivered: AtomicU64,
}

/// What judges, and where it is logged.
#[derive(Debug, Default)]
struct InForce {
    acl: Option<WebAcl>,
    logging: Option<Logging>,
}

#[derive(Debug)]
struct Logging {
    bucket: String,
    redaction: Redaction,
}

/// Changes in the order in which they were asked for.
#[derive(Debug, Default)]
struct Turns {
    asked: u64,
    applied: u64,
}

/// Whether an operation of WAF's API may change how requests are judged or logged.
pub fn is_change(operation: &str) -> bool {
    ["Create", "Update", "Delete", "Associate", "Disassociate", "Put"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

impl Firewall {
    /// Before the load balancer that has this listener; it lets everything pass until it is loaded. `speed` divides
    /// AWS's times.
    pub fn new(emulator: Arc<Emulator>, listener: &str, speed: u32) -> Self {
        // A listener's ARN is that of its load balancer, with an id of its own.
        let own = listener.rsplit_once('/').map_or(listener, |(balancer, _)| balancer);
        let load_balancer = own.replace(":listener/", ":loadbalancer/");
        let path = load_balancer.split_once(":loadbalancer/").map_or("", |(_, path)| path);
        Self {
            emulator,
            source: format!("{}-{path}", crate::aws::ACCOUNT),
            load_balancer,
            speed: speed.max(1),
            in_force: RwLock::default(),
            turns: Mutex::default(),
            rates: Mutex::default(),
            open: Mutex::default(),
            delivered: AtomicU64::new(0),
        }
    }

    /// Whether a web ACL judges at all.
    pub fn is_up(&self) -> bool {
        self.in_force().acl.is_some()
    }

    /// Reads the web ACL, its IP sets and where it logs, and carries them out at once.
    ///
    /// # Errors
    /// When the emulator does not answer, or describes something that makes no sense.
    pub async fn load(&self) -> Result<()> {
        let turn = self.take_turn();
        let read = self.read().await?;
        self.apply(turn, read);
        Ok(())
    }

    /// Reads them again, and carries them out after the propagation delay. A later change is never undone by an earlier
    /// one.
    ///
    /// # Errors
    /// As [`Firewall::load`].
    pub async fn changed(self: &Arc<Self>) -> Result<()> {
        let turn = self.take_turn();
        let read = self.read().await?;
        let (firewall, delay) = (Arc::clone(self), PROPAGATION / self.speed);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            firewall.apply(turn, read);
        });
        Ok(())
    }

    /// Judges a request and logs it.
    pub fn judge(&self, facts: &RequestFacts<'_>) -> Verdict {
        let in_force = self.in_force();
        let Some(acl) = &in_force.acl else { return Verdict::Allow };
        let head = facts.head;
        let request = Request {
            time: facts.time,
            client: facts.client,
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
        };
        let judgement = acl.judge(&request, &mut lock(&self.rates), self.speed);
        if let Some(logging) = &in_force.logging {
            let surroundings = Surroundings {
                source: &self.source,
                host: facts.host,
                version: head.version,
                redaction: &logging.redaction,
            };
            let record = record(acl, &request, &judgement, &surroundings);
            let mut open = lock(&self.open);
            let file = open.get_or_insert_with(|| LogFile::new(&acl.name, request.time));
            if let Err(error) = file.add(&record) {
                tracing::error!(%error, "a request is missing in the web ACL's log");
            }
        }
        if judgement.is_blocked { Verdict::Block } else { Verdict::Allow }
    }

    /// Delivers the log every `interval`, for ever, through the endpoint that these clients talk to. Without requests
    /// there is no file.
    pub async fn deliver(self: Arc<Self>, aws: SdkConfig, interval: Duration) -> Infallible {
        let s3 = aws_sdk_s3::Client::new(&aws);
        loop {
            tokio::time::sleep(interval).await;
            if let Err(error) = self.deliver_once(&s3).await {
                tracing::error!(error = %format!("{error:#}"), "a file of the web ACL's log was not delivered");
            }
        }
    }

    async fn deliver_once(&self, s3: &aws_sdk_s3::Client) -> Result<()> {
        let Some(file) = lock(&self.open).take() else { return Ok(()) };
        let Some(bucket) = self.in_force().logging.as_ref().map(|logging| logging.bucket.clone()) else {
            return Ok(());
        };
        // From the clock, so that a cloud that is started again does not write over the files of the last one.
        let number = self.delivered.fetch_add(1, Ordering::Relaxed);
        let number = number + u64::try_from(clock::now().as_second()).unwrap_or_default();
        let (key, content) = file.finish(number)?;
        s3.put_object().bucket(&bucket).key(&key).body(content.into()).send().await.with_context(|| key)?;
        Ok(())
    }

    async fn read(&self) -> Result<InForce> {
        let answer = self.call("GetWebACLForResource", json!({ "ResourceArn": self.load_balancer })).await?;
        let described = answer.get("WebACL").filter(|acl| acl.is_object());
        let Some(described) = described else { return Ok(InForce::default()) };
        let mut sets = Sets::new();
        for arn in WebAcl::sets_of(described) {
            let set = self.call("GetIPSet", set_request(&arn)?).await?;
            let entries = set.pointer("/IPSet/Addresses").and_then(Value::as_array).into_iter().flatten();
            let networks = entries.filter_map(|entry| entry.as_str()?.parse().ok()).collect();
            sets.insert(arn, Arc::new(networks));
        }
        let acl = WebAcl::new(described, &sets)?;
        let logging = self.call("GetLoggingConfiguration", json!({ "ResourceArn": acl.arn })).await?;
        let logging = logging.get("LoggingConfiguration").and_then(|configuration| {
            let destination = configuration.pointer("/LogDestinationConfigs/0")?.as_str()?;
            let Some(bucket) = destination.strip_prefix("arn:aws:s3:::") else {
                tracing::warn!(destination, "the data plane writes the web ACL's log to S3 only");
                return None;
            };
            let redaction = Redaction::new(configuration.get("RedactedFields").unwrap_or(&Value::Null));
            Some(Logging { bucket: bucket.to_owned(), redaction })
        });
        Ok(InForce { acl: Some(acl), logging })
    }

    /// Calls WAF's API; null when it says that there is no such thing.
    async fn call(&self, operation: &str, request: Value) -> Result<Value> {
        let answer =
            self.emulator.json("wafv2", &format!("AWSWAF_20190729.{operation}"), "1.1", &request).await;
        match answer {
            Err(error) if format!("{error:#}").contains("WAFNonexistentItemException") => Ok(Value::Null),
            other => other,
        }
    }

    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn take_turn(&self) -> u64 {
        let mut turns = lock(&self.turns);
        turns.asked += 1;
        turns.asked
    }

    fn apply(&self, turn: u64, read: InForce) {
        let mut turns = lock(&self.turns);
        if turn >= turns.applied {
            turns.applied = turn;
            *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
        }
    }
}

/// `...:regional/ipset/NAME/ID`.
fn set_request(arn: &str) -> Result<Value> {
    let mut parts = arn.rsplit('/');
    let (Some(id), Some(name)) = (parts.next(), parts.next()) else {
        anyhow::bail!("{arn} is no ARN of an IP set");
    };
    Ok(json!({ "Scope": "REGIONAL", "Name": name, "Id": id }))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
