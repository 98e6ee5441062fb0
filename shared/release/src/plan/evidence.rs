//! What was counted is kept with the open release. It takes the release back when it convicts the candidate, and in an evidence
//! step it alone lets it go on.

use super::schedule::{latest_resume, since};
use super::{Planning, Window};
use crate::evidence::{AtMax, Counted, Judgement, Pairs, Share, Terms, minute_of};
use crate::smoke;
use crate::{Open, Phase, Policy, Purpose, Reading, Reason, ReturnCause};
use jiff::Timestamp;
use std::time::Duration;

/// What an evidence step does now.
pub(super) enum Decision {
    /// The next step.
    GoesOn,
    /// More of the traffic in the same step.
    Raises(Share),
    /// It stays at this weight.
    Stays,
    /// All weight goes back.
    Back(ReturnCause),
}

impl Planning<'_> {
    /// Takes what this pass has seen of requests. A release that has something to be compared with begins to be counted with
    /// the first report, and one by evidence from its beginning.
    pub(super) fn count(&mut self) {
        let is_compared = self.ledger.live.is_some();
        let Some(open) = self.ledger.open.as_mut().filter(|open| is_compared && counts(open)) else { return };
        let seen = self.seen;
        match &seen.smoke {
            Some(report) if !open.had_weight() => smoke::take(&mut open.smoke, report, &open.targets),
            Some(report) if open.targets.contains(&report.instance) => {
                let counted = open.counted.get_or_insert_default();
                let began = counted.counts_from().is_some_and(|from| self.now >= from);
                let count = began && counted.share().fraction() <= Pairs::LARGEST;
                counted.pairs.take(report, open.colour, count);
            }
            _ => {}
        }
        let looked = seen.published != Reading::NotRead || seen.week != Reading::NotRead;
        if seen.report.is_some() || looked {
            let counted = open.counted.get_or_insert_default();
            if let Some(report) = &seen.report {
                counted.take_report(report, self.now);
            }
            if looked {
                counted.asked_at = Some(self.now);
                let reads = [seen.published != Reading::NotRead, seen.week != Reading::NotRead];
                open.course.0.reads += reads.map(u32::from).iter().sum::<u32>();
            }
            if let Some(minutes) = seen.published.known() {
                counted.take_published(minutes, self.now);
            }
            if let Some(week) = seen.week.known() {
                counted.week = Some(*week);
            }
        }
        let by_evidence = open.strategy.by_evidence().is_some();
        let has_orders = open.counted.as_ref().map(|counted| !counted.orders.is_empty());
        if open.had_weight() && !has_orders.unwrap_or(!by_evidence) {
            // What was counted before is not known, and does not count.
            order(open, None, self.policy, self.now);
        }
        if let Reading::Unknown(why) = &seen.published {
            // Neither verdict: what is known already decides, or the time.
            self.because(Reason::CountsUnreadable { why: why.clone() });
        }
    }

    /// Why the counts take the release back. What cannot be read convicts nobody, and neither does silence.
    pub(super) fn convicted(&self, open: &Open) -> Option<ReturnCause> {
        let counted = open.counted.as_ref().filter(|_| open.had_weight())?;
        match counted.convicts(&terms(open, self.policy), self.now)? {
            Judgement::Worse(compared) => Some(ReturnCause::Worse { compared }),
            Judgement::Past(past) => Some(ReturnCause::Past { past }),
            Judgement::Fine { .. }
            | Judgement::LittleAtStake(_)
            | Judgement::AtMax(_)
            | Judgement::Unsure(_) => None,
        }
    }

    /// Says of a step that is over that it was so short that no request counted. Its alarms were looked at all the same.
    pub(super) fn say_if_nothing_counted(&mut self, open: &Open) {
        let Some(counted) = open.counted.as_ref().filter(|_| matches!(open.phase, Phase::Shifting(_))) else {
            return;
        };
        if counted.counts_from().is_some_and(|from| self.now <= from) {
            self.because(Reason::NotCounted { seconds: counted.warm_up_seconds });
        }
    }

    /// Whether both colours' requests are compared now, and what was counted does not speak against the candidate. Where nothing
    /// is compared, nothing speaks for it either.
    pub(super) fn blame_nobody(&self, open: &Open) -> bool {
        let counted =
            open.counted.as_ref().filter(|counted| open.had_weight() && counted.share().leaves_some());
        counted.is_some_and(|counted| counted.blame_nobody(&terms(open, self.policy), self.now))
    }

    /// What the evidence step does by what was counted. `None`: the release is in none.
    pub(super) fn by_evidence(&mut self, open: &mut Open) -> Option<Decision> {
        open.evidence_step()?;
        let judgement = judged(open, self.policy, self.now)?;
        if let Some(counted) = &mut open.counted {
            counted.little_at_stake = matches!(judgement, Judgement::LittleAtStake(_));
        }
        let decision = match &judgement {
            Judgement::Worse(compared) => Decision::Back(ReturnCause::Worse { compared: *compared }),
            Judgement::Past(past) => Decision::Back(ReturnCause::Past { past: *past }),
            Judgement::Fine { .. } | Judgement::LittleAtStake(_) => Decision::GoesOn,
            Judgement::Unsure(unsure) => unsure.raise.map_or(Decision::Stays, Decision::Raises),
            Judgement::AtMax(over) => match over.what {
                AtMax::GoOn => Decision::GoesOn,
                AtMax::Wait if since(open.could_begin_at(), self.now) < latest_resume(open, self.now) => {
                    Decision::Stays
                }
                AtMax::Wait | AtMax::Back => Decision::Back(ReturnCause::Unproven { over: *over }),
            },
        };
        if !matches!(decision, Decision::Back(_)) {
            self.because(Reason::Judged { judgement });
        }
        Some(decision)
    }
}

