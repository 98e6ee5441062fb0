//! The machine of a reconcile, call by call, around decisions that are made up.

use jiff::Timestamp;
use release::evidence::AtMax;
use release::pass::{
    Amend, AmendWrite, Class, Decisions, Ended, Failed, Given, Kept, LedgerVersion, Next, Recorded, Stored,
    Unamended,
};
use release::plan::{Action, Outcome};
use release::times::{DECISION_HOLDS, is_stale};
use release::{
    DeploymentId, Drift, Ledger, Observation, Plan, Policy, Reason, Revision, RuleArn, ServiceName, Strategy,
    UnknownFields, Verdict, Wake,
};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Failure(Class);

impl Failed for Failure {
    fn class(&self) -> Class {
        self.0
    }

    fn told(&self) -> String {
        self.0.word().to_owned()
    }
}

/// Decides one action before the commit and one after it.
fn decisions() -> Decisions {
    Decisions { plan: |ledger, _, _, now| decided(ledger, now, vec![stop()]), ..Decisions::default() }
}

fn decided(mut ledger: Ledger, now: Timestamp, forward: Vec<Action>) -> Plan {
    ledger.looked_at = Some(now);
    let back = vec![Action::DeleteReleaseRule { rule: RuleArn("rule/1".to_owned()) }];
    Plan { ledger, back, forward, reasons: vec![Reason::NothingToDo], again: false }
}

fn stop() -> Action {
    Action::StopDeployment { id: DeploymentId("d-1".to_owned()) }
}

fn tell() -> Action {
    let revision = Revision {
        bucket: "artifacts".to_owned(),
        key: "releases/shop/2-abcdef0.zip".to_owned(),
        version: "v".to_owned(),
        etag: "e".to_owned(),
        unknown_fields: UnknownFields::default(),
    };
    Action::TellVerdict { revision, verdict: Verdict::Live }
}

pub(crate) fn policy() -> Policy {
    Policy {
        strategy: Strategy::AllAtOnce,
        bake: Duration::ZERO,
        install_deadline: Duration::ZERO,
        drain: Duration::ZERO,
        unhealthy_grace: Duration::ZERO,
        unknown_limit: Duration::ZERO,
        look_interval: Duration::ZERO,
        silence_limit: Duration::ZERO,
        rollback_window: Duration::ZERO,
        heal_after: Duration::ZERO,
        drift: Drift::Repair,
        harm: 10,
        at_max: AtMax::GoOn,
        gate: Duration::ZERO,
        is_sound: true,
    }
}

fn stored(version: &str) -> Stored {
    let ledger = Ledger::new(ServiceName::new("shop").unwrap());
    (Kept::new(ledger), Some(LedgerVersion(version.to_owned())))
}

/// A machine and what it has told.
struct Invocation {
    decisions: Decisions,
    next: Next<Failure>,
    records: Recorded<Failure>,
    now: Timestamp,
}

impl Invocation {
    fn woken(decisions: Decisions, wake: Wake) -> Self {
        let mut invocation = Self {
            decisions,
            next: Next::woken(wake),
            records: Recorded::default(),
            now: Timestamp::UNIX_EPOCH,
        };
        invocation.answer(|next, given| match next {
            Next::ReadLedger(read) => read.answered(Ok(stored("v1")), given),
            other => panic!("{other:?}"),
        });
        invocation
    }

