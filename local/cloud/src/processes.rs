//! Processes of the local cloud: each started in a group of its own, none left behind.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// In the environment of every process that the local cloud starts; its value is the state folder.
pub(crate) const MARK: &str = "LOCAL_CLOUD_STATE";

/// A process and whatever it starts. Dropping it kills them all.
#[derive(Debug)]
pub(crate) struct ProcessGroup {
    child: Child,
    group: Pid,
}

impl ProcessGroup {
    /// Starts `command` as the leader of a new process group, with its output appended to `log`.
    ///
    /// # Errors
    /// When the log cannot be opened or the program not be started.
    pub(crate) fn start(mut command: Command, state: &Path, log: &Path) -> Result<Self> {
        let output = append(log)?;
        let program = PathBuf::from(command.as_std().get_program());
        command
            .env(MARK, state)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
            .with_context(|| format!("{} ended at once", program.display()))?;
        Ok(Self { child, group })
    }

    /// Whether the leader has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the processes that the leader started, not the leader.
    pub(crate) fn kill_children(&self) {
        for pid in running().into_iter().filter(|pid| parent_of(*pid) == Some(self.group)) {
            kill(pid);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // An error means that the group is gone already.
        let _gone = kill_process_group(self.group, Signal::KILL);
    }
}

/// Opens a log to append to, with its folder.
fn append(log: &Path) -> Result<File> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot open {}", log.display()))
}

/// Kills every process of a local cloud with this state folder, and what those have started: the processes that carry
/// [`MARK`], and nginx, which writes its title over its environment and is known by the configuration that it names
/// there. Answers how many there were.
pub(crate) fn kill_all_of(state: &Path) -> usize {
    let mark = [MARK.as_bytes(), b"=", state.as_os_str().as_encoded_bytes()].concat();
    let own = getpid();
    let marked = |pid: &Pid| {
        let folder = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
        let read = |name: &str| fs::read(folder.join(name)).unwrap_or_default();
        let works_below = || fs::read_link(folder.join("cwd")).is_ok_and(|cwd| cwd.starts_with(state));
        let title = read("cmdline");
        let names_state = || {
            let state = state.as_os_str().as_encoded_bytes();
            title.windows(state.len() + 1).any(|part| part.strip_prefix(state) == Some(b"/"))
        };
        read("environ").split(|byte| *byte == 0).any(|entry| entry == mark)
            || (title.starts_with(b"nginx: ") && (names_state() || works_below()))
    };
    let running = running();
    let mut doomed: Vec<Pid> = running.iter().copied().filter(|pid| *pid != own).filter(marked).collect();
    // An nginx that is killed leaves its workers behind, whose titles name nothing.
    let parents: Vec<(Pid, Option<Pid>)> = running.iter().map(|pid| (*pid, parent_of(*pid))).collect();
    let mut looked_at = 0;
    while let Some(parent) = doomed.get(looked_at).copied() {
        let children = parents.iter().filter(|(_, of)| *of == Some(parent)).map(|(pid, _)| *pid);
        let new: Vec<Pid> = children.filter(|pid| *pid != own && !doomed.contains(pid)).collect();
        doomed.extend(new);
        looked_at += 1;
    }
    for pid in &doomed {
        kill(*pid);
    }
    doomed.len()
}

fn kill(pid: Pid) {
    // An error means that it is gone already.
    let _gone = kill_process(pid, Signal::KILL);
}

fn running() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| pid_of(&entry.file_name())).collect()
}

fn pid_of(name: &OsStr) -> Option<Pid> {
    Pid::from_raw(name.to_str()?.parse().ok()?)
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name before the last parenthesis may hold anything.
    let fields = stat.rsplit_once(')')?.1;
    Pid::from_raw(fields.split_whitespace().nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits until a process is gone, or nobody's any more.
    async fn ended(pid: Pid) {
        let line = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
        while fs::read(&line).is_ok_and(|line| !line.is_empty()) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_nginx_that_an_instance_started_elsewhere_ends_with_its_cloud_and_its_workers_too() {
        let state = std::env::temp_dir().join(format!("cloud-{}", getpid().as_raw_nonzero()));
        let script = format!(
            "exec -a 'nginx: master process nginx -c {}/instances/i-1/nginx.conf' \
             bash -c '(exec -a \"nginx: worker process\" sleep 60) & wait'",
            state.display()
        );
        let mut master = Command::new("bash").args(["-c", &script]).env_clear().spawn().unwrap();
        let pid = master.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).unwrap();
        let titled = |pid: Pid, title: &[u8]| {
            fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).is_ok_and(|it| it.starts_with(title))
        };
        let worker = loop {
            let is_worker =
                |one: &Pid| parent_of(*one) == Some(pid) && titled(*one, b"nginx: worker process");
            if let Some(worker) = running().into_iter().find(is_worker) {
                break worker;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(kill_all_of(&state.join("another")), 0);
        assert_eq!(kill_all_of(&state), 2);
        master.wait().await.unwrap();
        ended(worker).await;
    }

    #[tokio::test]
    async fn dropping_a_group_kills_what_its_leader_started() {
        let folder = std::env::temp_dir().join(format!("process-group-{}", getpid().as_raw_nonzero()));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 60 & wait"]);
        let group = ProcessGroup::start(command, &folder, &folder.join("log")).unwrap();
        let leader = group.group;
        let child = loop {
            if let Some(child) = running().into_iter().find(|pid| parent_of(*pid) == Some(leader)) {
                break child;
            }
            tokio::task::yield_now().await;
        };
        drop(group);
        ended(child).await;
        fs::remove_dir_all(folder).unwrap();
    }
}
