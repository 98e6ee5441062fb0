//! CodeDeploy's hook executions through the SDK, beside the ports that every function shares.

use crate::hook_execution::{HookExecutions, HookStatus};
use aws_sdk_codedeploy::operation::put_lifecycle_event_hook_execution_status::PutLifecycleEventHookExecutionStatusError;
use aws_sdk_codedeploy::types::LifecycleEventStatus;
use greenlight::aws::Aws;
use greenlight::aws::classify::failure;
use greenlight::failure::Failure;

impl HookExecutions for Aws {
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
