//! The instances, by Auto Scaling group.

mod processes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::process::Pid;
use tokio::sync::watch;

use crate::folders::Folders;
pub(crate) use processes::terminate;

/// One instance: a folder that is its `/`, an address, and the environment of its agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `i-…`.
    pub id: String,
    /// The name of the Auto Scaling group that it belongs to.
    pub auto_scaling_group: String,
    /// What is `/` on EC2.
    pub root: PathBuf,
    /// The address that its ports are bound to.
    pub address: String,
    /// The agent's own environment; hooks inherit it and get nothing else but the agent's variables.
    /// A variable whose value is the root marks the instance's processes for [`Fleet::kill_instance`].
    pub environment: BTreeMap<String, String>,
}

/// Whether an instance's agent answers. A new generation is an agent that was started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Up { generation: u64 },
    Dead,
}

/// An instance with what runs on it.
#[derive(Debug)]
pub(crate) struct Host {
    instance: Instance,
    in_service: AtomicBool,
    life: watch::Sender<Life>,
    hooks: Mutex<BTreeSet<i32>>,
}

impl Host {
    pub(crate) fn instance(&self) -> &Instance {
        &self.instance
    }

    pub(crate) fn folders(&self) -> Folders {
        Folders { instance: self.instance.root.clone() }
    }

    pub(crate) fn life(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    pub(crate) fn is_dead(&self) -> bool {
        *self.life.borrow() == Life::Dead
    }

    /// The agent that ran is gone, with the event that it was running; another one answers.
    fn renew_agent(&self) {
        self.life.send_modify(|life| {
            if let Life::Up { generation } = life {
                *generation += 1;
            }
        });
    }

    fn hooks(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a running hook's process group until the guard is dropped.
    pub(crate) fn register(&self, group: Option<Pid>) -> Registered<'_> {
        let group = group.map(|group| group.as_raw_nonzero().get());
        self.hooks().extend(group);
        Registered { host: self, group }
    }
}

/// A hook's process group on its host.
pub(crate) struct Registered<'a> {
    host: &'a Host,
    group: Option<i32>,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            self.host.hooks().remove(&group);
        }
    }
}

/// All instances. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    hosts: Arc<Mutex<BTreeMap<String, Arc<Host>>>>,
}

impl Fleet {
    fn hosts(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Host>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an instance that is in service, replacing one of the same id, and makes its folders.
    pub fn add_instance(&self, instance: Instance) -> io::Result<()> {
        self.add(instance, true).map(drop)
    }

    pub(crate) fn add(&self, instance: Instance, in_service: bool) -> io::Result<Arc<Host>> {
        let host = Arc::new(Host {
            in_service: AtomicBool::new(in_service),
            life: watch::Sender::new(Life::Up { generation: 0 }),
            hooks: Mutex::default(),
            instance,
        });
        fs::create_dir_all(host.folders().deployment_root())?;
        self.hosts().insert(host.instance.id.clone(), Arc::clone(&host));
        Ok(host)
    }

    /// The instances of a group that are in service, by id: what a deployment takes for its targets.
    pub fn in_service(&self, auto_scaling_group: &str) -> Vec<Instance> {
        self.hosts_in_service(auto_scaling_group).iter().map(|host| host.instance.clone()).collect()
    }

    pub(crate) fn hosts_in_service(&self, auto_scaling_group: &str) -> Vec<Arc<Host>> {
        let hosts = self.hosts();
        let of_group = hosts.values().filter(|host| host.instance.auto_scaling_group == auto_scaling_group);
        of_group.filter(|host| host.in_service.load(Ordering::Acquire)).cloned().collect()
    }

    /// An instance that is there, in service or being launched.
    pub fn instance(&self, id: &str) -> Option<Instance> {
        self.hosts().get(id).map(|host| host.instance.clone())
    }

    pub(crate) fn host(&self, id: &str) -> Option<Arc<Host>> {
        self.hosts().get(id).cloned()
    }

    pub(crate) fn put_in_service(&self, id: &str) {
        if let Some(host) = self.hosts().get(id) {
            host.in_service.store(true, Ordering::Release);
        }
    }

    /// Ends an instance at once: every process on it is killed, its agent never answers again, and it leaves its
    /// group. A deployment that waits for it goes on waiting. False when there is no such instance.
    pub fn kill_instance(&self, id: &str) -> bool {
        let Some(host) = self.hosts().remove(id) else { return false };
        host.life.send_replace(Life::Dead);
        let hooks = host.hooks().clone();
        processes::kill_all(&host.instance.root, &hooks);
        true
    }

    /// Switches an instance off and on: every process on it is killed, its files stay, and a new agent answers. What else
    /// its boot starts is the caller's. False when there is no such instance.
    pub fn reboot_instance(&self, id: &str) -> bool {
        let Some(host) = self.hosts().get(id).cloned() else { return false };
        let hooks = host.hooks().clone();
        host.renew_agent();
        processes::kill_all(&host.instance.root, &hooks);
        true
    }

    /// Stops the agent and starts it again: running hooks get TERM and their events fail with the agent's code 7.
    /// What hooks have started in sessions of their own lives on. False when there is no such instance.
    pub fn restart_agent(&self, id: &str) -> bool {
        let Some(host) = self.hosts().get(id).cloned() else { return false };
        let hooks = host.hooks().clone();
        host.renew_agent();
        for group in hooks {
            terminate(Pid::from_raw(group));
        }
        true
    }
}
