//! What one record means to the detectors: whose request it is, and what it counts as. Pure.

use std::hash::{BuildHasher, Hasher, RandomState};

use aho_corasick::AhoCorasick;

use crate::access::Access;
use crate::action::WafAction;
use crate::address::{Address, Networks};
use crate::configuration::Configuration;
use crate::credentials::{CredentialPaths, Place};
use crate::json::Text;
use crate::mark;
use crate::path;
use crate::probes::{Probe, Probes, automaton};
use crate::record::Record;

/// What a request counts as; several at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Any request that reached the rules behind our own block.
    pub const REQUEST: Self = Self(1);
    /// Blocked by a rule of the web ACL.
    pub const BLOCKED: Self = Self(2);
    /// Sent to a place where credentials are tried. WAF's log does not say what was answered.
    pub const CREDENTIALS: Self = Self(4);
    /// Blocked by the rule that enforces our own IP sets: the client goes on knocking.
    pub const KNOCK: Self = Self(8);
    /// The application refused credentials.
    pub const REFUSED: Self = Self(16);
    /// The application accepted credentials.
    pub const ACCEPTED: Self = Self(32);
    /// AWS has verified that this is the crawler that it says it is.
    pub const VERIFIED: Self = Self(64);
    /// The application answered with what was asked for, or led on: 1xx, 2xx, 3xx.
    pub const SUCCESS: Self = Self(128);

    /// Whether all of `other` is in it.
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[inline]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is more to it than a request and its success.
    #[inline]
    pub(crate) const fn stands_out(self) -> bool {
        self.0 & !(Self::REQUEST.0 | Self::SUCCESS.0) != 0
    }
}

/// Why a path is kept of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// Something that scanners look for, and that is not here.
    Probed,
    /// Something else that is not here.
    Missing,
    /// WAF asked for a token here, and got none.
    Challenged,
    /// A secret, of which WAF's log does not say whether it is here.
    Asked,
}

/// A path of a client: which one, and why it is kept. Thirty bits tell it from the client's others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeptPath(u32);

impl KeptPath {
    /// From a path's hash.
    pub const fn new(hash: u32, kind: PathKind) -> Self {
        Self(hash & !3 | kind as u32)
    }

    /// As it is stored.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// As it was stored.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The same path, kept for another reason.
    pub(crate) const fn of_kind(self, kind: PathKind) -> Self {
        Self::new(self.0, kind)
    }

    /// Why it is kept.
    pub const fn kind(self) -> PathKind {
        match self.0 & 3 {
            0 => PathKind::Probed,
            1 => PathKind::Missing,
            2 => PathKind::Challenged,
            _ => PathKind::Asked,
        }
    }
}

/// What a record means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Count it against a client.
    Hit(Hit),
    /// From an allowed network.
    Allowed,
    /// No client to count it against: no address, or a proxy that names no client.
    NoClient,
    /// It says nothing about its client: another log tells of it, or the application failed.
    Nothing,
}

/// One request to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Who it is counted against: an address, or the first one of an IPv6 prefix.
    pub client: Address,
    /// What it counts as.
    pub kinds: Kinds,
    /// Its path, when that is kept.
    pub path: Option<KeptPath>,
    /// Which of the client's records it is.
    pub mark: u16,
}

#[derive(Debug, Clone, Copy, Default)]
struct Remembered {
    /// Keyed by a secret of this process, so that no client can craft a path that is taken for another.
    key: u64,
    /// 0: not known.
    path: u32,
    probe: Probe,
    /// A picture, a style, a script: what a page brings along.
    is_asset: bool,
    credentials: Option<Place>,
}

impl Remembered {
    fn kept(self, kind: PathKind) -> Option<KeptPath> {
        (self.path != 0).then_some(KeptPath::new(self.path, kind))
    }
}

/// What the names of assets end with.
const ASSETS: &[&[u8]] = &[
    b".css", b".js", b".mjs", b".map", b".png", b".jpg", b".jpeg", b".gif", b".webp", b".avif", b".svg",
    b".ico", b".woff", b".woff2", b".ttf", b".mp4", b".webm",
];

/// Paths remembered, two to a place: a site has some thousand that are asked for often.
const PLACES: usize = 2048;

/// The configuration, made ready for reading records.
#[derive(Debug, Clone)]
pub struct Classifier {
    ipv6_prefix: u8,
    allowed: Networks,
    proxies: Networks,
    forwarding_header: Option<String>,
    own_rule: Option<Vec<u8>>,
    ignored_rules: Vec<Vec<u8>>,
    credentials: CredentialPaths,
    probes: Probes,
    usual: Option<AhoCorasick>,
    secrets: [u64; 2],
    remembered: Vec<[Remembered; 2]>,
    scratch: Vec<u8>,
}

