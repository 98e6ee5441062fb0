//! What an operator may change: thresholds, ban times, who is never blocked. Read from YAML or JSON, checked as a whole.
//!
//! Every part has a default that a small site can live with; a file names only what it changes. An unknown word in it
//! is an error, because a misspelt threshold that is silently ignored blocks the wrong people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{BUCKET_SECONDS, MOST_PATHS};

/// A time as people write it: `90s`, `10m`, `4h`, `7d`; see [`duration::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

impl Span {
    /// So many seconds.
    pub const fn of_seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        duration::parse(&text).map(Self).ok_or_else(|| {
            format!("`{text}` is no duration; write a whole number and ms, s, m, h or d, such as `10m`")
        })
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::show(self.0))
    }
}

/// The shortest and the longest window that offences are counted in.
const SHORTEST_FIND_TIME: Duration = Duration::from_secs(2 * BUCKET_SECONDS);
const LONGEST_FIND_TIME: Duration = Duration::from_secs(3600);

/// The shortest ban: less is over before a firewall has taken it up.
pub const SHORTEST_BAN: Duration = Duration::from_secs(1);

/// The longest memory of an offender, `ban.forget`.
const LONGEST_MEMORY: Duration = Duration::from_secs(400 * 86400);

/// Most paths with refusals of their own.
const MOST_REFUSED_AT: usize = 200;

/// Block, or only say who would be blocked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Offenders are put into the IP sets.
    #[default]
    Block,
    /// Decisions are made, recorded and reported; nothing of ours stands in the IP sets.
    Count,
}

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    /// Overrides the deployment's mode when present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Who a request is counted against.
    pub clients: Clients,
    /// Networks that are never blocked and never counted.
    pub allow: Vec<IpNet>,
    /// What counts as an offence, and how much of it is too much.
    pub detectors: Detectors,
    /// How long an offender is kept out.
    pub ban: BanTimes,
    /// When many bad neighbours become one network.
    pub neighbours: Neighbours,
    /// When a pass looks too drastic to be right.
    pub brake: Brake,
}

/// Who a request is counted against.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clients {
    /// The header in which trusted proxies name their client, such as `x-forwarded-for`. The web ACL's IP set rule
    /// must then look at the same header (`IPSetForwardedIPConfig`), or the blocks have no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarding_header: Option<String>,
    /// Proxies whose header is believed. They are never blocked themselves.
    pub trusted_proxies: Vec<IpNet>,
    /// Length of the prefix that one IPv6 client is judged and blocked as, 32 to 128. A subscriber commonly has a
    /// whole /64 and may use an address per request.
    pub ipv6_prefix: u8,
}

impl Default for Clients {
    fn default() -> Self {
        Self { forwarding_header: None, trusted_proxies: Vec::new(), ipv6_prefix: 64 }
    }
}

/// fail2ban's two numbers: `max_retry` offences within `find_time` lead to a ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// So many offences are too many; at least 1. Left out: this detector is off.
    pub max_retry: u32,
    /// The window, at least twice [`BUCKET_SECONDS`] and at most 1 h.
    pub find_time: Span,
    /// The first ban, when it differs from `ban.time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ban_time: Option<Span>,
}

const fn threshold(max_retry: u32, minutes: u64) -> Threshold {
    Threshold { max_retry, find_time: Span::of_seconds(minutes * 60), ban_time: None }
}

/// The detectors. One that is `null` is off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Detectors {
    /// Requests that a rule of the web ACL blocked, but for rate-based ones: those let their clients in again.
    pub blocked: Option<Threshold>,
    /// Requests of any kind. Floods are stopped sooner by a rate-based rule in the web ACL.
    pub rate: Option<Threshold>,
    /// Credentials that the application refused.
    pub brute_force: Option<Threshold>,
    /// The same, of an address that does nothing else, while many such addresses try at once.
    pub campaign: Option<Threshold>,
    /// Distinct paths that scanners ask for, and that are not here; secrets twice, where both logs tell of them.
    pub scan: Option<Threshold>,
    /// Distinct other paths that are not here.
    pub not_found: Option<Threshold>,
    /// Distinct paths at which a CAPTCHA or a challenge was met once, and not answered.
    pub challenge: Option<Threshold>,
    /// Where `brute_force` and `campaign` look.
    pub credentials: Credentials,
    /// What `scan` takes for odd.
    pub odd_paths: OddPaths,
    /// Rules of the web ACL whose blocks are not held against a client, by name: rules that real users trip.
    pub ignore_rules: Vec<String>,
}

impl Default for Detectors {
    fn default() -> Self {
        Self {
            blocked: Some(threshold(25, 10)),
            // 67 a second: a thousand people behind one address, each with four requests a minute.
            rate: Some(threshold(20_000, 5)),
            // A program that goes on with an old password every quarter of a minute comes to 40.
            brute_force: Some(threshold(50, 10)),
            campaign: Some(threshold(5, 60)),
            scan: Some(threshold(10, 60)),
            not_found: Some(threshold(40, 10)),
            challenge: Some(threshold(20, 10)),
            credentials: Credentials::default(),
            odd_paths: OddPaths::default(),
            ignore_rules: Vec::new(),
        }
    }
}

