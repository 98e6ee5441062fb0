//! The way back without the ledger, by rules and alarms alone.
//!
//! Returning all weight to the live colour is always allowed, so it must not depend on the state bucket. A later pass,
//! which can read the ledger, finds the rule gone and records that the release was taken back.

use crate::failure::{Failure, chain};
use crate::ports::{PortResult, Ports};
use futures::future::join;
use release::{
    AlarmState, Colour, Deployment, DeploymentId, PerColour, Purpose, ReleaseRule, RuleArn, Rules,
    ServiceName,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What was done without the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "way_back", rename_all = "snake_case")]
pub enum WayBack {
    /// No rule gives a candidate any weight, or none of its alarms fires.
    NotNeeded,
    /// The release's rule is gone.
    Taken {
        /// The colour that lost its weight.
        candidate: Colour,
        /// Its alarm that fires.
        alarm: String,
        /// The rule that was deleted.
        rule: RuleArn,
        /// The release's deployment that was stopped, if one was active.
        stopped: Option<DeploymentId>,
        /// Why the deployment could not be stopped. It changes no weight; a later pass stops it.
        not_stopped: Option<String>,
    },
}

/// Takes all weight from a candidate whose alarm fires, by rules, alarms and CodeDeploy alone: three calls until
/// the rule is gone. An alarm or a rule that cannot be read decides nothing.
///
/// # Errors
/// When rules or alarms cannot be read, or the rule cannot be deleted. A repeat is safe.
pub async fn without_ledger(ports: &impl Ports, service: &ServiceName) -> Result<WayBack, Failure> {
    let (rules, alarms) = join(ports.rules(service), ports.alarm_states(service)).await;
    let (rules, alarms) = (rules?, alarms?);
    let Some((candidate, rule, alarm)) = to_take_back(&rules, &alarms) else { return Ok(WayBack::NotNeeded) };
    ports.delete_release_rule(service, &rule.arn).await?;
    let (stopped, not_stopped) = match stop(ports, service, candidate).await {
        Ok(stopped) => (stopped, None),
        Err(failure) => (None, Some(chain(&failure))),
    };
    Ok(WayBack::Taken { candidate, alarm, rule: rule.arn.clone(), stopped, not_stopped })
}

/// The candidate whose alarm fires. The live colour is the one that the base rule gives everything to; the candidate
/// is the other one, if the release's rule gives it weight. If the base rule was divided by hand it names no live
/// colour, and there is none to return to.
fn to_take_back<'a>(
    rules: &'a Rules,
    alarms: &PerColour<BTreeMap<String, AlarmState>>,
) -> Option<(Colour, &'a ReleaseRule, String)> {
    let live = Colour::BOTH.into_iter().find(|colour| rules.base.are_all_on(*colour))?;
    let candidate = live.other();
    let rule = rules.release.as_ref().filter(|rule| rule.weights.gives(candidate))?;
    let firing = alarms.of(candidate).iter().find(|(_, state)| **state == AlarmState::Firing)?;
    Some((candidate, rule, firing.0.clone()))
}

/// Stops the release that installs on this colour.
async fn stop(
    ports: &impl Ports,
    service: &ServiceName,
    candidate: Colour,
) -> PortResult<Option<DeploymentId>> {
    let active = ports.active_deployment(service).await?;
    let Some(Deployment { id, .. }) = active.filter(|deployment| releases_on(deployment, candidate)) else {
        return Ok(None);
    };
    ports.stop_deployment(&id).await?;
    Ok(Some(id))
}

fn releases_on(deployment: &Deployment, candidate: Colour) -> bool {
    deployment
        .description
        .as_ref()
        .is_some_and(|description| description.purpose == Purpose::Release && description.colour == candidate)
}
