//! Lambda: the real binaries under AWS's Runtime Interface Emulator.

mod asynchronous;
mod capacity;
mod journal;
mod sandbox;
#[cfg(test)]
mod tests;

pub(crate) use asynchronous::{Failures, Pace};
pub use journal::{Invocation, Journal};

use crate::places::Places;
use crate::stack::Function;
use anyhow::{Context, Result};
use asynchronous::GivenUp;
use bytes::Bytes;
use capacity::Capacity;
use sandbox::{Sandbox, SandboxSettings};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long an execution environment is kept that has nothing to do. AWS does not say; users report five minutes and
/// more.
const KEPT: Duration = Duration::from_mins(5);

/// What AWS takes to make an execution environment and to bring the function's code into it, before the function starts:
/// users report 100 to 250 ms for functions of this size. It is as long here as on AWS, whatever the speed, because a
/// function works as fast here as there.
const COLD_START: Duration = Duration::from_millis(200);

/// What a function answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionAnswer {
    /// The payload: the function's own, or AWS's description of its failure.
    pub payload: Bytes,
    /// Whether the function failed, which AWS tells by a header.
    pub failed: bool,
}

impl FunctionAnswer {
    /// AWS's description of a function that gave no answer.
    fn of_failure(message: &str) -> Self {
        let description = json!({ "errorType": "Runtime.ExitError", "errorMessage": message });
        Self { payload: Bytes::from(description.to_string()), failed: true }
    }
}

/// A function was not invoked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotInvoked {
    /// None has this name.
    #[error("Function not found: {0}")]
    NoSuchFunction(String),
    /// All executions of the account are taken.
    #[error("Rate Exceeded.")]
    TooManyExecutions,
}

/// All functions of the stack.
#[derive(Debug)]
pub struct Functions {
    /// By what is invoked: a function's name, or its name and an alias.
    pools: BTreeMap<String, Pool>,
    journal: Arc<Journal>,
    pace: Pace,
    failures: Failures,
    capacity: Arc<Capacity>,
    /// In milliseconds.
    cold_start: AtomicU64,
    events: AtomicU64,
    refused: AtomicU64,
    stopped: AtomicBool,
}

#[derive(Debug)]
struct Pool {
    definition: Function,
    settings: SandboxSettings,
    /// With the time since when they have had nothing to do.
    idle: Mutex<Vec<(Instant, Sandbox)>>,
    all: std::sync::Mutex<Vec<std::sync::Weak<sandbox::Processes>>>,
}

impl Functions {
    /// Prepares the functions; each starts when it is first invoked.
    ///
    /// # Errors
    /// When the Runtime Interface Emulator is missing, or the binary of a function that something invokes.
    pub(crate) fn new(
        definitions: &[Function],
        places: &Places,
        endpoint: &str,
        journal: Arc<Journal>,
        (pace, failures): (Pace, Failures),
    ) -> Result<Arc<Self>> {
        let emulator = places.runtime_emulator()?;
        let mut pools = BTreeMap::new();
        for definition in definitions {
            let binary = places.binary(&definition.binary);
            let folder = places.state.join("functions").join(&definition.name);
            let settings = SandboxSettings::prepare(definition, &emulator, &binary, folder, places, endpoint)
                .with_context(|| {
                    format!("function {} needs {}; run make build", definition.name, binary.display())
                })?;
            for alias in &definition.aliases {
                let qualified = format!("{}:{}", definition.name, alias.name);
                let pool = Pool::new(definition.through(alias), settings.invoked_as(&qualified));
                pools.insert(qualified, pool);
            }
            pools.insert(definition.name.clone(), Pool::new(definition.clone(), settings));
        }
        let functions = Self {
            pools,
            journal,
            pace,
            failures,
            capacity: Arc::default(),
            cold_start: AtomicU64::default(),
            events: AtomicU64::default(),
            refused: AtomicU64::default(),
            stopped: AtomicBool::default(),
        };
        functions.set_cold_start(COLD_START);
        Ok(Arc::new(functions))
    }

    /// The invocations so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Where the log of a function lies.
    pub(crate) fn log(&self, name: &str) -> Option<&Path> {
        self.pools.get(name).map(|pool| pool.settings.log())
    }

