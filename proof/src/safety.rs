//! The safety rules, judged from outside: by what is written, what carries traffic, and what passes saw.
//!
//! Nothing here asks the plan whether it was right. Each effect of a pass, each commit and each answer to a hook
//! is compared with the rule, and the first one that was broken stays in the world.

use crate::promises;
use crate::rule::Rule;
use crate::step::Input;
use crate::world::{OwnRule, World};
use jiff::Timestamp;
use release::pass::Kept;
use release::plan::{Action, Plan};
use release::{
    AlarmState, Colour, Command, DeploymentStatus, Description, GateAnswer, GateReport, Ledger, Observation,
    Open, PerColour, Phase, Purpose, TargetHealth, Verdict, Weights,
};

/// What the rules have to remember.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct History {
    /// Every opening that was ever written, oldest first.
    pub opened: Vec<Opened>,
    /// Since when a colour that lost its weight lately has none.
    pub weightless: PerColour<Option<u16>>,
    /// The numbers that an operator, or a tag, asked for although they were rejected or older; once for each time.
    pub asked_again: Vec<u64>,
    /// An operator or a stack update moved the base rule, or a call of a pass that was overtaken did, and no pass has
    /// repaired it yet. Only what the base rule says then is excused, and nothing that a pass does.
    pub drifted: bool,
    /// The base rule gave this colour weight after the pass that takes it now had looked.
    pub late: PerColour<bool>,
    /// Another hand gave this colour weight, and the ledger, by which hooks are answered, does not know of it.
    pub unseen: PerColour<bool>,
    /// What the gate has said yes to.
    pub yes: Vec<Yes>,
}

/// An opening, and what of it the gate has said yes to.
pub type Yes = ((Purpose, u64, u32, Timestamp), release::Before);

/// An opening that was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Opened {
    key: (Purpose, u64, u32, Timestamp),
    description: Kept<Description>,
    /// The highest share that was ever written.
    percent: u8,
    /// The way back was taken.
    back: bool,
    /// Success was written.
    promised: bool,
}

fn key(open: &Open) -> (Purpose, u64, u32, Timestamp) {
    (open.purpose, open.upload.number.0, open.attempt, open.opened_at)
}

impl World {
    pub(crate) fn break_rule(&mut self, rule: Rule) {
        // The first one stays.
        self.broken.get_or_insert(rule);
    }

    /// Whether a gate stands before this and has not said yes. What goes back to an older version asks nobody, nor does a
    /// service of which nothing is live.
    pub(crate) fn lacks_yes(&self, ledger: &Ledger, open: &Open, before: release::Before) -> bool {
        let asks = open.purpose == Purpose::Release && open.rolls_back.is_none() && ledger.live.is_some();
        self.gate.is_some() && asks && !self.history.yes.contains(&(key(open), before))
    }

    fn opened(&self, open: &Open) -> Option<&Opened> {
        self.history.opened.iter().find(|opened| opened.key == key(open))
    }
}

/// Whether what was seen proves that this colour can carry the traffic: healthy, not fewer than the other
/// colour, no alarm.
pub fn is_fit(seen: &Observation, colour: Colour) -> bool {
    let quiet = seen
        .alarms
        .of(colour)
        .known()
        .is_some_and(|alarms| alarms.values().all(|state| *state != AlarmState::Firing));
    serves(seen, colour) && quiet
}

/// Whether what was seen proves that targets of this colour are healthy, and not fewer than of the other one.
fn serves(seen: &Observation, colour: Colour) -> bool {
    let count = |colour| {
        let targets = seen.health.of(colour).known()?;
        Some(targets.values().filter(|health| **health == TargetHealth::Healthy).count())
    };
    count(colour).is_some_and(|ours| ours > 0 && count(colour.other()).is_some_and(|others| ours >= others))
}

