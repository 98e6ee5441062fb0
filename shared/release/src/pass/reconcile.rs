//! The loop: read the ledger, look, decide, one effect at a time, look back.

use super::decisions::Write as Written;
use super::way_back::{LookWithoutLedger, TakeBack, WayBack};
use super::{Class, Decided, Failed, Given, Kept, LedgerVersion, Records, Stored, Swap};
use crate::plan::{Action, Effect, Outcome, Plan, Reads, conflict, refusal};
use crate::{Ledger, Observation, Open, Phase, ReturnCause, Rules, Wake, asked};
use jiff::Timestamp;

/// A reconcile between two calls: the call that it waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Next<F> {
    /// Read the ledger.
    ReadLedger(ReadLedger),
    /// Look at AWS.
    Look(Look),
    /// Swap the ledger.
    Write(Write),
    /// Change AWS.
    Act(Act),
    /// Read the rules and the ledger back.
    LookBack(LookBack),
    /// Look at what the way back needs.
    LookWithoutLedger(LookWithoutLedger<F>),
    /// Take the way back without a ledger.
    TakeBack(TakeBack<F>),
    /// Nothing: it is over.
    Ended(Ended<F>),
}

/// What a reconcile leaves, beside what it has told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ended<F> {
    /// The ledger as it was last known.
    Reconciled(Kept<Ledger>),
    /// The ledger could not be read.
    WithoutLedger {
        /// Why.
        failure: F,
        /// What became of the way back.
        way_back: Result<WayBack, F>,
    },
}

/// Waits for the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReadLedger {
    wake: Wake,
}

/// Waits for what a pass has to see.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Look {
    wake: Wake,
    /// How many passes came before.
    passes: u8,
    ledger: Kept<Ledger>,
    version: Option<LedgerVersion>,
    /// A decision is as old as the look that it rests on.
    began_at: Timestamp,
    reads: Reads,
}

/// A decision that is being carried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Acting {
    wake: Wake,
    passes: u8,
    decided_at: Timestamp,
    plan: Kept<Plan>,
    effects: Kept<Vec<Effect>>,
    /// How many of them were tried.
    tried: usize,
    /// The ledger as last known.
    ledger: Kept<Ledger>,
    version: Option<LedgerVersion>,
    /// What became of the last write.
    swap: Swap,
    /// A decision was not carried out because it was too old.
    too_late: bool,
    /// A call failed that a repeat at once would not mend.
    failed: bool,
}

/// Waits for the answer to a swap of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Write {
    acting: Acting,
    next: Kept<Ledger>,
    what: Written,
}

/// Waits for the answer to an action.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Act {
    acting: Acting,
    action: Action,
}

/// Waits for rules and ledger after its effects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LookBack {
    acting: Acting,
}

impl<F: Failed> Next<F> {
    /// A function was woken.
    pub fn woken(wake: Wake) -> Self {
        Self::ReadLedger(ReadLedger { wake })
    }

    /// Nothing can be decided by the ledger: only the way back is open.
    pub fn without_ledger(failure: F) -> Self {
        Self::LookWithoutLedger(LookWithoutLedger::because(failure))
    }

    /// A function was woken and has read the ledger just now.
    pub fn knowing<R: Records<Failure = F>>(wake: Wake, stored: Stored, given: &Given<'_, R>) -> Self {
        Look::begin(wake, 0, stored, given)
    }
}

impl ReadLedger {
    /// The answer: the ledger, or why it cannot be read. Without it the way back is still open.
    pub fn answered<R: Records>(
        self,
        answer: Result<Stored, R::Failure>,
        given: &mut Given<'_, R>,
    ) -> Next<R::Failure> {
        match answer {
            Ok(stored) => Next::knowing(self.wake, stored, given),
            Err(failure) => Next::without_ledger(failure),
        }
    }
}

impl Look {
    fn begin<R: Records>(wake: Wake, passes: u8, stored: Stored, given: &Given<'_, R>) -> Next<R::Failure> {
        let (ledger, version) = stored;
        let reads = (given.decisions.reads)(&ledger, given.policy, given.now);
        Next::Look(Self { wake, passes, ledger, version, began_at: given.now, reads })
    }

    /// The ledger that names what to look at.
    pub fn ledger(&self) -> &Kept<Ledger> {
        &self.ledger
    }

