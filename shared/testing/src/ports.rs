//! The ports of the AWS in memory. Each refuses what AWS refuses, with the class that the real adapter gives it.

use super::world::{Call, Listed, Service, State, StoredDeployment, World};
use greenlight::failure::{Class, Failure};
use greenlight::ports::{
    Alarms, Announcements, Clock, Deployments, Healing, LedgerVersion, Ledgers, ListenerRules, Pages,
    PortResult, PreviewSecrets, Receipts, TargetGroups, Traffic, Uploads,
};
use greenlight::secret::Secret;
use jiff::Timestamp;
use release::evidence::PublishedMinute;
use release::plan::Window;
use release::{
    AlarmState, Announcement, Colour, Creator, Deployment, DeploymentId, DeploymentStatus, Description,
    InstanceId, Ledger, Receipt, Revision, RuleArn, RuleOwner, Rules, ScalingProcess, ServiceName, Summary,
    Target, TargetHealth, TargetStatus, VerdictWord, Weights,
};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::MutexGuard;
use std::time::Duration;

impl World {
    /// Records a call of a port whose adapter makes this many calls of AWS.
    fn called(&self, name: &'static str, aws_calls: usize) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.calls.push(Call { name, aws_calls });
        state
    }
}

impl State {
    fn service(&mut self, name: &ServiceName) -> PortResult<&mut Service> {
        self.services
            .get_mut(name)
            .ok_or_else(|| refused(Class::Permanent, format!("service {name} is not released by this stack")))
    }

    fn record(&mut self, id: &DeploymentId) -> Option<&mut StoredDeployment> {
        self.services
            .values_mut()
            .flat_map(|service| &mut service.deployments)
            .find(|record| record.deployment.id == *id)
    }
}

fn refused(class: Class, message: impl Into<String>) -> Failure {
    Failure::new(class, message)
}

/// As S3 names them: the same bytes have the same version.
fn version(text: &str) -> LedgerVersion {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    LedgerVersion(format!("\"{:016x}\"", hasher.finish()))
}

impl Clock for World {
    fn now(&self) -> jiff::Timestamp {
        self.state().now
    }
}

impl Ledgers for World {
    async fn read_ledger(&self, service: &ServiceName) -> PortResult<Option<(Ledger, LedgerVersion)>> {
        let mut state = self.called("read_ledger", 1);
        let Some(text) = &state.service(service)?.ledger else { return Ok(None) };
        let ledger = Ledger::from_json(text.as_bytes())
            .map_err(|error| Failure::of_ledger(&format!("reading the ledger of {service}"), error))?;
        Ok(Some((ledger, version(text))))
    }

    async fn write_ledger(
        &self,
        ledger: &Ledger,
        expected: Option<&LedgerVersion>,
    ) -> PortResult<LedgerVersion> {
        let mut state = self.called("write_ledger", 1);
        let service = state.service(&ledger.service)?;
        if service.ledger.as_deref().map(version).as_ref() != expected {
            return Err(refused(
                Class::Conflict,
                format!("writing the ledger of {} failed, somebody else wrote it first", ledger.service),
            ));
        }
        let text = serde_json::to_string(ledger)
            .map_err(|error| refused(Class::Permanent, "a ledger is not JSON").caused_by(error))?;
        let written = version(&text);
        service.ledger = Some(text);
        Ok(written)
    }
}

impl Receipts for World {
    async fn write_receipt(&self, receipt: &Receipt) -> PortResult<()> {
        let mut state = self.called("write_receipt", 1);
        state.receipts.entry(receipt.key()).or_insert_with(|| receipt.clone());
        Ok(())
    }
}

impl Announcements for World {
    async fn announce(&self, announcement: &Announcement) -> PortResult<()> {
        let mut state = self.called("announce", 3);
        if state.announced.iter().all(|earlier| earlier.key != announcement.key) {
            state.announced.push(announcement.clone());
        }
        Ok(())
    }
}

impl ListenerRules for World {
    async fn rules(&self, service: &ServiceName) -> PortResult<Rules> {
        let mut state = self.called("rules", 1);
        let service = state.service(service)?;
        if let (looks @ 1.., Some(older)) = &mut service.lag {
            *looks -= 1;
            return Ok(older.clone());
        }
        Ok(service.rules())
    }

    async fn rule_owner(&self, _: &ServiceName, rule: &RuleArn) -> PortResult<Option<RuleOwner>> {
        Ok(self.called("rule_owner", 1).rule_owners.get(rule).copied())
    }