/// Judges a commit, before it replaces the ledger.
pub fn written(world: &mut World, next: &Ledger, saw: Saw) {
    let live = world.ledger.as_ref().and_then(|ledger| ledger.live.as_ref()).map(|live| live.upload.number);
    let next_live = next.live.as_ref().map(|live| live.upload.number);
    if live != next_live {
        let ledger = world.ledger_or_new();
        let rolls_back = ledger.open.as_ref().is_some_and(|open| open.rolls_back.is_some());
        let asked = next_live.is_some_and(|number| world.history.asked_again.contains(&number.0));
        if next_live < live && !asked && !rolls_back {
            world.break_rule(Rule::NewerStays);
        }
    }
    let before = world.ledger_or_new();
    let stands_by = |ledger: &Ledger| {
        ledger.previous.as_ref().filter(|known| !known.overwritten).map(|known| known.upload.clone())
    };
    let replaced = before.previous.as_ref().filter(|known| known.overwritten).map(|known| &known.upload);
    if replaced.is_some() && stands_by(next).as_ref() == replaced && !saw.runs_on {
        world.break_rule(Rule::StandsBySeen);
    }
    promises::one_verdict(world, &before, next);
    promises::rollback_begins(world, &before, next);
    promises::steps_are_held(world, &before, next);
    promises::proven_first(world, &before, next);
    promises::gate_first(world, &before, next);
    let Some(open) = &next.open else { return };
    let opened = match world.history.opened.iter_mut().position(|opened| opened.key == key(open)) {
        Some(index) => &mut world.history.opened[index],
        None => {
            let description = Kept::new(open.description(&next.service));
            world.history.opened.push(Opened {
                key: key(open),
                description,
                percent: 0,
                back: false,
                promised: false,
            });
            let last = world.history.opened.len() - 1;
            &mut world.history.opened[last]
        }
    };
    opened.percent = opened.percent.max(open.intended_percent());
    opened.promised |= matches!(open.phase, Phase::Promoting(_) | Phase::Settling);
}

/// Remembers what the gate has said yes to.
pub fn gate_said(world: &mut World, ledger: &Ledger, report: &GateReport) {
    let Some(open) = ledger.open.as_ref().filter(|_| report.answer == GateAnswer::Yes) else { return };
    let yes = (key(open), report.before);
    if !world.history.yes.contains(&yes) {
        world.history.yes.push(yes);
    }
}

/// What a pass saw when it looked, as far as its actions are judged by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Saw {
    /// Which colours it saw fit to carry the traffic.
    fit: PerColour<bool>,
    /// Which colours it saw serve at least as well as the other one.
    serves: PerColour<bool>,
    /// Which colours it saw serve nobody.
    down: PerColour<bool>,
    /// What the base rule said, if it was read.
    base: Option<Weights>,
    /// How many deployments the lists could show.
    deployments: usize,
    /// The release's own rule stood.
    rule: bool,
    /// The deployment of a reinstallation has failed, and what it has installed is healthy all the same.
    runs_on: bool,
}

impl Saw {
    /// What the pass with this ledger sees.
    pub fn of(world: &World, ledger: &Ledger, seen: &Observation) -> Self {
        let ours = ledger.open.as_ref().and_then(|open| open.rule.as_ref());
        let is_down = |colour| seen.healthy_count(colour) == Some(0);
        Self {
            fit: PerColour { blue: is_fit(seen, Colour::Blue), green: is_fit(seen, Colour::Green) },
            serves: PerColour { blue: serves(seen, Colour::Blue), green: serves(seen, Colour::Green) },
            down: PerColour { blue: is_down(Colour::Blue), green: is_down(Colour::Green) },
            base: seen.rules.known().map(|_| world.base),
            deployments: listed(world, seen),
            rule: world.rule.is_some_and(|rule| ours == Some(&rule.arn())),
            runs_on: ledger.open.as_ref().is_some_and(|open| runs_on(open, seen)),
        }
    }
}

fn runs_on(open: &Open, seen: &Observation) -> bool {
    let deployment = seen.deployment.known().and_then(Option::as_ref);
    let failed = deployment.is_some_and(|deployment| deployment.status == DeploymentStatus::Failed);
    let Some(targets) = seen.health.of(open.colour).known() else { return false };
    let health = |instance| targets.get(instance).copied().unwrap_or(TargetHealth::Gone);
    let healths: Vec<TargetHealth> = open.targets.iter().map(health).collect();
    let runs = |health: &TargetHealth| matches!(health, TargetHealth::Healthy | TargetHealth::Gone);
    open.purpose == Purpose::Reinstall
        && failed
        && healths.contains(&TargetHealth::Healthy)
        && healths.iter().all(runs)
}

