//! The wiring of a function: logs, settings, the SDK's configuration, the clock, and the loop of invocations.

mod https;

pub use https::{BUNDLE, BundleError};

use crate::failure::{Failure, chain};
use crate::ports::Clock;
use crate::settings::{ProcessEnvironment, SettingsError, Strings};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use lambda_runtime::tracing::subscriber::filter::{EnvFilter, LevelFilter};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// The longest that connecting may take. Every endpoint is in the function's own region.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest that one try of a call may take. The calls of a pass answer within tens of milliseconds.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest that a call may take with all its tries. The reads of a pass run at the same time, so that a pass
/// with the slowest possible read, commit and change ends within half of the function's 60 seconds.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);

/// How often a call is tried at most, the first time included.
pub const ATTEMPTS: u32 = 3;

/// Logs one JSON object a line to standard output, at `AWS_LAMBDA_LOG_LEVEL` (default INFO).
pub fn init_logging() {
    let level = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .with_env_var("AWS_LAMBDA_LOG_LEVEL");
    lambda_runtime::tracing::subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(level.from_env_lossy())
        .init();
}

/// What `read` makes of this process's environment. Every fault is logged on a line of its own.
///
/// # Errors
/// When there is any fault: the function must not start.
pub fn settings<S>(
    read: impl FnOnce(&ProcessEnvironment) -> Result<S, SettingsError>,
) -> Result<S, SettingsError> {
    let settings = read(&ProcessEnvironment);
    if let Err(SettingsError(faults)) = &settings {
        for fault in faults {
            tracing::error!(variable = fault.variable, "{fault}");
        }
    }
    settings
}

/// Credentials, region and endpoint from the environment; time-outs and retries as above; trust in the roots that
/// AWS's endpoints need, or in those of the file that [`BUNDLE`] names.
///
/// # Errors
/// When that file cannot be used, which is logged: the function must not start.
pub async fn sdk_config() -> Result<SdkConfig, BundleError> {
    let bundle = ProcessEnvironment.get(BUNDLE).map(PathBuf::from);
    let client = https::client(bundle.as_deref())
        .inspect_err(|error| tracing::error!(variable = BUNDLE, "{}", chain(error)))?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    Ok(aws_config::defaults(BehaviorVersion::latest())
        .http_client(client)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .load()
        .await)
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the edge that reads the clock")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

impl From<Failure> for Diagnostic {
    /// `errorType` is the class's word, `errorMessage` the whole chain of causes.
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.class().word().to_owned(), error_message: chain(&failure) }
    }
}

/// Answers invocations until Lambda stops the function. A failure ends one invocation, logged and as Lambda's error.
///
/// # Errors
/// When the Runtime API cannot be reached.
pub async fn run<H, F, A>(handler: H) -> Result<(), lambda_runtime::Error>
where
    H: Fn(LambdaEvent<serde_json::Value>) -> F,
    F: Future<Output = Result<A, Failure>>,
    A: Serialize,
{
    let handler = &handler;
    lambda_runtime::run(service_fn(
        move |event| async move { handler(event).await.map_err(Diagnostic::from) },
    ))
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    #[test]
    fn a_failure_tells_lambda_its_class_and_its_causes() {
        let failure = Failure::new(Class::Conflict, "rule arn:1 is gone")
            .caused_by(Failure::new(Class::Permanent, "RuleNotFound"));
        let diagnostic = Diagnostic::from(failure);
        assert_eq!(
            (diagnostic.error_type.as_str(), diagnostic.error_message.as_str()),
            ("conflict", "rule arn:1 is gone: RuleNotFound")
        );
    }

    #[test]
    fn a_call_ends_well_before_the_function_does() {
        assert!(CONNECT_TIMEOUT < ATTEMPT_TIMEOUT && ATTEMPT_TIMEOUT < OPERATION_TIMEOUT);
        // Observe, commit and act follow each other; each ends with its own time-out.
        assert!(OPERATION_TIMEOUT * 3 < Duration::from_secs(30));
    }
}
