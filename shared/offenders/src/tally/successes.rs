//! What the application answered with success, by client and minute. Only how much it was matters, so no record is told
//! from another: a load balancer delivers an object once, and reading it twice counts nothing twice.

use super::chain::Link;
use super::{Client, NONE, Successes, Tally};

/// Steps in a minute.
pub(crate) const MINUTE: u32 = 12;

impl Tally {
    /// Counts `count` successes of a client in the minute of `step`.
    #[inline]
    pub(super) fn add_successes(&mut self, key: u128, step: u16, count: u32) {
        if self.links.len() >= self.room.records {
            self.make_room_for_records();
        }
        // The same minutes in every tally: those of the clock.
        let absolute = self.base + u32::from(step);
        let minute = u16::try_from((absolute - absolute % MINUTE).saturating_sub(self.base)).unwrap_or(step);
        let at = self.client(key);
        let client = &mut self.clients[at];
        client.weight = client.weight.saturating_add(count);
        let next = client.successes;
        if let Some(link) = self.links.get_mut(next as usize)
            && link.step == minute
        {
            link.mark = u16::try_from(u32::from(link.mark).saturating_add(count)).unwrap_or(u16::MAX);
            return;
        }
        self.clients[at].successes = u32::try_from(self.links.len()).unwrap_or(NONE);
        self.links.push(Link { step: minute, mark: u16::try_from(count).unwrap_or(u16::MAX), next });
    }

    pub(super) fn read_successes(&self, client: &Client, successes: &mut Successes) {
        successes.clear();
        let mut next = client.successes;
        while let Some(link) = self.links.get(next as usize) {
            successes.push((self.base + u32::from(link.step), u32::from(link.mark)));
            next = link.next;
        }
        successes.sort_unstable();
        successes.dedup_by(|next, one| {
            let is_same = next.0 == one.0;
            if is_same {
                one.1 += next.1;
            }
            is_same
        });
    }
}

/// Lays a client's minutes anew into `kept`.
pub(super) fn rebuilt(links: &[Link], mut next: u32, kept: &mut Vec<Link>) -> u32 {
    let mut minutes: Vec<(u16, u16)> = Vec::new();
    while let Some(link) = links.get(next as usize) {
        minutes.push((link.step, link.mark));
        next = link.next;
    }
    minutes.sort_unstable();
    let mut head = NONE;
    let mut last = None;
    for (step, mark) in minutes {
        if let Some(link) = kept.last_mut().filter(|_| last == Some(step)) {
            link.mark = link.mark.saturating_add(mark);
            continue;
        }
        last = Some(step);
        let place = u32::try_from(kept.len()).unwrap_or(NONE);
        kept.push(Link { step, mark, next: head });
        head = place;
    }
    head
}
