//! What a deployment's commands carry.

use appspec::FileExistsBehavior;

use crate::aws::S3Location;

/// What the service tells the agent about a deployment.
#[derive(Debug, Clone)]
pub(crate) struct Specification {
    /// `d-…`.
    pub(crate) deployment_id: String,
    /// The application's name.
    pub(crate) application: String,
    /// The group's name.
    pub(crate) group: String,
    /// The group's id, which names its folder on the instance.
    pub(crate) group_id: String,
    /// What to install.
    pub(crate) revision: S3Location,
    /// The deployment's own choice; the bundle's beats it.
    pub(crate) file_exists_behavior: FileExistsBehavior,
}
