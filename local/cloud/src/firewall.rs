//! AWS WAF before the load balancer: the web ACL that the emulator holds judges every request, and its log is written
//! to S3.
//!
//! As on AWS, a change of a rule or an IP set takes effect some time after it was answered, and logs come in files.
//!
//! # Not as on AWS
//! - Logs are delivered as often as a setting says; AWS does it every five minutes.
//! - A rate-based rule counts exactly and at once; AWS looks about every ten seconds.
//! - Nobody here answers a challenge, so no request brings a token: what a rule challenges ends there.
//! - A rule with a statement or an action that is not known here never matches, with a warning. Bodies are not looked
//!   at, and no request has a country.

mod definition;
mod in_force;
mod log;
mod networks;
mod rates;
mod record;
mod rules;

use crate::aws;
use crate::clock;
use crate::emulator::Emulator;
use anyhow::{Context as _, Result};
use aws_config::SdkConfig;
use in_force::InForce;
use load_balancer::{Admission, RequestFacts};
use log::LogFile;
use rates::Rates;
use record::{Redaction, Surroundings, record};
use rules::{Request, Sets, WebAcl};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How late WAF carries out a change, on AWS's clock: "a few seconds to a number of minutes".
pub(crate) const PROPAGATION: Duration = Duration::from_secs(30);

/// The web ACL of a load balancer at work.
#[derive(Debug)]
pub struct Firewall {
    emulator: Arc<Emulator>,
    load_balancer: String,
    source: String,
    speed: u32,
    in_force: InForce<Protection>,
    rates: Mutex<Rates>,
    open: Mutex<Option<LogFile>>,
    delivered: AtomicU64,
}

/// What judges, and where it is logged.
#[derive(Debug, Default)]
struct Protection {
    acl: Option<WebAcl>,
    logging: Option<Logging>,
}

#[derive(Debug)]
struct Logging {
    bucket: String,
    redaction: Redaction,
}

/// Whether an operation of WAF's API may change how requests are judged or logged.
pub(crate) fn is_change(operation: &str) -> bool {
    ["Create", "Update", "Delete", "Associate", "Disassociate", "Put"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

impl Firewall {
    /// Before the load balancer that has this listener; it lets everything pass until it is loaded. `speed` divides
    /// AWS's times.
    pub fn new(emulator: Arc<Emulator>, listener: &str, speed: u32) -> Self {
        let load_balancer = load_balancer_of(listener);
        Self {
            emulator,
            source: source_of(&load_balancer),
            load_balancer,
            speed: speed.max(1),
            in_force: InForce::default(),
            rates: Mutex::default(),
            open: Mutex::default(),
            delivered: AtomicU64::new(0),
        }
    }

    /// Whether a web ACL judges at all.
    pub fn is_up(&self) -> bool {
        self.in_force.get().acl.is_some()
    }

    /// Reads the web ACL, its IP sets and where it logs, and carries them out at once.
    ///
    /// # Errors
    /// When the emulator does not answer, or describes something that makes no sense.
    pub async fn load(&self) -> Result<()> {
        let turn = self.in_force.take_turn();
        let read = self.read().await?;
        self.in_force.apply(turn, read);
        Ok(())
    }

    /// Reads them again, and carries them out after the propagation delay. A later change is never undone by an earlier
    /// one.
    ///
    /// # Errors
    /// As [`Firewall::load`].
    pub async fn changed(self: &Arc<Self>) -> Result<()> {
        let turn = self.in_force.take_turn();
        let read = self.read().await?;
        let (firewall, delay) = (Arc::clone(self), PROPAGATION / self.speed);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            firewall.in_force.apply(turn, read);
        });
        Ok(())
    }

    /// Judges a request and logs it.
    pub fn judge(&self, facts: &RequestFacts<'_>) -> Admission {
        let in_force = self.in_force.get();
        let Some(acl) = &in_force.acl else { return Admission::Allow };
        let request = Request::of(facts);
        let judgement = acl.judge(&request, &mut lock(&self.rates), self.speed);
        if let Some(logging) = &in_force.logging {
            let surroundings = Surroundings {
                source: &self.source,
                host: facts.host,
                version: facts.head.version,
                redaction: &logging.redaction,
            };
            let record = record(acl, &request, &judgement, &surroundings);
            let mut open = lock(&self.open);
            let file = open.get_or_insert_with(|| LogFile::new(&acl.name, request.time));
            if let Err(error) = file.add(&record) {
                tracing::error!(%error, "a request is missing in the web ACL's log");
            }
        }
        judgement.outcome.into()
    }

    /// Delivers the log every `interval`, for ever, through the endpoint that these clients talk to. Without requests
    /// there is no file.
    pub async fn deliver(self: Arc<Self>, config: SdkConfig, interval: Duration) -> Infallible {
        let s3 = aws_sdk_s3::Client::new(&config);
        loop {
            tokio::time::sleep(interval).await;
            if let Err(error) = self.deliver_once(&s3).await {
                tracing::error!(error = %format!("{error:#}"), "a file of the web ACL's log was not delivered");
            }
        }
    }

    async fn deliver_once(&self, s3: &aws_sdk_s3::Client) -> Result<()> {
        let Some(file) = lock(&self.open).take() else { return Ok(()) };
        let Some(bucket) = self.in_force.get().logging.as_ref().map(|logging| logging.bucket.clone()) else {
            return Ok(());
        };
        // From the clock, so that a cloud that is started again does not write over the files of the last one.
        let number = self.delivered.fetch_add(1, Ordering::Relaxed);
        let number = number + u64::try_from(clock::now().as_second()).unwrap_or_default();
        let (key, content) = file.finish(number)?;
        s3.put_object().bucket(&bucket).key(&key).body(content.into()).send().await.with_context(|| key)?;
        Ok(())
    }

    async fn read(&self) -> Result<Protection> {
        let answer = self.call("GetWebACLForResource", json!({ "ResourceArn": self.load_balancer })).await?;
        let described = answer.get("WebACL").filter(|acl| acl.is_object());
        let Some(described) = described else { return Ok(Protection::default()) };
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
        Ok(Protection { acl: Some(acl), logging })
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
}

/// A listener's ARN is that of its load balancer, with an id of its own.
pub(crate) fn load_balancer_of(listener: &str) -> String {
    let own = listener.rsplit_once('/').map_or(listener, |(balancer, _)| balancer);
    own.replace(":listener/", ":loadbalancer/")
}

/// A load balancer as WAF's records name it: `123456789012-app/name/0123456789abcdef`.
fn source_of(load_balancer: &str) -> String {
    let path = load_balancer.split_once(":loadbalancer/").map_or("", |(_, path)| path);
    format!("{}-{path}", aws::ACCOUNT)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_balancer_is_known_by_its_listener() {
        let listener =
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/50dc6c49/f2f7dc8e";
        let load_balancer = load_balancer_of(listener);
        assert_eq!(
            load_balancer,
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/50dc6c49"
        );
        assert_eq!(source_of(&load_balancer), "123456789012-app/shop/50dc6c49");
    }

    #[test]
    fn only_what_writes_may_change_how_requests_are_judged() {
        assert!(["UpdateIPSet", "AssociateWebACL", "PutLoggingConfiguration"].into_iter().all(is_change));
        assert!(!["GetIPSet", "ListWebACLs", "TagResource"].into_iter().any(is_change));
    }
}