/// A list lags less than a tick.
fn listed(world: &World, seen: &Observation) -> usize {
    let lags = matches!(seen.deployment.known(), Some(None));
    let shows = |created: u16| !lags || created < world.tick;
    world.deployments.iter().filter(|deployed| shows(deployed.created)).count()
}

/// The ledger knows what this pass has seen: hooks are answered by it from here on.
pub fn remembered(world: &mut World, saw: Saw) {
    if saw.base == Some(world.base) {
        world.history.unseen = PerColour::default();
    }
}

/// What an action found.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    /// How traffic was divided.
    pub traffic: Weights,
    /// What the base rule said.
    pub base: Weights,
    /// The release's rule that stood.
    pub rule: Option<OwnRule>,
}

impl Before {
    /// What an action finds now.
    pub fn of(world: &World) -> Self {
        Self { traffic: world.traffic(), base: world.base, rule: world.rule }
    }
}

/// Judges an action of a pass, after it was carried out (`done`) or not.
pub fn after(world: &mut World, plan: &Plan, saw: Saw, action: &Action, before: Before, done: bool) {
    if !done {
        return;
    }
    let open = plan.ledger.open.as_ref();
    if let Action::CreateDeployment { description, .. } = action {
        // A colour that was seen down has no late requests to serve, even if it recovers before it is installed on.
        world.history.weightless.of_mut(description.colour).take_if(|_| *saw.down.of(description.colour));
        if world.find_before(description, saw.deployments) {
            world.break_rule(Rule::OneDeployment);
        }
        if !world.history.opened.iter().any(|opened| *opened.description == *description) {
            world.break_rule(Rule::WrittenFirst);
        }
    }
    if let Action::SetBaseWeights { weights } = action {
        base_moved(world, open, *weights);
    }
    if matches!(action, Action::DeleteReleaseRule { .. })
        && open.is_some_and(|open| matches!(open.phase, Phase::Returning(_)))
    {
        let ours = open.map(key);
        let ledger = world.ledger_or_new();
        let written =
            ledger.open.as_ref().filter(|open| matches!(open.phase, Phase::Returning(_))).map(key) == ours;
        world
            .history
            .opened
            .iter_mut()
            // Before it has weight, a way back that is not written decides nothing.
            .filter(|opened| Some(opened.key) == ours && (opened.percent > 0 || written))
            .for_each(|opened| opened.back = true);
    }
    // Where the base rule says the same, no traffic moves: a way back that another pass has taken stands.
    let uncovers = world.traffic() != before.traffic;
    if let Some(rule) = before.rule.filter(|_| world.rule.is_none() && uncovers) {
        rule_deleted(world, plan, saw, rule);
    }
    previewed(world);
    let now = world.traffic();
    for colour in Colour::BOTH {
        // What the base rule has given a colour after this pass has looked, nobody can know of: no drain is counted.
        let unseen = saw.base.is_some_and(|seen| seen != before.base);
        if unseen && now.of(colour) == 0 && before.traffic.of(colour) > 0 {
            *world.history.late.of_mut(colour) = true;
        }
        if now.per_mille(colour) > before.traffic.per_mille(colour) {
            raised(world, plan, saw, action, colour, now);
        }
    }
}

/// A rollback is a way back, which waits for nothing.
fn previewed(world: &mut World) {
    let ledger = world.ledger_or_new();
    let open =
        ledger.open.as_ref().filter(|open| open.purpose == Purpose::Release && open.rolls_back.is_none());
    let has_weight = |open: &Open| world.rule.is_some_and(|rule| rule.weights.of(open.colour) > 0);
    let is_open = open.is_some_and(has_weight);
    if world.preview.is_some() && is_open && ledger.live.is_some() {
        world.break_rule(Rule::PreviewFirst);
    }
}

fn base_moved(world: &mut World, open: Option<&Open>, weights: Weights) {
    let ledger = world.ledger_or_new();
    if ledger.open.as_ref().map(key) != open.map(key) && open.is_some() {
        // A call of a pass that was overtaken by a whole release: it was written first, and the call was late. The base
        // rule has no token, so this is drift like any other.
        world.history.drifted = true;
        return;
    }
    let live = ledger.live.as_ref().map(|live| live.colour);
    let agreed = open.is_some_and(|open| {
        let description = open.description(&crate::world::shop());
        let ours = world.deployments.iter().any(|deployed| {
            *deployed.description == description && deployed.status == DeploymentStatus::Succeeded
        });
        open.purpose == Purpose::Rollback || ours
    });
    if !live.is_some_and(|live| weights.are_all_on(live)) && !agreed {
        world.break_rule(Rule::BaseMovesLast);
    }
}

