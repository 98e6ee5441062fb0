//! A Docker engine of an instance's own, as on EC2: on one engine for all, instances would take each other's projects and
//! images.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::fleet::Instance;

/// Longer than an engine takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// Between two looks whether it answers.
const LOOK: Duration = Duration::from_millis(100);

/// The engine of one instance. It needs root and `dockerd`, and ends with its containers when it is dropped.
#[derive(Debug)]
pub struct Engine {
    instance: Instance,
    daemon: Child,
}

impl Engine {
    /// Where the engine of an instance answers, as `DOCKER_HOST` names it. A socket's path has at most 107 bytes.
    pub fn host(root: &Path) -> String {
        format!("unix://{}", root.join("run/docker.sock").display())
    }

    /// Starts the engine of an instance whose address is `127.0.N.M`, and waits until it answers; its containers have
    /// addresses in `10.N.M.0/24`.
    pub fn start(instance: &Instance) -> io::Result<Self> {
        let engine = Self { instance: instance.clone(), daemon: run(instance)? };
        engine.answers()?;
        Ok(engine)
    }

    /// Starts it again after [`crate::Fleet::reboot_instance`], which has killed it. What is under `/run` does not outlive
    /// a boot.
    pub fn restart(&mut self) -> io::Result<()> {
        self.daemon.wait()?;
        let run_folder = self.instance.root.join("run");
        let _was_left = fs::remove_file(run_folder.join("docker.pid"));
        // The containers' networks neither: they would answer beside the new ones, at the same addresses.
        for network in fs::read_dir(run_folder.join("docker/netns")).into_iter().flatten().flatten() {
            let _was_none = Command::new("umount").arg("--lazy").arg(network.path()).status();
        }
        let boots = fs::read_dir(&run_folder)?.count();
        fs::rename(run_folder.join("docker"), run_folder.join(format!("docker.{boots}")))?;
        self.daemon = run(&self.instance)?;
        self.answers()
    }

    fn docker(&self, words: &[&str]) -> String {
        let mut docker = Command::new("docker");
        let output = docker.args(["--host", &Self::host(&self.instance.root)]).args(words).output();
        output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn answers(&self) -> io::Result<()> {
        let since = Instant::now();
        while !self.docker(&["info"]).contains("Server Version") {
            if since.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.instance.root.join("dockerd.log")).unwrap_or_default();
                return Err(io::Error::other(format!(
                    "dockerd of {} does not answer: {log}",
                    self.instance.id
                )));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for container in self.docker(&["ps", "--all", "--quiet"]).split_whitespace() {
            self.docker(&["rm", "--force", container]);
        }
        self.docker(&["network", "prune", "--force"]);
        let pid = i32::try_from(self.daemon.id()).ok().and_then(Pid::from_raw);
        let _ended = pid.map(|pid| kill_process(pid, Signal::TERM));
        let _status = self.daemon.wait();
    }
}

fn run(instance: &Instance) -> io::Result<Child> {
    let root = &instance.root;
    fs::create_dir_all(root.join("run"))?;
    let log = File::create(root.join("dockerd.log"))?;
    let net = instance.address.strip_prefix("127.0.").ok_or_else(|| {
        io::Error::other(format!("{} has the address {}, and not 127.0.N.M", instance.id, instance.address))
    })?;
    let bridge = machines_bridge()
        .map_or(["--bridge".to_owned(), "none".to_owned()], |address| ["--bip".to_owned(), address]);
    Command::new("dockerd")
        .arg("--data-root")
        .arg(root.join("var/lib/docker"))
        .arg("--exec-root")
        .arg(root.join("run/docker"))
        .arg("--pidfile")
        .arg(root.join("run/docker.pid"))
        // Engines side by side would change each other's rules; Docker's proxy passes connections on without any.
        .args(["--iptables=false", "--default-address-pool", &format!("base=10.{net}.0/24,size=28")])
        .args(bridge)
        .args(["--host", &Engine::host(root)])
        .envs(&instance.environment)
        // A group of its own, so that it is killed with its instance.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// The address of the bridge that the machine's engine gave itself, as `172.17.0.1/16`. An engine without a bridge would
/// remove it, and one with another address would change it; others need it as it is.
fn machines_bridge() -> Option<String> {
    let format = "{{with index .IPAM.Config 0}}{{.Gateway}} {{.Subnet}}{{end}}";
    let told =
        Command::new("docker").args(["network", "inspect", "bridge", "--format", format]).output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let (gateway, subnet) = told.trim().split_once(' ')?;
    let (_, bits) = subnet.split_once('/')?;
    Some(format!("{gateway}/{bits}"))
}
