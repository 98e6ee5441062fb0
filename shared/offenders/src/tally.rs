//! Who did how much when: every record of a client by its step of [`BUCKET_SECONDS`] and its [`mark`](crate::mark), in
//! bounded memory.
//!
//! The same structure counts the records of one object, and holds the merged window of a deciding pass.
//!
//! **A record that comes twice.** Firehose delivers at least once, so two objects may hold the same record. A window
//! takes what has the same client, step and mark for one record, and counts it once. One object holds a record once:
//! what agrees there are several requests, and they get neighbouring marks, the same ones in each copy of the object. Two
//! records of two objects that agree by chance count as one: with `n` requests of one client in one step, each does
//! with a chance of `n` in 65,536.
//!
//! **What happens when it is full.** Then of what a client did more than [`MOST_IN_A_STEP`] times in one step the rest
//! is dropped. If that is not enough, the lightest half of the clients is dropped, where a plain request weighs 1
//! and an offence [`OFFENCE_WEIGHT`] (the Misra–Gries sketch, pruned at the median as in Apache's `DataSketches`
//! for frequent items). A dropped client that comes back starts again at zero. So a count is never too high, and too low
//! by at most [`Tally::error`] of weight: the sum of the heaviest weights dropped. As long as no more than `c` clients are
//! seen, and their records fit, it is zero, and what is reported is exact up to [`MOST_IN_A_STEP`]. With more clients it is
//! at most `2w/c`, where `w` is the weight of all hits. When the records do not fit, a client may be dropped that weighs
//! more: a [`Room`] has many records for each client. Nobody is ever blocked for what somebody else did.

mod activity;
mod chain;
mod prune;
mod successes;

use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::address::Address;
use crate::classify::{Hit, KeptPath, Kinds};
use crate::{BUCKET_SECONDS, MOST_PATHS};
pub use activity::{Activity, PathTimes, Records, Sample, Successes};
use chain::{Link, tell_apart, unchain, unpack};
pub(crate) use successes::MINUTE;

/// What an offence weighs when clients are dropped; a plain request weighs 1.
pub const OFFENCE_WEIGHT: u32 = 8;

/// Most requests, or offences of one kind, that are kept of one client and step when the tally is full: 200 a second.
pub const MOST_IN_A_STEP: usize = 1024;

/// Most sample requests kept for one client.
pub const MOST_SAMPLES: usize = 4;

/// How much a tally may hold. One client takes 36 bytes and an index of about 7, a record or a minute with successes 8, a
/// suspect 36, a path 12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Clients.
    pub clients: usize,
    /// Requests beyond each client's last, offences, minutes with successes.
    pub records: usize,
    /// Clients with at least one offence.
    pub suspects: usize,
    /// Distinct odd paths of all clients together.
    pub paths: usize,
    /// Sample requests of all clients together, at most about 300 bytes each.
    pub samples: usize,
}

impl Room {
    /// For the window of a pass: half an hour of `clients` with 48 records each on average. At most about 450 bytes for
    /// each client, and almost as much again while room is made.
    pub const fn of_window(clients: usize) -> Self {
        Self { records: clients * 48, ..Self::of(clients) }
    }

    /// For `clients`, in the proportions of mixed traffic: at most about 150 bytes for each client.
    pub const fn of(clients: usize) -> Self {
        Self { clients, records: clients * 12, suspects: clients / 4, paths: clients / 2, samples: 2048 }
    }
}

impl Default for Room {
    /// For one object: about 10 MB for clients with one request each, at most about 30 MB.
    fn default() -> Self {
        Self::of(196_608)
    }
}

const NONE: u32 = u32::MAX;

/// Stands for no step: a client that has made no request.
const NO_STEP: u16 = u16::MAX;

/// Offences are kept in one chain per kind.
pub(crate) const OFFENCES: [Kinds; 6] =
    [Kinds::BLOCKED, Kinds::CREDENTIALS, Kinds::KNOCK, Kinds::REFUSED, Kinds::ACCEPTED, Kinds::VERIFIED];

/// Packed, because a million of them shall fit into little memory.
#[derive(Debug, Clone, Copy)]
#[repr(Rust, packed(4))]
struct Client {
    key: u128,
    weight: u32,
    /// Requests before the last one.
    requests: u32,
    /// Minutes with successes.
    successes: u32,
    suspect: u32,
    /// Step and mark of the last request.
    step: u16,
    mark: u16,
}

#[derive(Debug, Clone, Copy)]
struct Suspect {
    chains: [u32; OFFENCES.len()],
    paths: u32,
    n_paths: u16,
    offences: u32,
}

