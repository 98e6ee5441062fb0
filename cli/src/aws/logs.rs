//! What the functions have written, as CloudWatch Logs keeps it.

use super::{Account, failed};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
use greenlight::failure::{Class, Failure};
use jiff::Timestamp;

/// The stack's functions, the one first that every stack has.
const FUNCTIONS: [&str; 5] = ["lifecycle", "upload", "alarm", "listener-rule", "waf-logs"];

/// What is worth reading: decisions, commands and what went wrong. A line matches that has any of these words (CloudWatch Logs user
/// guide, "Filter pattern syntax": optional terms).
const WORTH: &str =
    r#"?decided ?"took a command" ?WARN ?ERROR ?INIT_REPORT ?"Task timed out" ?"Error: Runtime""#;

/// A line of a function's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// When it was written.
    pub(crate) at: Timestamp,
    /// By which function, without the stack's name.
    pub(crate) function: &'static str,
    /// CloudWatch's own name of it.
    pub(crate) id: String,
    pub(crate) line: String,
}

/// The logs of a stack's functions.
#[derive(Debug)]
pub(crate) struct Logs<'a> {
    client: Client,
    stack: &'a str,
}

impl<'a> Logs<'a> {
    pub(crate) async fn of(account: &Account, stack: &'a str) -> Self {
        Self { client: Client::new(&account.config().await), stack }
    }

    /// What was written from the first time until before the second, of each function in order.
    ///
    /// # Errors
    /// When a log cannot be read, or the stack has no lifecycle function. A function that a stack does not have is none.
    pub(crate) async fn between(&self, from: Timestamp, until: Timestamp) -> Result<Vec<Event>, Failure> {
        let mut events = Vec::new();
        for function in FUNCTIONS {
            events.extend(self.of_a_function(function, from, until).await?);
        }
        Ok(events)
    }

    async fn of_a_function(
        &self,
        function: &'static str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Event>, Failure> {
        let group = format!("/aws/lambda/{}-{function}", self.stack);
        // Both ends are part of what is answered (CloudWatch Logs API reference, FilterLogEvents).
        let call = self
            .client
            .filter_log_events()
            .log_group_name(&group)
            .filter_pattern(WORTH)
            .start_time(from.as_millisecond())
            .end_time(until.as_millisecond() - 1);
        let (mut events, mut token) = (Vec::new(), None);
        loop {
            let page = match call.clone().set_next_token(token).send().await {
                Ok(page) => page,
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(FilterLogEventsError::is_resource_not_found_exception) =>
                {
                    return if function == FUNCTIONS[0] { Err(no_stack(&group)) } else { Ok(Vec::new()) };
                }
                Err(error) => return Err(failed(&format!("reading log group {group}"), error)),
            };
            for event in page.events.unwrap_or_default() {
                let at = event.timestamp.and_then(|at| Timestamp::from_millisecond(at).ok());
                let (Some(at), Some(line)) = (at, event.message) else { continue };
                events.push(Event { at, function, id: event.event_id.unwrap_or_default(), line });
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(events);
            }
        }
    }
}

fn no_stack(group: &str) -> Failure {
    Failure::new(
        Class::Permanent,
        format!(
            "there is no log group {group} in this account and region: name the stack with --stack, and where it is with \
             --profile and --region"
        ),
    )
}
