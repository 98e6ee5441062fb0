//! Everything that can happen next: a pass goes on, a call goes wrong, time passes, the world does something.

use crate::evidence::Counts;
use crate::invocation::{At, Blind, Breakage, Running, Wrong};
use crate::machine::Machine;
use crate::safety;
use crate::world::{Gate, Hook, Instance, World, at, instance_id};
use release::pass::{Amend, Kept, Next};
use release::plan::Action;
use release::{
    Answer, Asker, Colour, Command, DeploymentStatus, Ledger, LifecycleEvent, PerColour, Policy, Question,
    TargetHealth, Wake, Weights,
};
use serde::{Deserialize, Serialize};

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A function is invoked and reads the ledger.
    Wake(usize, Woken),
    /// A function is invoked and cannot read the ledger.
    WakeBlind(usize),
    /// A function makes its next call.
    Run(usize),
    /// A function's next call goes wrong.
    Goes(usize, Wrong),
    /// A function looks and cannot read one thing.
    Looks(usize, Blind),
    /// A function is killed.
    Crash(usize),
    /// A tick passes.
    Time,
    /// A bundle with this number arrives, perhaps not for the first time.
    Push(u8),
    /// An operator commands.
    Say(Command),
    /// `BeforeInstall` asks on every instance that waits for it, and the colour goes down there.
    Install,
    /// The new version runs and is healthy; `ValidateService` begins.
    Start,
    /// A hook fails on this instance before `ValidateService`.
    HookFails(usize),
    /// Every hook in `ValidateService` asks.
    Ask,
    /// Hooks that heard "succeeded" exit.
    Exit,
    /// CodeDeploy gives the deployment up.
    TimesOut,
    /// An operator stops the deployment in CodeDeploy.
    StopByHand,
    /// A colour's alarm fires or stops firing.
    Alarm(Colour, bool),
    /// A colour's targets fail or recover.
    Health(Colour, bool),
    /// The last instance goes away.
    Leaves,
    /// An instance joins, with the live version only.
    Joins,
    /// Another hand gives blue all weight of the base rule, as a template's weights would.
    StackUpdate,
    /// A colour's alarm has no data, or has again.
    Silent(Colour, bool),
    /// A target of this colour is in its initial state.
    Begins(Colour),
    /// Something goes wrong from now on.
    Breaks(Breakage),
    /// It goes right again.
    Mends,
    /// AWS opens a deployment by itself.
    Foreign,
    /// A bundle arrives that is allowed to be older.
    Downgrade(u8),
    /// CloudWatch says something else of requests from now on.
    Counts(Counts),
    /// The gate says something else from now on.
    Gate(Gate),
}

/// What a function writes into the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// The upload of a bundle, and whether it may be older.
    Upload(u8, bool),
    /// An operator's command.
    Command(Command),
}

/// What wakes a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Woken {
    /// A hook's question.
    ByQuestion,
    /// An event or the schedule.
    ByEvent,
}

impl Woken {
    /// As production has it.
    pub fn wake(self) -> Wake {
        match self {
            Self::ByQuestion => Wake::Question,
            Self::ByEvent => Wake::Event,
        }
    }
}

impl Step {
    /// Whether this is the world's doing, of which there is only so much.
    pub fn is_input(self) -> bool {
        matches!(
            self,
            Self::Push(_)
                | Self::Say(_)
                | Self::HookFails(_)
                | Self::TimesOut
                | Self::StopByHand
                | Self::Alarm(..)
                | Self::Health(..)
                | Self::Leaves
                | Self::Joins
                | Self::StackUpdate
                | Self::Silent(..)
                | Self::Begins(_)
                | Self::Breaks(_)
                | Self::Mends
                | Self::Foreign
                | Self::Downgrade(_)
                | Self::Counts(_)
                | Self::Gate(_)
        )
    }

    /// Whether this is a fault of a call or a function.
    pub fn is_fault(self) -> bool {
        matches!(self, Self::Goes(..) | Self::Looks(..) | Self::Crash(_) | Self::WakeBlind(_))
    }
}

/// What every step needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The functions under proof.
    pub machine: Machine,
    /// The policy.
    pub policy: Policy,
}

