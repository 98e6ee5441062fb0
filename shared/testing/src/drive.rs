//! What tests do to the world: time, ledgers, rules, instances, alarms.

use super::names::upload;
use super::world::{Call, WeightChange, World};
use release::evidence::PublishedMinute;
use release::{
    AlarmState, Announcement, Colour, Creator, DeploymentStatus, Description, InstanceId, Ledger, Live,
    PerColour, Purpose, Receipt, ReleaseRule, Revision, Routing, RuleArn, ScalingProcess, ServiceName,
    Strategy, Summary, TargetHealth, TargetStatus, UnknownFields, Weights,
};
use std::collections::BTreeMap;
use std::time::Duration;

impl World {
    /// Makes time pass.
    pub fn pass(&self, time: Duration) {
        let mut state = self.state();
        match state.now.checked_add(time) {
            Ok(later) => state.now = later,
            Err(error) => panic!("time cannot pass: {error}"),
        }
    }

    /// Every call so far, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// How often this port's method was called.
    pub fn count(&self, name: &str) -> usize {
        self.state().calls.iter().filter(|call| call.name == name).count()
    }

    /// Forgets the calls so far, and says how many calls of AWS they stand for.
    pub fn forget_calls(&self) -> usize {
        std::mem::take(&mut self.state().calls).iter().map(|call| call.aws_calls).sum()
    }

