//! What one record means to the detectors: whose request it is, and what it counts as. Pure.

use std::hash::{BuildHasher, Hasher, RandomState};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::action::WafAction;
use crate::address::{Address, Networks};
use crate::configuration::Configuration;
use crate::json::Text;
use crate::mark;
use crate::path;
use crate::record::Record;

/// Parts of a normal path that only scanners ask for, on sites that do not have them. What a site does have goes into
/// `detectors.odd_paths.except`.
pub const PROBES: &[&str] = &[
    "/.env",
    "/.git/",
    "/.gitignore",
    "/.svn/",
    "/.hg/",
    "/.aws/",
    "/.ssh/",
    "/.docker",
    "/.vscode/",
    "/.ds_store",
    "/.htpasswd",
    "/.htaccess",
    "/.npmrc",
    "/.kube/",
    "wp-login.php",
    "/wp-admin",
    "/wp-includes/",
    "/wp-content/",
    "/wp-json/",
    "wlwmanifest.xml",
    "xmlrpc.php",
    "phpmyadmin",
    "/pma/",
    "/adminer",
    "phpinfo",
    "/info.php",
    "/vendor/phpunit",
    "eval-stdin.php",
    "/actuator/",
    "/cgi-bin/",
    "/boaform",
    "/hnap1",
    "/goform/",
    "/gponform",
    "/server-status",
    "/server-info",
    "/solr/admin",
    "/owa/",
    "/ecp/",
    "/autodiscover/",
    "/remote/login",
    "/manager/html",
    "/jmx-console",
    "/_ignition/",
    "/telescope/",
    "/debug/default/view",
    "/etc/passwd",
    "/proc/self/",
    "/bin/sh",
    "/backup.",
    "/dump.sql",
    "/config.json",
    "/config.php",
    "/web.config",
    "/appsettings.json",
    "/docker-compose.y",
    "/id_rsa",
    ".sql.gz",
    ".bak",
    "/shell.php",
    "/c99.php",
    "/setup-config.php",
    "/console/",
    "/geoserver/",
    "/struts",
    "/login.action",
    "/api/jsonws",
    "/_cat/indices",
];

/// What a request counts as; several at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Any request that reached the rules behind our own block.
    pub const REQUEST: Self = Self(1);
    /// Blocked by a rule of the web ACL.
    pub const BLOCKED: Self = Self(2);
    /// Sent to a place where credentials are tried.
    pub const CREDENTIALS: Self = Self(4);
    /// Sent away with a CAPTCHA or a challenge that it had no valid token for.
    pub const CHALLENGED: Self = Self(8);
    /// Blocked by the rule that enforces our own IP sets: the client goes on knocking.
    pub const KNOCK: Self = Self(16);

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
}

/// One request to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Who it is counted against: an address, or the first one of an IPv6 prefix.
    pub client: Address,
    /// The offences that it counts as.
    pub kinds: Kinds,
    /// Its path's hash, when the path is odd or was blocked.
    pub odd_path: Option<u32>,
    /// Which of the client's records it is.
    pub mark: u16,
}

#[derive(Debug, Clone, Copy, Default)]
struct Remembered {
    /// Keyed by a secret of this process, so that no client can craft a path that is taken for another.
    key: u64,
    path: u32,
    is_odd: bool,
    has_credentials: bool,
}

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
    credentials: Vec<(Vec<u8>, bool)>,
    methods: Vec<Vec<u8>>,
    odd: Option<AhoCorasick>,
    usual: Option<AhoCorasick>,
    secrets: [u64; 2],
    remembered: Vec<[Remembered; 2]>,
    scratch: Vec<u8>,
}

/// One automaton for all parts, so that a site with a path for every product does not pay for each part. `None` when
/// there are no parts.
fn automaton<'a>(parts: impl Iterator<Item = &'a str>) -> Option<AhoCorasick> {
    let parts: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
    // The only limit is on the number of states; a configuration with that many parts is refused for its size.
    (!parts.is_empty())
        .then(|| AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(&parts).ok())
        .flatten()
}

