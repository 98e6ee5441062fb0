//! What stands where in the state bucket, all under `waf/`.

use jiff::Timestamp;
use offenders::path::hash;

/// The state: bans, evidence, memory. JSON, readable by a person.
pub const STATE: &str = "waf/state.json";

/// The operator's configuration, YAML or JSON.
pub const CONFIGURATION: &str = "waf/configuration.yaml";

/// The configuration in force: the last good one.
pub const IN_FORCE: &str = "waf/configuration-in-force.json";

/// How many are blocked, by detector: for the page of all services.
pub const BLOCKED: &str = "waf/blocked.json";

/// Partial results.
pub const PARTIALS: &str = "waf/partials/";

/// Merged windows.
pub const WINDOWS: &str = "waf/windows/";

/// Partial results are filed by when their logs were written, in slots of so many seconds.
pub const SLOT_SECONDS: i64 = 600;

/// The slot of a time, sorting as text. The same logs always get the same slot.
pub fn slot(written: Timestamp) -> String {
    let start = written.as_second().div_euclid(SLOT_SECONDS) * SLOT_SECONDS;
    let start = Timestamp::from_second(start).unwrap_or(Timestamp::UNIX_EPOCH);
    start.strftime("%Y%m%dT%H%MZ").to_string()
}

/// The key of the partial result of the logs with this identity.
pub fn partial(written: Timestamp, identity: &str) -> String {
    let halves = ["", "\n"].map(|prefix| hash(format!("{prefix}{identity}").as_bytes()));
    format!("{PARTIALS}{}/{:016x}{:016x}", slot(written), halves[0], halves[1])
}

/// Slot and name of a partial result, from its key.
pub fn slot_and_name(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix(PARTIALS)?.split_once('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_logs_are_always_filed_under_the_same_key() {
        let written: Timestamp = "2026-11-22T12:39:59Z".parse().unwrap();
        let key = partial(written, "s3://logs/a.gz#etag");
        assert_eq!(key, partial(written, "s3://logs/a.gz#etag"));
        assert!(key.starts_with("waf/partials/20261122T1230Z/"), "{key}");
        assert_ne!(key, partial(written, "s3://logs/b.gz#etag"));
        assert_eq!(slot_and_name(&key).unwrap().0, "20261122T1230Z");
    }
}
