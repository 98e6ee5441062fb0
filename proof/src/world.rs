//! A small AWS that a model checker can copy and hash: one service, its rules, instances, alarms and deployments.
//!
//! It answers and refuses as `testing::World` does; nothing in it decides.

use crate::evidence::Counts;
use crate::invocation::{Breakage, Running};
use crate::rule::Rule;
use crate::safety::History;
use jiff::Timestamp;
use release::pass::{Kept, LedgerVersion};
use release::times::{DECISION_HOLDS, FUNCTION_TIMEOUT as TIMEOUT, LATE_CREATION};
use release::{
    AlarmState, Colour, Creator, Deployment, DeploymentId, DeploymentStatus, Description, GateAnswer,
    InstanceId, Ledger, Observation, PerColour, Reading, Reads, ReleaseNumber, ReleaseRule, RuleArn,
    RuleOwner, Rules, ServiceName, Target, TargetHealth, TargetStatus, Upload, VerdictWord, Weights,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use testing::{START, service, upload};

/// How long one tick of the abstract clock lasts: longer than a decision holds, so that only a call that was begun
/// before it can end after it; shorter than a release takes at least.
pub const TICK: Duration = Duration::from_secs(29);
/// After how many ticks Lambda ends an invocation: twice as late as the template says, so that it is the age of the
/// decision that keeps a slow function from harm, and not its end.
pub const FUNCTION_TIMEOUT: u8 = 2;

const _: () = assert!(DECISION_HOLDS.as_secs() < TICK.as_secs() && TICK.as_secs() < LATE_CREATION.as_secs());
const _: () = assert!(TIMEOUT.as_secs() <= TICK.as_secs() * FUNCTION_TIMEOUT as u64);

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The time, in ticks.
    pub tick: u16,
    /// The ledger as stored; `None` before the first write.
    pub ledger: Option<Kept<Ledger>>,
    /// The base rule's weights.
    pub base: Weights,
    /// The release's rule.
    pub rule: Option<OwnRule>,
    /// The preview's rule, by its number.
    pub preview: Option<u8>,
    /// How many rules of releases and previews were ever made.
    pub rules_made: u8,
    /// The instances that ever were, by index.
    pub instances: Vec<Instance>,
    /// Whether a colour's alarm fires.
    pub firing: PerColour<bool>,
    /// Since which tick a colour's alarm is OK that has fired.
    pub ok_since: PerColour<Option<u16>>,
    /// Which colours' alarms have no data.
    pub silent: PerColour<bool>,
    /// Which colours' alarms a drill has set: they are evaluated anew in the next tick.
    pub by_hand: PerColour<bool>,
    /// What goes wrong until it is mended.
    pub breakage: Option<Breakage>,
    /// What CloudWatch says of requests.
    pub counts: Counts,
    /// What the gate says when it is asked; `None`: there is none.
    pub gate: Option<Gate>,
    /// What the uploads' tags say, by number.
    pub tags: Vec<(ReleaseNumber, VerdictWord)>,
    /// Every deployment, oldest first; its id is its place.
    pub deployments: Vec<Deployed>,
    /// The invocations that run now.
    pub passes: Passes,
    /// What may still happen.
    pub left: Left,
    /// What the safety rules have to remember.
    pub history: History,
    /// The first safety rule that was broken.
    pub broken: Option<Rule>,
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Nothing that can be understood.
    Nonsense,
    /// Nothing: nobody asks it, or what it says is lost.
    Silence,
}

impl Gate {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Yes, Self::No, Self::Nonsense, Self::Silence];

    /// What a pass is told of it.
    pub fn answer(self) -> Option<GateAnswer> {
        match self {
            Self::Yes => Some(GateAnswer::Yes),
            Self::No => Some(GateAnswer::No { reason: "not today".to_owned() }),
            Self::Nonsense => Some(GateAnswer::NotYet { why: "it threw Error".to_owned() }),
            Self::Silence => None,
        }
    }
}

/// The invocations that run now, by place; the last place is that of one that writes an input into the ledger. Their
/// order does not matter: states that differ only in it have the same hash, and the model checker takes them for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passes(Vec<Option<Kept<Running>>>);