impl Detectors {
    /// Each with its name in the file.
    fn thresholds(&self) -> [(&'static str, Option<Threshold>); 7] {
        [
            ("blocked", self.blocked),
            ("rate", self.rate),
            ("brute_force", self.brute_force),
            ("campaign", self.campaign),
            ("scan", self.scan),
            ("not_found", self.not_found),
            ("challenge", self.challenge),
        ]
    }
}

/// Where credentials are tried, and what refuses them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    /// Paths in any spelling, with or without what a file's name ends with; `*` at the beginning or the end stands for
    /// anything.
    pub paths: Vec<String>,
    /// HTTP methods; empty means all.
    pub methods: Vec<String>,
    /// Answers that refuse credentials.
    pub refused: Vec<u16>,
    /// Answers that refuse them at one path only, beside the others. The path need not be in `paths`.
    pub refused_at: BTreeMap<String, Vec<u16>>,
}

impl Default for Credentials {
    fn default() -> Self {
        let paths = [
            "*/login",
            "*/log-in",
            "*/logon",
            "*/login_check",
            "*/signin",
            "*/sign-in",
            "*/sign_in",
            "*/session",
            "*/sessions",
            "*/authenticate",
            "*/auth",
            "*/auth/local",
            "*/callback/credentials",
            "*/j_security_check",
            "*/oauth/token",
            "*/oauth2/token",
            "*/connect/token",
            "*/openid-connect/token",
            "*/api/token",
        ];
        Self {
            paths: paths.map(str::to_owned).to_vec(),
            methods: ["POST", "PUT"].map(str::to_owned).to_vec(),
            refused: vec![401, 403, 422, 429],
            // WordPress shows its form again with 200, and leads on with 302.
            refused_at: BTreeMap::from([("*/wp-login.php".to_owned(), vec![200])]),
        }
    }
}

/// Paths that only scanners ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OddPaths {
    /// Parts of a path that are odd here, beside the built-in ones ([`crate::probes`]).
    pub also: Vec<String>,
    /// Parts of a path that are usual here after all, such as `/wp-admin` on a site that runs on it.
    pub except: Vec<String>,
}

/// How long offenders stay blocked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BanTimes {
    /// The first ban. Each return doubles it.
    pub time: Span,
    /// No ban by a detector lasts longer.
    pub max: Span,
    /// So long after the last ban has ended, the client is a stranger again. Must be longer than `max`.
    pub forget: Span,
}

impl Default for BanTimes {
    fn default() -> Self {
        let day = 86400;
        Self {
            time: Span::of_seconds(3600),
            max: Span::of_seconds(7 * day),
            forget: Span::of_seconds(30 * day),
        }
    }
}

impl BanTimes {
    fn allows(&self, time: Span) -> bool {
        (SHORTEST_BAN..=self.max.0).contains(&time.0)
    }
}

/// When many bad neighbours become one network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Neighbours {
    /// So many blocked clients in one network block the smallest network that holds them all; at least 2.
    pub members: usize,
    /// Never wider than this for IPv4, 16 to 32. 32 turns it off.
    pub ipv4_prefix: u8,
    /// Never wider than this for IPv6, 32 to 128, at most `clients.ipv6_prefix`, which turns it off.
    pub ipv6_prefix: u8,
}

impl Default for Neighbours {
    fn default() -> Self {
        Self { members: 8, ipv4_prefix: 24, ipv6_prefix: 48 }
    }
}

/// When a pass looks too drastic to be right.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Brake {
    /// A pass that would newly block more than this share of all clients seen, in percent, holds and asks; 1 to 100.
    pub percent: u8,
    /// A pass that would newly block no more than this many never holds.
    pub at_least: usize,
}

impl Default for Brake {
    fn default() -> Self {
        Self { percent: 10, at_least: 20 }
    }
}

impl Configuration {
    /// The longest find time of a detector that is on.
    pub fn longest_find_time(&self) -> Duration {
        let thresholds = self.detectors.thresholds();
        thresholds.into_iter().filter_map(|(_, t)| Some(t?.find_time.0)).max().unwrap_or_default()
    }