    async fn create_release_rule(
        &self,
        service: &ServiceName,
        live: Colour,
        release: &Description,
    ) -> PortResult<RuleArn> {
        let mut state = self.called("create_release_rule", 2);
        if state.service(service)?.release.is_some() {
            return Err(refused(
                Class::Conflict,
                format!("a rule of {service} is there already: PriorityInUse"),
            ));
        }
        let rule = state.new_rule(service, Weights::all_on(live));
        let (arn, now) = (rule.arn.clone(), state.now);
        state.rule_owners.insert(arn.clone(), RuleOwner::of(release));
        state.service(service)?.reweigh(now, |service| service.release = Some(rule));
        Ok(arn)
    }

    async fn set_release_weights(
        &self,
        service: &ServiceName,
        rule: &RuleArn,
        weights: Weights,
    ) -> PortResult<()> {
        let mut state = self.called("set_release_weights", 1);
        let now = state.now;
        state.service(service)?.reweigh(now, |service| match &mut service.release {
            Some(known) if known.arn == *rule => {
                known.weights = weights.into();
                Ok(())
            }
            _ => Err(refused(Class::Conflict, format!("rule {rule} is gone: the way back was taken"))),
        })
    }

    async fn delete_release_rule(&self, service: &ServiceName, rule: &RuleArn) -> PortResult<()> {
        let mut state = self.called("delete_release_rule", 1);
        let now = state.now;
        state.service(service)?.reweigh(now, |service| {
            service.release.take_if(|known| known.arn == *rule);
        });
        Ok(())
    }

    async fn create_preview_rule(&self, service: &ServiceName, _: &Description) -> PortResult<RuleArn> {
        let mut state = self.called("create_preview_rule", 2);
        if state.service(service)?.preview.is_some() {
            return Err(refused(
                Class::Conflict,
                format!("a preview's rule of {service} is there already: PriorityInUse"),
            ));
        }
        let arn = state.new_rule(service, Weights::all_on(Colour::Blue)).arn;
        state.service(service)?.preview = Some(arn.clone());
        Ok(arn)
    }

    async fn delete_preview_rule(&self, service: &ServiceName, rule: &RuleArn) -> PortResult<()> {
        self.called("delete_preview_rule", 1).service(service)?.preview.take_if(|known| known == rule);
        Ok(())
    }

    async fn set_base_weights(&self, service: &ServiceName, weights: Weights) -> PortResult<()> {
        let mut state = self.called("set_base_weights", 1);
        let now = state.now;
        state.service(service)?.reweigh(now, |service| service.base = weights.into());
        Ok(())
    }
}

impl TargetGroups for World {
    async fn target_health(
        &self,
        service: &ServiceName,
        colour: Colour,
    ) -> PortResult<BTreeMap<InstanceId, TargetHealth>> {
        let mut state = self.called("target_health", 1);
        let instances = &state.service(service)?.instances;
        Ok(instances.iter().map(|(instance, health)| (instance.clone(), *health.of(colour))).collect())
    }
}

impl Alarms for World {
    async fn alarm_states(&self, service: &ServiceName) -> PortResult<release::Alarms> {
        let mut state = self.called("alarm_states", 1);
        let service = state.service(service)?;
        Ok(release::Alarms { states: service.alarms.clone(), ok_since: service.ok_since.clone() })
    }

    /// As CloudWatch does it: the state holds until a test evaluates the alarm, by [`World::set_alarm`].
    async fn set_alarm(&self, service: &ServiceName, colour: Colour, alarm: &str) -> PortResult<()> {
        let mut state = self.called("set_alarm", 1);
        let service = state.service(service)?;
        let Some(known) = service.alarms.of_mut(colour).get_mut(alarm) else {
            return Err(refused(Class::Permanent, format!("ResourceNotFound: there is no alarm {alarm}")));
        };
        *known = AlarmState::Firing;
        service.ok_since.remove(alarm);
        Ok(())
    }
}

impl Traffic for World {
    async fn published(&self, service: &ServiceName, window: Window) -> PortResult<Vec<PublishedMinute>> {
        let mut state = self.called("published", 1);
        let published = &state.service(service)?.published;
        let asked = |minute: &&PublishedMinute| (window.from..window.until).contains(&minute.minute);
        Ok(published.iter().filter(asked).copied().collect())
    }
}

impl Deployments for World {
    async fn deployment(&self, id: &DeploymentId) -> PortResult<Option<Deployment>> {
        let mut state = self.called("deployment", 1);
        Ok(state.record(id).map(|record| record.deployment.clone()))
    }

    async fn find_deployment(
        &self,
        description: &Description,
        _opened_at: Timestamp,
    ) -> PortResult<Option<Deployment>> {
        let mut state = self.called("find_deployment", 2);
        let is_listed = |record: &&StoredDeployment| record.listed == Listed::Everywhere;
        let listed = state.service(&description.service)?.deployments.iter().rev().filter(is_listed);
        Ok(listed
            .map(|record| &record.deployment)
            .find(|deployment| deployment.description.as_ref() == Some(description))
            .cloned())
    }

