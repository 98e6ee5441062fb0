//! From a decision to effects: observe, plan, commit, act, look again.
//!
//! Every event only wakes this. The order of the effects of one pass is [`effects`], a pure function, so that
//! the model checker walks through the same order that production does.

use crate::failure::{Class, Failure, chain};
use crate::ports::{Clock, LedgerVersion, Ports};
use crate::way_back::{WayBack, without_ledger};
use futures::future::{OptionFuture, join, join_all, join3};
use jiff::Timestamp;
use release::plan::{Action, Effect, Outcome, Plan, Reads, effects, is_stale, note, plan, reads, refusal};
use release::{
    Ledger, NewerSchema, Observation, PerColour, Policy, Reading, Reason, ServiceName, Wake, asked,
};
use serde::{Deserialize, Serialize};

/// How many passes one wake may take: enough for the longest chain (promoting: base rule, release's rule, idle, next release).
const PASSES: usize = 8;

/// One pass, for the decision record: everything the plan saw, so that it can be replayed.
#[derive(Debug, Serialize, Deserialize)]
pub struct PassRecord {
    /// What the plan was given.
    pub ledger: Ledger,
    /// What the plan saw.
    pub observation: Observation,
    /// The time that the plan was given.
    pub now: Timestamp,
    /// The policy that the plan was given.
    pub policy: Policy,
    /// What it decided.
    pub plan: Plan,
    /// What was done and how that went: the action's word, and the failure if it failed.
    pub done: Vec<(String, Option<String>)>,
}

/// What a reconcile leaves.
#[derive(Debug)]
pub struct Reconciled {
    /// The ledger as it was last known.
    pub ledger: Ledger,
    /// Its passes.
    pub passes: Vec<PassRecord>,
    /// What failed. The next wake tries again.
    pub failures: Vec<Failure>,
}

/// Brings one service a step nearer to where it should be.
///
/// # Errors
/// When the ledger cannot be read. Failed observations, writes and actions are no error here: the plan holds on the
/// first, the others are listed in [`Reconciled::failures`]. What returns traffic is done before the first write.
pub async fn reconcile(
    ports: &impl Ports,
    service: &ServiceName,
    policy: &Policy,
    clock: &impl Clock,
    wake: Wake,
) -> Result<Reconciled, Failure> {
    let known = read(ports, service).await?;
    reconcile_from(ports, service, policy, clock, wake, known).await
}

/// [`reconcile()`] with a ledger that was read just now, which saves reading it again.
///
/// # Errors
/// As [`reconcile()`].
pub async fn reconcile_from(
    ports: &impl Ports,
    service: &ServiceName,
    policy: &Policy,
    clock: &impl Clock,
    wake: Wake,
    mut known: (Ledger, Option<LedgerVersion>),
) -> Result<Reconciled, Failure> {
    let mut passes = Vec::new();
    let mut failures = Vec::new();
    for _ in 0..PASSES {
        let (ledger, version) = known;
        let now = clock.now();
        let observation = observe(ports, &ledger, reads(&ledger, policy, now)).await;
        let given = asked(&ledger, wake, now);
        let decided = plan(given.clone(), &observation, policy, now);
        let mut run = Run {
            ports,
            service,
            version,
            ledger: ledger.clone(),
            failures: Vec::new(),
            done: Vec::new(),
            moved_on: false,
            lost_swap: false,
            is_stale: &|| is_stale(now, clock.now()),
        };
        run.carry_out(&ledger, &decided).await;
        let touched_rules = decided.actions().any(Action::changes_a_rule);
        let stuck = run.failures.iter().any(|failure| !failure.is_conflict());
        let Run { version, ledger: written, failures: run_failures, done, moved_on, lost_swap, .. } = run;
        let mut again = decided.again || moved_on;
        failures.extend(run_failures);
        passes.push(PassRecord { ledger: given, observation, now, policy: *policy, plan: decided, done });
        // If another pass overtook this hook's, the ledger that was read is still good enough to answer "wait".
        let overtaken = lost_swap && wake == Wake::Question;
        // After a change of a rule, look again: at the rule, and whether another pass has decided since.
        if (touched_rules || moved_on) && !overtaken {
            let (_, after) = join(ports.rules(service), read(ports, service)).await;
            known = after?;
            again |= known.1 != version;
        } else {
            known = (written, version);
        }
        // A hook waits for its answer and asks again soon: it pays for one pass.
        if stuck || !again || wake == Wake::Question {
            break;
        }
    }
    Ok(Reconciled { ledger: known.0, passes, failures })
}

