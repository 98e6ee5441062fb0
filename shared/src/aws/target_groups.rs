//! The health of a colour's targets.

use super::Aws;
use super::classify::{failed, failure, incomplete};
use crate::failure::Class;
use crate::ports::{PortResult, TargetGroups};
use aws_sdk_elasticloadbalancingv2::operation::describe_target_health::DescribeTargetHealthError;
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum as State;
use release::{Colour, InstanceId, ServiceName, TargetHealth};
use std::collections::BTreeMap;

impl TargetGroups for Aws {
    async fn target_health(
        &self,
        service: &ServiceName,
        colour: Colour,
    ) -> PortResult<BTreeMap<InstanceId, TargetHealth>> {
        let group = self.service(service)?.target_groups.of(colour);
        let attempt = format!("reading the health of target group {group}");
        let output = match self.load_balancing.describe_target_health().target_group_arn(group).send().await {
            Ok(output) => output,
            // The load balancer's own trouble says nothing about the targets.
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(DescribeTargetHealthError::HealthUnavailableException(_))
                ) =>
            {
                return Err(failed(Class::Transient, attempt, "the next pass tries again", error));
            }
            Err(error) => return Err(failure(attempt, error)),
        };
        let mut targets = BTreeMap::new();
        for description in output.target_health_descriptions.unwrap_or_default() {
            let id = description
                .target
                .and_then(|target| target.id)
                .ok_or_else(|| incomplete(&attempt, "a target's id"))?;
            let state = description.target_health.and_then(|health| health.state);
            let health = state.as_ref().map_or(TargetHealth::Unproven, health);
            // An instance that is registered on several ports is healthy when all of them are.
            let known = targets.entry(InstanceId(id)).or_insert(health);
            if *known == TargetHealth::Healthy {
                *known = health;
            }
        }
        Ok(targets)
    }
}

fn health(state: &State) -> TargetHealth {
    match state {
        State::Healthy => TargetHealth::Healthy,
        State::Unhealthy | State::UnhealthyDraining => TargetHealth::Unhealthy,
        State::Unused => TargetHealth::Gone,
        // initial, draining, unavailable, and states that AWS adds later.
        _ => TargetHealth::Unproven,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{GREEN, aws, backend, query_error};
    use aws_sdk_elasticloadbalancingv2::Client;
    use aws_sdk_elasticloadbalancingv2::operation::describe_target_health::DescribeTargetHealthOutput;
    use aws_sdk_elasticloadbalancingv2::types::{
        TargetDescription, TargetHealth as Described, TargetHealthDescription,
    };
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    fn described(id: &str, state: &str) -> TargetHealthDescription {
        TargetHealthDescription::builder()
            .target(TargetDescription::builder().id(id).port(8081).build())
            .target_health(Described::builder().state(State::from(state)).build())
            .build()
    }

    async fn seen(targets: Vec<TargetHealthDescription>) -> BTreeMap<String, TargetHealth> {
        let rule = mock!(Client::describe_target_health)
            .match_requests(|request| request.target_group_arn() == Some(GREEN))
            .then_output(move || {
                DescribeTargetHealthOutput::builder()
                    .set_target_health_descriptions(Some(targets.clone()))
                    .build()
            });
        let aws = aws().with_load_balancing(mock_client!(
            aws_sdk_elasticloadbalancingv2,
            RuleMode::MatchAny,
            &[&rule]
        ));
        let health = aws.target_health(&backend(), Colour::Green).await.unwrap();
        health.into_iter().map(|(id, health)| (id.0, health)).collect()
    }

    #[tokio::test]
    async fn every_state_says_what_it_proves() {
        for (state, health) in [
            ("healthy", TargetHealth::Healthy),
            ("unhealthy", TargetHealth::Unhealthy),
            ("unhealthy.draining", TargetHealth::Unhealthy),
            ("initial", TargetHealth::Unproven),
            ("draining", TargetHealth::Unproven),
            ("unavailable", TargetHealth::Unproven),
            ("unused", TargetHealth::Gone),
            ("some-new-state", TargetHealth::Unproven),
        ] {
            assert_eq!(seen(vec![described("i-1", state)]).await["i-1"], health, "{state}");
        }
    }

    #[tokio::test]
    async fn an_instance_on_two_ports_is_healthy_when_both_are() {
        for states in [["healthy", "unhealthy"], ["unhealthy", "healthy"]] {
            let targets = states.iter().map(|state| described("i-1", state)).collect();
            assert_eq!(seen(targets).await["i-1"], TargetHealth::Unhealthy);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn health_that_is_not_to_be_had_is_no_unhealthiness() {
        for (status, code, class) in [
            (500, "HealthUnavailable", Class::Transient),
            (400, "Throttling", Class::Transient),
            (400, "TargetGroupNotFound", Class::Permanent),
            (403, "AccessDenied", Class::Permanent),
        ] {
            let rule =
                mock!(Client::describe_target_health).then_http_response(move || query_error(status, code));
            let aws = aws().with_load_balancing(mock_client!(
                aws_sdk_elasticloadbalancingv2,
                RuleMode::MatchAny,
                &[&rule]
            ));
            let failure = aws.target_health(&backend(), Colour::Green).await.unwrap_err();
            assert_eq!(failure.class(), class, "{code}");
            assert!(failure.to_string().contains(GREEN), "{failure}");
        }
    }
}
