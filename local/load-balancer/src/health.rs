//! A target's health, from the outcomes of its checks.

use crate::group::{HealthCheck, Target};

/// A target's state, in AWS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Registered, first checks not decided yet.
    Initial,
    /// Gets requests.
    Healthy,
    /// Gets requests only when no target of its group is healthy.
    Unhealthy,
    /// No rule names the group; it is not checked.
    Unused,
    /// Taken out of the group, no new requests.
    Draining,
}

impl State {
    /// As `DescribeTargetHealth` writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Unused => "unused",
            Self::Draining => "draining",
        }
    }
}

/// Why a target is in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The first checks are under way.
    InitialHealthChecking,
    /// A check was answered with this status, which the matcher does not hold.
    ResponseCodeMismatch(u16),
    /// A check was not answered in time.
    Timeout,
    /// The connection was refused or broken.
    FailedHealthChecks,
    /// No rule names the group.
    NotInUse,
    /// Taken out of the group.
    DeregistrationInProgress,
}

impl Reason {
    /// As `DescribeTargetHealth` writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InitialHealthChecking => "Elb.InitialHealthChecking",
            Self::ResponseCodeMismatch(_) => "Target.ResponseCodeMismatch",
            Self::Timeout => "Target.Timeout",
            Self::FailedHealthChecks => "Target.FailedHealthChecks",
            Self::NotInUse => "Target.NotInUse",
            Self::DeregistrationInProgress => "Target.DeregistrationInProgress",
        }
    }

    /// The sentence that AWS gives beside the reason.
    pub fn description(self) -> String {
        match self {
            Self::InitialHealthChecking => "Initial health checks in progress".to_owned(),
            Self::ResponseCodeMismatch(status) => {
                format!("Health checks failed with these codes: [{status}]")
            }
            Self::Timeout => "Request timed out".to_owned(),
            Self::FailedHealthChecks => "Health checks failed".to_owned(),
            Self::NotInUse => {
                "Target group is not configured to receive traffic from the load balancer".to_owned()
            }
            Self::DeregistrationInProgress => "Target deregistration is in progress".to_owned(),
        }
    }
}

/// One target's health, as `DescribeTargetHealth` would list it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    /// Which target.
    pub target: Target,
    /// Its state.
    pub state: State,
    /// None for a healthy target.
    pub reason: Option<Reason>,
}

/// The outcome of one health check; a failure names the reason that it would give an unhealthy target.
pub(crate) type CheckResult = Result<(), Reason>;

/// The state machine behind [`TargetHealth`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Health {
    state: State,
    reason: Option<Reason>,
    /// Outcomes in a row that speak against the state.
    streak: u32,
}

impl Health {
    pub(crate) fn unused() -> Self {
        Self { state: State::Unused, reason: Some(Reason::NotInUse), streak: 0 }
    }

    fn initial() -> Self {
        Self { state: State::Initial, reason: Some(Reason::InitialHealthChecking), streak: 0 }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// A group that comes into use starts over; one that goes out of use forgets.
    pub(crate) fn set_in_use(&mut self, in_use: bool) {
        if in_use != (self.state != State::Unused) {
            *self = if in_use { Self::initial() } else { Self::unused() };
        }
    }

    /// Takes in the outcome of a check. A new target needs one pass, one that was unhealthy the healthy threshold.
    /// (Elastic Load Balancing user guide, "Health checks for Application Load Balancer target groups".)
    pub(crate) fn record(&mut self, outcome: CheckResult, check: &HealthCheck) {
        match (self.state, outcome) {
            (State::Unused | State::Draining, _) => {}
            (State::Initial, Ok(())) => *self = Self { state: State::Healthy, reason: None, streak: 0 },
            (State::Healthy, Ok(())) => self.streak = 0,
            (State::Unhealthy, Ok(())) => {
                self.streak += 1;
                if self.streak >= check.healthy_threshold {
                    *self = Self { state: State::Healthy, reason: None, streak: 0 };
                }
            }
            (State::Unhealthy, Err(reason)) => {
                self.streak = 0;
                self.reason = Some(reason);
            }
            (State::Initial | State::Healthy, Err(reason)) => {
                self.streak += 1;
                if self.streak >= check.unhealthy_threshold {
                    *self = Self { state: State::Unhealthy, reason: Some(reason), streak: 0 };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: CheckResult = Ok(());
    const ERROR_500: CheckResult = Err(Reason::ResponseCodeMismatch(500));

    fn after(outcomes: &[CheckResult]) -> Health {
        let check = HealthCheck { healthy_threshold: 3, unhealthy_threshold: 2, ..HealthCheck::default() };
        let mut health = Health::unused();
        health.set_in_use(true);
        for outcome in outcomes {
            health.record(*outcome, &check);
        }
        health
    }

    #[test]
    fn a_new_target_is_healthy_after_one_pass() {
        assert_eq!(after(&[]).reason(), Some(Reason::InitialHealthChecking));
        assert_eq!(after(&[PASS]).state(), State::Healthy);
        assert_eq!(after(&[PASS]).reason(), None);
        assert_eq!(after(&[ERROR_500, PASS]).state(), State::Healthy);
    }

    #[test]
    fn failures_count_only_in_a_row() {
        assert_eq!(after(&[PASS, ERROR_500, PASS, ERROR_500]).state(), State::Healthy);
        assert_eq!(after(&[PASS, ERROR_500, ERROR_500]).state(), State::Unhealthy);
        assert_eq!(after(&[ERROR_500]).state(), State::Initial);
        assert_eq!(after(&[ERROR_500, ERROR_500]).state(), State::Unhealthy);
    }

    #[test]
    fn an_unhealthy_target_needs_the_healthy_threshold() {
        let sick = [PASS, ERROR_500, ERROR_500];
        let then = |more: &[CheckResult]| after(&[&sick, more].concat()).state();
        assert_eq!(then(&[PASS, PASS]), State::Unhealthy);
        assert_eq!(then(&[PASS, PASS, ERROR_500, PASS]), State::Unhealthy);
        assert_eq!(then(&[PASS, PASS, PASS]), State::Healthy);
    }

    #[test]
    fn the_reason_is_that_of_the_latest_failure() {
        let health = after(&[ERROR_500, ERROR_500, Err(Reason::Timeout)]);
        assert_eq!(health.reason().map(Reason::as_str), Some("Target.Timeout"));
        let health = after(&[ERROR_500, ERROR_500]);
        assert_eq!(
            health.reason().map(Reason::description).as_deref(),
            Some("Health checks failed with these codes: [500]")
        );
    }

    #[test]
    fn a_group_that_comes_back_into_use_starts_over() {
        let mut health = after(&[PASS]);
        health.set_in_use(true);
        assert_eq!(health.state(), State::Healthy);
        health.set_in_use(false);
        assert_eq!((health.state(), health.reason()), (State::Unused, Some(Reason::NotInUse)));
        health.record(PASS, &HealthCheck::default());
        assert_eq!(health.state(), State::Unused);
        health.set_in_use(true);
        assert_eq!(health.state(), State::Initial);
    }
}
