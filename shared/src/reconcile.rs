//! Carries out what the machine of a reconcile asks for: one call of AWS at a time.
//!
//! Every event only wakes this. What is called next, in which order, and when it is over is decided by [`release::pass`],
//! which the proof moves as well.

use crate::failure::{Class, Failure, chain};
use crate::ports::{Clock, PortResult, Ports};
use futures::FutureExt as _;
use futures::future::{OptionFuture, join, join_all, join4};
use release::evidence::{Report, Week};
use release::pass::{
    Amend, Decisions, Ended, Given, Kept, LedgerVersion, Next, PassRecord, Recorded, SeenWithoutLedger,
    Stored, Unamended, WayBack,
};
use release::plan::{Action, Outcome, Reads, Window};
use release::{
    Colour, GateReport, Ledger, NewerSchema, Observation, PerColour, Policy, Reading, Reason, RuleOwner,
    Rules, ServiceName, SmokeReport, Summary, TargetHealth, Wake,
};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

/// What the hook that asks has reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reported {
    /// What it has counted.
    pub report: Option<Report>,
    /// What it has asked of both colours.
    pub smoke: Option<SmokeReport>,
    /// What the gate has answered, which that hook's question had asked.
    pub gate: Option<GateReport>,
}

impl From<Option<Report>> for Reported {
    fn from(report: Option<Report>) -> Self {
        Self { report, ..Self::default() }
    }
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

/// A reconcile that the ledger, or a bug, kept from happening, and what was done without it. A ledger that a newer version of
/// Greenlight has written is never replaced: a release holds, or is taken back without it.
#[derive(Debug)]
pub struct NoLedger {
    /// Why the ledger could not be read, or decided on.
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

/// Brings one service a step nearer to where it should be. Where the ledger cannot be read, a firing candidate is taken
/// back all the same.
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
) -> Result<Reconciled, NoLedger> {
    let shell = Shell { ports, service, policy, clock, wake, reported: Reported::default() };
    shell.carry_out(Next::woken(wake), Recorded::default()).await
}

/// [`reconcile()`] with a ledger that was read just now, which saves reading it again, and with what the hook that asks
/// has reported: every pass sees it, as it sees AWS.
///
/// # Errors
/// As [`reconcile()`].
pub async fn reconcile_from(
    ports: &impl Ports,
    service: &ServiceName,
    policy: &Policy,
    clock: &impl Clock,
    wake: Wake,
    known: (Ledger, Option<LedgerVersion>),
    reported: impl Into<Reported>,
) -> Result<Reconciled, NoLedger> {
    let mut records = Recorded::default();
    let stored = (Kept::new(known.0), known.1);
    let decisions = Decisions::default();
    let given = Given { decisions: &decisions, policy, now: clock.now(), records: &mut records };
    let next = Next::knowing(wake, stored, &given);
    let reported = reported.into();
    Shell { ports, service, policy, clock, wake, reported }.carry_out(next, records).await
}

/// Reconciles every service, side by side. A bug that one service meets keeps no other from being carried on, and not its
/// own firing candidate from being taken back.
pub async fn reconcile_all(
    ports: &impl Ports,
    services: impl Iterator<Item = (&ServiceName, &Policy)>,
    clock: &impl Clock,
    wake: Wake,
) -> Vec<(ServiceName, Result<Reconciled, NoLedger>)> {
    join_all(services.map(|(service, policy)| async move {
        let shell = Shell { ports, service, policy, clock, wake, reported: Reported::default() };
        (service.clone(), whatever_happens(shell).await)
    }))
    .await
}

async fn whatever_happens<P: Ports, C: Clock>(shell: Shell<'_, P, C>) -> Result<Reconciled, NoLedger> {
    let attempt = format!("the reconcile of {}", shell.service);
    let met_a_bug = || Failure::panicked(&attempt);
    let decided = shell.carry_out(Next::woken(shell.wake), Recorded::default());
    if let Ok(reconciled) = AssertUnwindSafe(decided).catch_unwind().await {
        return reconciled;
    }
    // What was decided on the ledger met the bug. The way back without it decides on less.
    let taken_back = shell.carry_out(Next::without_ledger(met_a_bug()), Recorded::default());
    match AssertUnwindSafe(taken_back).catch_unwind().await {
        Ok(reconciled) => reconciled,
        Err(_) => Err(NoLedger { failure: met_a_bug(), way_back: Err(met_a_bug()) }),
    }
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

async fn stored(ports: &impl Ports, service: &ServiceName) -> Result<Stored, Failure> {
    read(ports, service).await.map(|(ledger, version)| (Kept::new(ledger), version))
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
    let mut next = Amend::default();
    loop {
        next = match next {
            Amend::Read(read) => read.answered(stored(ports, service).await, &change),
            Amend::Write(write) => {
                let written = ports.write_ledger(write.ledger(), write.over()).await;
                write.answered(written)
            }
            Amend::Ended(Ok(answer)) => return Ok(answer),
            Amend::Ended(Err(Unamended::Failed(failure))) => return Err(failure),
            Amend::Ended(Err(Unamended::KeepsChanging)) => {
                return Err(Failure::new(
                    Class::Transient,
                    format!("the ledger of {service} changed under five tries in a row: it is tried again"),
                ));
            }
        }
    }
}

/// What makes the calls of one service's reconcile.
struct Shell<'a, P, C> {
    ports: &'a P,
    service: &'a ServiceName,
    policy: &'a Policy,
    clock: &'a C,
    wake: Wake,
    reported: Reported,
}

impl<P: Ports, C: Clock> Shell<'_, P, C> {
    async fn carry_out(
        &self,
        mut next: Next<Failure>,
        mut records: Recorded<Failure>,
    ) -> Result<Reconciled, NoLedger> {
        let (ports, service) = (self.ports, self.service);
        let decisions = Decisions::default();
        loop {
            let given = |records| Given {
                decisions: &decisions,
                policy: self.policy,
                now: self.clock.now(),
                records,
            };
            next = match next {
                Next::ReadLedger(read) => {
                    let answer = stored(ports, service).await;
                    read.answered(answer, &mut given(&mut records))
                }
                Next::Look(look) => {
                    let seen = observe(ports, look.ledger(), look.reads()).await;
                    let Reported { report, smoke, gate } = self.reported.clone();
                    let seen = Observation { report, smoke, gate, ..seen };
                    look.answered(&seen, &mut given(&mut records))
                }
                Next::Write(write) => {
                    let answer = ports.write_ledger(write.ledger(), write.over()).await;
                    write.answered(answer, &mut given(&mut records))
                }
                Next::Act(act) => {
                    let answer = self.perform(act.action()).await;
                    act.answered(answer, &mut given(&mut records))
                }
                Next::LookBack(back) => {
                    let (rules, ledger) = join(ports.rules(service), stored(ports, service)).await;
                    back.answered(rules.ok().as_ref(), ledger, &mut given(&mut records))
                }
                Next::LookWithoutLedger(look) => {
                    let ((rules, owner), alarms, active, healthy) = join4(
                        self.rules_and_owner(),
                        ports.alarm_states(service),
                        ports.active_deployment(service),
                        join(self.healthy(Colour::Blue), self.healthy(Colour::Green)),
                    )
                    .await;
                    let healthy = PerColour { blue: healthy.0, green: healthy.1 };
                    let alarms = alarms.map(|alarms| alarms.states);
                    let seen = SeenWithoutLedger { rules, owner, alarms, healthy, active };
                    look.answered(seen, &given(&mut records))
                }
                Next::TakeBack(back) => {
                    let answer = self.perform(back.action()).await;
                    back.answered(answer)
                }
                Next::Ended(Ended::Reconciled(ledger)) => {
                    let Recorded { passes, mut failures } = records;
                    failures.extend(self.publish(&ledger).await.err());
                    failures.extend(self.leave_receipts(&ledger).await);
                    failures.extend(self.announce(&ledger, passes.last()).await);
                    return Ok(Reconciled { ledger: (*ledger).clone(), passes, failures });
                }
                Next::Ended(Ended::WithoutLedger { failure, way_back }) => {
                    return Err(NoLedger { failure, way_back });
                }
            };
        }
    }