impl Setting {
    /// The steps that the service and CodeDeploy take by themselves, without faults or inputs.
    pub fn own_steps(&self, world: &World, wakes: &[Woken], steps: &mut Vec<Step>) {
        if let Some(idle) = world.passes.idle() {
            steps.extend(wakes.iter().map(|woken| Step::Wake(idle, *woken)));
        }
        steps.extend((0..world.passes.len()).filter(|pass| world.passes[*pass].is_some()).map(Step::Run));
        let newest = world.deployments.last();
        let any = |wanted: Hook| newest.is_some_and(|newest| newest.hooks.contains(&Some(wanted)));
        let active = newest.is_some_and(|newest| newest.status == DeploymentStatus::Active);
        for (step, hook) in
            [(Step::Install, Hook::Queued), (Step::Start, Hook::Starting), (Step::Exit, Hook::Heard)]
        {
            steps.extend((active && any(hook)).then_some(step));
        }
        steps.extend(any(Hook::Asking).then_some(Step::Ask));
    }

    /// The faults that can happen now.
    pub fn faults(world: &World, steps: &mut Vec<Step>) {
        if let Some(idle) = world.passes.idle().filter(|_| world.rule.is_some()) {
            steps.push(Step::WakeBlind(idle));
        }
        for (pass, running) in world.passes.iter().enumerate() {
            let Some(running) = running else { continue };
            steps.push(Step::Crash(pass));
            match &running.at {
                At::Reconciles(Next::Look(_), _) => {
                    let blinds =
                        [Blind::Deployment, Blind::Rules, Blind::Health, Blind::Alarms, Blind::Lists];
                    steps.extend(blinds.map(|blind| Step::Looks(pass, blind)));
                }
                At::Reconciles(Next::Write(_) | Next::Act(_) | Next::TakeBack(_), _)
                | At::Amends(_, Amend::Write(_)) => {
                    steps.extend([Step::Goes(pass, Wrong::LostAfter), Step::Goes(pass, Wrong::LostBefore)]);
                }
                At::Reconciles(..) | At::Amends(..) => {}
            }
            if let At::Reconciles(Next::Act(act), _) = &running.at
                && matches!(act.action(), Action::CreateDeployment { .. })
            {
                steps.push(Step::Goes(pass, Wrong::Refused));
            }
        }
    }

    /// What follows; `None` where the step means nothing now.
    pub fn apply(&self, before: &World, step: Step) -> Option<World> {
        let mut world = before.clone();
        if step.is_input() {
            world.left.inputs = world.left.inputs.checked_sub(1)?;
        }
        if step.is_fault() {
            world.left.faults = world.left.faults.checked_sub(1)?;
        }
        let traffic = world.traffic();
        match step {
            Step::Wake(pass, woken) => {
                if woken == Woken::ByQuestion && looked_in_this_tick(&world) {
                    return None;
                }
                let running = Running::woken(&world, self, woken.wake(), true);
                world.passes.begin(pass, running)?;
            }
            Step::WakeBlind(pass) => {
                let running = Running::woken(&world, self, Wake::Event, false);
                world.passes.begin(pass, running)?;
            }
            Step::Run(pass) => self.goes_on(&mut world, pass, None, None)?,
            Step::Goes(pass, wrong) => self.goes_on(&mut world, pass, None, Some(wrong))?,
            Step::Looks(pass, blind) => self.goes_on(&mut world, pass, Some(blind), None)?,
            Step::Crash(pass) => {
                world.passes.get_mut(pass)?.take()?;
            }
            Step::Time => self.tick(&mut world),
            Step::Push(number) => self.takes(&mut world, Input::Upload(number, false))?,
            Step::Downgrade(number) => self.takes(&mut world, Input::Upload(number, true))?,
            Step::Silent(colour, silent) => *world.silent.of_mut(colour) = silent,
            Step::Begins(colour) => {
                let first = world.instances.iter_mut().find(|instance| instance.present)?;
                *first.health.of_mut(colour) = TargetHealth::Unproven;
            }
            Step::Counts(counts) => world.counts = counts,
            Step::Gate(gate) => *world.gate.as_mut()? = gate,
            Step::Breaks(breakage) => world.breakage = Some(breakage),
            Step::Mends => drop(world.breakage.take()?),
            Step::Foreign => world.open_by_itself()?,
            Step::Say(command) => self.takes(&mut world, Input::Command(command))?,
            Step::Install => self.install(&mut world)?,
            Step::Start => start(&mut world)?,
            Step::HookFails(index) => hook_fails(&mut world, index)?,
            Step::Ask => self.ask(&mut world)?,
            Step::Exit => exit(&mut world)?,
            Step::TimesOut => {
                let index = world.active().filter(|index| world.deployments[*index].created < world.tick)?;
                let deployed = &mut world.deployments[index];
                deployed.status = DeploymentStatus::Failed;
                let over = deployed.hooks.iter_mut().flatten().filter(|hook| **hook != Hook::Succeeded);
                over.for_each(|hook| *hook = Hook::Failed);
            }
            Step::StopByHand => {
                let index = world.active().filter(|index| world.deployments[*index].created < world.tick)?;
                let id = world.id_of(index);
                world.stop(&id);
            }
            Step::Alarm(colour, fires) => {
                *world.by_hand.of_mut(colour) = false;
                world.set_alarm(colour, fires);
            }
            Step::Health(colour, healthy) => set_health(&mut world, colour, healthy)?,
            Step::Leaves => leaves(&mut world)?,
            Step::Joins => world.join()?,
            Step::StackUpdate => {
                world.base = Weights::all_on(Colour::Blue);
                safety::moved_by_hand(&mut world);
            }
        }
        safety::reweighed(&mut world, traffic);
        if self.policy.drain.is_zero() {
            world.history.weightless = PerColour::default();
        }
        safety::of_drills(&mut world);
        safety::at_idle(&mut world);
        Some(world)
    }

