//! Which AWS calls each invocation made, told apart by the sandbox's access key.

use super::FunctionAnswer;
use anyhow::{Context, Result};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One invocation of a function that has ended.
#[derive(Debug, Clone, Serialize)]
pub struct Invocation {
    /// The function's name.
    pub function: String,
    /// What it was invoked with.
    pub payload: Value,
    /// What it answered.
    pub answer: Value,
    /// Whether it failed.
    pub failed: bool,
    /// How long it took.
    pub milliseconds: u64,
    /// The AWS calls that it made, in order, such as `elasticloadbalancing:DescribeRules`.
    pub calls: Vec<String>,
}

impl Invocation {
    /// Whether a hook asked for permission to succeed: the question that is asked again and again.
    pub fn is_poll(&self) -> bool {
        self.payload["lifecycleEvent"] == "ValidateService"
    }
}

/// All invocations, also written to a file, one JSON object a line.
#[derive(Debug)]
pub struct Journal {
    file: Mutex<File>,
    running: Mutex<HashMap<String, (Instant, Vec<String>)>>,
    ended: Mutex<Vec<Invocation>>,
}

impl Journal {
    /// Writes to `path`, which it creates.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { file: Mutex::new(file), running: Mutex::default(), ended: Mutex::default() })
    }

    pub(super) fn begin(&self, key: &str) {
        lock(&self.running).insert(key.to_owned(), (Instant::now(), Vec::new()));
    }

    /// Counts a call, if the key belongs to an invocation that runs.
    pub fn call(&self, key: &str, operation: &str) {
        if let Some((_, calls)) = lock(&self.running).get_mut(key) {
            calls.push(operation.to_owned());
        }
    }

    pub(super) fn end(&self, key: &str, function: &str, payload: &Bytes, answer: &FunctionAnswer) {
        let Some((began, calls)) = lock(&self.running).remove(key) else { return };
        let parse = |bytes: &Bytes| serde_json::from_slice(bytes).unwrap_or(Value::Null);
        let invocation = Invocation {
            function: function.to_owned(),
            payload: parse(payload),
            answer: parse(&answer.payload),
            failed: answer.failed,
            milliseconds: began.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
            calls,
        };
        if let Ok(mut line) = serde_json::to_vec(&invocation) {
            line.push(b'\n');
            if let Err(error) = lock(&self.file).write_all(&line) {
                tracing::warn!(%error, "the journal of invocations cannot be written");
            }
        }
        lock(&self.ended).push(invocation);
    }

    /// For how long the invocation runs that runs longest, if any does.
    pub fn longest_running(&self) -> Option<Duration> {
        lock(&self.running).values().map(|(began, _)| began.elapsed()).max()
    }

    /// Whether no invocation runs.
    pub fn is_idle(&self) -> bool {
        lock(&self.running).is_empty()
    }

    /// Calls `look` with every invocation that has ended.
    pub fn look<T>(&self, look: impl FnOnce(&[Invocation]) -> T) -> T {
        look(&lock(&self.ended))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
