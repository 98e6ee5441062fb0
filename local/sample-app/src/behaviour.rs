//! How a release misbehaves.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

/// `behaviour.json`; without the file the service behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Behaviour {
    /// Every n-th request is answered with 500, health checks left out; 0 for never.
    pub(crate) error_one_in: u64,
    /// Requests to these paths are answered with 500. One that ends in `*` stands for all that begin so.
    failing_paths: Vec<String>,
    /// The port is opened this many milliseconds after the start.
    start_after_ms: u64,
    /// Health checks are answered with 503.
    pub(crate) unhealthy: bool,
    /// Every answer but that to a health check takes this many milliseconds.
    latency_ms: u64,
    /// From the first request on a worker of it fills shared memory with so many MiB. Those belong to the machine and to
    /// no process, so that the kernel ends one process after the other in vain.
    pub(crate) eat_mib: u64,
}

impl Behaviour {
    pub(crate) fn start_after(&self) -> Duration {
        Duration::from_millis(self.start_after_ms)
    }

    /// Whether a request to this path fails, whatever the others do.
    pub(crate) fn fails_at(&self, path: &str) -> bool {
        self.failing_paths.iter().any(|failing| match failing.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => path == failing,
        })
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }
}

/// Where the behaviour is written. The service looks again at each health check, so that it can turn bad while it
/// runs.
#[derive(Debug)]
pub(crate) struct BehaviourFile(PathBuf);

impl BehaviourFile {
    pub(crate) fn beside(folder: &Path) -> Self {
        Self(folder.join("behaviour.json"))
    }

    pub(crate) fn read(&self) -> anyhow::Result<Behaviour> {
        match std::fs::read(&self.0) {
            Ok(json) => serde_json::from_slice(&json)
                .with_context(|| format!("{} is not a behaviour", self.0.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Behaviour::default()),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", self.0.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> anyhow::Result<Behaviour> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("behaviour.json"), json).unwrap();
        BehaviourFile::beside(folder.path()).read()
    }

    #[test]
    fn a_release_without_a_file_behaves() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(BehaviourFile::beside(folder.path()).read().unwrap(), Behaviour::default());
    }

    #[test]
    fn each_misbehaviour_can_be_given_alone() {
        assert_eq!(read(r#"{"errorOneIn": 5}"#).unwrap().error_one_in, 5);
        assert!(read(r#"{"failingPaths": ["/checkout"]}"#).unwrap().fails_at("/checkout"));
        assert_eq!(read(r#"{"startAfterMs": 500}"#).unwrap().start_after(), Duration::from_millis(500));
        assert_eq!(read(r#"{"latencyMs": 5}"#).unwrap().latency(), Duration::from_millis(5));
        assert!(read(r#"{"unhealthy": true}"#).unwrap().unhealthy);
        assert_eq!(read(r#"{"eatMib": 64}"#).unwrap().eat_mib, 64);
    }

    #[test]
    fn a_failing_path_is_one_path_and_with_a_star_all_that_begin_so() {
        let behaviour = read(r#"{"failingPaths": ["/", "/api/*"]}"#).unwrap();
        let fails =
            ["/", "/api/", "/api/items/7", "/login", "/.env", "/apis"].map(|path| behaviour.fails_at(path));
        assert_eq!(fails, [true, true, true, false, false, false]);
    }

    #[test]
    fn an_unknown_misbehaviour_is_an_error() {
        let error = read(r#"{"errorOneInn": 5}"#).unwrap_err();
        assert!(format!("{error:#}").contains("errorOneInn"), "{error:#}");
    }
}