/// While traffic moves by the open release's rule, only two passes may delete it: one that takes this release back,
/// and one that promotes it and has seen the base rule in place.
fn rule_deleted(world: &mut World, plan: &Plan, saw: Saw, rule: OwnRule) {
    let ledger = world.ledger_or_new();
    let owns = |open: &&Open| (open.upload.number, open.attempt) == (rule.owner.number, rule.owner.attempt);
    let Some(open) = ledger.open.as_ref().filter(owns) else { return };
    let theirs = plan.ledger.open.as_ref().filter(|theirs| key(theirs) == key(open));
    let may = theirs.is_some_and(|theirs| match &theirs.phase {
        // What it saw: another hand may move the base rule in between.
        Phase::Promoting(_) => saw.base.is_some_and(|base| base.are_all_on(open.colour)),
        phase => matches!(phase, Phase::Returning(_)),
    });
    if !may && !matches!(open.phase, Phase::Returning(_)) {
        world.break_rule(Rule::RuleStays);
    }
}

fn raised(world: &mut World, plan: &Plan, saw: Saw, action: &Action, colour: Colour, now: Weights) {
    let ledger = world.ledger_or_new();
    // Deleting a rule uncovers what the base rule says. If that was changed by another hand after this pass has looked,
    // no pass could know. The same if the rules could not be read: the way back needs no look.
    let uncovers = !matches!(action, Action::SetBaseWeights { .. } | Action::SetReleaseWeights { .. });
    if uncovers && saw.base != Some(world.base) {
        return;
    }
    // The first release has nothing to protect.
    let Some(live) = &ledger.live else { return };
    if live.colour == colour {
        // Going back to the live colour is always allowed. With no release open it is no way back, and to open one is
        // none either.
        let opens = matches!(action, Action::CreateReleaseRule { .. });
        if (plan.ledger.open.is_none() || opens) && !saw.serves.of(colour) {
            world.break_rule(Rule::RaisedOnlyWhenHealthy);
        }
        return;
    }
    promises::pause_holds(world, plan, colour);
    // AWS has no lock on the base rule, so a pass that decided to move it while the release's rule was there may write
    // late. A later pass must repair that; `ComesToRest` checks it.
    if matches!(action, Action::SetBaseWeights { .. }) && saw.rule {
        return;
    }
    if !*saw.fit.of(colour) {
        world.break_rule(Rule::RaisedOnlyWhenHealthy);
    }
    let Some(open) = plan.ledger.open.as_ref().filter(|open| open.colour == colour) else { return };
    match world.opened(open) {
        _ if matches!(open.phase, Phase::Returning(_)) => world.break_rule(Rule::NoWeightAfterReturn),
        Some(opened) if opened.back => world.break_rule(Rule::NoWeightAfterReturn),
        Some(opened) if u16::from(opened.percent) * 10 >= now.per_mille(colour) => {}
        Some(_) | None => world.break_rule(Rule::WrittenFirst),
    }
    if world.lacks_yes(&ledger, open, release::Before::Weight) {
        world.break_rule(Rule::GateFirst);
    }
    let number = open.upload.number;
    if number < live.upload.number
        && !world.history.asked_again.contains(&number.0)
        && open.rolls_back.is_none()
    {
        world.break_rule(Rule::NewerStays);
    }
    let rejections = ledger.releases.iter().filter(|past| {
        past.purpose == Purpose::Release
            && past.upload.number == number
            && matches!(past.verdict, Verdict::Rejected { .. })
    });
    let asked = world.history.asked_again.iter().filter(|asked| **asked == number.0).count();
    if rejections.count() > asked {
        world.break_rule(Rule::RejectedStaysOut);
    }
}

/// Another hand moved the base rule.
pub fn moved_by_hand(world: &mut World) {
    world.history.drifted = true;
    for colour in Colour::BOTH {
        // Behind a release's rule it gives nothing yet; deleting that rule uncovers it.
        *world.history.unseen.of_mut(colour) |= world.base.of(colour) > 0;
    }
}