impl Client {
    /// Its last request.
    fn last(&self) -> Option<u32> {
        (self.step != NO_STEP).then(|| chain::pack(self.step, self.mark))
    }
}

/// One path of one client.
#[derive(Debug, Clone, Copy)]
struct Path {
    kept: KeptPath,
    first: u16,
    last: u16,
    next: u32,
}

/// The tally.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Step number (since 1970) that relative step 0 stands for.
    base: u32,
    index: HashTable<u32>,
    clients: Vec<Client>,
    links: Vec<Link>,
    suspects: Vec<Suspect>,
    paths: Vec<Path>,
    samples: Vec<(u128, Sample)>,
    room: Room,
    secrets: (u64, u64),
    /// See [`Tally::error`].
    error: u64,
    out_of_span: u64,
    /// Whether it holds other tallies, so that what agrees is one record.
    is_merged: bool,
    /// Requests of other tallies before this step are not taken.
    requests_from: u32,
}

/// The step that a time in milliseconds falls into.
#[inline]
pub fn step_of(timestamp: i64) -> Option<u32> {
    let step = timestamp / (i64::try_from(BUCKET_SECONDS).unwrap_or(1) * 1000);
    u32::try_from(step).ok().filter(|_| timestamp >= 0)
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves of a product, folded")]
fn hash(secrets: (u64, u64), key: u128) -> u64 {
    let product = u128::from(key as u64 ^ secrets.0) * u128::from((key >> 64) as u64 ^ secrets.1);
    product as u64 ^ (product >> 64) as u64
}

impl Tally {
    /// An empty tally for times around `around` (a step): about 45 h to either side.
    pub fn new(room: Room, around: u32) -> Self {
        let secret = || RandomState::new().build_hasher().finish() | 1;
        Self {
            base: around.saturating_sub(1 << 15),
            index: HashTable::new(),
            clients: Vec::new(),
            links: Vec::new(),
            suspects: Vec::new(),
            paths: Vec::new(),
            samples: Vec::new(),
            room,
            secrets: (secret(), secret()),
            error: 0,
            out_of_span: 0,
            is_merged: false,
            requests_from: 0,
        }
    }

    /// Takes no requests before `step` of what is merged: they are most of what a window holds, and are needed for a
    /// shorter time than offences.
    #[must_use]
    pub fn with_requests_from(mut self, step: u32) -> Self {
        self.requests_from = step;
        self
    }

    /// How much weight a client's counts may be too low by. Zero: everything is exact.
    pub fn error(&self) -> u64 {
        self.error
    }

    /// Hits that were not counted because their time is too far from the rest.
    pub fn out_of_span(&self) -> u64 {
        self.out_of_span
    }

    /// Number of clients held. When the error is zero, all that were seen.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether no client was seen.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Takes over the error of what is merged into this tally.
    pub fn add_error(&mut self, error: u64, out_of_span: u64) {
        self.error += error;
        self.out_of_span += out_of_span;
    }

    /// Whether a step is near enough to the tally's time to be counted.
    #[inline]
    pub fn spans(&self, step: u32) -> bool {
        step.checked_sub(self.base).is_some_and(|step| step < u32::from(NO_STEP))
    }

    fn relative(&mut self, step: u32) -> Option<u16> {
        let relative = step.checked_sub(self.base).and_then(|step| u16::try_from(step).ok());
        let relative = relative.filter(|&step| step != NO_STEP);
        if relative.is_none() {
            self.out_of_span += 1;
        }
        relative
    }

    #[inline]
    fn client(&mut self, key: u128) -> usize {
        let hash_of = hash(self.secrets, key);
        let clients = &self.clients;
        if let Some(&at) = self.index.find(hash_of, |&at| clients[at as usize].key == key) {
            return at as usize;
        }
        self.insert(key, hash_of)
    }

    fn insert(&mut self, key: u128, hash_of: u64) -> usize {
        if self.clients.len() >= self.room.clients {
            self.drop_lightest(|_| true);
        }
        let at = self.clients.len();
        if at == self.clients.capacity() {
            let more = at.max(64).min(self.room.clients.saturating_sub(at)).max(1);
            self.clients.reserve_exact(more);
        }
        self.clients.push(Client {
            key,
            weight: 0,
            requests: NONE,
            successes: NONE,
            suspect: NONE,
            step: NO_STEP,
            mark: 0,
        });
        let (clients, secrets) = (&self.clients, self.secrets);
        let index = u32::try_from(at).unwrap_or(NONE);
        self.index.insert_unique(hash_of, index, |&at| hash(secrets, clients[at as usize].key));
        at
    }

    /// Counts one request at `step`. Answers whether it is worth keeping as a sample.
    #[inline]
    pub fn hit(&mut self, step: u32, hit: &Hit) -> bool {
        let Some(relative) = self.relative(step) else { return false };
        let key = hit.client.bits();
        let at = self.client(key);
        let mut is_sample = false;
        if hit.kinds.has(Kinds::REQUEST) {
            let client = &mut self.clients[at];
            client.weight = client.weight.saturating_add(1);
            is_sample = client.weight == 64 || client.weight == 512;
            self.add_request(at, relative, hit.mark);
        }
        if hit.kinds.has(Kinds::SUCCESS) {
            self.add_successes(key, relative, 1);
        }
        if hit.kinds.stands_out() || hit.path.is_some() {
            is_sample |= self.offence(key, relative, hit);
        }
        is_sample
    }

    /// Keeps a client's request, and files the one before away.
    #[inline]
    fn add_request(&mut self, at: usize, step: u16, mark: u16) {
        let client = &mut self.clients[at];
        let before = Link { step: client.step, mark: client.mark, next: client.requests };
        (client.step, client.mark) = (step, mark);
        if before.step == NO_STEP {
            return;
        }
        client.requests = u32::try_from(self.links.len()).unwrap_or(NONE);
        self.links.push(before);
        if self.links.len() >= self.room.records {
            self.make_room_for_records();
        }
    }

    fn offence(&mut self, key: u128, step: u16, hit: &Hit) -> bool {
        for (chain, kind) in OFFENCES.into_iter().enumerate() {
            if hit.kinds.has(kind) {
                self.add_offence(key, chain, step, hit.mark);
            }
        }
        if let Some(path) = hit.path {
            self.add_path(key, path, step, step);
        }
        let at = self.client(key);
        let suspect = self.clients[at].suspect;
        self.suspects.get_mut(suspect as usize).is_some_and(|suspect| {
            suspect.offences = suspect.offences.saturating_add(1);
            matches!(suspect.offences, 1 | 4 | 16 | 64)
        })
    }

    /// The client's place among the suspects.
    fn suspect(&mut self, key: u128) -> usize {
        let at = self.client(key);
        let known = self.clients[at].suspect;
        if known != NONE {
            return known as usize;
        }
        if self.suspects.len() >= self.room.suspects {
            self.drop_lightest(|client| client.suspect != NONE);
        }
        // It may have been dropped itself, being new and light.
        let at = self.client(key);
        let suspect = self.suspects.len();
        self.suspects.push(Suspect { chains: [NONE; OFFENCES.len()], paths: NONE, n_paths: 0, offences: 0 });
        self.clients[at].suspect = u32::try_from(suspect).unwrap_or(NONE);
        suspect
    }

    fn add_offence(&mut self, key: u128, chain: usize, step: u16, mark: u16) {
        if self.links.len() >= self.room.records {
            self.make_room_for_records();
        }
        let suspect = self.suspect(key);
        let at = self.client(key);
        let client = &mut self.clients[at];
        client.weight = client.weight.saturating_add(OFFENCE_WEIGHT);
        let next = self.suspects[suspect].chains[chain];
        self.suspects[suspect].chains[chain] = u32::try_from(self.links.len()).unwrap_or(NONE);
        self.links.push(Link { step, mark, next });
    }

    fn add_path(&mut self, key: u128, kept: KeptPath, first: u16, last: u16) {
        if self.paths.len() >= self.room.paths {
            let suspects = self.suspects.clone();
            self.drop_lightest(|client| {
                suspects.get(client.suspect as usize).is_some_and(|suspect| suspect.paths != NONE)
            });
        }
        let suspect = self.suspect(key);
        let mut next = self.suspects[suspect].paths;
        while let Some(path) = self.paths.get_mut(next as usize) {
            if path.kept == kept {
                path.first = path.first.min(first);
                path.last = path.last.max(last);
                return;
            }
            next = path.next;
        }
        let suspect = &mut self.suspects[suspect];
        if u32::from(suspect.n_paths) >= MOST_PATHS {
            return;
        }
        suspect.n_paths += 1;
        let next = suspect.paths;
        suspect.paths = u32::try_from(self.paths.len()).unwrap_or(NONE);
        self.paths.push(Path { kept, first, last, next });
        let at = self.client(key);
        // A path may be kept without the request being an offence of another kind.
        let client = &mut self.clients[at];
        client.weight = client.weight.saturating_add(OFFENCE_WEIGHT);
    }

    /// Keeps a request as evidence, as long as there is room: half of it is for clients with only one offence.
    pub fn keep_sample(&mut self, client: Address, make: impl FnOnce() -> Sample) {
        let key = client.bits();
        let at = self.client(key);
        let offences = self.suspects.get(self.clients[at].suspect as usize).map_or(u32::MAX, |s| s.offences);
        let room = if offences <= 1 { self.room.samples / 2 } else { self.room.samples };
        if self.samples.len() < room {
            self.samples.push((key, make()));
        }
    }

    /// Adds what another tally knows of a client, leaving out what is before `from` or after `until` (steps). What both
    /// know counts once.
    pub fn add(&mut self, client: Address, activity: &Activity, from: u32, until: u32) {
        let key = client.bits();
        let wanted = from..=until;
        self.is_merged = true;
        let wanted_requests = from.max(self.requests_from)..=until;
        for &(step, mark) in activity.requests.iter().filter(|(step, _)| wanted_requests.contains(step)) {
            if let Some(step) = self.relative(step) {
                let at = self.client(key);
                let client = &mut self.clients[at];
                client.weight = client.weight.saturating_add(1);
                self.add_request(at, step, mark);
            }
        }
        for (chain, records) in activity.offences.iter().enumerate() {
            for &(step, mark) in records.iter().filter(|(step, _)| wanted.contains(step)) {
                if let Some(step) = self.relative(step) {
                    self.add_offence(key, chain, step, mark);
                }
            }
        }
        for &(minute, count) in activity.successes.iter().filter(|(minute, _)| wanted.contains(minute)) {
            if let Some(step) = self.relative(minute) {
                self.add_successes(key, step, count);
            }
        }
        for &(kept, first, last) in &activity.paths {
            // A path seen on both sides of the border counts from the border on.
            if last >= from
                && first <= until
                && let (Some(first), Some(last)) =
                    (self.relative(first.max(from)), self.relative(last.min(until)))
            {
                self.add_path(key, kept, first, last);
            }
        }
    }

    /// Adds samples of a client that is held; others have nothing to be evidence of.
    pub fn add_samples(&mut self, client: Address, samples: impl IntoIterator<Item = Sample>) {
        let key = client.bits();
        let clients = &self.clients;
        if self.index.find(hash(self.secrets, key), |&at| clients[at as usize].key == key).is_some() {
            let room = self.room.samples.saturating_sub(self.samples.len());
            self.samples.extend(samples.into_iter().take(room).map(|sample| (key, sample)));
        }
    }

    /// No count is of an earlier step.
    pub fn first_step(&self) -> u32 {
        self.base
    }

    /// Hands over every client in the order of its address.
    pub fn each(&self, mut each: impl FnMut(Address, &Activity)) {
        let mut order: Vec<u32> = (0..u32::try_from(self.clients.len()).unwrap_or(NONE)).collect();
        order.sort_unstable_by_key(|&at| self.clients[at as usize].key);
        let (mut activity, mut scratch) = (Activity::default(), Vec::new());
        for at in order {
            let client = &self.clients[at as usize];
            self.read(client, &mut activity, &mut scratch);
            each(Address::from_bits(client.key), &activity);
        }
    }

    #[inline]
    fn absolute(&self, record: u32) -> (u32, u16) {
        let (step, mark) = unpack(record);
        (self.base + u32::from(step), mark)
    }

    fn read(&self, client: &Client, activity: &mut Activity, scratch: &mut Vec<u32>) {
        let mut read = |last: Option<u32>, chain: u32, records: &mut Records| {
            records.clear();
            if chain == NONE {
                records.extend(last.map(|last| self.absolute(last)));
                return;
            }
            scratch.clear();
            scratch.extend(last);
            unchain(&self.links, chain, scratch);
            tell_apart(scratch, self.is_merged);
            records.extend(scratch.iter().map(|&record| self.absolute(record)));
        };
        read(client.last(), client.requests, &mut activity.requests);
        self.read_successes(client, &mut activity.successes);
        let suspect = self.suspects.get(client.suspect as usize);
        for (kind, records) in activity.offences.iter_mut().enumerate() {
            read(None, suspect.map_or(NONE, |suspect| suspect.chains[kind]), records);
        }
        activity.paths.clear();
        let mut next = suspect.map_or(NONE, |suspect| suspect.paths);
        while let Some(path) = self.paths.get(next as usize) {
            let (first, last) = (self.base + u32::from(path.first), self.base + u32::from(path.last));
            activity.paths.push((path.kept, first, last));
            next = path.next;
        }
        activity.paths.sort_unstable();
    }

    /// Samples by client, in the order of address and time.
    pub fn samples(&self) -> Vec<(Address, &Sample)> {
        let mut samples: Vec<_> = self.samples.iter().map(|(key, s)| (Address::from_bits(*key), s)).collect();
        samples.sort_unstable();
        samples.dedup();
        samples
    }
}
