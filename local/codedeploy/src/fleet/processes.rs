//! Finding and killing what runs on an instance.
//!
//! Instances share the machine's process table, so an instance's processes are told apart by their environment:
//! one of its values is the instance's root. nginx wipes its environment to write its title there, and is known
//! by the root in that title. Children and process groups of such processes belong to the instance as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process, kill_process_group};

/// Rounds of looking again for processes that were started while others were killed.
const ROUNDS: u32 = 20;

struct Process {
    parent: i32,
    group: i32,
    marked: bool,
}

/// Kills every process of the instance, and the given process groups.
pub(super) fn kill_all(root: &Path, groups: &BTreeSet<i32>) {
    for _ in 0..ROUNDS {
        let doomed = belonging(&table(root), groups);
        if doomed.is_empty() {
            return;
        }
        for pid in doomed.into_iter().filter_map(Pid::from_raw) {
            if let Err(error) = kill_process(pid, Signal::KILL) {
                tracing::debug!(%error, pid = pid.as_raw_nonzero(), "the process has ended by itself");
            }
        }
    }
    tracing::warn!(root = %root.display(), "an instance still starts processes while it is being killed");
}

/// Ends a hook's process group with TERM, as the agent does at a time-out.
pub(crate) fn terminate(group: Option<Pid>) {
    if let Some(group) = group
        && let Err(error) = kill_process_group(group, Signal::TERM)
    {
        tracing::debug!(%error, "the process group has ended by itself");
    }
}

/// Marked processes, their descendants and their groups, but never this program or its own group.
fn belonging(table: &BTreeMap<i32, Process>, groups: &BTreeSet<i32>) -> BTreeSet<i32> {
    let (this, own_group) = (getpid().as_raw_nonzero().get(), getpgrp().as_raw_nonzero().get());
    let mut groups = groups.clone();
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        for (pid, process) in table {
            let belongs =
                process.marked || groups.contains(&process.group) || found.contains(&process.parent);
            if belongs && *pid != this && process.group != own_group {
                found.insert(*pid);
                groups.insert(process.group);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

fn table(root: &Path) -> BTreeMap<i32, Process> {
    let root = root.as_os_str().as_encoded_bytes();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids =
        entries.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    pids.filter_map(|pid| read(pid, root).map(|process| (pid, process))).collect()
}

/// `None` for a process that has ended or is another user's.
fn read(pid: i32, root: &[u8]) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold blanks; state, parent and group follow.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    if fields.next() == Some("Z") {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let in_environment = environment
        .split(|b| *b == 0)
        .any(|entry| entry.iter().position(|b| *b == b'=').and_then(|at| entry.get(at + 1..)) == Some(root));
    let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let in_title = title.starts_with(b"nginx: ") && title.windows(root.len()).any(|part| part == root);
    Some(Process { parent, group, marked: in_environment || in_title })
}