impl Passes {
    /// Room for so many that reconcile, and for one input.
    pub fn of(count: usize) -> Self {
        Self(vec![None; count + 1])
    }

    /// A place where a function can be woken.
    pub fn idle(&self) -> Option<usize> {
        let (_, reconciling) = self.0.split_last()?;
        reconciling.iter().position(Option::is_none)
    }

    /// Begins an invocation in a place that is free.
    pub fn begin(&mut self, place: usize, running: Running) -> Option<()> {
        let (_, reconciling) = self.0.split_last_mut()?;
        let slot = reconciling.get_mut(place).filter(|slot| slot.is_none())?;
        *slot = Some(Kept::new(running));
        Some(())
    }
}

impl Hash for Passes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let prints = self.0.iter().flatten().map(Kept::print);
        state.write_u64(
            prints.fold(0, |sum, print| sum.wrapping_add(print.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
        );
    }
}

impl Deref for Passes {
    type Target = Vec<Option<Kept<Running>>>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Passes {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// A release's rule; its ARN is its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnRule {
    /// Which one, from 1.
    pub number: u8,
    /// Its weights.
    pub weights: Weights,
    /// Whose it is.
    pub owner: RuleOwner,
}

/// An instance of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instance {
    /// Whether it still is.
    pub present: bool,
    /// Its health in each group.
    pub health: PerColour<TargetHealth>,
}

/// A deployment of ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Deployed {
    /// What it is known by.
    pub description: Kept<Description>,
    /// Whether Greenlight opened it, and not AWS by itself.
    pub ours: bool,
    /// When it was created, in ticks.
    pub created: u16,
    /// Its status.
    pub status: DeploymentStatus,
    /// How far each instance is, by index; `None`: not part of it.
    pub hooks: Vec<Option<Hook>>,
}

/// How far an instance is with its deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hook {
    /// Before `BeforeInstall`.
    Queued,
    /// `BeforeInstall` has heard the colour, and the colour is down.
    Starting,
    /// In `ValidateService`.
    Asking,
    /// It heard "succeeded" and has not exited yet.
    Heard,
    /// Through all events.
    Succeeded,
    /// An event failed.
    Failed,
}

/// How often something may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// Crashes, lost replies, unreadable facts, refusals.
    pub faults: u8,
    /// Whatever else the world does to the service.
    pub inputs: u8,
}

/// The one service.
pub fn shop() -> ServiceName {
    service("shop")
}

/// The time at a tick.
pub fn at(tick: u16) -> Timestamp {
    START.checked_add(TICK * u32::from(tick)).unwrap_or(START)
}

/// The tick of a time.
pub fn tick_of(time: Timestamp) -> u16 {
    let since = time.duration_since(START).as_secs() / i64::try_from(TICK.as_secs()).unwrap_or(1);
    u16::try_from(since).unwrap_or(u16::MAX)
}

/// The bundle with this number.
pub fn bundle(number: u8) -> Upload {
    upload(&shop(), u64::from(number))
}

/// The id of the instance with this index.
pub fn instance_id(index: usize) -> InstanceId {
    InstanceId(format!("i-{index}"))
}

fn deployment_id(index: usize) -> DeploymentId {
    DeploymentId(format!("d-{index}"))
}

impl World {
    /// The ledger, a new one before the first write.
    pub fn ledger_or_new(&self) -> Kept<Ledger> {
        self.ledger.clone().unwrap_or_else(|| Kept::new(Ledger::new(shop())))
    }

    /// How S3 names the stored state: by its content.
    pub fn version(&self) -> Option<LedgerVersion> {
        self.ledger.as_ref().map(|ledger| LedgerVersion(format!("{:x}", ledger.print())))
    }

    /// How traffic is divided: by the release's rule if there is one, else by the base rule.
    pub fn traffic(&self) -> Weights {
        self.rule.map_or(self.base, |rule| rule.weights)
    }

    /// How many instances are healthy in this colour's group.
    pub fn healthy(&self, colour: Colour) -> usize {
        self.instances.iter().filter(|instance| *instance.health.of(colour) == TargetHealth::Healthy).count()
    }

