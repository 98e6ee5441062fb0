//! Ports that fail on demand.

use greenlight::failure::{Class, Failure};
use greenlight::ports::{
    Alarms, Announcements, Deployments, Healing, LedgerVersion, Ledgers, ListenerRules, Pages, PortResult,
    Ports, PreviewSecrets, Receipts, TargetGroups, Traffic, Uploads,
};
use greenlight::secret::Secret;
use jiff::Timestamp;
use release::evidence::PublishedMinute;
use release::plan::Window;
use release::{
    Announcement, Colour, Deployment, DeploymentId, Description, InstanceId, Ledger, Receipt, Revision,
    RuleArn, RuleOwner, Rules, ScalingProcess, ServiceName, Summary, Target, TargetHealth, VerdictWord,
    Weights,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::{Future, pending};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Which call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The call with this number, whatever it is, from 1.
    Nth(usize),
    /// The call of this method with this number, from 1.
    NthOf(&'static str, usize),
    /// Every call of this method.
    Every(&'static str),
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was not carried out.
    Before(Class),
    /// It was carried out, and the reply was lost. A call that would have failed by itself fails as it would have.
    After(Class),
    /// It was not carried out and never returns: the function was killed. Poll the caller once, then drop it.
    KilledBefore,
    /// It was carried out and never returns: the function was killed.
    KilledAfter,
}

/// A fault in the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultAt {
    /// The call that fails.
    pub at: At,
    /// How it fails.
    pub kind: Kind,
}

/// Ports that behave as `inner`, except at the calls in the script.
pub struct Faulty<'a, P> {
    inner: &'a P,
    script: Vec<FaultAt>,
    meanwhile: Option<(At, Meanwhile<'a>)>,
    calls: Mutex<Vec<&'static str>>,
}

type Meanwhile<'a> = Box<dyn Fn() + Send + Sync + 'a>;

impl<P> fmt::Debug for Faulty<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("script", &self.script).finish_non_exhaustive()
    }
}

impl<'a, P: Ports> Faulty<'a, P> {
    /// Ports with this script; the first fault that fits a call is the one that happens.
    pub fn new(inner: &'a P, script: impl IntoIterator<Item = FaultAt>) -> Self {
        Self { inner, script: script.into_iter().collect(), meanwhile: None, calls: Mutex::default() }
    }

    /// Ports behind which something else happens just before a call is carried out.
    #[must_use]
    pub fn meanwhile(mut self, at: At, happens: impl Fn() + Send + Sync + 'a) -> Self {
        self.meanwhile = Some((at, Box::new(happens)));
        self
    }

    /// The methods that were called, those that failed included. A run without faults tells how many there are to fail.
    pub fn calls(&self) -> Vec<&'static str> {
        self.recorded().clone()
    }

    fn recorded(&self) -> MutexGuard<'_, Vec<&'static str>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, name: &'static str) -> Option<Kind> {
        let (number_of_all, number_of_this) = {
            let mut calls = self.recorded();
            calls.push(name);
            (calls.len(), calls.iter().filter(|call| **call == name).count())
        };
        let is_here = |at: At| match at {
            At::Nth(number) => number == number_of_all,
            At::NthOf(method, number) => method == name && number == number_of_this,
            At::Every(method) => method == name,
        };
        if let Some((_, happens)) = self.meanwhile.as_ref().filter(|(at, _)| is_here(*at)) {
            happens();
        }
        self.script.iter().find(|fault| is_here(fault.at)).map(|fault| fault.kind)
    }

    async fn call<T: Send>(
        &self,
        name: &'static str,
        inner: impl Future<Output = PortResult<T>> + Send,
    ) -> PortResult<T> {
        match self.fault(name) {
            None => inner.await,
            Some(Kind::Before(class)) => {
                Err(Failure::new(class, format!("{name} was made to fail before it was carried out")))
            }
            Some(Kind::After(class)) => {
                inner.await?;
                Err(Failure::new(
                    class,
                    format!("{name} was carried out, and its reply was made to get lost"),
                ))
            }
            Some(Kind::KilledBefore) => pending().await,
            Some(Kind::KilledAfter) => {
                drop(inner.await);
                pending().await
            }
        }
    }
}

impl<P: Ports> Ledgers for Faulty<'_, P> {
    async fn read_ledger(&self, service: &ServiceName) -> PortResult<Option<(Ledger, LedgerVersion)>> {
        self.call("read_ledger", self.inner.read_ledger(service)).await
    }

    async fn write_ledger(
        &self,
        ledger: &Ledger,
        expected: Option<&LedgerVersion>,
    ) -> PortResult<LedgerVersion> {
        self.call("write_ledger", self.inner.write_ledger(ledger, expected)).await
    }
}

impl<P: Ports> ListenerRules for Faulty<'_, P> {
    async fn rules(&self, service: &ServiceName) -> PortResult<Rules> {
        self.call("rules", self.inner.rules(service)).await
    }

    async fn rule_owner(&self, service: &ServiceName, rule: &RuleArn) -> PortResult<Option<RuleOwner>> {
        self.call("rule_owner", self.inner.rule_owner(service, rule)).await
    }

    async fn create_release_rule(
        &self,
        service: &ServiceName,
        live: Colour,
        release: &Description,
    ) -> PortResult<RuleArn> {
        self.call("create_release_rule", self.inner.create_release_rule(service, live, release)).await
    }

    async fn set_release_weights(
        &self,
        service: &ServiceName,
        rule: &RuleArn,
        weights: Weights,
    ) -> PortResult<()> {
        self.call("set_release_weights", self.inner.set_release_weights(service, rule, weights)).await
    }

    async fn delete_release_rule(&self, service: &ServiceName, rule: &RuleArn) -> PortResult<()> {
        self.call("delete_release_rule", self.inner.delete_release_rule(service, rule)).await
    }

    async fn create_preview_rule(&self, service: &ServiceName, release: &Description) -> PortResult<RuleArn> {
        self.call("create_preview_rule", self.inner.create_preview_rule(service, release)).await
    }

    async fn delete_preview_rule(&self, service: &ServiceName, rule: &RuleArn) -> PortResult<()> {
        self.call("delete_preview_rule", self.inner.delete_preview_rule(service, rule)).await
    }

    async fn set_base_weights(&self, service: &ServiceName, weights: Weights) -> PortResult<()> {
        self.call("set_base_weights", self.inner.set_base_weights(service, weights)).await
    }
}

