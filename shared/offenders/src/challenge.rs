//! Whom WAF challenges while many try credentials: the step between announcing a campaign and blocking somebody. Pure.
//!
//! A browser answers a challenge by itself, and its user notices nothing. So it may meet those of whom it is not known
//! yet whether they go on, and who would be blocked too early. A program that is no browser cannot answer it, so it
//! meets nobody on whose address other things go well.

use ipnet::IpNet;
use jiff::Timestamp;

use crate::address::Networks;
use crate::configuration::Configuration;
use crate::decide::after;
use crate::entries::{Family, MOST_ENTRIES};
use crate::judge::{failures, step_at, time_of};
use crate::site::Site;
use crate::state::{Challenged, State};
use crate::tally::Activity;

/// Who mistypes once is challenged by nobody.
const FAILURES: usize = 2;

/// Looks at a client that is neither blocked nor excused from blocking, and challenges it, goes on to, or ends it. A
/// challenge lasts as long as a first ban, from the last time that it was due or met.
pub(crate) fn look_at(
    network: IpNet,
    activity: &Activity,
    configuration: &Configuration,
    site: &Site,
    state: &mut State,
    now: Timestamp,
) {
    let ignore_until = state.past.get(&network).map(|past| step_at(past.ended));
    let Some(failures) = failures(activity, configuration, site, ignore_until) else {
        // Who gets in, or goes on to do other things, is rid of it at once.
        if !(activity.accepted().is_empty() && activity.successes.is_empty()) {
            state.challenged.remove(&network);
        }
        return extend(network, activity.last_challenge(), configuration, state);
    };
    if site.campaign && failures.len() >= FAILURES {
        state.challenged.entry(network).or_insert(Challenged { since: now, until: now });
    }
    extend(network, failures.last().copied().max(activity.last_challenge()), configuration, state);
}

fn extend(network: IpNet, last: Option<u32>, configuration: &Configuration, state: &mut State) {
    let (Some(challenged), Some(last)) = (state.challenged.get_mut(&network), last) else { return };
    challenged.until = challenged.until.max(after(time_of(last + 1), configuration.ban.time.0));
}

/// Ends what is over, what has become a ban or is allowed, and of each family what a set has no room for, the oldest first.
pub(crate) fn end(state: &mut State, never: &Networks, now: Timestamp) {
    let State { challenged, bans, .. } = state;
    challenged.retain(|network, challenged| {
        challenged.until > now && !bans.contains_key(network) && !never.overlaps(network)
    });
    for family in [Family::V4, Family::V6] {
        let of_family = || challenged.iter().filter(|(network, _)| family.holds(network));
        let Some(surplus) = of_family().count().checked_sub(MOST_ENTRIES).filter(|surplus| *surplus > 0)
        else {
            continue;
        };
        let mut oldest: Vec<(Timestamp, IpNet)> =
            of_family().map(|(network, challenged)| (challenged.until, *network)).collect();
        oldest.sort_unstable();
        for (_, network) in oldest.into_iter().take(surplus) {
            challenged.remove(&network);
        }
    }
}