    /// What new instances boot: the number of the last deployment that succeeded.
    pub fn last_successful(&self) -> Option<ReleaseNumber> {
        let succeeded =
            |deployed: &&Deployed| deployed.ours && deployed.status == DeploymentStatus::Succeeded;
        self.deployments.iter().rev().find(succeeded).map(|deployed| deployed.description.number)
    }

    /// The deployment that may still change instances.
    pub fn active(&self) -> Option<usize> {
        self.deployments.iter().position(|deployed| deployed.status == DeploymentStatus::Active)
    }

    /// Looks as a pass does: by id where the ledger knows it, else by description.
    pub fn observe(&self, ledger: &Ledger, reads: Reads) -> Observation {
        let id = ledger.open.as_ref().and_then(|open| open.deployment.as_ref());
        let deployment = ledger.open.as_ref().filter(|_| reads.deployment).map(|open| match id {
            Some(id) => self.index_of(id),
            None => self.find(&open.description(&ledger.service)),
        });
        let targets = id.filter(|_| reads.targets).and_then(|id| self.index_of(id));
        let health = |colour: Colour| {
            let read = *reads.health.of(colour);
            if read { Reading::Known(self.target_health(colour)) } else { Reading::NotRead }
        };
        let alarms = |colour: Colour| {
            if reads.alarms { Reading::Known(self.alarm_states(colour)) } else { Reading::NotRead }
        };
        let owner = reads.rules && reads.rule_owner;
        Observation {
            deployment: deployment
                .map_or(Reading::NotRead, |found| Reading::Known(found.map(|index| self.described(index)))),
            targets: targets.map_or(Reading::NotRead, |index| Reading::Known(self.targets(index))),
            active: if reads.active {
                Reading::Known(self.active().map(|index| self.described(index)))
            } else {
                Reading::NotRead
            },
            rules: if reads.rules { Reading::Known(self.rules()) } else { Reading::NotRead },
            rule_owner: if owner {
                Reading::Known(self.rule.map(|rule| rule.owner))
            } else {
                Reading::NotRead
            },
            health: PerColour { blue: health(Colour::Blue), green: health(Colour::Green) },
            alarms: PerColour { blue: alarms(Colour::Blue), green: alarms(Colour::Green) },
            ok_since: if reads.alarms { self.ok_since() } else { BTreeMap::new() },
            suspended: if reads.suspended { Reading::Known(BTreeSet::new()) } else { Reading::NotRead },
            published: reads.published.map_or(Reading::NotRead, |window| self.counts.of(window)),
            week: reads.week.map_or(Reading::NotRead, |_| Reading::Known(Counts::week())),
            ..Observation::default()
        }
    }

    /// The rules as a load balancer describes them.
    pub fn rules(&self) -> Rules {
        Rules {
            base: self.base.into(),
            release: self.rule.map(|rule| ReleaseRule { arn: rule.arn(), weights: rule.weights.into() }),
            preview: self.preview.map(rule_arn),
        }
    }

    /// The place of the deployment with this id.
    pub fn index_of(&self, id: &DeploymentId) -> Option<usize> {
        (0..self.deployments.len()).find(|index| deployment_id(*index) == *id)
    }

    /// The place of the newest deployment with this description.
    pub fn find(&self, description: &Description) -> Option<usize> {
        self.deployments.iter().rposition(|deployed| deployed.ours && *deployed.description == *description)
    }

    /// Writes the tag of the upload with this number.
    pub fn tell(&mut self, number: ReleaseNumber, word: VerdictWord) {
        self.tags.retain(|(tagged, _)| *tagged != number);
        self.tags.push((number, word));
        self.tags.sort();
    }

    /// What the tag of the upload with this number says.
    pub fn tag(&self, number: ReleaseNumber) -> Option<VerdictWord> {
        self.tags.iter().find(|(tagged, _)| *tagged == number).map(|(_, word)| *word)
    }

    /// Whether one of the first so many deployments has this description.
    pub fn find_before(&self, description: &Description, count: usize) -> bool {
        self.deployments
            .iter()
            .take(count)
            .any(|deployed| deployed.ours && *deployed.description == *description)
    }

