//! The function's world in memory, with faults on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use greenlight::failure::{Class, Failure};
use jiff::Timestamp;
use offenders::entries::{Family, Purpose, Set};
use offenders::state::State;

use crate::keys;
use crate::ports::{
    Body, Clock, IpSet, IpSets, LogObject, Logs, Opened, Pause, PortResult, Store, Tag, Topic,
};

/// A call that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// [`Logs::open`].
    Open,
    /// [`Store`]'s reads.
    Read,
    /// [`Store`]'s writes.
    Write,
    /// [`IpSets::read_set`].
    ReadSet,
    /// [`IpSets::replace_set`].
    ReplaceSet,
    /// [`Topic::publish`].
    Publish,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The call fails and nothing is done.
    Before,
    /// It is done, but the answer is lost.
    After,
    /// Somebody else puts this entry into the set first, so that the lock token is stale.
    SomebodyAdds(&'static str),
    /// Somebody else writes the document first.
    SomebodyWrites,
    /// Another pass has lifted all bans and emptied the set first.
    SomebodyLiftsAll,
    /// The call panics, as the SDK does on what it did not foresee.
    Panic,
}

/// Everything outside.
#[derive(Debug, Default)]
pub struct World(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    now: Timestamp,
    logs: BTreeMap<(String, String), (Vec<u8>, Timestamp)>,
    documents: BTreeMap<String, (Vec<u8>, u64)>,
    versions: u64,
    sets: BTreeMap<Set, (Vec<String>, u64)>,
    updates: Vec<(Set, Vec<String>)>,
    messages: Vec<(String, String)>,
    pauses: Vec<Duration>,
    faults: VecDeque<(Call, Option<Fault>)>,
    n_opened: usize,
}

impl World {
    /// An empty world at this time.
    pub fn at(now: Timestamp) -> Self {
        let world = Self::default();
        world.inside().now = now;
        world
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass.
    pub fn pass_time(&self, seconds: i64) {
        let mut inside = self.inside();
        inside.now = Timestamp::from_second(inside.now.as_second() + seconds).unwrap_or(inside.now);
    }

    /// Puts a log object there, written now.
    pub fn put_log(&self, key: &str, bytes: Vec<u8>) -> LogObject {
        let mut inside = self.inside();
        let now = inside.now;
        inside.logs.insert(("aws-waf-logs-shop".to_owned(), key.to_owned()), (bytes, now));
        LogObject { bucket: "aws-waf-logs-shop".to_owned(), key: key.to_owned(), version: None }
    }

    /// Puts a document there.
    pub fn put_document(&self, key: &str, bytes: &[u8]) {
        let mut inside = self.inside();
        inside.versions += 1;
        let version = inside.versions;
        inside.documents.insert(key.to_owned(), (bytes.to_vec(), version));
    }

    /// A document.
    pub fn document(&self, key: &str) -> Option<Vec<u8>> {
        self.inside().documents.get(key).map(|(bytes, _)| bytes.clone())
    }

    /// The keys of all documents.
    pub fn documents(&self) -> Vec<String> {
        self.inside().documents.keys().cloned().collect()
    }

    /// What a set holds, in order.
    pub fn set(&self, purpose: Purpose, family: Family) -> Vec<String> {
        let mut entries = self.inside().sets.entry(Set { purpose, family }).or_default().0.clone();
        entries.sort();
        entries
    }

    /// Somebody else's change of a set of those who are blocked.
    pub fn change_set(&self, family: Family, change: impl FnOnce(&mut Vec<String>)) {
        let mut inside = self.inside();
        let set = inside.sets.entry(Set { purpose: Purpose::Block, family }).or_default();
        change(&mut set.0);
        set.1 += 1;
    }

    /// Every change that was asked of WAF, in order.
    pub fn updates(&self) -> Vec<(Set, Vec<String>)> {
        self.inside().updates.clone()
    }

    /// Every message sent.
    pub fn messages(&self) -> Vec<(String, String)> {
        self.inside().messages.clone()
    }

    /// Every pause made.
    pub fn pauses(&self) -> Vec<Duration> {
        self.inside().pauses.clone()
    }

    /// How many objects were opened.
    pub fn opened(&self) -> usize {
        self.inside().n_opened
    }

    /// Makes the next such call go wrong; several faults wait in order.
    pub fn fail(&self, call: Call, fault: Fault) {
        self.inside().faults.push_back((call, Some(fault)));
    }

    /// Lets the next such call through, before the faults that follow.
    pub fn skip(&self, call: Call) {
        self.inside().faults.push_back((call, None));
    }

    /// Takes back the faults that still wait.
    pub fn heal(&self) {
        self.inside().faults.clear();
    }

    fn fault(inside: &mut Inside, call: Call) -> Option<Fault> {
        let at = inside.faults.iter().position(|(wanted, _)| *wanted == call)?;
        inside.faults.remove(at).and_then(|(_, fault)| fault)
    }
}

impl Inside {
    fn lift_all(&mut self, set: Set) {
        self.versions += 1;
        if let Some((document, version)) = self.documents.get_mut(keys::STATE)
            && let Ok(mut state) = serde_json::from_slice::<State>(document)
        {
            state.bans.clear();
            *document = serde_json::to_vec(&state).unwrap_or_default();
            *version = self.versions;
        }
        let set = self.sets.entry(set).or_default();
        *set = (Vec::new(), set.1 + 1);
    }
}

#[expect(clippy::panic, reason = "the test's fault")]
fn bug() {
    panic!("the test's fault");
}

fn failed() -> Failure {
    Failure::new(Class::Transient, "the test's fault; nothing was done")
}

fn lost() -> Failure {
    Failure::new(Class::OutcomeUnknown, "the test's fault; the answer was lost")
}

/// Bytes in uneven pieces.
#[derive(Debug)]
pub struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    async fn next(&mut self) -> PortResult<Option<Bytes>> {
        Ok(self.0.pop_front())
    }
}

