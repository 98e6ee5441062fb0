//! What a tally does when it is full: it keeps less of what the busiest clients did, then the lightest clients go.

use super::chain::{Link, tell_apart, unchain, unpack};
use super::successes::rebuilt;
use super::{Client, MOST_IN_A_STEP, NO_STEP, NONE, Path, Tally, hash};

impl Tally {
    /// Makes room: drops the lighter half of the clients that `use_it`, the resource that has run out.
    #[cold]
    pub(super) fn drop_lightest(&mut self, use_it: impl Fn(&Client) -> bool) {
        let mut weights: Vec<u32> = self.clients.iter().filter(|c| use_it(c)).map(|c| c.weight).collect();
        if weights.is_empty() {
            return;
        }
        let middle = weights.len() / 2;
        let (_, &mut floor, _) = weights.select_nth_unstable(middle);
        let lighter = weights.iter().filter(|&&weight| weight < floor).count();
        // Of those that weigh exactly the floor, as many go as are needed for the half, and one more.
        let mut of_floor = middle + 1 - lighter.min(middle);
        drop(weights);
        let mut kept = std::mem::take(&mut self.clients);
        kept.retain(|client| {
            let goes = use_it(client)
                && (client.weight < floor
                    || (client.weight == floor && of_floor > 0 && {
                        of_floor -= 1;
                        true
                    }));
            !goes
        });
        self.error += u64::from(floor);
        self.rebuild(kept);
    }

    /// Makes room for records: first by keeping at most [`MOST_IN_A_STEP`] of each client and step, then by dropping
    /// clients.
    #[cold]
    pub(super) fn make_room_for_records(&mut self) {
        let kept = std::mem::take(&mut self.clients);
        self.rebuild(kept);
        while self.links.len() > self.room.records / 4 * 3 && !self.clients.is_empty() {
            self.drop_lightest(|client| {
                client.requests != NONE || client.suspect != NONE || client.successes != NONE
            });
        }
    }

    /// Lays everything out anew for the clients in `kept`; the others are gone.
    fn rebuild(&mut self, mut kept: Vec<Client>) {
        let links = std::mem::take(&mut self.links);
        let (is_merged, room) = (self.is_merged, self.room.records);
        let suspects = std::mem::take(&mut self.suspects);
        let paths = std::mem::take(&mut self.paths);
        let mut records = Vec::new();
        let mut keep = |last: Option<u32>, chain: u32, kept: &mut Vec<Link>| -> u32 {
            records.clear();
            records.extend(last);
            unchain(&links, chain, &mut records);
            tell_apart(&mut records, is_merged);
            if links.len() >= room {
                keep_few(&mut records);
            }
            let mut head = NONE;
            for &record in &records {
                let (step, mark) = unpack(record);
                let place = u32::try_from(kept.len()).unwrap_or(NONE);
                kept.push(Link { step, mark, next: head });
                head = place;
            }
            head
        };
        for client in &mut kept {
            client.requests = keep(client.last(), client.requests, &mut self.links);
            (client.step, client.mark) = (NO_STEP, 0);
            // The last request stays with the client.
            if let Some(last) = self.links.pop_if(|_| client.requests != NONE) {
                (client.step, client.mark, client.requests) = (last.step, last.mark, last.next);
            }
            client.successes = rebuilt(&links, client.successes, &mut self.links);
            let Some(suspect) = suspects.get(client.suspect as usize) else { continue };
            let mut suspect = *suspect;
            for head in &mut suspect.chains {
                *head = keep(None, *head, &mut self.links);
            }
            let mut next = suspect.paths;
            suspect.paths = NONE;
            while let Some(path) = paths.get(next as usize) {
                let place = u32::try_from(self.paths.len()).unwrap_or(NONE);
                self.paths.push(Path { next: suspect.paths, ..*path });
                suspect.paths = place;
                next = path.next;
            }
            client.suspect = u32::try_from(self.suspects.len()).unwrap_or(NONE);
            self.suspects.push(suspect);
        }
        self.clients = kept;
        self.index.clear();
        let (clients, secrets) = (&self.clients, self.secrets);
        for (at, client) in clients.iter().enumerate() {
            self.index.insert_unique(hash(secrets, client.key), u32::try_from(at).unwrap_or(NONE), |&at| {
                hash(secrets, clients[at as usize].key)
            });
        }
        let index = &self.index;
        self.samples.retain(|(key, _)| {
            index.find(hash(secrets, *key), |&at| clients[at as usize].key == *key).is_some()
        });
    }
}

/// Of each step the records with the lowest marks, so that every copy of an object keeps the same ones.
fn keep_few(records: &mut Vec<u32>) {
    let (mut step, mut n_kept) = (None, 0);
    records.retain(|&record| {
        if step != Some(record >> 16) {
            (step, n_kept) = (Some(record >> 16), 0);
        }
        n_kept += 1;
        n_kept <= MOST_IN_A_STEP
    });
}