    /// A deployment as CodeDeploy describes it.
    pub fn described(&self, index: usize) -> Deployment {
        let deployed = &self.deployments[index];
        let failed = deployed.hooks.iter().flatten().filter(|hook| **hook == Hook::Failed).count();
        let ended = deployed.status != DeploymentStatus::Active;
        Deployment {
            id: deployment_id(index),
            group: "shop".to_owned(),
            status: deployed.status,
            creator: if deployed.ours { Creator::User } else { Creator::Service("autoscaling".to_owned()) },
            description: deployed.ours.then(|| (*deployed.description).clone()),
            error: (ended && deployed.status != DeploymentStatus::Succeeded).then(|| "ended".to_owned()),
            failed: if ended { u32::try_from(failed).unwrap_or(u32::MAX) } else { 0 },
        }
    }

    /// The instances of a deployment.
    pub fn targets(&self, index: usize) -> Vec<Target> {
        let status = |hook: Hook| match hook {
            Hook::Queued | Hook::Starting => TargetStatus::Installing,
            Hook::Asking | Hook::Heard => TargetStatus::Validating,
            Hook::Succeeded => TargetStatus::Succeeded,
            Hook::Failed => TargetStatus::Failed("ValidateService: exited with 1".to_owned()),
        };
        let hooks = self.deployments[index].hooks.iter().enumerate();
        hooks
            .filter_map(|(instance, hook)| {
                Some(Target { instance: instance_id(instance), status: status((*hook)?) })
            })
            .collect()
    }

    /// The targets of a colour's group; an instance that is gone has left it.
    pub fn target_health(&self, colour: Colour) -> BTreeMap<InstanceId, TargetHealth> {
        let present = self.instances.iter().enumerate().filter(|(_, instance)| instance.present);
        present.map(|(index, instance)| (instance_id(index), *instance.health.of(colour))).collect()
    }

    /// The alarms of a colour.
    pub fn alarm_states(&self, colour: Colour) -> BTreeMap<String, AlarmState> {
        let state = match (*self.firing.of(colour), *self.silent.of(colour)) {
            (_, true) => AlarmState::NoData,
            (true, false) => AlarmState::Firing,
            (false, false) => AlarmState::Ok,
        };
        BTreeMap::from([(format!("{colour}-errors"), state)])
    }

    fn ok_since(&self) -> BTreeMap<String, Timestamp> {
        let since = |colour: &Colour| Some((format!("{colour}-errors"), at((*self.ok_since.of(*colour))?)));
        Colour::BOTH.iter().filter_map(since).collect()
    }

    /// A drill sets a colour's alarm, if it does not fire already.
    pub fn set_by_hand(&mut self, colour: Colour) {
        if !*self.firing.of(colour) {
            self.set_alarm(colour, true);
            *self.by_hand.of_mut(colour) = true;
        }
    }

    /// CloudWatch evaluates the alarms that were set: nothing of what they measure is bad.
    pub fn evaluate(&mut self) {
        for colour in Colour::BOTH {
            if std::mem::take(self.by_hand.of_mut(colour)) {
                self.set_alarm(colour, false);
            }
        }
    }

    /// An alarm begins to fire, or ceases to.
    pub fn set_alarm(&mut self, colour: Colour, fires: bool) {
        let before = std::mem::replace(self.firing.of_mut(colour), fires);
        let since = self.ok_since.of_mut(colour);
        match (before, fires) {
            (_, true) => *since = None,
            (true, false) => *since = Some(self.tick),
            (false, false) => {}
        }
    }

    /// Makes a release's rule; `None`: the priority is in use.
    pub fn create_rule(&mut self, live: Colour, release: &Description) -> Option<RuleArn> {
        if self.rule.is_some() {
            return None;
        }
        self.rules_made += 1;
        let owner = RuleOwner::of(release);
        let rule = OwnRule { number: self.rules_made, weights: Weights::all_on(live), owner };
        self.rule = Some(rule);
        Some(rule.arn())
    }

