//! What a tally does when it is full: neighbours in time are put together, then the lightest clients go.

use super::{Client, NONE, Path, Run, Tally, hash};

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
        let old = std::mem::take(&mut self.clients);
        let mut kept = Vec::new();
        for client in old {
            let goes = use_it(&client)
                && (client.weight < floor
                    || (client.weight == floor && of_floor > 0 && {
                        of_floor -= 1;
                        true
                    }));
            if !goes {
                kept.push(client);
            }
        }
        self.error += u64::from(floor);
        self.rebuild(kept);
    }

    /// Makes room for runs: first by putting those of the same step together, then by dropping clients.
    #[cold]
    pub(super) fn make_room_for_runs(&mut self) {
        let kept = std::mem::take(&mut self.clients);
        self.rebuild(kept);
        if self.runs.len() > self.room.runs / 4 * 3 {
            self.drop_lightest(|client| client.runs != NONE || client.suspect != NONE);
        }
    }

    /// Lays everything out anew for the clients in `kept`; the others are gone.
    fn rebuild(&mut self, mut kept: Vec<Client>) {
        let runs = std::mem::take(&mut self.runs);
        let suspects = std::mem::take(&mut self.suspects);
        let paths = std::mem::take(&mut self.paths);
        let mut chain = Vec::new();
        let mut move_runs = |mut next: u32| -> u32 {
            chain.clear();
            while let Some(run) = runs.get(next as usize) {
                chain.push((run.step, u32::from(run.count)));
                next = run.next;
            }
            chain.sort_unstable();
            merge_steps(&mut chain);
            let mut head = NONE;
            for &(step, count) in &chain {
                for count in portions(count) {
                    let place = u32::try_from(self.runs.len()).unwrap_or(NONE);
                    self.runs.push(Run { step, count, next: head });
                    head = place;
                }
            }
            head
        };
        for client in &mut kept {
            client.runs = move_runs(client.runs);
            let Some(suspect) = suspects.get(client.suspect as usize) else { continue };
            let mut suspect = *suspect;
            for head in &mut suspect.runs {
                *head = move_runs(*head);
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

/// Puts neighbours with the same step together; `counts` is in order.
pub(super) fn merge_steps<S: PartialEq>(counts: &mut Vec<(S, u32)>) {
    counts.dedup_by(|later, earlier| {
        let is_same = later.0 == earlier.0;
        if is_same {
            earlier.1 = earlier.1.saturating_add(later.1);
        }
        is_same
    });
}

pub(super) fn portions(mut count: u32) -> impl Iterator<Item = u16> {
    std::iter::from_fn(move || {
        let portion = u16::try_from(count).unwrap_or(u16::MAX);
        count -= u32::from(portion);
        (portion > 0).then_some(portion)
    })
}
