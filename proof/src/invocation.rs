//! An invocation that runs: production's machine, and AWS as it answers here.
//!
//! Every call is one step. Between two of them anything may happen: another invocation's call, a crash, a tick.

use crate::machine::Machine;
use crate::promises;
use crate::safety::{self, Before, Saw};
use crate::step::{Input, Setting};
use crate::world::{FUNCTION_TIMEOUT, Gate, TICK, World, at, bundle};
use jiff::Timestamp;
use release::pass::{
    Amend, Class, Decided, Failed, Given, Kept, LedgerVersion, Next, Records, SeenWithoutLedger,
};
use release::plan::{Action, Outcome, Plan};
use release::{
    Colour, Command, Deployment, DeploymentId, DeploymentStatus, GateReport, Ledger, Observation, PerColour,
    Reading, ReleaseNumber, Revision, Wake, accept_command, accept_preview, ask_gate,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An invocation that runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Running {
    /// How many ticks it runs already.
    pub age: u8,
    /// For how many ticks its call is under way.
    pub waits: u8,
    /// Where it stands.
    pub at: At,
}

/// Where an invocation stands.
#[expect(clippy::large_enum_variant, reason = "it lives behind a shared pointer, and most of them reconcile")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum At {
    /// It reconciles.
    Reconciles(Next<Failure>, Saw),
    /// It writes an input into the ledger.
    Amends(Input, Amend<(), Failure>),
}

/// A call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Failure(pub Class);

impl Failed for Failure {
    fn class(&self) -> Class {
        self.0
    }

    fn told(&self) -> String {
        self.0.word().to_owned()
    }
}

/// The proof judges what is done, not what is told of it.
#[derive(Debug)]
struct Unrecorded;

impl Records for Unrecorded {
    type Failure = Failure;
    fn decided(&mut self, _: &Decided<'_>) {}
    fn did(&mut self, _: &'static str, _: impl FnOnce() -> Option<String>) {}
    fn failed(&mut self, _: Failure) {}
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// The reply was lost; the call was carried out.
    LostAfter,
    /// The reply was lost; the call was not carried out.
    LostBefore,
    /// It is refused for good.
    Refused,
    /// It is throttled: nothing was done.
    Throttled,
}

/// What a look cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blind {
    /// The deployment and its instances.
    Deployment,
    /// The rules.
    Rules,
    /// Both colours' health.
    Health,
    /// The alarms.
    Alarms,
    /// The lists of deployments, which lag: what was created in this tick is not in them.
    Lists,
}

/// What goes wrong again and again, until it is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breakage {
    /// Something cannot be read.
    Reads(Blind),
    /// No rule can be created.
    Rules,
    /// No deployment can be created.
    Deployments,
    /// No tag can be written.
    Tags,
    /// No preview's rule can be deleted.
    Previews,
}

impl Breakage {
    fn refuses(self, action: &Action) -> bool {
        match self {
            Self::Reads(_) => false,
            Self::Rules => {
                matches!(action, Action::CreateReleaseRule { .. } | Action::CreatePreviewRule { .. })
            }
            Self::Previews => matches!(action, Action::DeletePreviewRule { .. }),
            Self::Deployments => matches!(action, Action::CreateDeployment { .. }),
            Self::Tags => matches!(action, Action::TellVerdict { .. }),
        }
    }
}

/// The decision of a pass, for the rules that judge it by what was seen.
#[derive(Debug, Default)]
struct Watched {
    plan: Option<Plan>,
}

impl Records for Watched {
    type Failure = Failure;
    fn decided(&mut self, decided: &Decided<'_>) {
        self.plan = Some(decided.plan.clone());
    }
    fn did(&mut self, _: &'static str, _: impl FnOnce() -> Option<String>) {}
    fn failed(&mut self, _: Failure) {}
}

impl Running {
    /// A function that was woken and has read the ledger, or could not read it.
    pub fn woken(world: &World, setting: &Setting, wake: Wake, reads: bool) -> Self {
        let stored =
            if reads { Ok((world.ledger_or_new(), world.version())) } else { Err(Failure(Class::Transient)) };
        let next = match Next::woken(wake) {
            Next::ReadLedger(read) => read.answered(stored, &mut setting.given(world, &mut Unrecorded)),
            next => next,
        };
        Self { age: 0, waits: 0, at: At::Reconciles(next, Saw::default()) }
    }