/// Remembers when a colour lost its weight.
pub fn reweighed(world: &mut World, before: Weights) {
    let now = world.traffic();
    for colour in Colour::BOTH {
        let since = world.history.weightless.of_mut(colour);
        if now.of(colour) > 0 {
            *since = None;
        } else if before.of(colour) > 0 {
            let late = std::mem::take(world.history.late.of_mut(colour));
            *since = (!late).then_some(world.tick);
        }
    }
    let ledger = world.ledger_or_new();
    let live = ledger.live.as_ref().filter(|_| ledger.open.is_none()).map(|live| live.colour);
    if live.is_some_and(|live| world.base.are_all_on(live)) {
        world.history.drifted = false;
    }
}

/// Judges that a colour is taken down on an instance.
pub fn went_down(world: &mut World, colour: Colour) {
    let nothing_live = world.ledger.as_ref().is_none_or(|ledger| ledger.live.is_none());
    let carries = world.traffic().of(colour) > 0 || world.history.weightless.of(colour).is_some();
    // A hook is answered from the ledger: what another hand did since the last look, it cannot say.
    if carries && !nothing_live && !*world.history.unseen.of(colour) {
        world.break_rule(Rule::DownAfterDrain);
    }
}

/// Judges that a hook of this deployment heard "succeeded".
pub fn heard_success(world: &mut World, deployment: usize) {
    let description = world.deployments[deployment].description.clone();
    if description.purpose == Purpose::Reinstall {
        world.break_rule(Rule::NeverSucceeds);
    }
    if !world.history.opened.iter().any(|opened| opened.description == description && opened.promised) {
        world.break_rule(Rule::WrittenFirst);
    }
}

/// The way back without the ledger has taken a rule's weight, or the rule: its attempt is over.
pub fn taken_back_without_ledger(world: &mut World, rule: Option<OwnRule>) {
    let Some(rule) = rule.filter(|rule| world.rule != Some(*rule)) else { return };
    let owns = |opened: &&mut Opened| {
        (opened.description.number, opened.description.attempt) == (rule.owner.number, rule.owner.attempt)
    };
    world.history.opened.iter_mut().filter(owns).for_each(|opened| opened.back = true);
}

/// Remembers what an operator has asked for, once it is written.
pub fn obeyed(world: &mut World, input: Input, before: &Ledger) {
    let again = match input {
        Input::Command(Command::Retry) => {
            world.ledger_or_new().pending.as_ref().map(|upload| upload.number.0)
        }
        Input::Command(Command::Rollback) => {
            before.previous.as_ref().map(|previous| previous.upload.number.0)
        }
        Input::Upload(number, true) => Some(u64::from(number)),
        Input::Command(_) | Input::Upload(..) => None,
    };
    if let Some(number) = again {
        world.history.asked_again.push(number);
    }
}

/// Judges the rule that stands, whatever the ledger says: one that was made for a drill, or what follows it, gives its colour
/// nothing.
pub fn of_drills(world: &mut World) {
    let Some(rule) = world.rule else { return };
    let drills = |opened: &Opened| {
        opened.description.purpose.never_has_weight()
            && (opened.description.number, opened.description.attempt)
                == (rule.owner.number, rule.owner.attempt)
            && rule.weights.of(opened.description.colour) > 0
    };
    if world.history.opened.iter().any(drills) {
        world.break_rule(Rule::DrillIsHarmless);
    }
}

/// Judges the state as such: when the ledger says idle, everything agrees.
pub fn at_idle(world: &mut World) {
    let Some(ledger) = world.ledger.clone() else { return };
    let (None, false, Some(live)) = (&ledger.open, ledger.rollback, &ledger.live) else { return };
    let given_up = ledger
        .releases
        .last()
        .is_some_and(|past| past.purpose == Purpose::Settle && past.verdict != Verdict::Live);
    // A newer bundle that waits does better what settling is for.
    let opens_next = ledger.pending.is_some();
    let boots = world.last_successful() == Some(live.upload.number) || given_up || opens_next;
    let weights = world.base.are_all_on(live.colour) || world.history.drifted;
    if !boots || !weights {
        world.break_rule(Rule::IdleAgrees);
    }
}
