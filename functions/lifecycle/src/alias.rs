//! By which alias the function was invoked, and what may be asked through it.
//!
//! An instance runs what its users have sent, and its role may invoke the alias `hooks` only. So whoever has an instance can
//! ask what a hook asks, and command nothing.

use crate::event::Event;

/// What instances may invoke (`infra/service.yaml`).
const HOOKS: &str = "hooks";

/// Through which door an invocation came. IAM says who may take which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alias {
    /// `hooks`: the instances.
    Hooks,
    /// `operators`, and the function without an alias: people, AWS's events and schedules, `sam local invoke`.
    Operators,
}

/// What came through `hooks` and is no hook's question.
#[derive(Debug, thiserror::Error)]
#[error(
    "nothing was done: {event} came through the alias hooks, by which instances ask and nobody commands; send it through the \
     alias operators, as greenlight does. If you did not send it, somebody else has the rights of an instance"
)]
pub struct NotForHooks {
    event: String,
}

impl Alias {
    /// From the ARN that was invoked, as Lambda tells it: `arn:aws:lambda:REGION:ACCOUNT:function:NAME:ALIAS`. Without an
    /// alias, or with a version in its place, it is an operator's (Lambda developer guide, "Using the Lambda context
    /// object": it "indicates if the invoker specified a version number or alias").
    pub fn of(invoked_arn: &str) -> Self {
        match invoked_arn.split(':').nth(7) {
            Some(HOOKS) => Self::Hooks,
            _ => Self::Operators,
        }
    }

    /// Whether this may be asked through it.
    ///
    /// # Errors
    /// Anything but a hook's question, through `hooks`.
    pub fn admits(self, event: &Event) -> Result<(), NotForHooks> {
        match (self, event) {
            (Self::Operators, _) | (Self::Hooks, Event::Question { .. }) => Ok(()),
            (Self::Hooks, _) => Err(NotForHooks { event: event.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_alias_hooks_is_the_instances() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop-lifecycle";
        assert_eq!(Alias::of(&format!("{arn}:hooks")), Alias::Hooks);
        assert_eq!(
            Alias::of("arn:aws-cn:lambda:cn-north-1:123456789012:function:shop-lifecycle:hooks"),
            Alias::Hooks
        );
        for other in [arn, &format!("{arn}:operators"), &format!("{arn}:$LATEST"), &format!("{arn}:7")] {
            assert_eq!(Alias::of(other), Alias::Operators, "{other}");
        }
        // A stack may be called so.
        assert_eq!(Alias::of("arn:aws:lambda:eu-west-1:123456789012:function:hooks"), Alias::Operators);
    }
}