impl Logs for World {
    type Body = Pieces;

    async fn open(&self, object: &LogObject) -> PortResult<Opened<Pieces>> {
        let mut inside = self.inside();
        match Self::fault(&mut inside, Call::Open) {
            Some(Fault::Panic) => bug(),
            Some(_) => return Err(failed()),
            None => {}
        }
        inside.n_opened += 1;
        let (bytes, written) = inside
            .logs
            .get(&(object.bucket.clone(), object.key.clone()))
            .ok_or_else(|| Failure::new(Class::Permanent, format!("{object} is not there")))?;
        let pieces = bytes.chunks(1013).map(Bytes::copy_from_slice).collect();
        let etag = format!("{:016x}", offenders::path::hash(bytes));
        Ok(Opened { etag, written: *written, body: Pieces(pieces) })
    }
}

impl Store for World {
    async fn read(&self, key: &str) -> PortResult<Option<(Bytes, Tag)>> {
        let mut inside = self.inside();
        if Self::fault(&mut inside, Call::Read).is_some() {
            return Err(failed());
        }
        let document = inside.documents.get(key);
        Ok(document.map(|(bytes, version)| (Bytes::copy_from_slice(bytes), Tag(version.to_string()))))
    }

    async fn exists(&self, key: &str) -> PortResult<bool> {
        Ok(self.inside().documents.contains_key(key))
    }

    async fn create(&self, key: &str, bytes: Vec<u8>) -> PortResult<bool> {
        self.replace(key, bytes, None).await
    }

    async fn replace(&self, key: &str, bytes: Vec<u8>, expected: Option<&Tag>) -> PortResult<bool> {
        let mut inside = self.inside();
        let fault = Self::fault(&mut inside, Call::Write);
        if fault == Some(Fault::Before) {
            return Err(failed());
        }
        inside.versions += 1;
        let version = inside.versions;
        if fault == Some(Fault::SomebodyWrites) {
            if let Some(document) = inside.documents.get_mut(key) {
                document.1 = version;
            }
            return Ok(false);
        }
        let present = inside.documents.get(key).map(|(_, version)| version.to_string());
        if present != expected.map(|Tag(tag)| tag.clone()) {
            return Ok(false);
        }
        inside.documents.insert(key.to_owned(), (bytes, version));
        if fault == Some(Fault::After) { Err(lost()) } else { Ok(true) }
    }

    async fn write(&self, key: &str, bytes: Vec<u8>) -> PortResult<()> {
        if Self::fault(&mut self.inside(), Call::Write).is_some() {
            return Err(failed());
        }
        self.put_document(key, &bytes);
        Ok(())
    }

    async fn list(&self, prefix: &str, after: &str) -> PortResult<Vec<String>> {
        let inside = self.inside();
        let keys = inside.documents.keys().filter(|key| key.starts_with(prefix) && key.as_str() > after);
        Ok(keys.cloned().collect())
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        self.inside().documents.remove(key);
        Ok(())
    }
}

impl IpSets for World {
    async fn read_set(&self, set: Set) -> PortResult<IpSet> {
        let mut inside = self.inside();
        if Self::fault(&mut inside, Call::ReadSet).is_some() {
            return Err(failed());
        }
        let (entries, lock) = inside.sets.entry(set).or_default().clone();
        Ok(IpSet { entries, lock: lock.to_string() })
    }

    async fn replace_set(&self, which: Set, entries: Vec<String>, lock: &str) -> PortResult<bool> {
        let mut inside = self.inside();
        let fault = Self::fault(&mut inside, Call::ReplaceSet);
        if fault == Some(Fault::Before) {
            return Err(failed());
        }
        if fault == Some(Fault::SomebodyLiftsAll) {
            inside.lift_all(which);
        }
        let set = inside.sets.entry(which).or_default();
        if let Some(Fault::SomebodyAdds(entry)) = fault {
            set.0.push(entry.to_owned());
            set.1 += 1;
        }
        if set.1.to_string() != lock {
            return Ok(false);
        }
        if entries.len() > offenders::entries::MOST_ENTRIES {
            return Err(Failure::new(Class::Permanent, "WAFLimitsExceededException"));
        }
        *set = (entries.clone(), set.1 + 1);
        inside.updates.push((which, entries));
        if fault == Some(Fault::After) { Err(lost()) } else { Ok(true) }
    }
}

impl Topic for World {
    async fn publish(&self, subject: &str, text: &str) -> PortResult<()> {
        let mut inside = self.inside();
        if Self::fault(&mut inside, Call::Publish).is_some() {
            return Err(failed());
        }
        inside.messages.push((subject.to_owned(), text.to_owned()));
        Ok(())
    }
}

impl Pause for World {
    async fn pause(&self, time: Duration) {
        self.inside().pauses.push(time);
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        self.inside().now
    }
}