/// The ledger and its version; a new ledger before the first write.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn read(
    ports: &impl Ports,
    service: &ServiceName,
) -> Result<(Ledger, Option<LedgerVersion>), Failure> {
    Ok(match ports.read_ledger(service).await? {
        Some((ledger, version)) => (ledger, Some(version)),
        None => (Ledger::new(service.clone()), None),
    })
}

/// Changes the ledger by a pure function, and starts again when another pass was first.
///
/// # Errors
/// When the ledger cannot be read or written, or keeps changing under five tries.
pub async fn amend<T>(
    ports: &impl Ports,
    service: &ServiceName,
    change: impl Fn(Ledger) -> (Ledger, T),
) -> Result<T, Failure> {
    for _ in 0..5 {
        let (ledger, version) = read(ports, service).await?;
        let (next, answer) = change(ledger.clone());
        if next == ledger {
            return Ok(answer);
        }
        match ports.write_ledger(&next, version.as_ref()).await {
            Ok(_) => return Ok(answer),
            Err(failure)
                if failure.class() == Class::OutcomeUnknown && read(ports, service).await?.0 == next =>
            {
                return Ok(answer);
            }
            Err(failure) if matches!(failure.class(), Class::Conflict | Class::OutcomeUnknown) => {}
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::new(
        Class::Transient,
        format!("the ledger of {service} changed under five tries in a row: it is tried again"),
    ))
}

/// Reads what the phase needs, all at once.
pub async fn observe(ports: &impl Ports, ledger: &Ledger, reads: Reads) -> Observation {
    let service = &ledger.service;
    let id = ledger.open.as_ref().and_then(|open| open.deployment.as_ref());
    let deployment = async {
        let open = ledger.open.as_ref().filter(|_| reads.deployment)?;
        Some(match id {
            Some(id) => ports.deployment(id).await,
            None => ports.find_deployment(&open.description(service), open.opened_at).await,
        })
    };
    let targets = OptionFuture::from(id.filter(|_| reads.targets).map(|id| ports.deployment_targets(id)));
    let rules = async {
        let rules = if reads.rules { Some(ports.rules(service).await) } else { None };
        let owner = match &rules {
            Some(Ok(rules)) if reads.rule_owner => match &rules.release {
                Some(release) => Some(ports.rule_owner(service, &release.arn).await),
                None => Some(Ok(None)),
            },
            _ => None,
        };
        (rules, owner)
    };
    let health =
        |colour| OptionFuture::from(reads.health.of(colour).then(|| ports.target_health(service, colour)));
    let alarms = OptionFuture::from(reads.alarms.then(|| ports.alarm_states(service)));
    let suspended = OptionFuture::from(reads.suspended.then(|| ports.suspended(service)));
    let ((deployment, targets, suspended), ((rules, owner), (blue, green), alarms)) = join(
        join3(deployment, targets, suspended),
        join3(rules, join(health(release::Colour::Blue), health(release::Colour::Green)), alarms),
    )
    .await;
    let alarms = match alarms {
        None => PerColour::default(),
        Some(Ok(states)) => {
            PerColour { blue: Reading::Known(states.blue), green: Reading::Known(states.green) }
        }
        Some(Err(failure)) => {
            let why = chain(&failure);
            PerColour { blue: Reading::Unknown(why.clone()), green: Reading::Unknown(why) }
        }
    };
    Observation {
        deployment: reading(deployment),
        targets: reading(targets),
        rules: reading(rules),
        rule_owner: reading(owner),
        health: PerColour { blue: reading(blue), green: reading(green) },
        alarms,
        suspended: reading(suspended),
    }
}

fn reading<T>(answer: Option<Result<T, Failure>>) -> Reading<T> {
    match answer {
        None => Reading::NotRead,
        Some(Ok(fact)) => Reading::Known(fact),
        Some(Err(failure)) => Reading::Unknown(chain(&failure)),
    }
}

struct Run<'a, P> {
    ports: &'a P,
    service: &'a ServiceName,
    version: Option<LedgerVersion>,
    ledger: Ledger,
    failures: Vec<Failure>,
    done: Vec<(String, Option<String>)>,
    moved_on: bool,
    lost_swap: bool,
    is_stale: &'a (dyn Fn() -> bool + Sync),
}

