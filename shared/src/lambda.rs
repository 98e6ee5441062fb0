//! The wiring of a function: logs, settings, the SDK's configuration, the clock, and the loop of invocations.

mod https;
mod init_error;
mod payload;
mod presigned;

pub use https::{BUNDLE, BundleError};

pub use payload::Payload;
pub use presigned::Presigned;

use crate::failure::{Class, Excerpt, Failure, chain};
use crate::ports::Clock;
use crate::settings::{ProcessEnvironment, SettingsError, Strings};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use futures::FutureExt;
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tower::util::MapRequestLayer;
use lambda_runtime::tracing::subscriber::filter::{EnvFilter, LevelFilter};
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use release::times::CALL_TIMEOUT;
use serde::Serialize;
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest that connecting may take. Every endpoint is in the function's own region.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest that one try of a call may take. The calls of a pass answer within tens of milliseconds.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest that a call may take with all its tries. The reads of a pass run at the same time, so that a pass
/// with the slowest possible read, commit and change ends before the function does.
pub const OPERATION_TIMEOUT: Duration = CALL_TIMEOUT;

/// How often a call is tried at most, the first time included.
pub const ATTEMPTS: u32 = 3;

/// The part of the runtime that logs each failure and panic once more, as text. [`run`] has written its record by then.
const LOGS_AGAIN: &str = "lambda_runtime::layers::panic=off";

/// Logs one JSON object a line to standard output, at `AWS_LAMBDA_LOG_LEVEL` (default INFO). A panic is such a line too.
pub fn init_logging() {
    let level = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .with_env_var("AWS_LAMBDA_LOG_LEVEL")
        .from_env_lossy();
    let level = LOGS_AGAIN.parse().into_iter().fold(level, EnvFilter::add_directive);
    lambda_runtime::tracing::subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(level)
        .init();
    std::panic::set_hook(Box::new(log_panic));
}

/// The one record of a panic, wherever it is caught.
fn log_panic(panic: &PanicHookInfo<'_>) {
    tracing::error!(
        failure_class = Class::Bug.word(),
        location = panic.location().map(ToString::to_string),
        error = panic.payload_as_str().map(|text| Excerpt(text).to_string()),
        "Greenlight has a bug here: report this line and those of the same request"
    );
}

/// What `read` makes of this process's environment. Every fault is logged on a line of its own, and Lambda is told all
/// of them.
///
/// # Errors
/// When there is any fault: the function must not start.
pub async fn settings<S>(
    read: impl FnOnce(&ProcessEnvironment) -> Result<S, SettingsError>,
) -> Result<S, SettingsError> {
    let settings = read(&ProcessEnvironment);
    if let Err(error @ SettingsError(faults)) = &settings {
        for fault in faults {
            tracing::error!(failure_class = Class::Permanent.word(), variable = fault.variable, "{fault}");
        }
        init_error::tell(&ProcessEnvironment, error).await;
    }
    settings
}

/// Credentials, region and endpoint from the environment; time-outs and retries as above; trust in the roots that
/// AWS's endpoints need, or in those of the file that [`BUNDLE`] names.
///
/// # Errors
/// When that file cannot be used, which is logged and told to Lambda: the function must not start.
pub async fn sdk_config() -> Result<SdkConfig, BundleError> {
    let client = trusting(https::client).await?;
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

/// What `make` makes of the bundle that [`BUNDLE`] names, if it names one. A fault is logged, and Lambda is told.
async fn trusting<C>(make: impl FnOnce(Option<&Path>) -> Result<C, BundleError>) -> Result<C, BundleError> {
    let bundle = ProcessEnvironment.get(BUNDLE).map(PathBuf::from);
    let client = make(bundle.as_deref());
    if let Err(error) = &client {
        tracing::error!(failure_class = Class::Permanent.word(), variable = BUNDLE, "{}", chain(error));
        init_error::tell(&ProcessEnvironment, error).await;
    }
    client
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

/// Answers invocations until Lambda stops the function. A failure ends one invocation: with one record in the log,
/// written here unless it was [`Failure::recorded`] where more was known, and as Lambda's error. A panic ends one too.
///
/// # Errors
/// When the Runtime API cannot be reached.
pub async fn run<H, F, A>(handler: H) -> Result<(), lambda_runtime::Error>
where
    H: Fn(Payload) -> F,
    F: Future<Output = Result<A, Failure>>,
    A: Serialize,
{
    run_by_arn(|payload, _| handler(payload)).await
}

/// As [`run`], for a function that has aliases: the handler also gets the ARN that was invoked, which ends with the alias
/// if there was one.
///
/// # Errors
/// As [`run`].
pub async fn run_by_arn<H, F, A>(handler: H) -> Result<(), lambda_runtime::Error>
where
    H: Fn(Payload, String) -> F,
    F: Future<Output = Result<A, Failure>>,
    A: Serialize,
{
    let handler = &handler;
    let answers = service_fn(move |event: LambdaEvent<Option<String>>| {
        answer(handler, event.payload, event.context.invoked_function_arn)
    });
    let whatever_the_payload = MapRequestLayer::new(payload::as_text);
    Runtime::new(answers).layer(whatever_the_payload).layer(TracingLayer::new()).run().await
}

async fn answer<H, F, A>(handler: &H, text: Option<String>, arn: String) -> Result<A, Diagnostic>
where
    H: Fn(Payload, String) -> F,
    F: Future<Output = Result<A, Failure>>,
{
    let work = async { handler(payload::read(text), arn).await };
    let answered = AssertUnwindSafe(work).catch_unwind().await;
    let answered = answered.unwrap_or_else(|_| Err(Failure::panicked("the invocation")));
    answered.map_err(|failure| {
        if !failure.is_recorded() {
            tracing::error!(
                failure_class = failure.class().word(),
                error = chain(&failure),
                "the invocation failed"
            );
        }
        Diagnostic::from(failure)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

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

    #[tokio::test]
    async fn a_panic_is_one_failed_invocation_that_asks_to_be_reported() {
        let handler = async |_: Payload, _: String| -> Result<Value, Failure> { panic!("out of range") };
        let diagnostic = answer(&handler, Some("{}".to_owned()), String::new()).await.unwrap_err();
        assert_eq!(
            (diagnostic.error_type.as_str(), diagnostic.error_message.as_str()),
            ("bug", "the invocation met a bug in Greenlight: report it with the log of this request's id")
        );
    }

    #[test]
    fn a_call_ends_well_before_the_function_does() {
        assert!(CONNECT_TIMEOUT < ATTEMPT_TIMEOUT && ATTEMPT_TIMEOUT < OPERATION_TIMEOUT);
        // Observe, commit and act follow each other; each ends with its own time-out.
        assert!(OPERATION_TIMEOUT * 3 < release::times::FUNCTION_TIMEOUT);
    }
}