    /// The ledger as it is stored.
    pub fn ledger(&self, service: &ServiceName) -> Option<Ledger> {
        let text = self.change(service, |service| service.ledger.clone())?;
        Some(
            serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("the stored ledger does not read back: {error}")),
        )
    }

    /// Stores a ledger as another function would.
    pub fn put_ledger(&self, ledger: &Ledger) {
        let text =
            serde_json::to_string(ledger).unwrap_or_else(|error| panic!("a ledger is not JSON: {error}"));
        self.change(&ledger.service, |service| service.ledger = Some(text));
    }

    /// The ledger's bytes as they are stored, whoever can read them.
    pub fn ledger_text(&self, service: &ServiceName) -> Option<String> {
        self.change(service, |service| service.ledger.clone())
    }

    /// Stores these bytes as the ledger, as another version of Greenlight might.
    pub fn put_ledger_text(&self, service: &ServiceName, text: String) {
        self.change(service, |service| service.ledger = Some(text));
    }

    /// Makes release `number` live on `colour`, as if it had been released before.
    pub fn make_live(&self, service: &ServiceName, colour: Colour, number: u64) {
        let upload = upload(service, number);
        let since = self.state().now;
        let ledger = self.ledger(service).unwrap_or_else(|| Ledger::new(service.clone()));
        let unknown_fields = UnknownFields::default();
        let live = Live { colour, upload: upload.clone(), since, watched: None, unknown_fields };
        self.put_ledger(&Ledger { live: Some(live), ..ledger });
        self.set_health(service, colour, TargetHealth::Healthy);
        self.set_base(service, Weights::all_on(colour));
        let description = Description {
            purpose: Purpose::Release,
            number: upload.number,
            commit: upload.commit,
            service: service.clone(),
            colour,
            strategy: Strategy::AllAtOnce,
            attempt: 1,
        };
        let id = self.add_deployment(service, Creator::User, Some(description), upload.revision);
        self.end(service, &id, DeploymentStatus::Succeeded, &TargetStatus::Succeeded);
    }

    /// Sets what the base rule does, as an operator with the AWS console might.
    pub fn set_base(&self, service: &ServiceName, routing: impl Into<Routing>) {
        let (now, routing) = (self.state().now, routing.into());
        self.change(service, |service| service.reweigh(now, |service| service.base = routing));
    }

    /// Puts exactly this rule, ARN included, at the priority that is reserved for a release.
    pub fn put_release_rule_as(&self, service: &ServiceName, rule: ReleaseRule) {
        let now = self.state().now;
        self.change(service, |service| service.reweigh(now, |service| service.release = Some(rule)));
    }

    /// Deletes the release's rule, as an operator with the AWS console might.
    pub fn delete_release_rule_by_hand(&self, service: &ServiceName) {
        let now = self.state().now;
        self.change(service, |service| service.reweigh(now, |service| service.release = None));
    }

    /// The rule of a preview, if one stands.
    pub fn preview_rule(&self, service: &ServiceName) -> Option<RuleArn> {
        self.change(service, |service| service.preview.clone())
    }

    /// Puts a preview's rule with this ARN there, or takes it away, as another hand might.
    pub fn put_preview_rule(&self, service: &ServiceName, rule: Option<&str>) {
        self.change(service, |service| service.preview = rule.map(|arn| RuleArn(arn.to_owned())));
    }

    /// What the base rule does, and the rule at the priority that is reserved for a release's.
    pub fn rules_of(&self, service: &ServiceName) -> (Routing, Option<ReleaseRule>) {
        self.change(service, |service| (service.base.clone(), service.release.clone()))
    }

    /// How traffic is divided now.
    pub fn traffic(&self, service: &ServiceName) -> Routing {
        self.change(service, |service| service.traffic())
    }

    /// The next looks at the rules find them as they are now, whatever is written meanwhile.
    pub fn rules_lag(&self, service: &ServiceName, looks: usize) {
        self.change(service, |service| {
            let seen = service.rules();
            service.lag = (looks, Some(seen));
        });
    }

    /// Each change of how traffic is divided, oldest first.
    pub fn weight_changes(&self, service: &ServiceName) -> Vec<WeightChange> {
        self.change(service, |service| service.weight_changes.clone())
    }

    /// Sets the health of all instances in one colour's group; those that are gone stay gone.
    pub fn set_health(&self, service: &ServiceName, colour: Colour, health: TargetHealth) {
        self.change(service, |service| {
            let all: Vec<InstanceId> = service.instances.keys().cloned().collect();
            service.set_health(&all, Some(colour), health);
        });
    }

    /// Sets the health of one instance in one colour's group, and adds the instance where it is new.
    pub fn set_instance_health(
        &self,
        service: &ServiceName,
        instance: &str,
        colour: Colour,
        health: TargetHealth,
    ) {
        self.change(service, |service| {
            let nothing = PerColour { blue: TargetHealth::Unhealthy, green: TargetHealth::Unhealthy };
            *service.instances.entry(InstanceId(instance.to_owned())).or_insert(nothing).of_mut(colour) =
                health;
        });
    }

    /// An instance has left both groups.
    pub fn remove_instance(&self, service: &ServiceName, instance: &str) {
        self.change(service, |service| service.instances.remove(&InstanceId(instance.to_owned())));
    }

    /// Sets the state of an alarm of a colour, and adds the alarm where it is new.
    pub fn set_alarm(&self, service: &ServiceName, colour: Colour, alarm: &str, state: AlarmState) {
        let now = self.state().now;
        self.change(service, |service| {
            let before = service.alarms.of_mut(colour).insert(alarm.to_owned(), state);
            if state != AlarmState::Ok {
                service.ok_since.remove(alarm);
            } else if before != Some(state) {
                service.ok_since.insert(alarm.to_owned(), now);
            }
        });
    }

    /// CloudWatch publishes these minutes of a service, beside those before.
    pub fn publish(&self, service: &ServiceName, minutes: impl IntoIterator<Item = PublishedMinute>) {
        self.change(service, |service| {
            service.published.extend(minutes);
            service.published.sort_by_key(|published| published.minute);
        });
    }

    /// The instances that were handed to Auto Scaling for replacement, oldest first. They stay as they are.
    pub fn replaced(&self, service: &ServiceName) -> Vec<InstanceId> {
        self.change(service, |service| service.replaced.clone())
    }

    /// Suspends exactly these processes of Auto Scaling.
    pub fn suspend(&self, service: &ServiceName, processes: &[ScalingProcess]) {
        self.change(service, |service| service.suspended = processes.iter().copied().collect());
    }

    /// The suspended processes of Auto Scaling.
    pub fn suspended_processes(&self, service: &ServiceName) -> Vec<ScalingProcess> {
        self.change(service, |service| service.suspended.iter().copied().collect())
    }

    /// Replaces the tags of an object version, as whoever uploads it might.
    pub fn set_tags(&self, revision: &Revision, tags: BTreeMap<String, String>) {
        self.state().tags.insert(revision.clone(), tags);
    }

    /// The tags of an object version.
    pub fn tags(&self, revision: &Revision) -> BTreeMap<String, String> {
        self.state().tags.get(revision).cloned().unwrap_or_default()
    }

    /// The receipts that were written, by key.
    pub fn receipts(&self) -> BTreeMap<String, Receipt> {
        self.state().receipts.clone()
    }

    /// The page, if one was written.
    pub fn page(&self) -> Option<String> {
        self.state().page.clone()
    }

    /// Puts there what `waf-logs` leaves of who is blocked.
    pub fn put_blocked(&self, document: &str) {
        self.state().blocked = Some(document.as_bytes().to_vec());
    }

    /// What was announced, in order.
    pub fn announced(&self) -> Vec<Announcement> {
        self.state().announced.clone()
    }

    /// The summary of a service that was published last.
    pub fn summary(&self, service: &ServiceName) -> Option<Summary> {
        self.state().summaries.get(service).cloned()
    }
}
