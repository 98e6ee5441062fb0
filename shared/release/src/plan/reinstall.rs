//! A reinstallation: after a drill the version that it replaced is installed again, and left running.
//!
//! Nothing here raises, and nothing here succeeds: a reinstallation goes from `installing` to `leaving`, and from there only
//! back.

use super::{Planning, schedule::since};
use crate::{
    Colour, DeploymentStatus, Leaving, Live, Open, Phase, Purpose, Reason, Reinstalled, Request, ReturnCause,
    Returning, Strategy, TargetHealth,
};
use std::time::Duration;

/// After this time a colour that its hooks took down is seen unhealthy: two checks, five seconds apart and two seconds long
/// each (infra/service.yaml), and what the load balancer takes to say so.
const SHOWS_WITHIN: Duration = Duration::from_secs(20);

impl Planning<'_> {
    /// Begins a reinstallation behind a base rule that was seen on the live colour, if a drill has left one to do. Whether it
    /// did. As long as it is open nothing is healed, so that it waits for a live colour that is well.
    pub(super) fn reinstalls(&mut self, live: &Live) -> bool {
        let Some(previous) = self.ledger.previous.clone().filter(|previous| previous.comes_back) else {
            return false;
        };
        if let Some(why) = self.is_unwell(live.colour) {
            self.because(Reason::WaitsToReinstall { why });
            return false;
        }
        if self.waits_for_drain() {
            return false;
        }
        let (idle, number) = (live.colour.other(), previous.upload.number);
        let open =
            self.new_open(Purpose::Reinstall, previous.upload, idle, Strategy::AllAtOnce, Duration::ZERO);
        self.because(Reason::Reinstalls { number, colour: idle });
        // Nobody keeps that up to date while it is open.
        self.ledger.ailing = None;
        // One attempt: what fails twice would keep the colour from whatever comes next.
        if let Some(previous) = &mut self.ledger.previous {
            previous.comes_back = false;
        }
        self.ask_for(&open);
        self.keep(open);
        true
    }

    /// An open reinstallation. Whatever is stored of it, it goes on to its end without weight.
    pub(super) fn reinstall(&mut self, open: Open) {
        match open.phase.clone() {
            Phase::Installing => match self.falls_ill(open.colour.other()) {
                Some(why) => self.take_back(open, ReturnCause::DoesNotStandBy { why }),
                None => self.installing(open),
            },
            Phase::Leaving(leaving) => self.leaving(open, leaving),
            Phase::Returning(_) => self.returning(open),
            Phase::Shifting(_)
            | Phase::Baking(_)
            | Phase::Promoting(_)
            | Phase::Settling
            | Phase::Drilling => self.take_back(open, ReturnCause::Aborted),
        }
    }

    /// Nothing is healed while it is open, and live is worth more than what stands by.
    fn falls_ill(&self, live: Colour) -> Option<String> {
        let targets = self.seen.health.of(live).known()?;
        let ill = targets.iter().find(|(_, health)| **health == TargetHealth::Unhealthy);
        ill.map(|(instance, _)| {
            format!(
                "{} of {live} has become unhealthy, which has the traffic and is healed first",
                instance.0
            )
        })
    }

    /// It is installed, and the hooks end by what they hear. It is not stopped: a hook that the agent ends takes its colour
    /// down.
    fn leaving(&mut self, mut open: Open, mut leaving: Leaving) {
        if let Some(cause) = self.ends_the_reinstallation(&open) {
            return self.take_back(open, cause);
        }
        let start = leaving.ended_at.unwrap_or(open.since);
        let is_late = since(start, self.now) >= self.policy.unknown_limit;
        let late = |why: &str| ReturnCause::DoesNotStandBy { why: why.to_owned() };
        let Some(deployment) = self.seen.deployment.known().and_then(Option::as_ref) else {
            if is_late {
                return self.take_back(open, late("CodeDeploy did not say in time how its deployment ended"));
            }
            self.because(Reason::Unknown { what: "the deployment".to_owned() });
            return self.keep(open);
        };
        match deployment.status {
            DeploymentStatus::Active if is_late => {
                return self
                    .take_back(open, late("its hooks did not end in time, see CodeDeploy's log on them"));
            }
            DeploymentStatus::Active => {}
            DeploymentStatus::Failed => {
                let ended_at = *leaving.ended_at.get_or_insert(self.now);
                if since(ended_at, self.now) >= SHOWS_WITHIN {
                    match self.stands_by(&open) {
                        Some(Ok(())) => return self.stands_by_again(open),
                        Some(Err(why)) => return self.take_back(open, ReturnCause::DoesNotStandBy { why }),
                        None if is_late => {
                            return self.take_back(open, late("its health could not be read in time"));
                        }
                        None => {}
                    }
                }
                open.phase = Phase::Leaving(leaving);
            }
            DeploymentStatus::Succeeded | DeploymentStatus::Stopped => {
                let cause = super::installing::ended(deployment, self.seen, &open);
                return self.take_back(open, cause.unwrap_or(ReturnCause::Aborted));
            }
        }
        let waiting =
            "its hooks to leave it running, and its targets to be seen healthy after that".to_owned();
        self.because(Reason::WaitsForInstallation { waiting });
        self.keep(open);
    }

    /// What ends a reinstallation that is installed. A rollback waits for it: that is sooner there than any installation.
    fn ends_the_reinstallation(&self, open: &Open) -> Option<ReturnCause> {
        if open.is_requested(Request::Abort) {
            return Some(ReturnCause::Aborted);
        }
        self.superseded(open)
    }

    /// Whether the instances that it was installed on are healthy on its colour, or which one is not. Those that are gone
    /// would not have been there without a drill either. `None`: that cannot be read.
    fn stands_by(&self, open: &Open) -> Option<Result<(), String>> {
        let targets = self.seen.health.of(open.colour).known()?;
        let health = open.targets.iter().filter_map(|instance| Some((instance, *targets.get(instance)?)));
        let mut left = health.filter(|(_, health)| *health != TargetHealth::Gone).peekable();
        if left.peek().is_none() {
            return Some(Err("none of its instances is left".to_owned()));
        }
        let ill = left.find(|(_, health)| *health != TargetHealth::Healthy);
        Some(ill.map_or(Ok(()), |(instance, _)| {
            Err(format!(
                "{instance} is not healthy on {} after its hook has ended; the kit of an older bundle takes it down",
                open.colour
            ))
        }))
    }

    /// Written by the pass that has seen it.
    fn stands_by_again(&mut self, open: Open) {
        if let Some(previous) = self.ledger.previous.as_mut().filter(|known| known.upload == open.upload) {
            previous.overwritten = false;
        }
        self.take_back(open, ReturnCause::StandsBy);
    }

    /// The end of a reinstallation. Where its deployment has succeeded all the same, as one without instances may, new
    /// instances would boot it: that is settled like any other.
    pub(super) fn close_reinstallation(&mut self, open: &Open, back: &Returning) {
        let reinstalled = Reinstalled::of(open, &back.cause, self.now);
        self.because(Reason::ReinstallEnded { says: reinstalled.to_string() });
        self.ledger.unsettled |= self.has_succeeded();
        self.ledger.reinstalled = Some(Box::new(reinstalled));
        self.again = true;
    }
}