impl Classifier {
    /// For one configuration. `own_rule` is the name of the web ACL's rule that blocks by our IP sets.
    pub fn new(configuration: &Configuration, own_rule: Option<&str>) -> Self {
        let detectors = &configuration.detectors;
        let credentials = detectors.credentials.paths.iter().map(|path| {
            let (path, is_prefix) =
                path.strip_suffix('*').map_or((path.as_str(), false), |path| (path, true));
            let mut bytes = path::normalise(path.as_bytes()).bytes;
            if is_prefix && path.ends_with('/') && !bytes.ends_with(b"/") {
                bytes.push(b'/');
            }
            (bytes, is_prefix)
        });
        Self {
            ipv6_prefix: configuration.clients.ipv6_prefix,
            allowed: configuration.allow.iter().collect(),
            proxies: configuration.clients.trusted_proxies.iter().collect(),
            forwarding_header: configuration.clients.forwarding_header.clone(),
            own_rule: own_rule.map(|rule| rule.as_bytes().to_vec()),
            ignored_rules: detectors.ignore_rules.iter().map(|rule| rule.as_bytes().to_vec()).collect(),
            credentials: credentials.collect(),
            methods: detectors
                .credentials
                .methods
                .iter()
                .map(|m| m.to_ascii_uppercase().into_bytes())
                .collect(),
            odd: automaton(PROBES.iter().copied().chain(detectors.odd_paths.also.iter().map(String::as_str))),
            usual: automaton(detectors.odd_paths.except.iter().map(String::as_str)),
            secrets: [(); 2].map(|()| RandomState::new().build_hasher().finish()),
            remembered: vec![[Remembered::default(); 2]; PLACES],
            scratch: Vec::new(),
        }
    }

    /// What `record` means.
    #[inline]
    pub fn classify(&mut self, record: &Record<'_>) -> Meaning {
        let Some(client) = self.client(record) else { return Meaning::NoClient };
        if self.allowed.contains(client) {
            return Meaning::Allowed;
        }
        let client = client.judged(self.ipv6_prefix);
        let path = self.path(record);
        let mut kinds = Kinds::REQUEST;
        let mut is_odd = path.is_odd;
        match record.action {
            WafAction::Block if self.own_rule.as_deref().is_some_and(|rule| record.rule.is(rule)) => {
                return Meaning::Hit(Hit {
                    client,
                    kinds: Kinds::KNOCK,
                    odd_path: None,
                    mark: mark::of(record),
                });
            }
            WafAction::Block if !self.ignored_rules.iter().any(|rule| record.rule.is(rule)) => {
                kinds = kinds.and(Kinds::BLOCKED);
                is_odd = true;
            }
            WafAction::Captcha | WafAction::Challenge => kinds = kinds.and(Kinds::CHALLENGED),
            WafAction::Allow | WafAction::Block | WafAction::Other => {}
        }
        if path.has_credentials && self.is_credentials_method(record.method) {
            kinds = kinds.and(Kinds::CREDENTIALS);
        }
        let odd_path = (is_odd && path.path != 0).then_some(path.path);
        Meaning::Hit(Hit { client, kinds, odd_path, mark: mark::of(record) })
    }

    fn is_credentials_method(&self, method: Text<'_>) -> bool {
        let mut scratch = Vec::new();
        let method = method.bytes(&mut scratch);
        // A redacted method could be any.
        self.methods.is_empty()
            || method == REDACTED
            || self.methods.iter().any(|wanted| wanted.eq_ignore_ascii_case(method))
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
    fn path(&mut self, record: &Record<'_>) -> Remembered {
        let raw = record.uri.raw;
        if raw == REDACTED {
            return Remembered::default();
        }
        let key = keyed_hash(self.secrets, raw) | 1;
        let place = usize::try_from(key >> 48).unwrap_or(0) % PLACES;
        let [newer, older] = self.remembered[place];
        if newer.key == key {
            return newer;
        }
        let found = if older.key == key { older } else { self.look_at_path(record, key) };
        self.remembered[place] = [found, newer];
        found
    }

    #[cold]
    fn look_at_path(&self, record: &Record<'_>, key: u64) -> Remembered {
        let mut scratch = Vec::new();
        let mut normal = path::normalise(record.uri.bytes(&mut scratch));
        let is_in = |parts: &Option<AhoCorasick>, path: &[u8]| {
            parts.as_ref().is_some_and(|parts| parts.is_match(path))
        };
        let has_credentials = self.credentials.iter().any(|(path, is_prefix)| {
            if *is_prefix { normal.bytes.starts_with(path) } else { normal.bytes == *path }
        });
        let hash = path::hash(&normal.bytes);
        // A directory probe often comes without its last slash, and `/.git` is `/.git/`.
        normal.bytes.push(b'/');
        let is_odd = normal.is_hostile || is_in(&self.odd, &normal.bytes);
        Remembered {
            key,
            path: u32::try_from(hash >> 32).unwrap_or(0) | 1,
            is_odd: is_odd && !is_in(&self.usual, &normal.bytes),
            has_credentials,
        }
    }
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
