//! Where an instance's agent keeps its things.

use std::path::PathBuf;

use crate::specification::Specification;

/// The folders of one instance.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    /// `/` of the instance.
    pub(crate) instance: PathBuf,
}

impl Folders {
    /// The agent's working directory, which hooks inherit.
    pub(crate) fn working(&self) -> PathBuf {
        self.instance.join("opt/codedeploy-agent")
    }

    pub(crate) fn deployment_root(&self) -> PathBuf {
        self.working().join("deployment-root")
    }

    pub(crate) fn group(&self, specification: &Specification) -> PathBuf {
        self.deployment_root().join(&specification.group_id)
    }

    pub(crate) fn deployment(&self, specification: &Specification) -> PathBuf {
        self.group(specification).join(&specification.deployment_id)
    }

    pub(crate) fn instructions(&self) -> PathBuf {
        self.deployment_root().join("deployment-instructions")
    }

    pub(crate) fn last_successful_install(&self, specification: &Specification) -> PathBuf {
        self.instructions().join(format!("{}_last_successful_install", specification.group_id))
    }

    /// A path of appspec.yml on this instance. A relative one starts at the agent's working directory.
    pub(crate) fn rooted(&self, path: &str) -> PathBuf {
        match path.strip_prefix('/') {
            Some(below) => self.instance.join(below.trim_start_matches('/')),
            None => self.working().join(path),
        }
    }
}