    /// Makes a preview's rule; `None`: the priority is in use.
    pub fn create_preview(&mut self) -> Option<RuleArn> {
        if self.preview.is_some() {
            return None;
        }
        self.rules_made += 1;
        self.preview = Some(self.rules_made);
        self.preview.map(rule_arn)
    }

    /// Deletes a preview's rule.
    pub fn delete_preview(&mut self, rule: &RuleArn) {
        self.preview.take_if(|known| rule_arn(*known) == *rule);
    }

    /// Opens a deployment; `None`: another one is active.
    pub fn create_deployment(&mut self, description: &Description) -> Option<DeploymentId> {
        if self.active().is_some() {
            return None;
        }
        let hooks = self.instances.iter().map(|instance| instance.present.then_some(Hook::Queued)).collect();
        let description = Kept::new(description.clone());
        self.deployments.push(Deployed {
            description,
            ours: true,
            created: self.tick,
            status: DeploymentStatus::Active,
            hooks,
        });
        Some(deployment_id(self.deployments.len() - 1))
    }

    /// Whether this deployment was created in this tick.
    pub fn is_new(&self, id: &DeploymentId) -> bool {
        self.index_of(id).is_some_and(|index| self.deployments[index].created == self.tick)
    }

    /// AWS opens a deployment by itself; `None`: another one is active, or there is nothing that it could install.
    pub fn open_by_itself(&mut self) -> Option<()> {
        if self.active().is_some() {
            return None;
        }
        let description = self.deployments.last()?.description.clone();
        let hooks = vec![None; self.instances.len()];
        self.deployments.push(Deployed {
            description,
            ours: false,
            created: self.tick,
            status: DeploymentStatus::Active,
            hooks,
        });
        Some(())
    }

    /// An instance is handed to Auto Scaling: it goes, and another one comes that boots what is live.
    pub fn replace(&mut self, instance: &InstanceId) {
        let index = (0..self.instances.len()).find(|index| instance_id(*index) == *instance);
        if let Some(index) = index.filter(|index| self.instances[*index].present) {
            self.instances[index] = Instance {
                present: false,
                health: PerColour { blue: TargetHealth::Gone, green: TargetHealth::Gone },
            };
            self.join();
        }
    }

    /// An instance joins, with what is live; `None`: nothing is.
    pub fn join(&mut self) -> Option<()> {
        let live = self.ledger_or_new().live.as_ref()?.colour;
        let mut health = PerColour { blue: TargetHealth::Unhealthy, green: TargetHealth::Unhealthy };
        *health.of_mut(live) = TargetHealth::Healthy;
        self.instances.push(Instance { present: true, health });
        Some(())
    }

    /// Stops a deployment; one that has ended stays as it is. Its hooks run on until they hear.
    pub fn stop(&mut self, id: &DeploymentId) {
        let Some(index) = self.index_of(id) else { return };
        let deployed = &mut self.deployments[index];
        if deployed.status == DeploymentStatus::Active {
            deployed.status = DeploymentStatus::Stopped;
            let queued = deployed.hooks.iter_mut().flatten().filter(|hook| **hook == Hook::Queued);
            queued.for_each(|hook| *hook = Hook::Failed);
        }
    }

    /// The id of the deployment at this place.
    pub fn id_of(&self, index: usize) -> DeploymentId {
        deployment_id(index)
    }
}

impl OwnRule {
    /// The rule's ARN.
    pub fn arn(self) -> RuleArn {
        rule_arn(self.number)
    }
}

fn rule_arn(number: u8) -> RuleArn {
    RuleArn(format!("rule/{number}"))
}

impl Deployed {
    /// Ends the deployment when no instance is left: a success when one succeeded (`AllAtOnce`).
    pub fn end_when_done(&mut self) {
        let under_way =
            |hook: &Hook| matches!(hook, Hook::Queued | Hook::Starting | Hook::Asking | Hook::Heard);
        if self.status == DeploymentStatus::Active && !self.hooks.iter().flatten().any(under_way) {
            let succeeded = self.hooks.iter().flatten().any(|hook| *hook == Hook::Succeeded);
            self.status = if succeeded { DeploymentStatus::Succeeded } else { DeploymentStatus::Failed };
        }
    }
}
