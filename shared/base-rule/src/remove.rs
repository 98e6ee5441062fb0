//! The stack is deleted, or the service is taken out of it: neither the base rule nor the rules of a release stay.

use crate::{Change, Next, Owner, Rule, Seen, Wanted};
use release::RuleArn;

/// The next step. `rule` is the base rule that the stack knows; none if it never heard of one. `wanted` is what the
/// template described; none if that cannot be read, and then no rule was made from it.
pub fn remove(owner: &Owner, wanted: Option<&Wanted>, rule: Option<&RuleArn>, seen: &Seen) -> Next {
    let known = rule.and_then(|rule| seen.rule(rule));
    let made = seen.rules.iter().find(|found| owner.owns(found) && rule != Some(&found.arn));
    let delete = |rule: &Rule| Next::Change(Change::Delete(rule.arn.clone()));
    let (base, was_replaced) = match (rule, made) {
        // Another rule has taken its place, and the release that may be open belongs to that one.
        (Some(_), Some(_)) => (known, true),
        (Some(_), None) => (known, false),
        (None, Some(made)) => (Some(made), false),
        (None, None) => return Next::Done(None),
    };
    // The rules of a release go first: while the base rule stands, a crash forgets neither.
    let left_over = wanted.filter(|_| !was_replaced).and_then(|wanted| {
        let is_left = |found: &&Rule| wanted.is_release_rule(found) || wanted.is_preview_rule(found);
        seen.rules.iter().find(is_left)
    });
    left_over.or(base).map_or(Next::Done(None), delete)
}