impl Classifier {
    /// For one configuration. `own_rule` is the name of the web ACL's rule that blocks by our IP sets.
    pub fn new(configuration: &Configuration, own_rule: Option<&str>) -> Self {
        let detectors = &configuration.detectors;
        let usual: Vec<String> =
            detectors.odd_paths.except.iter().map(|part| part.to_ascii_lowercase()).collect();
        Self {
            ipv6_prefix: configuration.clients.ipv6_prefix,
            allowed: configuration.allow.iter().collect(),
            proxies: configuration.clients.trusted_proxies.iter().collect(),
            forwarding_header: configuration.clients.forwarding_header.clone(),
            own_rule: own_rule.map(|rule| rule.as_bytes().to_vec()),
            ignored_rules: detectors.ignore_rules.iter().map(|rule| rule.as_bytes().to_vec()).collect(),
            credentials: CredentialPaths::new(&detectors.credentials),
            probes: Probes::and(&detectors.odd_paths.also),
            usual: automaton(&usual),
            secrets: [(); 2].map(|()| RandomState::new().build_hasher().finish()),
            remembered: vec![[Remembered::default(); 2]; PLACES],
            scratch: Vec::new(),
        }
    }

    /// What a record of WAF's log means.
    #[inline]
    pub fn classify(&mut self, record: &Record<'_>) -> Meaning {
        let Some(client) = self.client(record) else { return Meaning::NoClient };
        if self.allowed.contains(client) {
            return Meaning::Allowed;
        }
        let client = client.judged(self.ipv6_prefix);
        let mark = mark::of(record);
        let path = self.path_of(record);
        let mut kinds = Kinds::REQUEST;
        if record.is_verified_bot {
            kinds = kinds.and(Kinds::VERIFIED);
        }
        let is_secret = path.probe == Probe::Secret;
        let mut kept = if is_secret { path.kept(PathKind::Asked) } else { None };
        match record.action {
            WafAction::Block if self.own_rule.as_deref().is_some_and(|rule| record.rule.is(rule)) => {
                return Meaning::Hit(Hit { client, kinds: Kinds::KNOCK, path: None, mark });
            }
            WafAction::Block => {
                // Nothing was answered: what is kept of it is that it was asked for. A busy office meets a rate-based
                // rule too, and that one lets it in again.
                if !record.is_rate_based && !self.ignored_rules.iter().any(|rule| record.rule.is(rule)) {
                    kinds = kinds.and(Kinds::BLOCKED);
                    kept = if is_secret { path.kept(PathKind::Probed) } else { None };
                }
            }
            WafAction::Captcha | WafAction::Challenge => kept = path.kept(PathKind::Challenged),
            WafAction::Allow | WafAction::Other => {
                if path.credentials.is_some() && self.tries_credentials(record) {
                    kinds = kinds.and(Kinds::CREDENTIALS);
                }
            }
        }
        Meaning::Hit(Hit { client, kinds, path: kept, mark })
    }

    fn tries_credentials(&self, record: &Record<'_>) -> bool {
        let mut scratch = Vec::new();
        let method = record.method.bytes(&mut scratch);
        // A redacted method could be any.
        method == REDACTED || self.credentials.has_method(method)
    }

    /// What a line of the load balancer's log means: only what the application answered. What WAF answered, WAF's log
    /// tells.
    #[inline]
    pub fn classify_access(&mut self, access: &Access<'_>) -> Meaning {
        let Some(status) = access.status else { return Meaning::Nothing };
        let Some(client) = Address::parse(without_port(access.client)) else { return Meaning::NoClient };
        // A trusted proxy's client does not stand in this log.
        if !self.proxies.is_empty() && self.proxies.contains(client) {
            return Meaning::NoClient;
        }
        if self.allowed.contains(client) {
            return Meaning::Allowed;
        }
        let client = client.judged(self.ipv6_prefix);
        let path = self.path(Text::new(access.path));
        let is_success = (100..400).contains(&status);
        let mut kinds = if is_success { Kinds::SUCCESS } else { Kinds::default() };
        let mut kept = None;
        let place = path.credentials.filter(|_| self.credentials.has_method(access.method));
        if let Some(place) = place {
            if self.credentials.refuses(place, status) {
                kinds = Kinds::REFUSED;
            } else if is_success {
                kinds = kinds.and(Kinds::ACCEPTED);
            }
        } else if (400..500).contains(&status) {
            kept = match path.probe {
                Probe::Secret => path.kept(PathKind::Probed),
                // Crawlers know what was here years ago.
                _ if names_a_crawler(access.agent) => None,
                // Whoever made the page is to blame for what it lacks.
                _ if path.is_asset => None,
                Probe::Software => path.kept(PathKind::Probed),
                Probe::None if matches!(status, 404 | 410) => path.kept(PathKind::Missing),
                Probe::None => None,
            };
        }
        if kinds == Kinds::default() && kept.is_none() {
            return Meaning::Nothing;
        }
        Meaning::Hit(Hit { client, kinds, path: kept, mark: mark::of_access(access) })
    }

