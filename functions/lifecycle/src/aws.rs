//! CodeDeploy's hook executions and the gate through the SDK, beside the ports that every function shares.

use crate::gate::Gates;
use crate::hook_execution::{HookExecutions, HookStatus};
use aws_sdk_codedeploy::operation::put_lifecycle_event_hook_execution_status::PutLifecycleEventHookExecutionStatusError;
use aws_sdk_codedeploy::types::{DeploymentInfo, LifecycleEventStatus};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::primitives::Blob;
use greenlight::aws::Aws;
use greenlight::aws::classify::failure;
use greenlight::failure::{Class, Failure, chain};
use greenlight::lambda::CONNECT_TIMEOUT;
use release::{Gate, GateAnswer, GateQuestion};
use serde_json::json;

impl HookExecutions for Aws {
    async fn is_of(&self, application: &str, deployment_id: &str) -> Result<bool, Failure> {
        match self.codedeploy().get_deployment().deployment_id(deployment_id).send().await {
            Ok(output) => Ok(output
                .deployment_info()
                .and_then(DeploymentInfo::application_name)
                .is_some_and(|name| name == application)),
            Err(error) => {
                let failure = failure(format!("reading deployment {deployment_id}"), error);
                if failure.class() == Class::Permanent { Ok(false) } else { Err(failure) }
            }
        }
    }

    async fn put_status(
        &self,
        deployment_id: &str,
        execution_id: &str,
        status: HookStatus,
    ) -> Result<(), Failure> {
        let status = match status {
            HookStatus::Succeeded => LifecycleEventStatus::Succeeded,
            HookStatus::Failed => LifecycleEventStatus::Failed,
        };
        let told = self
            .codedeploy()
            .put_lifecycle_event_hook_execution_status()
            .deployment_id(deployment_id)
            .lifecycle_event_hook_execution_id(execution_id)
            .status(status)
            .send()
            .await;
        match told {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(
                    PutLifecycleEventHookExecutionStatusError::is_lifecycle_event_already_completed_exception,
                ) =>
            {
                Ok(())
            }
            Err(error) => {
                let attempt = format!("telling CodeDeploy how its hook of deployment {deployment_id} ended");
                Err(failure(attempt, error))
            }
        }
    }
}

/// The functions of the account and region, of which one may be the gate.
#[derive(Debug)]
pub struct Functions(Client);

impl Functions {
    /// A client that waits as long as a gate may take, and repeats nothing: the next question asks again.
    pub fn new(config: impl Into<Builder>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(Gate::PATIENCE)
            .operation_timeout(Gate::PATIENCE)
            .build();
        let config = config.into().timeout_config(timeouts).retry_config(RetryConfig::disabled());
        Self(Client::from_conf(config.build()))
    }
}

impl Gates for Functions {
    async fn ask(&self, function: &str, question: &GateQuestion) -> GateAnswer {
        let payload = Blob::new(json!(question).to_string());
        let output = match self.0.invoke().function_name(function).payload(payload).send().await {
            Ok(output) => output,
            Err(SdkError::TimeoutError(_)) => {
                return GateAnswer::unreached(&format!(
                    "no answer came within {} s",
                    Gate::PATIENCE.as_secs()
                ));
            }
            Err(error) => {
                return GateAnswer::unreached(&chain(&failure(format!("asking {function}"), error)));
            }
        };
        let returned = output.payload().map(Blob::as_ref).unwrap_or_default();
        match output.function_error() {
            None => GateAnswer::returned(returned),
            Some(_) => GateAnswer::threw(returned),
        }
    }
}

#[cfg(test)]
mod tests;