impl<P: Ports> Run<'_, P> {
    async fn carry_out(&mut self, before: &Ledger, plan: &Plan) {
        for (done, effect) in effects(before, plan).into_iter().enumerate() {
            match effect {
                // Going back is right at any age.
                Effect::Act(action) if done >= plan.back.len() && (self.is_stale)() => {
                    self.done.push((action.word().to_owned(), Some("decided too long ago".to_owned())));
                    self.moved_on = true;
                }
                Effect::Commit => {
                    if !self.commit(plan.ledger.clone()).await {
                        return;
                    }
                }
                Effect::Act(action) => self.act(&action).await,
            }
            if self.moved_on {
                return;
            }
        }
    }

    /// Whether what was decided is now what is remembered.
    async fn commit(&mut self, next: Ledger) -> bool {
        match self.ports.write_ledger(&next, self.version.as_ref()).await {
            Ok(version) => {
                self.version = Some(version);
                self.ledger = next;
                self.done.push(("commit".to_owned(), None));
                true
            }
            Err(failure) => {
                self.done.push(("commit".to_owned(), Some(chain(&failure))));
                // Another pass was first, or the answer was lost: read again, decide again.
                self.moved_on = matches!(failure.class(), Class::Conflict | Class::OutcomeUnknown);
                self.lost_swap = failure.is_conflict();
                if !failure.is_conflict() {
                    self.failures.push(failure);
                }
                false
            }
        }
    }

    async fn act(&mut self, action: &Action) {
        let outcome = self.perform(action).await;
        let outcome = match outcome {
            Err(failure) if failure.class() == Class::Permanent => {
                refusal(action, &chain(&failure)).ok_or(failure)
            }
            other => other,
        };
        match outcome {
            Ok(outcome) => {
                self.done.push((action.word().to_owned(), None));
                if let Some(noted) = note(&self.ledger, action, outcome) {
                    self.commit(noted).await;
                }
            }
            Err(failure) => {
                self.done.push((action.word().to_owned(), Some(chain(&failure))));
                self.failures.push(failure);
            }
        }
    }

    async fn perform(&self, action: &Action) -> Result<Outcome, Failure> {
        let (ports, service) = (self.ports, self.service);
        match action {
            Action::CreateReleaseRule { live, release } => {
                return ports.create_release_rule(service, *live, release).await.map(Outcome::RuleCreated);
            }
            Action::CreateDeployment { description, revision } => {
                return ports.create_deployment(description, revision).await.map(Outcome::DeploymentCreated);
            }
            Action::SetReleaseWeights { rule, weights } => {
                ports.set_release_weights(service, rule, *weights).await?;
            }
            Action::DeleteReleaseRule { rule } => ports.delete_release_rule(service, rule).await?,
            Action::SetBaseWeights { weights } => ports.set_base_weights(service, *weights).await?,
            Action::StopDeployment { id } => ports.stop_deployment(id).await?,
            Action::ReplaceInstance { instance } => ports.replace(service, instance).await?,
            Action::ResumeProcesses { processes } => ports.resume(service, processes).await?,
            Action::TellVerdict { revision, verdict } => {
                ports.tag_verdict(revision, verdict.word(), &verdict.reason()).await?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// A reconcile that the ledger kept from happening, and what was done without it. A ledger that a newer version of
/// Greenlight has written is never replaced: a release holds, or is taken back without it.
#[derive(Debug)]
pub struct NoLedger {
    /// Why the ledger could not be read.
    pub failure: Failure,
    /// What became of the way back.
    pub way_back: Result<WayBack, Failure>,
}

impl NoLedger {
    /// Why nothing goes forward, where that is a decision and not a call that failed.
    pub fn reason(&self) -> Option<Reason> {
        let NewerSchema { found, known } = *self.failure.newer_schema()?;
        Some(Reason::NewerLedger { found, known })
    }
}

/// Reconciles every service, side by side. Where the ledger cannot be read, a firing candidate is taken back all the
/// same.
pub async fn reconcile_all(
    ports: &impl Ports,
    services: impl Iterator<Item = (&ServiceName, &Policy)>,
    clock: &impl Clock,
    wake: Wake,
) -> Vec<(ServiceName, Result<Reconciled, NoLedger>)> {
    join_all(services.map(|(service, policy)| async move {
        let result = match reconcile(ports, service, policy, clock, wake).await {
            Ok(reconciled) => Ok(reconciled),
            Err(failure) => Err(NoLedger { failure, way_back: without_ledger(ports, service).await }),
        };
        (service.clone(), result)
    }))
    .await
}
