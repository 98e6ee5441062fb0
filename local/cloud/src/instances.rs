//! Instances: each a folder and an address of its own, with CodeDeploy's agent.

use crate::aws;
use crate::limits;
use crate::places::Places;
use crate::processes;
use crate::stack::Machine;
use anyhow::{Context, Result};
use codedeploy::{Engine, Fleet, Instance};
use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Which address an instance has: 127.0.1.1 and upwards. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Addresses(Arc<Mutex<BTreeMap<String, Ipv4Addr>>>);

impl Addresses {
    /// The address of an instance, if it is one of ours.
    pub fn of(&self, instance: &str) -> Option<Ipv4Addr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(instance).copied()
    }

    /// Gives an instance the next address.
    fn assign(&self, instance: &str) -> Result<Ipv4Addr> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = u8::try_from(known.len() + 1).ok().filter(|number| *number < 255);
        let address = Ipv4Addr::new(127, 0, 1, number.context("no more than 254 instances")?);
        Ok(*known.entry(instance.to_owned()).or_insert(address))
    }
}

/// Makes the instances of the Auto Scaling groups, as booting with their user data would.
///
/// # Errors
/// When a folder cannot be made.
pub(crate) fn boot(
    machines: &[Machine],
    disk_mib: u64,
    places: &Places,
    endpoint: &str,
) -> Result<(Fleet, Addresses)> {
    let (fleet, addresses) = (Fleet::default(), Addresses::default());
    for machine in machines {
        let instance = prepare(machine, disk_mib, &addresses, places, endpoint)?;
        fleet.add_instance(instance).with_context(|| format!("cannot make instance {}", machine.id))?;
    }
    Ok((fleet, addresses))
}

/// An instance with an address and what its user data writes, before its agent starts.
///
/// # Errors
/// When a folder cannot be made or the addresses have run out.
pub(crate) fn prepare(
    machine: &Machine,
    disk_mib: u64,
    addresses: &Addresses,
    places: &Places,
    endpoint: &str,
) -> Result<Instance> {
    let mut instance = describe(machine, addresses.assign(&machine.id)?, places, endpoint);
    let root = &instance.root;
    limits::give_disk(root, disk_mib)
        .and_then(|()| limits::give_memory(root, &mut instance.environment))
        .with_context(|| format!("cannot write to {}", root.display()))?;
    write_environment(machine, &instance)?;
    Ok(instance)
}

fn describe(machine: &Machine, address: Ipv4Addr, places: &Places, endpoint: &str) -> Instance {
    let root = places.state.join("instances").join(&machine.id);
    let path =
        format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", bin(places).display());
    let environment = [
        ("PATH", path),
        ("HOME", root.display().to_string()),
        ("LANG", "C.UTF-8".to_owned()),
        ("GREENLIGHT_ROOT", root.display().to_string()),
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_REGION", aws::REGION.to_owned()),
        ("AWS_DEFAULT_REGION", aws::REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", format!("ASIAINSTANCE{}", machine.id.to_uppercase().replace('-', ""))),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        // No engine answers there until somebody starts one: the machine's own is nobody's instance.
        ("DOCKER_HOST", Engine::host(&root)),
        (processes::MARK, places.state.display().to_string()),
    ];
    Instance {
        id: machine.id.clone(),
        auto_scaling_group: machine.auto_scaling_group.clone(),
        root,
        address: address.to_string(),
        environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
    }
}

fn bin(places: &Places) -> PathBuf {
    places.root.join(".venv/bin")
}

/// User data's own lines, with what is different on this machine: no metadata service, an address.
fn write_environment(machine: &Machine, instance: &Instance) -> Result<()> {
    let mut lines = machine.environment.clone();
    for (name, value) in
        [("GREENLIGHT_ADDRESS", instance.address.as_str()), ("INSTANCE_ID", instance.id.as_str())]
    {
        lines.insert(name.to_owned(), value.to_owned());
    }
    let text = lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<Vec<_>>().concat();
    let folder = instance.root.join("etc/greenlight");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let file = folder.join("environment");
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}