    fn goes_on(
        &self,
        world: &mut World,
        pass: usize,
        blind: Option<Blind>,
        wrong: Option<Wrong>,
    ) -> Option<()> {
        let running = world.passes.get(pass)?.clone()?;
        let next = self.run(world, &running, blind, wrong);
        world.passes[pass] = next.map(Kept::new);
        Some(())
    }

    /// A function is given an input. One at a time: what two of them do to each other two passes do as well.
    fn takes(&self, world: &mut World, input: Input) -> Option<()> {
        let running = Running::given(world, &self.machine, input);
        let slot = world.passes.last_mut().filter(|slot| slot.is_none())?;
        *slot = running.map(Kept::new);
        Some(())
    }

    fn tick(&self, world: &mut World) {
        world.tick += 1;
        world.evaluate();
        for slot in world.passes.iter_mut() {
            *slot = slot.take().and_then(|running| running.after_a_tick()).map(Kept::new);
        }
        let drain = self.policy.drain.as_nanos().div_ceil(crate::world::TICK.as_nanos());
        for colour in Colour::BOTH {
            let since = world.history.weightless.of_mut(colour);
            since.take_if(|since| u128::from(world.tick - *since) >= drain);
        }
    }

    /// What the hook on an instance hears.
    fn heard(
        &self,
        world: &World,
        ledger: &Ledger,
        deployment: usize,
        instance: usize,
        event: LifecycleEvent,
    ) -> Answer {
        let id = world.id_of(deployment);
        let asker = Asker::in_ledger(ledger, &id)
            .unwrap_or_else(|| Asker::from_codedeploy(ledger, &id, Some(&world.described(deployment))))
            .seen(&world.rules());
        let healthy = |colour: Colour| *world.instances[instance].health.of(colour) == TargetHealth::Healthy;
        let question = Question {
            service: None,
            deployment_id: id,
            deployment_group_id: String::new(),
            lifecycle_event: event,
            instance_id: instance_id(instance),
        };
        let healthy = asker.needs_health(ledger).map(healthy);
        (self.machine.answer)(ledger, &self.policy, at(world.tick), &question, &asker, healthy)
    }

    fn install(&self, world: &mut World) -> Option<()> {
        let newest = world.deployments.len().checked_sub(1)?;
        let ledger = world.ledger_or_new();
        for instance in waiting(world, newest, Hook::Queued) {
            match self.heard(world, &ledger, newest, instance, LifecycleEvent::BeforeInstall) {
                Answer::Install { colour, .. } => {
                    take_down(world, colour, instance);
                    set_hook(world, newest, instance, Hook::Starting);
                }
                _ => set_hook(world, newest, instance, Hook::Failed),
            }
        }
        world.deployments[newest].end_when_done();
        Some(())
    }