    /// A function that was given an input and has read the ledger; `None`: it changes nothing.
    pub fn given(world: &World, machine: &Machine, input: Input) -> Option<Self> {
        let next = match Amend::default() {
            Amend::Read(read) => read.answered(Ok((world.ledger_or_new(), world.version())), |ledger| {
                change(world, machine, input, ledger)
            }),
            next => next,
        };
        (!matches!(next, Amend::Ended(_))).then_some(Self { age: 0, waits: 0, at: At::Amends(input, next) })
    }
}

/// How long a preview lasts: three ticks.
const PREVIEW: Duration = Duration::from_secs(3 * TICK.as_secs());

/// What an input changes.
fn change(world: &World, machine: &Machine, input: Input, ledger: Ledger) -> (Ledger, ()) {
    match input {
        Input::Upload(number, downgrades) => {
            ((machine.accept)(ledger, bundle(number), downgrades, at(world.tick)).0, ())
        }
        Input::Command(Command::Preview) => (accept_preview(&ledger, Some(PREVIEW), at(world.tick)).0, ()),
        Input::Command(command) => (accept_command(&ledger, command).0, ()),
    }
}

impl Running {
    /// A tick passes; `None`: Lambda has ended it. A call that changes AWS is over within a tick of its beginning.
    pub fn after_a_tick(&self) -> Option<Self> {
        let (age, waits) = (self.age + 1, self.waits + 1);
        let changes_aws = matches!(&self.at, At::Reconciles(Next::Act(_) | Next::TakeBack(_), _));
        let lives = age <= FUNCTION_TIMEOUT && !(changes_aws && waits > 1);
        lives.then(|| Self { age, waits, at: self.at.clone() })
    }
}

impl Setting {
    fn given<'a, R>(&'a self, world: &World, records: &'a mut R) -> Given<'a, R> {
        Given { decisions: &self.machine.decisions, policy: &self.policy, now: now(world), records }
    }

    /// The next call of an invocation and its answer; `None`: it has ended.
    pub fn run(
        &self,
        world: &mut World,
        running: &Running,
        blind: Option<Blind>,
        wrong: Option<Wrong>,
    ) -> Option<Running> {
        let at = match running.at.clone() {
            At::Reconciles(next, saw) => self.reconciles(world, next, saw, blind, wrong)?,
            At::Amends(input, next) => At::Amends(input, self.amends(world, input, next, wrong)?),
        };
        Some(Running { age: running.age, waits: 0, at })
    }

