//! What the function needs from the outside, in small traits. [`crate::aws::Aws`] has the real ones,
//! `testing::World` has them in memory.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use greenlight::failure::Excerpt;
pub use greenlight::ports::{Clock, PortResult};
use jiff::Timestamp;
use offenders::entries::Set;

/// A log object to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogObject {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Its version, when the bucket keeps versions.
    pub version: Option<String>,
}

impl std::fmt::Display for LogObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", Excerpt(&self.bucket), Excerpt(&self.key))
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct Opened<B> {
    /// S3's tag of these bytes.
    pub etag: String,
    /// When it was written.
    pub written: Timestamp,
    /// Its bytes, as they come.
    pub body: B,
}

/// Bytes that come in pieces.
pub trait Body: Send {
    /// The next piece; `None` at the end.
    fn next(&mut self) -> impl Future<Output = PortResult<Option<Bytes>>> + Send;
}

/// The web ACL's log objects.
pub trait Logs: Sync {
    /// A body of theirs.
    type Body: Body;

    /// Opens an object. What is not there is a permanent failure.
    fn open(&self, object: &LogObject) -> impl Future<Output = PortResult<Opened<Self::Body>>> + Send;
}

/// The version of a stored document, for compare-and-swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(pub String);

/// The state bucket.
pub trait Store: Sync {
    /// A document and its version; `None` when there is none.
    fn read(&self, key: &str) -> impl Future<Output = PortResult<Option<(Bytes, Tag)>>> + Send;

    /// Whether there is a document.
    fn exists(&self, key: &str) -> impl Future<Output = PortResult<bool>> + Send;

    /// Writes a document if there is none yet; `false` when there is.
    fn create(&self, key: &str, bytes: Vec<u8>) -> impl Future<Output = PortResult<bool>> + Send;

    /// Writes a document if it still has this version, or is still absent; `false` when another writer was first.
    fn replace(
        &self,
        key: &str,
        bytes: Vec<u8>,
        expected: Option<&Tag>,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Writes a document, whatever is there.
    fn write(&self, key: &str, bytes: Vec<u8>) -> impl Future<Output = PortResult<()>> + Send;

    /// The keys under `prefix` that come after `after`, in order.
    fn list(&self, prefix: &str, after: &str) -> impl Future<Output = PortResult<Vec<String>>> + Send;

    /// Deletes a document; one that is not there is no failure.
    fn delete(&self, key: &str) -> impl Future<Output = PortResult<()>> + Send;
}

/// What an IP set holds, as WAF spells it, and the token for changing exactly that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpSet {
    /// Its entries.
    pub entries: Vec<String>,
    /// WAF's lock token.
    pub lock: String,
}

/// Our IP sets.
pub trait IpSets: Sync {
    /// Reads a set.
    fn read_set(&self, set: Set) -> impl Future<Output = PortResult<IpSet>> + Send;

    /// Replaces a set's entries; `false` when the lock token is stale, because another writer was first.
    fn replace_set(
        &self,
        set: Set,
        entries: Vec<String>,
        lock: &str,
    ) -> impl Future<Output = PortResult<bool>> + Send;
}

/// Where people hear of it.
pub trait Topic: Sync {
    /// Sends one message. Without a topic nothing happens.
    fn publish(&self, subject: &str, text: &str) -> impl Future<Output = PortResult<()>> + Send;
}

/// Waiting. Only the edge really does.
pub trait Pause: Sync {
    /// Waits for this time.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// All of them.
pub trait Ports: Logs + Store + IpSets + Topic + Pause + Clock {}

impl<T: Logs + Store + IpSets + Topic + Pause + Clock> Ports for T {}