    /// What to look at.
    pub fn reads(&self) -> Reads {
        self.reads
    }

    /// The answer: everything that was seen. The pass decides.
    pub fn answered<R: Records>(self, seen: &Observation, given: &mut Given<'_, R>) -> Next<R::Failure> {
        let Self { wake, passes, ledger, version, began_at, reads: _ } = self;
        // What was seen holds from here on at the earliest: a drain that counted from the beginning of a slow look would be
        // too short.
        let now = given.now;
        let ledger_given = asked(&ledger, wake, now);
        let plan = (given.decisions.plan)(ledger_given.clone(), seen, given.policy, now);
        given.records.decided(&Decided {
            ledger: &ledger_given,
            observation: seen,
            now,
            policy: given.policy,
            plan: &plan,
        });
        let effects = (given.decisions.effects)(&ledger, &plan);
        let acting = Acting {
            wake,
            passes: passes + 1,
            decided_at: began_at,
            plan: Kept::new(plan),
            effects: Kept::new(effects),
            tried: 0,
            ledger,
            version,
            swap: Swap::Written,
            too_late: false,
            failed: false,
        };
        acting.carry_on(given)
    }
}

impl Acting {
    /// The next effect, or the end of the pass.
    fn carry_on<R: Records>(mut self, given: &mut Given<'_, R>) -> Next<R::Failure> {
        let action = match self.effects.get(self.tried) {
            None => return self.ends_its_effects(given),
            Some(Effect::Commit) => {
                let next = Kept::new(self.plan.ledger.clone());
                return Next::Write(Write { acting: self, next, what: Written::Decision });
            }
            Some(Effect::Act(action)) => action.clone(),
        };
        // Going back is right at any age.
        let forward = self.tried >= self.plan.back.len();
        if forward && (given.decisions.is_stale)(self.decided_at, given.now) {
            given.records.did(action.word(), || Some("decided too long ago".to_owned()));
            self.too_late = true;
            return self.ends_its_effects(given);
        }
        Next::Act(Act { acting: self, action })
    }

    /// Whether it took a release back by its counts, and another pass has written in between. Of those this hook's report may be
    /// the last part: a hook that asks at the same time as another would lose them each time, and the rule would count as
    /// deleted by hand.
    fn lost_its_reason(&self) -> bool {
        let by_counts = |ledger: &Ledger| match ledger.open.as_ref().map(|open| &open.phase) {
            Some(Phase::Returning(back)) => {
                matches!(back.cause, ReturnCause::Worse { .. } | ReturnCause::Past { .. })
            }
            _ => false,
        };
        self.swap == Swap::Lost && by_counts(&self.plan.ledger) && !by_counts(&self.ledger)
    }

    fn starts_again(&self) -> bool {
        self.too_late || self.swap.moved_on()
    }

    /// After a change of a rule, look again: at the rule, and whether another pass has decided since.
    fn ends_its_effects<R: Records>(self, given: &mut Given<'_, R>) -> Next<R::Failure> {
        // If another pass overtook this hook's, the ledger that was read is still good enough to answer "wait".
        let overtaken = self.swap == Swap::Lost && self.wake == Wake::Question && !self.lost_its_reason();
        if !overtaken && (given.decisions.looks_back)(&self.plan, self.starts_again()) {
            return Next::LookBack(LookBack { acting: self });
        }
        let stored = (self.ledger.clone(), self.version.clone());
        self.ends(stored, false, given)
    }

    /// The end of the pass: another one, or that of the invocation.
    fn ends<R: Records>(self, stored: Stored, changed: bool, given: &Given<'_, R>) -> Next<R::Failure> {
        let again = self.plan.again || self.starts_again() || changed;
        let wake = if self.lost_its_reason() { Wake::Event } else { self.wake };
        if (given.decisions.goes_on)(wake, self.passes, again, self.failed) {
            return Look::begin(self.wake, self.passes, stored, given);
        }
        Next::Ended(Ended::Reconciled(stored.0))
    }
}

impl Write {
    /// What the whole pass has decided.
    pub fn plan(&self) -> &Kept<Plan> {
        &self.acting.plan
    }

    /// What is to be stored.
    pub fn ledger(&self) -> &Kept<Ledger> {
        &self.next
    }

    /// The version that it replaces; `None`: there must be none yet.
    pub fn over(&self) -> Option<&LedgerVersion> {
        self.acting.version.as_ref()
    }