    fn ask(&self, world: &mut World) -> Option<()> {
        let newest = world.deployments.len().checked_sub(1)?;
        let colour = world.deployments[newest].description.colour;
        let ledger = world.ledger_or_new();
        for instance in waiting(world, newest, Hook::Asking) {
            match self.heard(world, &ledger, newest, instance, LifecycleEvent::ValidateService) {
                Answer::Succeeded => {
                    safety::heard_success(world, newest);
                    set_hook(world, newest, instance, Hook::Heard);
                }
                // The version runs on.
                Answer::Failed { leave_running: true, .. } => {
                    set_hook(world, newest, instance, Hook::Failed);
                }
                Answer::Failed { .. } => {
                    take_down(world, colour, instance);
                    set_hook(world, newest, instance, Hook::Failed);
                }
                Answer::Wait { .. } | Answer::Install { .. } | Answer::Migrate { .. } => {}
            }
        }
        world.deployments[newest].end_when_done();
        Some(())
    }
}

/// Many ask, one looks: a question within the look interval is answered from the ledger.
fn looked_in_this_tick(world: &World) -> bool {
    world.ledger.as_ref().and_then(|ledger| ledger.looked_at).is_some_and(|looked| looked >= at(world.tick))
}

fn waiting(world: &World, deployment: usize, hook: Hook) -> Vec<usize> {
    let hooks = world.deployments[deployment].hooks.iter().enumerate();
    hooks
        .filter(|(instance, found)| **found == Some(hook) && world.instances[*instance].present)
        .map(|(instance, _)| instance)
        .collect()
}

fn set_hook(world: &mut World, deployment: usize, instance: usize, hook: Hook) {
    world.deployments[deployment].hooks[instance] = Some(hook);
}

fn take_down(world: &mut World, colour: Colour, instance: usize) {
    if *world.instances[instance].health.of(colour) == TargetHealth::Healthy {
        safety::went_down(world, colour);
    }
    *world.instances[instance].health.of_mut(colour) = TargetHealth::Unhealthy;
}

fn start(world: &mut World) -> Option<()> {
    let index = world.active()?;
    let colour = world.deployments[index].description.colour;
    for instance in waiting(world, index, Hook::Starting) {
        *world.instances[instance].health.of_mut(colour) = TargetHealth::Healthy;
        set_hook(world, index, instance, Hook::Asking);
    }
    Some(())
}

fn hook_fails(world: &mut World, instance: usize) -> Option<()> {
    let index = world.active()?;
    let hook = (*world.deployments[index].hooks.get(instance)?)?;
    if !matches!(hook, Hook::Queued | Hook::Starting) {
        return None;
    }
    set_hook(world, index, instance, Hook::Failed);
    world.deployments[index].end_when_done();
    Some(())
}

fn exit(world: &mut World) -> Option<()> {
    let index = world.active()?;
    for instance in waiting(world, index, Hook::Heard) {
        set_hook(world, index, instance, Hook::Succeeded);
    }
    world.deployments[index].end_when_done();
    Some(())
}

fn set_health(world: &mut World, colour: Colour, healthy: bool) -> Option<()> {
    // Where nothing was installed nothing answers.
    let installed = world.deployments.iter().any(|deployed| deployed.description.colour == colour);
    if healthy && !installed {
        return None;
    }
    let health = if healthy { TargetHealth::Healthy } else { TargetHealth::Unhealthy };
    let first = world.instances.iter_mut().find(|instance| instance.present)?;
    *first.health.of_mut(colour) = health;
    Some(())
}

fn leaves(world: &mut World) -> Option<()> {
    let present = world.instances.iter().filter(|instance| instance.present).count();
    let last = world.instances.iter_mut().rev().find(|instance| instance.present).filter(|_| present > 1)?;
    *last = Instance {
        present: false,
        health: PerColour { blue: TargetHealth::Gone, green: TargetHealth::Gone },
    };
    Some(())
}
