//! Lambda: the real binaries under AWS's Runtime Interface Emulator.

mod asynchronous;
mod journal;
mod sandbox;

pub(crate) use asynchronous::{Queue, retry_pauses};
pub use journal::{Invocation, Journal};

use crate::places::Places;
use crate::stack::Function;
use anyhow::{Context, Result};
use bytes::Bytes;
use sandbox::{Sandbox, SandboxSettings};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};

/// At most so many executions of one function at a time; more wait, as a burst waits for AWS to scale.
const SANDBOXES: usize = 3;

/// What a function answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionAnswer {
    /// The payload: the function's own, or AWS's description of its failure.
    pub payload: Bytes,
    /// Whether the function failed, which AWS tells by a header.
    pub failed: bool,
}

/// No function has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Function not found: {0}")]
pub struct FunctionNotFound(pub String);

/// All functions of the stack.
#[derive(Debug)]
pub struct Functions {
    pools: BTreeMap<String, Pool>,
    journal: Arc<Journal>,
    queue: Queue,
    stopped: AtomicBool,
}

#[derive(Debug)]
struct Pool {
    definition: Function,
    settings: SandboxSettings,
    /// How many executions may run.
    turns: Semaphore,
    idle: Mutex<Vec<Sandbox>>,
    all: std::sync::Mutex<Vec<std::sync::Weak<sandbox::Processes>>>,
}

impl Functions {
    /// Prepares the functions; each starts when it is first invoked.
    ///
    /// # Errors
    /// When the Runtime Interface Emulator is missing, or the binary of a function that something invokes.
    pub fn new(
        definitions: &[Function],
        places: &Places,
        endpoint: &str,
        journal: Arc<Journal>,
        queue: Queue,
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
            let pool = Pool {
                definition: definition.clone(),
                settings,
                turns: Semaphore::new(SANDBOXES),
                idle: Mutex::new(Vec::new()),
                all: std::sync::Mutex::default(),
            };
            pools.insert(definition.name.clone(), pool);
        }
        Ok(Arc::new(Self { pools, journal, queue, stopped: AtomicBool::new(false) }))
    }

    /// The invocations so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pools.keys().map(String::as_str)
    }

    /// Invokes a function and waits for its answer.
    ///
    /// # Errors
    /// When there is no such function. A function that fails is an `FunctionAnswer`.
    pub async fn invoke(&self, name: &str, payload: Bytes) -> Result<FunctionAnswer, FunctionNotFound> {
        let pool = self.pool(name)?;
        // The semaphore is never closed; should it be, the execution runs all the same.
        let _turn = pool.turns.acquire().await;
        let idle = pool.idle.lock().await.pop();
        let mut sandbox = match idle {
            Some(sandbox) => sandbox,
            None => pool.start(),
        };
        let key = sandbox.key().to_owned();
        self.journal.begin(&key);
        let answer = sandbox.invoke(payload.clone()).await;
        self.journal.end(&key, name, &payload, &answer);
        if sandbox.is_usable() {
            pool.idle.lock().await.push(sandbox);
        }
        Ok(answer)
    }

    /// Invokes a function as AWS does for events: at once, and again after a failure; in the end the event goes to
    /// the function's failure queue.
    ///
    /// # Errors
    /// When there is no such function.
    pub fn invoke_later(self: &Arc<Self>, name: &str, payload: Bytes) -> Result<(), FunctionNotFound> {
        let definition = &self.pool(name)?.definition;
        let pauses = retry_pauses(definition.retries, self.queue.speed());
        let failures = definition.failures.clone();
        let (functions, name) = (Arc::clone(self), name.to_owned());
        tokio::spawn(async move {
            functions.until_it_succeeds(&name, payload, &pauses, failures.as_deref()).await;
        });
        Ok(())
    }

    async fn until_it_succeeds(
        &self,
        name: &str,
        payload: Bytes,
        pauses: &[Duration],
        failures: Option<&str>,
    ) {
        let mut attempts = 1;
        loop {
            let Ok(answer) = self.invoke(name, payload.clone()).await else { return };
            if !answer.failed || self.stopped.load(Ordering::Relaxed) {
                return;
            }
            let said = String::from_utf8_lossy(&answer.payload);
            let Some(pause) = pauses.get(attempts - 1) else {
                tracing::warn!(function = name, attempts, answer = %said, "an event failed for good");
                if let Some(queue) = failures {
                    self.queue.send(queue, name, &payload, &answer, attempts).await;
                }
                return;
            };
            tracing::info!(function = name, attempts, answer = %said, "an event failed and is repeated");
            tokio::time::sleep(*pause).await;
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
            attempts += 1;
        }
    }

    /// Kills every running process of a function. What it was doing fails; the next invocation starts it again.
    ///
    /// # Errors
    /// When there is no such function.
    pub fn kill(&self, name: &str) -> Result<usize, FunctionNotFound> {
        let pool = self.pool(name)?;
        let mut all = pool.all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.retain(|processes| processes.strong_count() > 0);
        let running: Vec<_> = all.iter().filter_map(std::sync::Weak::upgrade).collect();
        drop(all);
        Ok(running.iter().filter(|processes| processes.kill()).count())
    }

    /// Ends all functions; what is to be repeated later is not.
    pub async fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        for pool in self.pools.values() {
            pool.idle.lock().await.clear();
        }
        for name in self.pools.keys() {
            // Every name is known.
            let _known = self.kill(name);
        }
    }

    fn pool(&self, name: &str) -> Result<&Pool, FunctionNotFound> {
        self.pools.get(name).ok_or_else(|| FunctionNotFound(name.to_owned()))
    }
}

impl Pool {
    fn start(&self) -> Sandbox {
        let sandbox = Sandbox::new(self.settings.clone());
        self.all
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(Arc::downgrade(sandbox.processes()));
        sandbox
    }
}