/// A rollback and a settling have no hooks that report, and what is on its way back is judged already.
fn counts(open: &Open) -> bool {
    open.purpose == Purpose::Release && !matches!(open.phase, Phase::Returning(_) | Phase::Settling)
}

fn judged(open: &Open, policy: &Policy, now: Timestamp) -> Option<Judgement> {
    Some(open.counted.as_ref()?.judge(&terms(open, policy), now))
}

/// What the counts say of the step that they decide, for whoever may upload: without the names of instances.
pub(crate) fn said(open: &Open, policy: &Policy, now: Timestamp) -> Option<String> {
    open.evidence_step().filter(|_| open.had_weight())?;
    let mut judgement = judged(open, policy, now)?;
    if let Judgement::Unsure(unsure) = &mut judgement {
        unsure.left_out.clear();
    }
    Some(judgement.to_string())
}

/// Whether what was counted so far asks for a raise.
pub(super) fn lets_go_on(open: &Open, policy: &Policy, now: Timestamp) -> bool {
    match judged(open, policy, now) {
        Some(Judgement::Fine { .. } | Judgement::LittleAtStake(_)) => true,
        Some(Judgement::AtMax(over)) => over.what == AtMax::GoOn,
        Some(Judgement::Unsure(unsure)) => unsure.raise.is_some(),
        Some(Judgement::Worse(_) | Judgement::Past(_)) | None => false,
    }
}

/// For how long requests count, if they do.
pub(super) fn counted_for(open: &Open, now: Timestamp) -> Duration {
    let first = open.counted.as_ref().and_then(|counted| counted.orders.first());
    first.map_or(Duration::ZERO, |order| since(order.at, now))
}

/// Remembers the share that the candidate has from now on, where requests are counted: `wanted`, or else what its phase asks
/// for. The first one of an evidence step is as large as the harm that is allowed lets it be.
pub(super) fn order(open: &mut Open, wanted: Option<Share>, policy: &Policy, now: Timestamp) {
    let by_evidence = open.strategy.by_evidence();
    if by_evidence.is_some() {
        open.counted.get_or_insert_default();
    }
    let is_free = open.evidence_step().is_some() && by_evidence.is_some_and(|by| by.percent.is_none());
    let fixed = open.intended_share();
    let Some(mut counted) = open.counted.take() else { return };
    let stake = counted.stake(&terms(open, policy), now);
    let first = (is_free && counted.orders.is_empty()).then(|| stake.first_share());
    let share = wanted.or(first).unwrap_or(fixed);
    counted.order(share, stake.warm_up(), now);
    open.counted = Some(counted);
}

/// The minutes that CloudWatch is asked for: at most once a minute, while a release by evidence has weight.
pub(super) fn window(open: &Open, now: Timestamp) -> Option<Window> {
    let judges = matches!(open.phase, Phase::Shifting(_) | Phase::Baking(_)) && open.had_weight();
    open.strategy.by_evidence().filter(|_| judges)?;
    let counted = open.counted.as_ref()?;
    let from = minute_of(counted.counts_from()?);
    let until = minute_of(now) - Counted::WHOLE_AFTER;
    // The minute in which they begin is no whole one.
    (until > from + 1 && was_not_asked(counted, now)).then_some(Window { from, until })
}

/// The week before a release by evidence, asked for while it is being installed.
pub(super) fn week(open: &Open, now: Timestamp) -> Option<Window> {
    open.strategy.by_evidence().filter(|_| open.deployment.is_some())?;
    let counted = open.counted.as_ref();
    let is_due = counted.is_none_or(|counted| counted.week.is_none() && was_not_asked(counted, now));
    is_due.then(|| week_before(now))
}

/// The minutes of the week that ends now.
pub(crate) fn week_before(now: Timestamp) -> Window {
    let until = minute_of(now);
    Window { from: until - Counted::WEEK, until }
}

/// Whether CloudWatch was not asked in this minute, be it in vain.
fn was_not_asked(counted: &Counted, now: Timestamp) -> bool {
    counted.asked_at.is_none_or(|asked| minute_of(asked) < minute_of(now))
}

/// By what an open release is judged.
pub(crate) fn terms<'a>(open: &'a Open, policy: &Policy) -> Terms<'a> {
    let by_evidence = open.strategy.by_evidence();
    Terms {
        candidate: open.colour,
        targets: &open.targets,
        harm: policy.harm,
        bake: open.bake,
        latest: by_evidence.map_or(Duration::MAX, |by| by.latest),
        at_max: policy.at_max,
        patience: policy.unknown_limit,
        grows: by_evidence.is_some_and(|by| by.percent.is_none()),
    }
}