    async fn active_deployment(&self, service: &ServiceName) -> PortResult<Option<Deployment>> {
        let mut state = self.called("active_deployment", 2);
        let active = state.service(service)?.active().filter(|record| record.listed != Listed::Nowhere);
        Ok(active.map(|record| record.deployment.clone()))
    }

    async fn deployment_targets(&self, id: &DeploymentId) -> PortResult<Vec<Target>> {
        let mut state = self.called("deployment_targets", 2);
        let record = state
            .record(id)
            .ok_or_else(|| refused(Class::Permanent, format!("deployment {id} does not exist")))?;
        Ok(record.targets.clone())
    }

    async fn create_deployment(
        &self,
        description: &Description,
        revision: &Revision,
    ) -> PortResult<DeploymentId> {
        let mut state = self.called("create_deployment", 1);
        let service = &description.service;
        if let Some(active) = state.service(service)?.active() {
            let id = &active.deployment.id;
            return Err(refused(
                Class::Conflict,
                format!("The Deployment Group 'shop-{service}' already has an active Deployment '{id}'"),
            ));
        }
        Ok(state.new_deployment(service, Creator::User, Some(description.clone()), revision.clone()))
    }

    async fn stop_deployment(&self, id: &DeploymentId) -> PortResult<()> {
        let mut state = self.called("stop_deployment", 1);
        let record = state
            .record(id)
            .ok_or_else(|| refused(Class::Permanent, format!("deployment {id} does not exist")))?;
        if record.deployment.status == DeploymentStatus::Active {
            record.end(
                DeploymentStatus::Stopped,
                &TargetStatus::Failed("skipped: the deployment was stopped".to_owned()),
            );
        }
        Ok(())
    }
}

impl Healing for World {
    async fn replace(&self, service: &ServiceName, instance: &InstanceId) -> PortResult<()> {
        let mut state = self.called("replace", 1);
        let service = state.service(service)?;
        if !service.instances.contains_key(instance) {
            return Err(refused(Class::Permanent, format!("{instance} is in no Auto Scaling group")));
        }
        service.replaced.push(instance.clone());
        Ok(())
    }

    async fn suspended(&self, service: &ServiceName) -> PortResult<BTreeSet<ScalingProcess>> {
        let mut state = self.called("suspended", 1);
        Ok(state.service(service)?.suspended.clone())
    }

    async fn resume(&self, service: &ServiceName, processes: &BTreeSet<ScalingProcess>) -> PortResult<()> {
        let mut state = self.called("resume", 1);
        state.service(service)?.suspended.retain(|process| !processes.contains(process));
        Ok(())
    }
}

impl Uploads for World {
    async fn tag_verdict(&self, revision: &Revision, verdict: VerdictWord, reason: &str) -> PortResult<()> {
        let mut state = self.called("tag_verdict", 2);
        let tags = state.tags.entry(revision.clone()).or_default();
        tags.insert(
            "greenlight:verdict".to_owned(),
            greenlight::tag_value::legal_tag_value(verdict.as_str()),
        );
        tags.insert("greenlight:reason".to_owned(), greenlight::tag_value::legal_tag_value(reason));
        Ok(())
    }

    async fn publish(&self, summary: &Summary) -> PortResult<()> {
        let mut state = self.called("publish", 1);
        state.summaries.insert(summary.service.clone(), summary.clone());
        Ok(())
    }
}

impl PreviewSecrets for World {
    async fn preview_secret(&self, service: &ServiceName) -> PortResult<Option<Secret>> {
        let state = self.called("preview_secret", 1);
        Ok(state.secrets.get(service).map(|made| Secret::of([*made; 16])))
    }

    async fn make_preview_secret(&self, service: &ServiceName) -> PortResult<()> {
        *self.called("make_preview_secret", 1).secrets.entry(service.clone()).or_default() += 1;
        Ok(())
    }

    async fn hosts(&self, service: &ServiceName) -> PortResult<Vec<String>> {
        drop(self.called("hosts", 1));
        Ok(vec![format!("{service}.shop.test")])
    }
}

impl Pages for World {
    async fn write_page(&self, html: &str) -> PortResult<()> {
        self.called("write_page", 1).page = Some(html.to_owned());
        Ok(())
    }

    async fn blocked(&self) -> PortResult<Option<Vec<u8>>> {
        Ok(self.called("blocked", 1).blocked.clone())
    }

    /// Signing asks nobody.
    async fn page_link(&self, lasts: Duration) -> PortResult<String> {
        drop(self.called("page_link", 0));
        Ok(format!("https://state/page/index.html?X-Amz-Expires={}", lasts.as_secs()))
    }
}

#[cfg(test)]
mod tests;