    /// Names in order, without aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pools.keys().map(String::as_str).filter(|name| !name.contains(':'))
    }

    /// How long an execution environment takes to be there, from the next one on.
    pub fn set_cold_start(&self, cold_start: Duration) {
        let millis = u64::try_from(cold_start.as_millis()).unwrap_or(u64::MAX);
        self.cold_start.store(millis, Ordering::Relaxed);
    }

    /// Other functions of the account take so many of its executions from now on.
    pub fn take_elsewhere(&self, executions: usize) {
        self.capacity.take_elsewhere(executions);
    }

    /// How many invocations found no free execution so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Invokes a function, by its name or by `NAME:ALIAS`, and waits for its answer. Whoever stops waiting does not stop the
    /// function.
    ///
    /// # Errors
    /// When there is no such function or alias, or no execution is free. A function that fails, or does not start, is a
    /// `FunctionAnswer`.
    pub async fn invoke(self: &Arc<Self>, name: &str, payload: Bytes) -> Result<FunctionAnswer, NotInvoked> {
        self.pool(name)?;
        let Some(execution) = self.capacity.begin() else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(NotInvoked::TooManyExecutions);
        };
        let (functions, name) = (Arc::clone(self), name.to_owned());
        let answer = tokio::spawn(async move {
            let answer = functions.run(&name, payload).await;
            drop(execution);
            answer
        });
        answer.await.unwrap_or_else(|error| Ok(FunctionAnswer::of_failure(&error.to_string())))
    }

    async fn run(&self, name: &str, payload: Bytes) -> Result<FunctionAnswer, NotInvoked> {
        let pool = self.pool(name)?;
        let mut sandbox = match pool.idle_one(KEPT / self.pace.speed()).await {
            Some(sandbox) => sandbox,
            None => {
                tokio::time::sleep(Duration::from_millis(self.cold_start.load(Ordering::Relaxed))).await;
                // What would start now would outlive the cloud.
                if self.stopped.load(Ordering::Relaxed) {
                    return Ok(FunctionAnswer::of_failure("the local cloud has ended"));
                }
                pool.start()
            }
        };
        let key = sandbox.key().to_owned();
        self.journal.begin(&key);
        let answer = sandbox.invoke(payload.clone()).await;
        self.journal.end(&key, &pool.definition.name, &payload, &answer);
        if sandbox.is_usable() {
            pool.idle.lock().await.push((Instant::now(), sandbox));
        }
        Ok(answer)
    }

    /// Invokes a function as AWS does for events: at once, now and then twice, and again after a failure; in the end the
    /// event goes to the function's failure queue.
    ///
    /// # Errors
    /// When there is no such function.
    pub fn invoke_later(self: &Arc<Self>, name: &str, payload: &Bytes) -> Result<(), NotInvoked> {
        self.pool(name)?;
        let number = self.events.fetch_add(1, Ordering::Relaxed);
        let again = self.pace.comes_again_after(number);
        for pause in [Some(Duration::ZERO), again].into_iter().flatten() {
            let (functions, name, payload) = (Arc::clone(self), name.to_owned(), payload.clone());
            tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                functions.until_it_succeeds(&name, payload).await;
            });
        }
        Ok(())
    }

    async fn until_it_succeeds(self: &Arc<Self>, name: &str, payload: Bytes) {
        let Ok(pool) = self.pool(name) else { return };
        let (pauses, failures) =
            (self.pace.pauses(pool.definition.retries), pool.definition.failures.as_deref());
        let (mut pauses, came) = (pauses.into_iter(), Instant::now());
        let (mut attempts, mut refused) = (0, 0);
        while !self.stopped.load(Ordering::Relaxed) {
            let invoked = self.invoke(name, payload.clone()).await;
            let (why, pause) = match &invoked {
                Err(NotInvoked::TooManyExecutions) => {
                    refused += 1;
                    let is_left = !self.pace.is_too_old(came.elapsed());
                    (GivenUp::EventAgeExceeded, is_left.then(|| self.pace.throttled_pause(refused - 1)))
                }
                Ok(answer) if answer.failed => {
                    attempts += 1;
                    (GivenUp::RetriesExhausted(answer), pauses.next())
                }
                Ok(_) | Err(NotInvoked::NoSuchFunction(_)) => return,
            };
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
            let said = match &invoked {
                Ok(answer) => String::from_utf8_lossy(&answer.payload).into_owned(),
                Err(refusal) => refusal.to_string(),
            };
            let Some(pause) = pause else {
                tracing::warn!(function = name, attempts, answer = said, "an event failed for good");
                if let Some(queue) = failures {
                    self.failures.send(queue, name, &payload, why, attempts).await;
                }
                return;
            };
            tracing::info!(function = name, attempts, answer = said, "an event failed and is repeated");
            tokio::time::sleep(pause).await;
        }
    }

    /// Kills every running process of a function, through whichever alias it was invoked. What it was doing fails; the next
    /// invocation starts it again.
    ///
    /// # Errors
    /// When there is no such function.
    pub fn kill(&self, name: &str) -> Result<usize, NotInvoked> {
        self.pool(name)?;
        let pools = self.pools.values().filter(|pool| pool.definition.name == name);
        Ok(pools.map(Pool::kill).sum())
    }

    /// Ends all functions; what is to be repeated later is not.
    pub async fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        for pool in self.pools.values() {
            pool.idle.lock().await.clear();
        }
        for pool in self.pools.values() {
            pool.kill();
        }
    }

    fn pool(&self, name: &str) -> Result<&Pool, NotInvoked> {
        self.pools.get(name).ok_or_else(|| NotInvoked::NoSuchFunction(name.to_owned()))
    }
}

impl Pool {
    fn new(definition: Function, settings: SandboxSettings) -> Self {
        Self { definition, settings, idle: Mutex::new(Vec::new()), all: std::sync::Mutex::default() }
    }

    /// Kills what runs, and says how many that were.
    fn kill(&self) -> usize {
        let mut all = self.all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.retain(|processes| processes.strong_count() > 0);
        let running: Vec<_> = all.iter().filter_map(std::sync::Weak::upgrade).collect();
        drop(all);
        running.iter().filter(|processes| processes.kill()).count()
    }

    /// The one that was busy last, of those that are kept so long.
    async fn idle_one(&self, kept: Duration) -> Option<Sandbox> {
        let mut idle = self.idle.lock().await;
        idle.retain(|(since, _)| since.elapsed() < kept);
        idle.pop().map(|(_, sandbox)| sandbox)
    }

    fn start(&self) -> Sandbox {
        let sandbox = Sandbox::new(self.settings.clone());
        self.all
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(Arc::downgrade(sandbox.processes()));
        sandbox
    }
}
