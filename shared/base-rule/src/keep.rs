//! The stack is created or updated: the base rule is there, as the template wants it.

use crate::wanted::names;
use crate::{Change, Next, Owner, Refusal, Rule, Seen, Wanted, listener_of};
use release::{Colour, Reading, RuleArn, Weights};

/// The next step towards `wanted`. `before` is what the template wanted until now, and `rule` the base rule that the
/// stack knows; neither is there when the stack is created.
///
/// Only what the template changes is changed: what somebody else did to the rule by hand stays, as CloudFormation has it
/// with rules of its own.
pub fn keep(
    owner: &Owner,
    wanted: &Wanted,
    before: Option<&Wanted>,
    rule: Option<&RuleArn>,
    seen: &Seen,
) -> Next {
    if let Err(refusal) = wanted.check() {
        return Next::Refused(refusal);
    }
    if let Some(rule) = rule.filter(|rule| listener_of(&rule.0).as_ref() != Some(&wanted.listener)) {
        let service = wanted.service.clone();
        return Next::Refused(Refusal::ListenerChanged { service, rule: rule.clone() });
    }
    // The stack's own, or one that was made when the stack did not hear of it.
    let known = rule.and_then(|rule| seen.rule(rule));
    match known.or_else(|| seen.rules.iter().find(|rule| owner.owns(rule))) {
        Some(base) => change(wanted, before, base, seen),
        None => make(wanted, rule.is_some(), seen),
    }
}

/// `again`: it was there before, and without it nobody reaches the service.
fn make(wanted: &Wanted, again: bool, seen: &Seen) -> Next {
    // A release may be open whose base rule was deleted by hand: its rule stays.
    let open = seen.at(wanted.reserved()).filter(|rule| wanted.is_release_rule(rule));
    let preview = seen.rules.iter().find(|rule| wanted.is_preview_rule(rule));
    let own: Vec<&Rule> = open.into_iter().chain(preview).collect();
    // Without a place for its preview a release goes on all the same, and says so.
    let refusal = taken(wanted, &own, seen).filter(|refusal| !(again && is_of_preview(wanted, refusal)));
    if let Some(refusal) = refusal {
        return Next::Refused(refusal);
    }
    match &seen.live {
        Reading::NotRead => Next::ReadLedger,
        Reading::Unknown(why) => {
            Next::Refused(Refusal::LiveUnknown { service: wanted.service.clone(), why: why.clone() })
        }
        // The first release goes to blue.
        Reading::Known(live) => Next::Change(Change::Create(Weights::all_on(live.unwrap_or(Colour::Blue)))),
    }
}

fn change(wanted: &Wanted, before: Option<&Wanted>, base: &Rule, seen: &Seen) -> Next {
    let moves = base.priority != wanted.priority && before.is_none_or(|old| old.priority != wanted.priority);
    let renames = before.is_none_or(|old| names(&old.hosts) != names(&wanted.hosts));
    let regroups = before.is_none_or(|old| old.groups != wanted.groups);
    let (service, rule) = (wanted.service.clone(), base.arn.clone());
    if let Some(was) = wanted.another_service_than(base) {
        return Next::Refused(Refusal::ServiceChanged { service, was: was.to_owned(), rule });
    }
    if regroups && !wanted.has_groups_of(base) {
        return Next::Refused(Refusal::GroupsChanged { service, rule });
    }
    let open = release_rule(wanted, base, seen);
    let preview = seen.rules.iter().find(|rule| wanted.is_preview_rule(rule));
    if moves {
        let places = [
            (Some(base), wanted.priority),
            (open, wanted.reserved()),
            (preview, wanted.reserved_for_preview()),
        ];
        let own: Vec<(&Rule, u32)> =
            places.into_iter().filter_map(|(rule, place)| Some((rule?, place))).collect();
        if let Some(refusal) = taken(wanted, &own.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), seen) {
            return Next::Refused(refusal);
        }
        // All at once: between two calls a release's rule would stand behind its base rule, or be taken for nobody's.
        return Next::Change(Change::Move(
            own.iter().map(|(rule, place)| (rule.arn.clone(), *place)).collect(),
        ));
    }
    let own: Vec<&Rule> = [Some(base), open].into_iter().flatten().collect();
    // The base rule first: whenever the release's rule is deleted, the base rule answers for all that is wanted. A preview's
    // rule keeps its hosts: without its header it would lead everybody to the candidate.
    match own.iter().find(|rule| renames && !wanted.has_hosts_of(rule)) {
        Some(rule) => Next::Change(Change::SetHosts(rule.arn.clone())),
        None => Next::Done(Some(rule)),
    }
}

/// The rule of the release that is open.
fn release_rule<'a>(wanted: &Wanted, base: &Rule, seen: &'a Seen) -> Option<&'a Rule> {
    let reserved = base.priority.checked_sub(1)?;
    seen.at(reserved).filter(|rule| wanted.is_release_rule(rule))
}

/// Whether only a preview lacks its place. It is the last that is looked at.
fn is_of_preview(wanted: &Wanted, refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::ReservedTaken { priority, .. } if *priority == wanted.reserved_for_preview())
}

/// Who else than `own` stands where the base rule is to go, or in the two places before it.
fn taken(wanted: &Wanted, own: &[&Rule], seen: &Seen) -> Option<Refusal> {
    let stranger = |priority| {
        let found = seen.at(priority)?;
        let is_own = own.iter().any(|rule| rule.arn == found.arn);
        (!is_own).then(|| (priority, found.arn.clone(), wanted.service.clone()))
    };
    if let Some((priority, by, service)) = stranger(wanted.priority) {
        return Some(Refusal::Taken { priority, by, service });
    }
    let reserved = [wanted.reserved(), wanted.reserved_for_preview()];
    let base = wanted.priority;
    let (priority, by, service) = reserved.into_iter().find_map(stranger)?;
    Some(Refusal::ReservedTaken { priority, by, service, base })
}