    /// The answer: the new version, or why it is not known to be stored.
    pub fn answered<R: Records>(
        self,
        answer: Result<LedgerVersion, R::Failure>,
        given: &mut Given<'_, R>,
    ) -> Next<R::Failure> {
        let Self { mut acting, next, what } = self;
        given.records.did("commit", || answer.as_ref().err().map(Failed::told));
        acting.swap = Swap::of(answer.as_ref().err().map(Failed::class));
        match answer {
            Ok(version) => (acting.version, acting.ledger) = (Some(version), next),
            Err(failure) if acting.swap != Swap::Lost => {
                acting.failed = true;
                given.records.failed(failure);
            }
            Err(_) => {}
        }
        if !(given.decisions.follows)(acting.swap, what) {
            return acting.ends_its_effects(given);
        }
        if what == Written::Decision {
            acting.tried += 1;
        }
        acting.carry_on(given)
    }
}

impl Act {
    /// What is to be done.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// What the whole pass has decided.
    pub fn plan(&self) -> &Kept<Plan> {
        &self.acting.plan
    }

    /// The answer: what came of it, or why it is not known to be done.
    pub fn answered<R: Records>(
        self,
        answer: Result<Outcome, R::Failure>,
        given: &mut Given<'_, R>,
    ) -> Next<R::Failure> {
        let Self { mut acting, action } = self;
        acting.tried += 1;
        let answer = answer.or_else(|failure| match failure.class() {
            Class::Permanent => refusal(&action, &failure.told()).ok_or(failure),
            Class::Transient | Class::Conflict | Class::OutcomeUnknown | Class::Bug => Err(failure),
        });
        given.records.did(action.word(), || answer.as_ref().err().map(Failed::told));
        let is_refused = !matches!(answer, Ok(Outcome::RuleCreated(_)));
        if is_refused && matches!(action, Action::CreateReleaseRule { .. }) {
            // Until the release's rule stands, the base rule may be moved onto the colour that is installed on.
            acting.tried = acting.effects.len();
        }
        match answer {
            Ok(outcome) => {
                if let Some(noted) = (given.decisions.note)(&acting.ledger, &action, outcome) {
                    return Next::Write(Write { acting, next: Kept::new(noted), what: Written::Note });
                }
            }
            Err(failure) => {
                acting.failed |= ends_the_loop(&acting.plan, &action, failure.class());
                let is_conflict = failure.class() == Class::Conflict;
                let told = is_conflict.then(|| conflict(&action, &failure.told())).flatten();
                given.records.failed(failure);
                if let Some(noted) =
                    told.and_then(|outcome| (given.decisions.note)(&acting.ledger, &action, outcome))
                {
                    return Next::Write(Write { acting, next: Kept::new(noted), what: Written::Note });
                }
            }
        }
        acting.carry_on(given)
    }
}

/// Whether what failed would fail again at once. A conflict is settled by looking again, and a verdict that cannot be
/// told keeps nothing else from happening. Nor does a preview's rule that stays keep a release from its way back.
fn ends_the_loop(plan: &Plan, action: &Action, class: Class) -> bool {
    let waits_for_weight = plan.ledger.open.as_ref().is_some_and(Open::may_be_previewed);
    let holds_nothing = match action {
        Action::TellVerdict { .. } => true,
        Action::DeletePreviewRule { .. } => !waits_for_weight,
        _ => false,
    };
    class != Class::Conflict && !holds_nothing
}

impl LookBack {
    /// What the whole pass has decided.
    pub fn plan(&self) -> &Kept<Plan> {
        &self.acting.plan
    }

    /// The answer: the rules, if they can be read, and the ledger. If that cannot be read, the pass was the last one.
    pub fn answered<R: Records>(
        self,
        rules: Option<&Rules>,
        stored: Result<Stored, R::Failure>,
        given: &mut Given<'_, R>,
    ) -> Next<R::Failure> {
        let acting = self.acting;
        match stored {
            Ok(stored) => {
                let ledger_changed = stored.1 != acting.version;
                let changed = (given.decisions.found_changed)(&acting.plan, ledger_changed, rules);
                acting.ends(stored, changed, given)
            }
            Err(failure) => {
                given.records.failed(failure);
                Next::Ended(Ended::Reconciled(acting.ledger))
            }
        }
    }
}