    fn answer(
        &mut self,
        answer: impl FnOnce(Next<Failure>, &mut Given<'_, Recorded<Failure>>) -> Next<Failure>,
    ) -> &mut Self {
        let policy = policy();
        let mut given =
            Given { decisions: &self.decisions, policy: &policy, now: self.now, records: &mut self.records };
        self.next = answer(self.next.clone(), &mut given);
        self
    }

    fn looks(&mut self) -> &mut Self {
        self.answer(|next, given| match next {
            Next::Look(look) => look.answered(&Observation::default(), given),
            other => panic!("{other:?}"),
        })
    }

    fn acts(&mut self, answer: Result<Outcome, Class>) -> &mut Self {
        self.answer(|next, given| match next {
            Next::Act(act) => act.answered(answer.map_err(Failure), given),
            other => panic!("{other:?}"),
        })
    }

    fn writes(&mut self, answer: Result<&str, Class>) -> &mut Self {
        self.answer(|next, given| match next {
            Next::Write(write) => write
                .answered(answer.map(|version| LedgerVersion(version.to_owned())).map_err(Failure), given),
            other => panic!("{other:?}"),
        })
    }

    fn looks_back(&mut self, answer: Result<&str, Class>) -> &mut Self {
        self.answer(|next, given| match next {
            Next::LookBack(back) => back.answered(None, answer.map(stored).map_err(Failure), given),
            other => panic!("{other:?}"),
        })
    }

    fn after(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    fn done(&self) -> Vec<(&str, Option<&str>)> {
        let done = self.records.passes.iter().flat_map(|pass| &pass.done);
        done.map(|(effect, why_not)| (effect.as_str(), why_not.as_deref())).collect()
    }

    fn is_over(&self) -> bool {
        matches!(self.next, Next::Ended(Ended::Reconciled(_)))
    }
}

#[test]
fn what_returns_traffic_comes_first_then_the_ledger_then_the_rest() {
    let mut pass = Invocation::woken(decisions(), Wake::Event);
    pass.looks().acts(Ok(Outcome::Done)).writes(Ok("v2")).acts(Ok(Outcome::Done)).looks_back(Ok("v2"));
    assert!(pass.is_over());
    assert_eq!(pass.done(), [("delete_release_rule", None), ("commit", None), ("stop_deployment", None)]);
}

#[test]
fn a_decision_is_carried_out_as_long_as_it_holds_and_not_a_moment_longer() {
    for (age, is_done) in [(DECISION_HOLDS, true), (DECISION_HOLDS + Duration::from_nanos(1), false)] {
        let mut pass = Invocation::woken(decisions(), Wake::Event);
        pass.looks().acts(Ok(Outcome::Done)).after(age).writes(Ok("v2"));
        assert_eq!(matches!(pass.next, Next::Act(_)), is_done, "after {age:?}");
        if !is_done {
            assert_eq!(pass.done().last(), Some(&("stop_deployment", Some("decided too long ago"))));
            // It looks again, decides again, and then it holds.
            pass.looks_back(Ok("v2")).looks().acts(Ok(Outcome::Done)).writes(Ok("v3"));
            assert!(matches!(pass.next, Next::Act(_)));
        }
    }
    assert!(
        !is_stale(Timestamp::UNIX_EPOCH + DECISION_HOLDS, Timestamp::UNIX_EPOCH),
        "a clock that runs ahead"
    );
}

#[test]
fn what_returns_traffic_is_done_at_any_age() {
    let mut pass = Invocation::woken(decisions(), Wake::Event);
    pass.after(Duration::from_secs(3600)).looks();
    assert!(matches!(&pass.next, Next::Act(act) if act.action().word() == "delete_release_rule"));
}

#[test]
fn a_decision_that_is_not_written_is_not_carried_out() {
    for class in [Class::Conflict, Class::OutcomeUnknown, Class::Transient, Class::Permanent] {
        let mut pass = Invocation::woken(decisions(), Wake::Event);
        pass.looks().acts(Ok(Outcome::Done)).writes(Err(class));
        assert_eq!(pass.done(), [("delete_release_rule", None), ("commit", Some(class.word()))]);
        pass.looks_back(Ok("other"));
        // Another pass was first: decide again. Whatever else failed would fail again at once.
        assert_eq!(matches!(pass.next, Next::Look(_)), class == Class::Conflict);
        assert_eq!(pass.records.failures.is_empty(), class == Class::Conflict);
    }
}

#[test]
fn a_ledger_that_has_changed_meanwhile_asks_for_another_pass() {
    for (found, looks_again) in [("v2", false), ("another's", true)] {
        let mut pass = Invocation::woken(decisions(), Wake::Event);
        pass.looks().acts(Ok(Outcome::Done)).writes(Ok("v2")).acts(Ok(Outcome::Done)).looks_back(Ok(found));
        assert_eq!(matches!(pass.next, Next::Look(_)), looks_again);
    }
}

#[test]
fn a_hook_pays_for_one_pass_and_for_no_look_back_when_another_was_first() {
    let mut pass = Invocation::woken(decisions(), Wake::Question);
    pass.looks().acts(Ok(Outcome::Done)).writes(Err(Class::Conflict));
    assert!(pass.is_over());
}

#[test]
fn a_ledger_that_cannot_be_read_back_loses_no_record() {
    let mut pass = Invocation::woken(decisions(), Wake::Event);
    pass.looks().acts(Ok(Outcome::Done)).writes(Ok("v2")).acts(Ok(Outcome::Done));
    pass.looks_back(Err(Class::Transient));
    assert!(pass.is_over());
    assert_eq!((pass.records.passes.len(), pass.records.failures.len()), (1, 1));
}

#[test]
fn a_verdict_is_told_last_and_one_that_cannot_be_told_keeps_nothing_else_from_happening() {
    let telling = Decisions {
        plan: |ledger, _, _, now| Plan { again: true, ..decided(ledger, now, vec![tell(), stop()]) },
        ..decisions()
    };
    let mut pass = Invocation::woken(telling, Wake::Event);
    pass.looks().acts(Ok(Outcome::Done)).writes(Ok("v2")).acts(Ok(Outcome::Done));
    pass.acts(Err(Class::Transient)).looks_back(Ok("v2"));
    let done: Vec<_> = pass.done().into_iter().map(|(effect, _)| effect).collect();
    assert_eq!(done, ["delete_release_rule", "commit", "stop_deployment", "tell_verdict"]);
    assert!(matches!(pass.next, Next::Look(_)), "the next pass follows");
    assert_eq!(pass.records.failures, [Failure(Class::Transient)]);
}

#[test]
fn an_action_that_fails_ends_the_loop_and_a_conflict_does_not() {
    for (class, goes_on) in
        [(Class::Conflict, true), (Class::Transient, false), (Class::OutcomeUnknown, false)]
    {
        let restless = Decisions {
            plan: |ledger, _, _, now| Plan { again: true, ..decided(ledger, now, vec![stop()]) },
            ..decisions()
        };
        let mut pass = Invocation::woken(restless, Wake::Event);
        pass.looks().acts(Ok(Outcome::Done)).writes(Ok("v2")).acts(Err(class)).looks_back(Ok("v2"));
        assert_eq!(matches!(pass.next, Next::Look(_)), goes_on, "{class:?}");
    }
}

#[test]
fn one_wake_takes_eight_passes_at_most() {
    let restless = Decisions {
        plan: |ledger, _, _, now| Plan { again: true, ..decided(ledger, now, Vec::new()) },
        ..decisions()
    };
    let mut pass = Invocation::woken(restless, Wake::Event);
    for _ in 0..8 {
        assert!(matches!(pass.next, Next::Look(_)));
        pass.looks().acts(Ok(Outcome::Done)).writes(Ok("v2")).looks_back(Ok("v2"));
    }
    assert!(pass.is_over());
    assert_eq!(pass.records.passes.len(), 8);
}

/// Reads, and changes the release that is paused.
fn amends(next: Amend<bool, Failure>) -> Amend<bool, Failure> {
    match next {
        Amend::Read(read) => {
            read.answered(Ok(stored("v1")), |ledger| (Ledger { paused: true, ..ledger }, true))
        }
        other => panic!("{other:?}"),
    }
}

fn writes(next: Amend<bool, Failure>, answer: Result<&str, Class>) -> Amend<bool, Failure> {
    let answer = answer.map(|version| LedgerVersion(version.to_owned())).map_err(Failure);
    match next {
        Amend::Write(write) => AmendWrite::answered(write, answer),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_is_made_anew_on_the_ledger_of_whoever_was_first_five_times_at_most() {
    for class in [Class::Conflict, Class::OutcomeUnknown] {
        let mut next = Amend::default();
        for _ in 0..5 {
            next = writes(amends(next), Err(class));
        }
        assert_eq!(next, Amend::Ended(Err(Unamended::KeepsChanging)));
    }
    assert_eq!(writes(amends(Amend::default()), Ok("v2")), Amend::Ended(Ok(true)));
    let refused = writes(amends(Amend::default()), Err(Class::Permanent));
    assert_eq!(refused, Amend::Ended(Err(Unamended::Failed(Failure(Class::Permanent)))));
}

#[test]
fn a_change_whose_answer_was_lost_is_not_made_twice() {
    let unheard = writes(amends(Amend::default()), Err(Class::OutcomeUnknown));
    let Amend::Read(read) = unheard else { panic!("{unheard:?}") };
    let (written, _) = stored("v1");
    let written = Kept::new(Ledger { paused: true, ..(*written).clone() });
    let twice = |_| panic!("made twice");
    let next: Amend<bool, Failure> =
        read.answered(Ok((written, Some(LedgerVersion("v2".to_owned())))), twice);
    assert_eq!(next, Amend::Ended(Ok(true)));
}

#[test]
fn a_change_that_changes_nothing_is_not_written() {
    let next: Amend<bool, Failure> = match Amend::<bool, Failure>::default() {
        Amend::Read(read) => read.answered(Ok(stored("v1")), |ledger| (ledger, false)),
        other => panic!("{other:?}"),
    };
    assert_eq!(next, Amend::Ended(Ok(false)));
}