    /// The client that a request is counted against.
    #[inline]
    fn client(&mut self, record: &Record<'_>) -> Option<Address> {
        let peer = self.peer(record)?;
        if self.proxies.is_empty() || !self.proxies.contains(peer) {
            return Some(peer);
        }
        let header = self.forwarding_header.as_deref()?;
        let mut entries = Vec::new();
        record.header_values(header, |value| {
            let mut scratch = Vec::new();
            entries.extend_from_slice(value.bytes(&mut scratch));
            entries.push(b',');
        });
        // The last entry was written by the nearest proxy. What stands left of the first that no trusted proxy wrote
        // is the client's own claim.
        for entry in entries.rsplit(|&byte| byte == b',').filter(|entry| !entry.trim_ascii().is_empty()) {
            let address = Address::parse(forwarded_for(entry.trim_ascii()))?;
            if !self.proxies.contains(address) {
                return Some(address);
            }
        }
        None
    }

    /// The address that WAF saw.
    #[inline]
    fn peer(&mut self, record: &Record<'_>) -> Option<Address> {
        Address::parse(record.client_ip.raw)
            .or_else(|| Address::parse(record.client_ip.bytes(&mut self.scratch)))
    }

    #[inline]
    fn path_of(&mut self, record: &Record<'_>) -> Remembered {
        if record.uri.raw == REDACTED {
            return Remembered::default();
        }
        self.path(record.uri)
    }

    /// What is known of a path by its text in a log, as JSON or as it is.
    #[inline]
    fn path(&mut self, text: Text<'_>) -> Remembered {
        let raw = text.raw;
        let key = keyed_hash(self.secrets, raw) | 1;
        let place = usize::try_from(key >> 48).unwrap_or(0) % PLACES;
        let [newer, older] = self.remembered[place];
        if newer.key == key {
            return newer;
        }
        let found =
            if older.key == key { older } else { self.look_at_path(text.bytes(&mut Vec::new()), key) };
        self.remembered[place] = [found, newer];
        found
    }

    #[cold]
    fn look_at_path(&self, path: &[u8], key: u64) -> Remembered {
        let mut normal = path::normalise(path);
        let credentials = self.credentials.place(&normal.bytes);
        let is_asset = ASSETS.iter().any(|ending| normal.bytes.ends_with(ending));
        let hash = path::hash(&normal.bytes);
        // A directory probe often comes without its last slash, and `/.git` is `/.git/`.
        normal.bytes.push(b'/');
        let is_usual = self.usual.as_ref().is_some_and(|parts| parts.is_match(&normal.bytes));
        let probe = match self.probes.find(&normal.bytes) {
            _ if is_usual => Probe::None,
            _ if normal.is_hostile => Probe::Secret,
            found => found,
        };
        Remembered { key, path: u32::try_from(hash >> 32).unwrap_or(0) | 4, probe, is_asset, credentials }
    }
}

/// The address of `ADDRESS:PORT`, IPv6 with or without brackets.
#[inline]
fn without_port(client: &[u8]) -> &[u8] {
    let end = memchr::memrchr(b':', client).unwrap_or(client.len());
    let address = &client[..end];
    address.strip_prefix(b"[").and_then(|address| address.strip_suffix(b"]")).unwrap_or(address)
}

/// What crawlers call themselves. Those that fetch pictures, previews and feeds leave out the page where their owner can
/// be asked: <https://developers.google.com/search/docs/crawling-indexing/google-common-crawlers>.
const CRAWLERS: &[&[u8]] = &[b"bot", b"crawl", b"spider", b"slurp", b"google", b"externalhit"];

/// Whether a user agent is that of a crawler which says so. Anybody can say so: it excuses old links, and nothing else.
fn names_a_crawler(agent: &[u8]) -> bool {
    let agent = agent.to_ascii_lowercase();
    CRAWLERS.iter().any(|name| memchr::memmem::find(&agent, name).is_some())
}

/// A hash of `bytes` that cannot be foreseen without the secrets: eight bytes at a time, multiplied and folded.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves of a product, folded")]
pub(crate) fn keyed_hash(secrets: [u64; 2], bytes: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * u128::from(secrets[1] | 1);
        product as u64 ^ (product >> 64) as u64
    };
    let (words, tail) = bytes.as_chunks::<8>();
    let mut hash = mix(secrets[0], bytes.len() as u64);
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    // The last eight bytes, some of them a second time; fewer only in a short text.
    let last = bytes.last_chunk::<8>().map_or_else(
        || tail.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
        |last| u64::from_le_bytes(*last),
    );
    mix(hash, last)
}

/// What WAF writes in place of a value that its logging configuration redacts.
const REDACTED: &[u8] = b"REDACTED";

/// The address in one entry: as is, or in the `for=` parameter of RFC 7239.
fn forwarded_for(entry: &[u8]) -> &[u8] {
    for parameter in entry.split(|&byte| byte == b';') {
        let parameter = parameter.trim_ascii();
        if let Some(name) = parameter.get(..4)
            && name.eq_ignore_ascii_case(b"for=")
        {
            let value = &parameter[4..];
            return value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        }
    }
    entry
}