    fn reconciles(
        &self,
        world: &mut World,
        next: Next<Failure>,
        mut saw: Saw,
        blind: Option<Blind>,
        wrong: Option<Wrong>,
    ) -> Option<At> {
        let next = match next {
            Next::ReadLedger(read) => {
                let stored = (world.ledger_or_new(), world.version());
                read.answered(Ok(stored), &mut self.given(world, &mut Unrecorded))
            }
            Next::Look(look) => {
                let mut seen = world.observe(look.ledger(), look.reads());
                let broken = match world.breakage {
                    Some(Breakage::Reads(blind)) => Some(blind),
                    _ => None,
                };
                for blind in blind.into_iter().chain(broken) {
                    make_blind(&mut seen, blind, |id| world.is_new(id));
                }
                let ledger = look.ledger().clone();
                seen.gate = asked(world, &ledger);
                saw = Saw::of(world, &ledger, &seen);
                let mut watched = Watched::default();
                let next = look.answered(&seen, &mut self.given(world, &mut watched));
                if let Some(plan) = watched.plan {
                    promises::decided(world, &self.policy, &seen, &ledger, &plan);
                    if plan.ledger == *ledger {
                        safety::remembered(world, saw);
                    }
                }
                next
            }
            Next::Write(write) => {
                let (ledger, over) = (write.ledger().clone(), write.over().cloned());
                let answer = self.write(world, &ledger, over.as_ref(), saw, wrong);
                if is_done(answer.as_ref(), wrong) {
                    safety::remembered(world, saw);
                }
                write.answered(answer, &mut self.given(world, &mut Unrecorded))
            }
            Next::Act(act) => {
                let before = Before::of(world);
                let answer = perform(world, act.action(), wrong);
                safety::after(world, act.plan(), saw, act.action(), before, is_done(answer.as_ref(), wrong));
                act.answered(answer, &mut self.given(world, &mut Unrecorded))
            }
            Next::LookBack(back) => {
                let (rules, stored) = (world.rules(), (world.ledger_or_new(), world.version()));
                back.answered(Some(&rules), Ok(stored), &mut self.given(world, &mut Unrecorded))
            }
            Next::LookWithoutLedger(look) => {
                let seen = SeenWithoutLedger {
                    rules: Ok(world.rules()),
                    owner: Ok(world.rule.map(|rule| rule.owner)),
                    alarms: Ok(PerColour {
                        blue: world.alarm_states(Colour::Blue),
                        green: world.alarm_states(Colour::Green),
                    }),
                    healthy: PerColour {
                        blue: Some(world.healthy(Colour::Blue)),
                        green: Some(world.healthy(Colour::Green)),
                    },
                    active: Ok(world.active().map(|index| world.described(index))),
                };
                look.answered(seen, &self.given(world, &mut Unrecorded))
            }
            Next::TakeBack(back) => {
                let rule = world.rule;
                let answer = perform(world, back.action(), wrong);
                safety::taken_back_without_ledger(world, rule);
                back.answered(answer)
            }
            Next::Ended(_) => return None,
        };
        (!matches!(next, Next::Ended(_))).then_some(At::Reconciles(next, saw))
    }

    fn amends(
        &self,
        world: &mut World,
        input: Input,
        next: Amend<(), Failure>,
        wrong: Option<Wrong>,
    ) -> Option<Amend<(), Failure>> {
        let next = match next {
            Amend::Read(read) => {
                let stored = (world.ledger_or_new(), world.version());
                read.answered(Ok(stored), |ledger| change(world, &self.machine, input, ledger))
            }
            Amend::Write(write) => {
                let before = world.ledger_or_new();
                let answer = self.write(world, write.ledger(), write.over(), Saw::default(), wrong);
                if is_done(answer.as_ref(), wrong) {
                    safety::obeyed(world, input, &before);
                }
                write.answered(answer)
            }
            Amend::Ended(_) => return None,
        };
        (!matches!(next, Amend::Ended(_))).then_some(next)
    }