impl<P: Ports> TargetGroups for Faulty<'_, P> {
    async fn target_health(
        &self,
        service: &ServiceName,
        colour: Colour,
    ) -> PortResult<BTreeMap<InstanceId, TargetHealth>> {
        self.call("target_health", self.inner.target_health(service, colour)).await
    }
}

impl<P: Ports> Alarms for Faulty<'_, P> {
    async fn alarm_states(&self, service: &ServiceName) -> PortResult<release::Alarms> {
        self.call("alarm_states", self.inner.alarm_states(service)).await
    }

    async fn set_alarm(&self, service: &ServiceName, colour: Colour, alarm: &str) -> PortResult<()> {
        self.call("set_alarm", self.inner.set_alarm(service, colour, alarm)).await
    }
}

impl<P: Ports> Traffic for Faulty<'_, P> {
    async fn published(&self, service: &ServiceName, window: Window) -> PortResult<Vec<PublishedMinute>> {
        self.call("published", self.inner.published(service, window)).await
    }
}

impl<P: Ports> Deployments for Faulty<'_, P> {
    async fn deployment(&self, id: &DeploymentId) -> PortResult<Option<Deployment>> {
        self.call("deployment", self.inner.deployment(id)).await
    }

    async fn find_deployment(
        &self,
        description: &Description,
        opened_at: Timestamp,
    ) -> PortResult<Option<Deployment>> {
        self.call("find_deployment", self.inner.find_deployment(description, opened_at)).await
    }

    async fn active_deployment(&self, service: &ServiceName) -> PortResult<Option<Deployment>> {
        self.call("active_deployment", self.inner.active_deployment(service)).await
    }

    async fn deployment_targets(&self, id: &DeploymentId) -> PortResult<Vec<Target>> {
        self.call("deployment_targets", self.inner.deployment_targets(id)).await
    }

    async fn create_deployment(
        &self,
        description: &Description,
        revision: &Revision,
    ) -> PortResult<DeploymentId> {
        self.call("create_deployment", self.inner.create_deployment(description, revision)).await
    }

    async fn stop_deployment(&self, id: &DeploymentId) -> PortResult<()> {
        self.call("stop_deployment", self.inner.stop_deployment(id)).await
    }
}

impl<P: Ports> Healing for Faulty<'_, P> {
    async fn replace(&self, service: &ServiceName, instance: &InstanceId) -> PortResult<()> {
        self.call("replace", self.inner.replace(service, instance)).await
    }

    async fn suspended(&self, service: &ServiceName) -> PortResult<BTreeSet<ScalingProcess>> {
        self.call("suspended", self.inner.suspended(service)).await
    }

    async fn resume(&self, service: &ServiceName, processes: &BTreeSet<ScalingProcess>) -> PortResult<()> {
        self.call("resume", self.inner.resume(service, processes)).await
    }
}

impl<P: Ports> Receipts for Faulty<'_, P> {
    async fn write_receipt(&self, receipt: &Receipt) -> PortResult<()> {
        self.call("write_receipt", self.inner.write_receipt(receipt)).await
    }
}

impl<P: Ports> Announcements for Faulty<'_, P> {
    async fn announce(&self, announcement: &Announcement) -> PortResult<()> {
        self.call("announce", self.inner.announce(announcement)).await
    }
}

impl<P: Ports> Uploads for Faulty<'_, P> {
    async fn tag_verdict(&self, revision: &Revision, verdict: VerdictWord, reason: &str) -> PortResult<()> {
        self.call("tag_verdict", self.inner.tag_verdict(revision, verdict, reason)).await
    }

    async fn publish(&self, summary: &Summary) -> PortResult<()> {
        self.call("publish", self.inner.publish(summary)).await
    }
}

impl<P: Ports + PreviewSecrets> PreviewSecrets for Faulty<'_, P> {
    async fn preview_secret(&self, service: &ServiceName) -> PortResult<Option<Secret>> {
        self.call("preview_secret", self.inner.preview_secret(service)).await
    }

    async fn make_preview_secret(&self, service: &ServiceName) -> PortResult<()> {
        self.call("make_preview_secret", self.inner.make_preview_secret(service)).await
    }

    async fn hosts(&self, service: &ServiceName) -> PortResult<Vec<String>> {
        self.call("hosts", self.inner.hosts(service)).await
    }
}

impl<P: Ports + Pages> Pages for Faulty<'_, P> {
    async fn write_page(&self, html: &str) -> PortResult<()> {
        self.call("write_page", self.inner.write_page(html)).await
    }

    async fn blocked(&self) -> PortResult<Option<Vec<u8>>> {
        self.call("blocked", self.inner.blocked()).await
    }

    async fn page_link(&self, lasts: Duration) -> PortResult<String> {
        self.call("page_link", self.inner.page_link(lasts)).await
    }
}