    /// Tells everybody how the service stands, after everything else, because it decides nothing. The tick does it and not
    /// a hook's question, which a thousand instances may ask.
    async fn publish(&self, ledger: &Ledger) -> PortResult<()> {
        let now = self.clock.now();
        let summary = Summary::of(ledger, self.policy, now);
        let is_due = self.wake == Wake::Event && summary.is_fresh(now);
        if is_due { self.ports.publish(&summary).await } else { Ok(()) }
    }

    /// Writes what the releases leave that have ended just now. It decides nothing either, and is given up after a while.
    async fn leave_receipts(&self, ledger: &Ledger) -> Vec<Failure> {
        let due = ledger.receipts(self.clock.now()).filter(|_| self.wake == Wake::Event);
        let written = join_all(due.map(|receipt| self.ports.write_receipt(receipt))).await;
        written.into_iter().filter_map(Result::err).collect()
    }

    /// Announces how releases have ended, and what waits for an operator. It decides nothing either.
    async fn announce(&self, ledger: &Ledger, last: Option<&PassRecord>) -> Vec<Failure> {
        let reasons = last.map_or(&[][..], |pass| &pass.plan.reasons[..]);
        let due = ledger.announcements(reasons, self.clock.now());
        let due = due.iter().filter(|_| self.wake == Wake::Event);
        let announced = join_all(due.map(|announcement| self.ports.announce(announcement))).await;
        announced.into_iter().filter_map(Result::err).collect()
    }