    /// Swaps the ledger.
    fn write(
        &self,
        world: &mut World,
        next: &Kept<Ledger>,
        over: Option<&LedgerVersion>,
        saw: Saw,
        wrong: Option<Wrong>,
    ) -> Result<LedgerVersion, Failure> {
        fails_before(wrong)?;
        if self.machine.swaps && world.version().as_ref() != over {
            return Err(Failure(Class::Conflict));
        }
        safety::written(world, next, saw);
        world.ledger = Some(next.clone());
        fails_after(wrong)?;
        Ok(world.version().unwrap_or_else(|| LedgerVersion(String::new())))
    }
}

/// What the gate has answered to whoever asked it before this look. Production asks once in a while; here every pass does.
fn asked(world: &mut World, ledger: &Ledger) -> Option<GateReport> {
    let answer = world.gate.and_then(Gate::answer)?;
    let mut unasked = ledger.clone();
    unasked.open.as_mut().and_then(|open| open.gate.as_mut())?.asked_at = None;
    let question = ask_gate(unasked, now(world)).1?;
    let report = question.answered(answer);
    safety::gate_said(world, ledger, &report);
    Some(report)
}

/// Whether a call was carried out, whatever its caller hears.
fn is_done<T>(answer: Result<&T, &Failure>, wrong: Option<Wrong>) -> bool {
    match answer {
        Ok(_) => true,
        Err(failure) => failure.0 != Class::Conflict && wrong == Some(Wrong::LostAfter),
    }
}

fn fails_before(wrong: Option<Wrong>) -> Result<(), Failure> {
    match wrong {
        None | Some(Wrong::LostAfter) => Ok(()),
        Some(Wrong::LostBefore) => Err(Failure(Class::OutcomeUnknown)),
        Some(Wrong::Refused) => Err(Failure(Class::Permanent)),
        Some(Wrong::Throttled) => Err(Failure(Class::Transient)),
    }
}

fn fails_after(wrong: Option<Wrong>) -> Result<(), Failure> {
    if wrong == Some(Wrong::LostAfter) { Err(Failure(Class::OutcomeUnknown)) } else { Ok(()) }
}

/// The time within a tick: later than the look that the ledger remembers. Two passes never look in one instant.
pub(crate) fn now(world: &World) -> Timestamp {
    let tick = at(world.tick);
    let after = |looked: Timestamp| looked.checked_add(Duration::from_nanos(1)).unwrap_or(tick);
    let last = world.ledger.as_ref().and_then(|ledger| {
        ledger.looked_at.max(ledger.drifted_at).max(ledger.acted_at).max(ledger.preview_asked_at)
    });
    last.filter(|looked| *looked >= tick).map_or(tick, after)
}

fn make_blind(seen: &mut Observation, blind: Blind, is_new: impl Fn(&DeploymentId) -> bool) {
    fn hide<T>(reading: &mut Reading<T>) {
        if reading.known().is_some() {
            *reading = Reading::Unknown("throttled".to_owned());
        }
    }
    match blind {
        Blind::Deployment => {
            hide(&mut seen.deployment);
            hide(&mut seen.active);
            hide(&mut seen.targets);
        }
        Blind::Rules => hide(&mut seen.rules),
        Blind::Health => Colour::BOTH.iter().for_each(|colour| hide(seen.health.of_mut(*colour))),
        Blind::Alarms => Colour::BOTH.iter().for_each(|colour| hide(seen.alarms.of_mut(*colour))),
        Blind::Lists => {
            for list in [&mut seen.deployment, &mut seen.active] {
                let created =
                    |found: &Deployment| found.status == DeploymentStatus::Active && is_new(&found.id);
                let found = list.known().and_then(Option::as_ref);
                let lags = found.is_some_and(created) && seen.targets == Reading::NotRead;
                if lags {
                    *list = Reading::Known(None);
                }
            }
        }
    }
}

/// The release of an uploaded object: bundles are named as `testing` names them.
fn release_of(revision: &Revision) -> ReleaseNumber {
    let name = revision.key.rsplit('/').next().and_then(|name| name.split('-').next());
    ReleaseNumber(name.and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// Carries an action out as AWS would.
fn perform(world: &mut World, action: &Action, wrong: Option<Wrong>) -> Result<Outcome, Failure> {
    fails_before(wrong)?;
    if world.breakage.is_some_and(|breakage| breakage.refuses(action)) {
        return Err(Failure(Class::Permanent));
    }
    let conflict = Failure(Class::Conflict);
    let mut outcome = Outcome::Done;
    match action {
        Action::CreateReleaseRule { live, release } => {
            outcome = Outcome::RuleCreated(world.create_rule(*live, release).ok_or(conflict)?);
        }
        Action::CreateDeployment { description, .. } => {
            outcome = Outcome::DeploymentCreated(world.create_deployment(description).ok_or(conflict)?);
        }
        Action::SetReleaseWeights { rule, weights } => {
            let known = world.rule.as_mut().filter(|known| known.arn() == *rule).ok_or(conflict)?;
            known.weights = *weights;
        }
        Action::DeleteReleaseRule { rule } => {
            world.rule.take_if(|known| known.arn() == *rule);
        }
        Action::CreatePreviewRule { .. } => {
            outcome = Outcome::RuleCreated(world.create_preview().ok_or(conflict)?);
        }
        Action::DeletePreviewRule { rule } => {
            world.delete_preview(rule);
            outcome = Outcome::PreviewDeleted;
        }
        Action::SetBaseWeights { weights } => world.base = *weights,
        Action::SetAlarm { colour, .. } => world.set_by_hand(*colour),
        Action::StopDeployment { id } => world.stop(id),
        Action::ReplaceInstance { instance } => world.replace(instance),
        Action::TellVerdict { revision, verdict } => {
            let number = release_of(revision);
            world.tell(number, verdict.word());
        }
        Action::ResumeProcesses { .. } => {}
    }
    fails_after(wrong)?;
    Ok(outcome)
}