    /// Everything that is out of range, in words; empty when the configuration can be used.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let detectors = &self.detectors;
        for (name, threshold) in detectors.thresholds() {
            let Some(threshold) = threshold else { continue };
            if threshold.max_retry == 0 {
                faults.push(format!(
                    "detectors.{name}.max_retry is 0, which bans everybody; leave out or use null"
                ));
            }
            if !(SHORTEST_FIND_TIME..=LONGEST_FIND_TIME).contains(&threshold.find_time.0) {
                faults.push(format!(
                    "detectors.{name}.find_time is {}; it must be 10s to 1h",
                    threshold.find_time
                ));
            }
            if let Some(time) = threshold.ban_time.filter(|time| !self.ban.allows(*time)) {
                faults.push(format!("detectors.{name}.ban_time is {time}; it must be 1s to ban.max"));
            }
            if ["scan", "not_found", "challenge"].contains(&name) && threshold.max_retry > MOST_PATHS {
                faults.push(format!(
                    "detectors.{name}.max_retry is {}; at most {} distinct paths are told apart",
                    threshold.max_retry, MOST_PATHS
                ));
            }
        }
        if !self.ban.allows(self.ban.time) {
            faults.push(format!("ban.time is {}; it must be 1s to ban.max", self.ban.time));
        }
        if self.ban.max >= self.ban.forget || self.ban.forget.0 > LONGEST_MEMORY {
            faults.push("ban.forget must be longer than ban.max and at most 400d".to_owned());
        }
        if !(32..=128).contains(&self.clients.ipv6_prefix) {
            faults.push(format!("clients.ipv6_prefix is {}; it must be 32 to 128", self.clients.ipv6_prefix));
        }
        if !(16..=32).contains(&self.neighbours.ipv4_prefix) {
            faults.push(format!(
                "neighbours.ipv4_prefix is {}; it must be 16 to 32",
                self.neighbours.ipv4_prefix
            ));
        }
        if !(32..=self.clients.ipv6_prefix.max(32)).contains(&self.neighbours.ipv6_prefix) {
            faults.push(format!(
                "neighbours.ipv6_prefix is {}; it must be 32 to clients.ipv6_prefix",
                self.neighbours.ipv6_prefix
            ));
        }
        if self.neighbours.members < 2 {
            faults.push("neighbours.members must be at least 2".to_owned());
        }
        if !(1..=100).contains(&self.brake.percent) {
            faults.push(format!("brake.percent is {}; it must be 1 to 100", self.brake.percent));
        }
        if self.clients.forwarding_header.is_some() && self.clients.trusted_proxies.is_empty() {
            faults.push("clients.forwarding_header is set, but clients.trusted_proxies is empty: nobody's header would be believed".to_owned());
        }
        for network in self.allow.iter().chain(&self.clients.trusted_proxies) {
            if network.prefix_len() == 0 {
                faults.push(format!("`{network}` is everybody; to block nobody use mode: count"));
            }
        }
        let credentials = &detectors.credentials;
        for path in credentials.paths.iter().chain(credentials.refused_at.keys()) {
            if !path.starts_with(['/', '*']) {
                faults.push(format!("detectors.credentials: `{path}` starts with neither a slash nor `*`"));
            }
            if path.trim_matches(['/', '*']).is_empty() {
                faults.push(format!("detectors.credentials: `{path}` is every path"));
            }
        }
        if credentials.refused_at.len() > MOST_REFUSED_AT {
            faults.push(format!(
                "detectors.credentials.refused_at has {} paths; at most {MOST_REFUSED_AT}",
                credentials.refused_at.len()
            ));
        }
        for status in credentials.refused.iter().chain(credentials.refused_at.values().flatten()) {
            if !(100..600).contains(status) {
                faults.push(format!("detectors.credentials: {status} is no status"));
            }
        }
        for part in detectors.odd_paths.also.iter().chain(&detectors.odd_paths.except) {
            if part.trim_matches('/').is_empty() {
                faults.push(format!("detectors.odd_paths: `{part}` is in every path"));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn faults(configuration: serde_json::Value) -> Vec<String> {
        serde_json::from_value::<Configuration>(configuration).unwrap().faults()
    }

    #[test]
    fn a_time_is_read_in_every_unit() {
        let none: [String; 0] = [];
        for time in ["1000ms", "90s", "10m", "4h", "7d"] {
            assert_eq!(faults(json!({ "ban": { "time": time } })), none, "{time}");
        }
        let wrong =
            serde_json::from_value::<Configuration>(json!({ "ban": { "time": "10 m" } })).unwrap_err();
        assert!(wrong.to_string().contains("`10 m` is no duration; write"), "{wrong}");
    }

    #[test]
    fn a_time_that_makes_no_sense_is_refused_with_what_does() {
        assert_eq!(
            faults(json!({ "ban": { "time": "500ms" } })),
            ["ban.time is 500ms; it must be 1s to ban.max"]
        );
        let rate = json!({ "max_retry": 5, "find_time": "500ms", "ban_time": "8d" });
        assert_eq!(
            faults(json!({ "detectors": { "rate": rate } })),
            [
                "detectors.rate.find_time is 500ms; it must be 10s to 1h",
                "detectors.rate.ban_time is 8d; it must be 1s to ban.max"
            ]
        );
    }
}