    /// The rules, and whose the release's rule is.
    async fn rules_and_owner(&self) -> (PortResult<Rules>, PortResult<Option<RuleOwner>>) {
        let rules = self.ports.rules(self.service).await;
        let owner = match rules.as_ref().ok().and_then(|rules| rules.release.as_ref()) {
            Some(rule) => self.ports.rule_owner(self.service, &rule.arn).await,
            None => Ok(None),
        };
        (rules, owner)
    }

    async fn healthy(&self, colour: Colour) -> Option<usize> {
        let targets = self.ports.target_health(self.service, colour).await.ok()?;
        Some(targets.values().filter(|health| **health == TargetHealth::Healthy).count())
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
            Action::CreatePreviewRule { release } => {
                return ports.create_preview_rule(service, release).await.map(Outcome::RuleCreated);
            }
            Action::DeletePreviewRule { rule } => {
                ports.delete_preview_rule(service, rule).await?;
                return Ok(Outcome::PreviewDeleted);
            }
            Action::SetBaseWeights { weights } => ports.set_base_weights(service, *weights).await?,
            Action::SetAlarm { colour, alarm } => ports.set_alarm(service, *colour, alarm).await?,
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
    let active = OptionFuture::from(reads.active.then(|| ports.active_deployment(service)));
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
    let traffic =
        |window: Option<Window>| OptionFuture::from(window.map(|window| ports.published(service, window)));
    let traffic = join(traffic(reads.published), traffic(reads.week));
    let health = join(health(Colour::Blue), health(Colour::Green));
    let ((deployment, targets, suspended, active), ((rules, owner), (blue, green), alarms, traffic)) =
        join(join4(deployment, targets, suspended, active), join4(rules, health, alarms, traffic)).await;
    let (published, week) = traffic;
    // A week has ten thousand minutes, and a record of a decision has no room for them.
    let week =
        reads.week.zip(week).map(|(window, minutes)| minutes.map(|minutes| Week::of(&minutes, window.until)));
    let (alarms, ok_since) = match alarms {
        None => Default::default(),
        Some(Ok(release::Alarms { states: PerColour { blue, green }, ok_since })) => {
            (PerColour { blue: Reading::Known(blue), green: Reading::Known(green) }, ok_since)
        }
        Some(Err(failure)) => {
            let why = chain(&failure);
            let unknown = PerColour { blue: Reading::Unknown(why.clone()), green: Reading::Unknown(why) };
            (unknown, BTreeMap::new())
        }
    };
    Observation {
        deployment: reading(deployment),
        targets: reading(targets),
        active: reading(active),
        rules: reading(rules),
        rule_owner: reading(owner),
        health: PerColour { blue: reading(blue), green: reading(green) },
        alarms,
        ok_since,
        suspended: reading(suspended),
        published: reading(published),
        week: reading(week),
        report: None,
        smoke: None,
        gate: None,
    }
}

fn reading<T>(answer: Option<Result<T, Failure>>) -> Reading<T> {
    match answer {
        None => Reading::NotRead,
        Some(Ok(fact)) => Reading::Known(fact),
        Some(Err(failure)) => Reading::Unknown(chain(&failure)),
    }
}
