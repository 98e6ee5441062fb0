//! Running the scripts of a hook.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use appspec::agent1::Script;
use rustix::process::Pid;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use super::script_log::ScriptLog;
use crate::{
    clock,
    diagnostics::{Diagnostics, ErrorCode, at},
    fleet::{Host, terminate},
};

/// `ENOEXEC`: no shebang and not a binary.
const NOT_AN_EXECUTABLE_FORMAT: i32 = 8;

/// A time-out has no upper bound, and a clock has: as good as for ever.
const CENTURY_SECONDS: u64 = 100 * 365 * 24 * 3600;

/// One hook of one deployment on one instance.
pub(super) struct Run<'a> {
    pub(super) host: &'a Host,
    pub(super) archive: &'a Path,
    pub(super) log_file: &'a Path,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) timeout_scale: f64,
}

/// The buffer for the service and scripts.log, written line by line from both outputs.
struct Log {
    kept: ScriptLog,
    file: fs::File,
}

type SharedLog = Arc<Mutex<Log>>;

fn write(log: &SharedLog, message: String) {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    let stamp = clock::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
    if let Err(error) = log.file.write_all(format!("{stamp} {message}").as_bytes()) {
        tracing::warn!(%error, "scripts.log cannot be written");
    }
    log.kept.append(message);
}

struct Failure {
    code: ErrorCode,
    message: String,
}

fn failure(code: ErrorCode, message: String) -> Failure {
    Failure { code, message }
}

impl Run<'_> {
    /// Runs the scripts in order until one fails. Each has its own time-out, so their times add up.
    pub(super) async fn all(&self, event: &str, scripts: &[Script]) -> Diagnostics {
        let file = self
            .log_file
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::OpenOptions::new().create(true).append(true).open(self.log_file));
        let file = match file {
            Ok(file) => file,
            Err(error) => return Diagnostics::unknown(at(self.log_file)(error)),
        };
        let log = Arc::new(Mutex::new(Log { kept: ScriptLog::default(), file }));
        let tail = |log: &SharedLog| log.lock().unwrap_or_else(PoisonError::into_inner).kept.tail();
        write(&log, format!("LifecycleEvent - {event}\n"));
        for script in scripts {
            if let Err(failure) = self.one(script, &log).await {
                return Diagnostics {
                    error_code: failure.code,
                    script_name: script.location.clone(),
                    message: failure.message,
                    log_tail: tail(&log),
                };
            }
        }
        Diagnostics::success(tail(&log))
    }

    async fn one(&self, script: &Script, log: &SharedLog) -> Result<(), Failure> {
        let location = &script.location;
        let path = self.archive.join(location.trim_start_matches('/'));
        let Ok(metadata) = fs::metadata(&path) else {
            let message = format!("Script does not exist at specified location: {}", path.display());
            return Err(failure(ErrorCode::ScriptMissing, message));
        };
        let mode = metadata.permissions().mode();
        if mode & 0o111 == 0 && fs::set_permissions(&path, fs::Permissions::from_mode(mode | 0o111)).is_err()
        {
            let message = format!("Unable to set script at specified location: {location} as executable");
            return Err(failure(ErrorCode::ScriptNotExecutable, message));
        }
        write(log, format!("Script - {location}\n"));
        self.execute(script, &path, log).await
    }

    async fn execute(&self, script: &Script, path: &Path, log: &SharedLog) -> Result<(), Failure> {
        let location = &script.location;
        let who = match &script.runas {
            Some(user) => format!("Script at specified location: {location} run as user {user}"),
            None => format!("Script at specified location: {location}"),
        };
        let deadline = Instant::now() + self.timeout(script);
        let mut child = self.spawn(script, path).map_err(|error| {
            let class = match error.kind() {
                ErrorKind::NotFound => "Errno::ENOENT".to_owned(),
                ErrorKind::PermissionDenied => "Errno::EACCES".to_owned(),
                _ => format!("Errno {}", error.raw_os_error().unwrap_or_default()),
            };
            let text = at(path)(error);
            failure(ErrorCode::ScriptFailed, format!("{who} failed with error {class} with message {text}"))
        })?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let _registered = self.host.register(group);
        let stdout = reader(child.stdout.take(), "stdout", log);
        let stderr = reader(child.stderr.take(), "stderr", log);
        let Ok(ended) = timeout_at(deadline, child.wait()).await else {
            terminate(group);
            // Ruby's popen3 waits for the script even after its time-out, so a script that ignores TERM holds the
            // event until the service gives it up.
            let _ended = child.wait().await;
            stdout.abort();
            stderr.abort();
            let message = format!(
                "Script at specified location: {location} failed to complete in {} seconds",
                script.timeout
            );
            return Err(failure(ErrorCode::ScriptTimedOut, message));
        };
        for (reader, name) in [(stdout, "STDOUT"), (stderr, "STDERR")] {
            let abort = reader.abort_handle();
            if timeout_at(deadline, reader).await.is_err() {
                abort.abort();
                let message = format!("Script at specified location: {location} failed to close {name}");
                return Err(failure(ErrorCode::UnknownError, message));
            }
        }
        let code = ended.ok().and_then(|status| status.code());
        if code == Some(0) {
            return Ok(());
        }
        let code = code.map(|code| code.to_string()).unwrap_or_default();
        Err(failure(ErrorCode::ScriptFailed, format!("{who} failed with exit code {code}")))
    }

    fn timeout(&self, script: &Script) -> Duration {
        Duration::from_secs(script.timeout.min(CENTURY_SECONDS)).mul_f64(self.timeout_scale)
    }

    /// Ruby hands the unquoted line to exec, or to the shell when the shell would see anything in it.
    fn spawn(&self, script: &Script, path: &Path) -> std::io::Result<Child> {
        let line = command_line(script, path);
        let mut words = line.split_whitespace();
        let for_shell = line.contains(|c| "*?{}[]<>()~&|\\$;'`\"\n#=%".contains(c));
        let mut command = if for_shell {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(&line);
            shell
        } else {
            let mut direct = Command::new(words.next().unwrap_or_default());
            direct.args(words);
            direct
        };
        match self.prepare(&mut command).spawn() {
            Err(error) if error.raw_os_error() == Some(NOT_AN_EXECUTABLE_FORMAT) => {
                self.prepare(Command::new("/bin/sh").arg(path)).spawn()
            }
            spawned => spawned,
        }
    }

    fn prepare<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let instance = self.host.instance();
        command
            .env_clear()
            .envs(&instance.environment)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.host.folders().working())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
    }
}

/// `su` and `sudo` need root. Without root, scripts run as the user who runs the local cloud.
fn command_line(script: &Script, path: &Path) -> String {
    let path = path.display();
    if !rustix::process::geteuid().is_root() {
        return path.to_string();
    }
    match (&script.runas, script.sudo) {
        (Some(user), true) => format!("sudo su {user} -c {path}"),
        (Some(user), false) => format!("su {user} -c {path}"),
        (None, true) => format!("sudo {path}"),
        (None, false) => path.to_string(),
    }
}

fn reader(
    pipe: Option<impl AsyncRead + Unpin + Send + 'static>,
    name: &'static str,
    log: &SharedLog,
) -> JoinHandle<()> {
    let log = Arc::clone(log);
    tokio::spawn(async move {
        let Some(pipe) = pipe else { return };
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(lines.read_until(b'\n', &mut line).await, Ok(1..)) {
            write(&log, format!("[{name}]{}", String::from_utf8_lossy(&line)));
            line.clear();
        }
    })
}
