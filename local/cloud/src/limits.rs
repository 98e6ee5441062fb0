//! What an instance has of disk and memory, and no more.
//!
//! The kernel gives both to root only: the disk is a file system in memory, mounted at the instance's folder, and goes with
//! its cloud; the memory is a control group that every bash of the instance joins, and what that starts. Elsewhere an
//! instance has what the machine has.

use codedeploy::Instance;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// The disk of an instance in MiB, unless told otherwise: some twenty revisions of the sample application.
pub(crate) const DISK_MIB: u64 = 512;

/// The memory of an instance in MiB, that of a small one: twenty times what the sample application needs.
const MEMORY_MIB: u64 = 256;

/// What bash reads before a script, when it is told so by this variable.
const BEFORE_BASH: &str = "BASH_ENV";

/// How long what was killed may take to leave its control group.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

/// The limits that an instance really has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Its disk in MiB; none where it shares the machine's.
    pub disk: Option<u64>,
    /// Its memory in MiB; none where it shares the machine's.
    pub memory: Option<u64>,
}

impl Limits {
    /// Those of an instance.
    pub fn of(instance: &Instance) -> Self {
        Self {
            disk: (!mounts_below(&instance.root).is_empty()).then_some(DISK_MIB),
            memory: instance.environment.contains_key(BEFORE_BASH).then_some(MEMORY_MIB),
        }
    }
}

/// Gives an instance that has no processes yet a disk of so many MiB, where this machine lets us.
///
/// # Errors
/// When its folder cannot be made.
pub(crate) fn give_disk(root: &Path, mib: u64) -> io::Result<()> {
    fs::create_dir_all(root)?;
    if !rustix::process::geteuid().is_root() || !mounts_below(root).is_empty() {
        return Ok(());
    }
    let options = format!("size={mib}m,mode=755");
    let mut mount = Command::new("mount");
    if let Err(said) = run(mount.args(["-t", "tmpfs", "-o", &options, "greenlight-instance"]).arg(root)) {
        tracing::info!(said, root = %root.display(), "an instance has no disk of its own");
    }
    Ok(())
}

/// Gives an instance its memory, where this machine lets us: its environment says so to what starts there.
///
/// # Errors
/// When the instance's folder cannot be written to.
pub(crate) fn give_memory(root: &Path, environment: &mut BTreeMap<String, String>) -> io::Result<()> {
    let Some(tree) = memory_tree() else { return Ok(()) };
    let group = tree.join(group_name(root));
    if let Err(error) = limit_memory(&tree, &group) {
        tracing::info!(%error, group = %group.display(), "an instance has no memory of its own");
        return Ok(());
    }
    let script = root.join("etc/greenlight-memory.sh");
    fs::create_dir_all(root.join("etc"))?;
    fs::write(&script, format!("echo $$ 2>/dev/null >'{}/cgroup.procs' || :\n", group.display()))?;
    environment.insert(BEFORE_BASH.to_owned(), script.display().to_string());
    Ok(())
}

/// Takes disks and memories of all instances below a folder back, once nothing runs there any more.
pub(crate) fn take_back(state: &Path) {
    for root in mounts_below(state) {
        // A disk that somebody looks at goes when nobody does any more.
        if let Err(said) = run(Command::new("umount").arg("--lazy").arg(&root)) {
            tracing::warn!(said, root = %root.display(), "an instance keeps its disk");
        }
    }
    let (Some(tree), name) = (memory_tree(), group_name(state)) else { return };
    for group in fs::read_dir(tree).into_iter().flatten().flatten() {
        if group.file_name().to_string_lossy().starts_with(&name)
            && let Err(error) = remove_group(&group.path())
        {
            tracing::warn!(%error, group = %group.path().display(), "an instance keeps its memory");
        }
    }
}

/// What was killed leaves its group a moment after it has died.
fn remove_group(group: &Path) -> io::Result<()> {
    let until = Instant::now() + LEAVES_WITHIN;
    loop {
        match fs::remove_dir(group) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < until => {
                thread::sleep(LEAVES_WITHIN / 100);
            }
            removed => return removed,
        }
    }
}

