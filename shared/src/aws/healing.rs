//! The Auto Scaling group of a service: replacing an instance, and the processes that a deployment suspends.

use super::Aws;
use super::classify::{failed, failure, incomplete};
use crate::failure::Class;
use crate::ports::{Healing, PortResult};
use aws_sdk_autoscaling::operation::resume_processes::ResumeProcessesError;
use release::{InstanceId, ScalingProcess, ServiceName};
use std::collections::BTreeSet;

impl Healing for Aws {
    /// Auto Scaling terminates an instance that is called unhealthy and starts another. Its grace period is
    /// respected: a young instance may still be on its way (Auto Scaling API reference, `SetInstanceHealth`).
    async fn replace(&self, service: &ServiceName, instance: &InstanceId) -> PortResult<()> {
        let group = &self.service(service)?.auto_scaling_group;
        let attempt =
            format!("handing instance {instance} of Auto Scaling group {group} over for replacement");
        let call = self
            .scaling
            .set_instance_health()
            .instance_id(&instance.0)
            .health_status("Unhealthy")
            .should_respect_grace_period(true);
        call.send().await.map(drop).map_err(|error| failure(attempt, error))
    }

    async fn suspended(&self, service: &ServiceName) -> PortResult<BTreeSet<ScalingProcess>> {
        let group = &self.service(service)?.auto_scaling_group;
        let attempt = format!("reading Auto Scaling group {group}");
        let call = self.scaling.describe_auto_scaling_groups().auto_scaling_group_names(group);
        let output = call.send().await.map_err(|error| failure(&attempt, error))?;
        let found = output.auto_scaling_groups.unwrap_or_default().into_iter().next();
        let found = found.ok_or_else(|| incomplete(&attempt, "the group"))?;
        let names = found.suspended_processes.unwrap_or_default();
        Ok(names.iter().filter_map(|process| ScalingProcess::named(process.process_name()?)).collect())
    }

    async fn resume(&self, service: &ServiceName, processes: &BTreeSet<ScalingProcess>) -> PortResult<()> {
        let group = &self.service(service)?.auto_scaling_group;
        let attempt = format!("resuming processes of Auto Scaling group {group}");
        let names = processes.iter().map(|process| process.name().to_owned()).collect();
        let call =
            self.scaling.resume_processes().auto_scaling_group_name(group).set_scaling_processes(Some(names));
        match call.send().await {
            Ok(_) => Ok(()),
            // Another change of the group is under way (Auto Scaling API reference, `ResumeProcesses`).
            Err(error)
                if matches!(error.as_service_error(), Some(ResumeProcessesError::ResourceInUseFault(_))) =>
            {
                Err(failed(Class::Transient, attempt, "the next tick tries again", error))
            }
            Err(error) => Err(failure(attempt, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{aws, backend, query_error};
    use aws_sdk_autoscaling::Client;
    use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::DescribeAutoScalingGroupsOutput;
    use aws_sdk_autoscaling::operation::resume_processes::ResumeProcessesOutput;
    use aws_sdk_autoscaling::operation::set_instance_health::SetInstanceHealthOutput;
    use aws_sdk_autoscaling::types::{AutoScalingGroup, SuspendedProcess};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    fn aws_with(rules: &[&Rule]) -> Aws {
        aws().with_scaling(mock_client!(aws_sdk_autoscaling, RuleMode::Sequential, rules))
    }

    #[tokio::test]
    async fn an_instance_is_called_unhealthy_and_its_grace_period_is_respected() {
        let rule = mock!(Client::set_instance_health)
            .match_requests(|request| {
                request.instance_id() == Some("i-1")
                    && request.health_status() == Some("Unhealthy")
                    && request.should_respect_grace_period() == Some(true)
            })
            .then_output(|| SetInstanceHealthOutput::builder().build());
        aws_with(&[&rule]).replace(&backend(), &InstanceId("i-1".to_owned())).await.unwrap();
    }

    #[tokio::test]
    async fn an_instance_of_no_group_is_a_permanent_failure_that_names_it() {
        let rule =
            mock!(Client::set_instance_health).then_http_response(|| query_error(400, "ValidationError"));
        let failure =
            aws_with(&[&rule]).replace(&backend(), &InstanceId("i-1".to_owned())).await.unwrap_err();
        assert_eq!(failure.class(), Class::Permanent);
        assert!(failure.to_string().contains("instance i-1 of Auto Scaling group shop.backend"), "{failure}");
    }

    #[tokio::test]
    async fn of_the_suspended_processes_only_those_that_a_deployment_suspends_are_told() {
        let rule = mock!(Client::describe_auto_scaling_groups)
            .match_requests(|request| request.auto_scaling_group_names() == ["shop.backend"])
            .then_output(|| {
                let suspended = ["AZRebalance", "Launch", "Terminate"]
                    .map(|name| SuspendedProcess::builder().process_name(name).build());
                let group = AutoScalingGroup::builder().set_suspended_processes(Some(suspended.into()));
                DescribeAutoScalingGroupsOutput::builder().auto_scaling_groups(group.build()).build()
            });
        let suspended = aws_with(&[&rule]).suspended(&backend()).await.unwrap();
        assert_eq!(suspended, BTreeSet::from([ScalingProcess::AzRebalance, ScalingProcess::Terminate]));
    }

    #[tokio::test]
    async fn a_group_that_is_not_there_is_a_failure_and_not_one_without_suspended_processes() {
        let rule = mock!(Client::describe_auto_scaling_groups)
            .then_output(|| DescribeAutoScalingGroupsOutput::builder().build());
        let failure = aws_with(&[&rule]).suspended(&backend()).await.unwrap_err();
        assert!(failure.to_string().contains("shop.backend"), "{failure}");
    }

    #[tokio::test]
    async fn exactly_the_named_processes_are_resumed() {
        let rule = mock!(Client::resume_processes)
            .match_requests(|request| {
                request.auto_scaling_group_name() == Some("shop.backend")
                    && request.scaling_processes() == ["InstanceRefresh", "Terminate"]
            })
            .then_output(|| ResumeProcessesOutput::builder().build());
        let processes = BTreeSet::from([ScalingProcess::Terminate, ScalingProcess::InstanceRefresh]);
        aws_with(&[&rule]).resume(&backend(), &processes).await.unwrap();
    }

    #[tokio::test]
    async fn a_group_that_is_being_changed_is_tried_again() {
        let rule = mock!(Client::resume_processes).then_http_response(|| query_error(400, "ResourceInUse"));
        let failure = aws_with(&[&rule]).resume(&backend(), &BTreeSet::new()).await.unwrap_err();
        assert_eq!(failure.class(), Class::Transient);
    }
}
