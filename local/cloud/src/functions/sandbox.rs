//! One execution environment: a Runtime Interface Emulator with the function's binary as its bootstrap.

use super::FunctionAnswer;
use crate::aws;
use crate::emulator::free_port;
use crate::places::Places;
use crate::processes::ProcessGroup;
use crate::stack::Function;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::process::Command;

/// How long the emulator may take to listen.
const START: Duration = Duration::from_secs(10);

/// How every sandbox of a function is started.
#[derive(Debug, Clone)]
pub(super) struct SandboxSettings {
    function: Function,
    folder: PathBuf,
    state: PathBuf,
    log: PathBuf,
    endpoint: String,
    next: Arc<AtomicU32>,
}

impl SandboxSettings {
    /// Lays the emulator and the binary into the function's own folder, as `/var/task` has it.
    pub(super) fn prepare(
        function: &Function,
        emulator: &Path,
        binary: &Path,
        folder: PathBuf,
        places: &Places,
        endpoint: &str,
    ) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        for (from, name) in [(emulator, "aws-lambda-rie"), (binary, "bootstrap")] {
            let to = folder.join(name);
            fs::copy(from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
            make_executable(&to)?;
        }
        Ok(Self {
            function: function.clone(),
            folder,
            state: places.state.clone(),
            log: places.log(&format!("{}.jsonl", function.name)),
            endpoint: endpoint.to_owned(),
            next: Arc::default(),
        })
    }

    /// Where its log lies.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }
}

fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// The processes of a sandbox, to be killed from outside.
#[derive(Debug, Default)]
pub(super) struct Processes(Mutex<Option<ProcessGroup>>);

impl Processes {
    fn slot(&self) -> std::sync::MutexGuard<'_, Option<ProcessGroup>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the function's process under the emulator; false when none runs.
    pub(super) fn kill(&self) -> bool {
        let slot = self.slot();
        if let Some(group) = slot.as_ref() {
            group.kill_children();
        }
        slot.is_some()
    }
}

/// An execution environment. It has an access key of its own, so that AWS calls can be told apart by invocation.
#[derive(Debug)]
pub(super) struct Sandbox {
    settings: SandboxSettings,
    key: String,
    processes: Arc<Processes>,
    running: Option<(SocketAddr, Client<HttpConnector, Full<Bytes>>)>,
}

impl Sandbox {
    pub(super) fn new(settings: SandboxSettings) -> Self {
        let number = settings.next.fetch_add(1, Ordering::Relaxed);
        let key = format!("ASIA{}{number}", settings.function.name.to_uppercase().replace('-', ""));
        Self { settings, key, processes: Arc::default(), running: None }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn processes(&self) -> &Arc<Processes> {
        &self.processes
    }

    /// False when its emulator is gone.
    pub(super) fn is_usable(&self) -> bool {
        self.running.is_some()
    }

    /// Runs the function once. A sandbox that does not answer is taken for a crash of the function.
    pub(super) async fn invoke(&mut self, payload: Bytes) -> FunctionAnswer {
        match self.try_invoke(payload).await {
            Ok(answer) => answer,
            Err(error) => {
                self.running = None;
                *self.processes.slot() = None;
                FunctionAnswer::of_failure(&format!(
                    "{} did not answer: {error:#}",
                    self.settings.function.name
                ))
            }
        }
    }

    async fn try_invoke(&mut self, payload: Bytes) -> Result<FunctionAnswer> {
        let (address, client) = match &self.running {
            Some(running) => running.clone(),
            None => self.start().await?,
        };
        let path = "2015-03-31/functions/function/invocations";
        let request = Request::post(format!("http://{address}/{path}")).body(Full::from(payload))?;
        // The emulator keeps the function's own time; this is for an emulator that hangs.
        let limit = Duration::from_secs(self.settings.function.timeout + 10);
        let exchange = async {
            let response = client.request(request).await?;
            let success = response.status().is_success();
            Ok::<_, anyhow::Error>((success, response.into_body().collect().await?.to_bytes()))
        };
        let (success, payload) =
            tokio::time::timeout(limit, exchange).await.context("it took too long")??;
        Ok(judged(success, payload))
    }

    async fn start(&mut self) -> Result<(SocketAddr, Client<HttpConnector, Full<Bytes>>)> {
        let settings = &self.settings;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let runtime = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let function = &settings.function;
        let mut command = Command::new(settings.folder.join("aws-lambda-rie"));
        command
            .args(["--log-level", "error", "--runtime-interface-emulator-address", &address.to_string()])
            .args(["--runtime-api-address", &runtime.to_string(), "./bootstrap"])
            .current_dir(&settings.folder)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(&function.environment)
            .env("_HANDLER", "bootstrap")
            .env("AWS_REGION", aws::REGION)
            .env("AWS_DEFAULT_REGION", aws::REGION)
            .env("AWS_ACCESS_KEY_ID", &self.key)
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_SESSION_TOKEN", "local")
            .env("AWS_ENDPOINT_URL", &settings.endpoint)
            .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory.to_string())
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", function.timeout.to_string())
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON");
        let mut group = ProcessGroup::start(command, &settings.state, &settings.log)?;
        let listens = async {
            while tokio::net::TcpStream::connect(address).await.is_err() && !group.has_ended() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(START, listens)
            .await
            .context("the Runtime Interface Emulator does not listen")?;
        if group.has_ended() {
            bail!("the Runtime Interface Emulator ended; see {}", settings.log.display());
        }
        *self.processes.slot() = Some(group);
        let running = (address, Client::builder(TokioExecutor::new()).build_http());
        self.running = Some(running.clone());
        Ok(running)
    }
}

/// The emulator answers 200 also when the function failed; what tells a failure is the shape of the payload. A
/// time-out is plain text, and a process that ended may leave nothing.
fn judged(success: bool, payload: Bytes) -> FunctionAnswer {
    if let Ok(value) = serde_json::from_slice::<Value>(&payload) {
        let failed = !success || (value.get("errorType").is_some() && value.get("errorMessage").is_some());
        return FunctionAnswer { payload, failed };
    }
    let text = String::from_utf8_lossy(&payload);
    let description = match (success, text.is_empty()) {
        (true, true) => return FunctionAnswer { payload, failed: false },
        (_, false) => json!({ "errorMessage": text }),
        (false, true) => json!({
            "errorType": "Runtime.ExitError",
            "errorMessage": "Error: Runtime exited without providing a reason",
        }),
    };
    FunctionAnswer { payload: Bytes::from(description.to_string()), failed: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_by_their_shape() {
        for (success, payload, failed) in [
            (true, r#"{"status":"wait"}"#, false),
            (true, "null", false),
            (true, "", false),
            (true, r#"{"errorType":"Oops","errorMessage":"bad"}"#, true),
            (true, "Task timed out after 2.00 seconds", true),
            (false, r#"{"errorType":"Runtime.ExitError","errorMessage":"killed"}"#, true),
            (false, "", true),
        ] {
            assert_eq!(judged(success, Bytes::from(payload)).failed, failed, "{payload}");
        }
    }
}