/// Where the kernel's limits of memory are written: version 1 of control groups has a tree for memory alone.
fn memory_tree() -> Option<PathBuf> {
    let trees = ["/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/cgroup.subtree_control"];
    let found = trees.into_iter().map(Path::new).find(|file| file.exists())?;
    rustix::process::geteuid().is_root().then(|| found.parent().map(Path::to_owned))?
}

fn group_name(folder: &Path) -> String {
    format!("greenlight{}", folder.display().to_string().replace('/', "-"))
}

/// Without swap, as EC2 is.
fn limit_memory(tree: &Path, group: &Path) -> io::Result<()> {
    let bytes = (MEMORY_MIB << 20).to_string();
    let is_version_1 = tree.join("memory.limit_in_bytes").exists();
    if !is_version_1 {
        fs::write(tree.join("cgroup.subtree_control"), "+memory")?;
    }
    fs::create_dir_all(group)?;
    let (limit, swap, no_swap) = if is_version_1 {
        ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", bytes.as_str())
    } else {
        ("memory.max", "memory.swap.max", "0")
    };
    fs::write(group.join(limit), &bytes)?;
    // A kernel that counts no swap has no such file.
    if group.join(swap).exists() { fs::write(group.join(swap), no_swap) } else { Ok(()) }
}

/// What is mounted at or below a folder, by the names that the kernel has for it.
fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    // The kernel writes a blank as \040.
    let places = places.map(|place| PathBuf::from(place.replace("\\040", " ")));
    places.filter(|place| place.starts_with(&folder)).collect()
}

/// Runs a program; else what it said.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said()) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A state folder whose instances give back what they have.
    pub(crate) struct State(pub(crate) tempfile::TempDir);

    impl State {
        pub(crate) fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn root(&self) -> PathBuf {
            self.0.path().join("instances/i-1")
        }
    }

    impl Drop for State {
        fn drop(&mut self) {
            take_back(self.0.path());
        }
    }

    /// None where only root could give an instance limits.
    fn limited(test: &str) -> Option<State> {
        if rustix::process::geteuid().is_root() {
            return Some(State::new());
        }
        skipped::unless_asked_for(&format!("limits::tests::{test}"), "only root can limit an instance");
        None
    }

    #[test]
    fn a_disk_is_full_at_its_size_and_goes_with_its_cloud() {
        let Some(state) = limited("a_disk_is_full_at_its_size_and_goes_with_its_cloud") else { return };
        let root = state.root();
        give_disk(&root, DISK_MIB).unwrap();
        if mounts_below(&root).is_empty() {
            let test = "limits::tests::a_disk_is_full_at_its_size_and_goes_with_its_cloud";
            return skipped::unless_asked_for(test, "this machine mounts nothing");
        }
        let fill = |mib: u64| {
            let size = format!("{mib}M");
            let mut fallocate = Command::new("fallocate");
            fallocate.args(["-l", &size]).arg(root.join("log")).output().unwrap().status.success()
        };
        assert!(fill(DISK_MIB - 1));
        assert!(!fill(DISK_MIB + 1));
        take_back(state.0.path());
        assert!(mounts_below(state.0.path()).is_empty() && !root.join("log").exists());
    }

    #[test]
    fn what_an_instance_starts_has_its_memory_and_no_more() {
        let Some(state) = limited("what_an_instance_starts_has_its_memory_and_no_more") else { return };
        let (root, mut environment) = (state.root(), BTreeMap::new());
        give_memory(&root, &mut environment).unwrap();
        if environment.is_empty() {
            let test = "limits::tests::what_an_instance_starts_has_its_memory_and_no_more";
            return skipped::unless_asked_for(test, "this machine has no control groups to write to");
        }
        // A child of a child, as the application is of a hook.
        let eats = |mib: u64| {
            let script =
                format!("bash -c 'x=$(head -c {mib}M /dev/zero | tr \"\\0\" x); echo ${{#x}}' & wait $!");
            Command::new("bash").arg("-c").arg(script).envs(&environment).output().unwrap()
        };
        assert!(eats(8).status.success());
        assert!(!eats(MEMORY_MIB).status.success());
        take_back(state.0.path());
        assert!(!memory_tree().unwrap().join(group_name(&root)).exists());
    }
}
