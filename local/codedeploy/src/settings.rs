//! What the service is started with: its deployment groups and its pace.

use std::time::Duration;

use crate::ids;

/// What to do with instances that were launched with an older revision while a deployment ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutdatedInstances {
    /// Start a deployment to them: the default.
    #[default]
    Update,
    /// Leave them.
    Ignore,
}

/// A deployment group, as the template declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The application's name.
    pub application: String,
    /// The group's name.
    pub name: String,
    /// The group's id, a UUID on AWS.
    pub id: String,
    /// Names of its Auto Scaling groups.
    pub auto_scaling_groups: Vec<String>,
    /// The default of `deploymentConfigName`.
    pub deployment_config: String,
    /// The service role.
    pub service_role_arn: String,
    /// `outdatedInstancesStrategy`.
    pub outdated_instances: OutdatedInstances,
}

impl Group {
    /// A group with AWS's defaults and an id of its own.
    pub fn new<S: Into<String>>(
        application: impl Into<String>,
        name: impl Into<String>,
        auto_scaling_groups: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            application: application.into(),
            name: name.into(),
            id: ids::uuid(),
            auto_scaling_groups: auto_scaling_groups.into_iter().map(Into::into).collect(),
            deployment_config: "CodeDeployDefault.OneAtATime".to_owned(),
            service_role_arn: "arn:aws:iam::123456789012:role/codedeploy".to_owned(),
            outdated_instances: OutdatedInstances::Update,
        }
    }
}

/// How fast things go. The defaults are AWS's limits with no waiting between steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// From `CreateDeployment` to `InProgress`.
    pub queue: Duration,
    /// Before each lifecycle event: the agent's polling.
    pub command: Duration,
    /// How long an event may run before the service gives the instance up; 3,600 s on AWS.
    pub event_timeout: Duration,
    /// How long an agent may take to begin an event; 300 s on AWS.
    pub start_timeout: Duration,
    /// Hook time-outs of appspec.yml are multiplied by this.
    pub hook_timeout_scale: f64,
    /// From `CreateDeployment` until `ListDeployments` shows it.
    pub listed: Duration,
    /// From `InProgress` until `ListDeploymentTargets` shows its targets.
    pub targets: Duration,
    /// How long `StopDeployment` waits at most for the hooks that run; until then the deployment stays `InProgress`.
    pub stop: Duration,
    /// From a stop until Auto Scaling's processes are resumed.
    pub resumed: Duration,
}

impl Pace {
    /// As slow as AWS, on clocks that run `speed` times as fast; a hook takes as long as it takes, and may. AWS gives no
    /// figures but for the time-outs. These are on the slow side of what users see, and belong to the beliefs of
    /// `docs/assumptions.md`.
    pub fn of_aws(speed: u32) -> Self {
        let seconds = |seconds| Duration::from_secs(seconds) / speed.max(1);
        Self {
            queue: seconds(5),
            listed: seconds(5),
            targets: seconds(3),
            stop: seconds(300),
            resumed: seconds(60),
            ..Self::default()
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            queue: Duration::ZERO,
            command: Duration::ZERO,
            event_timeout: Duration::from_hours(1),
            start_timeout: Duration::from_mins(5),
            hook_timeout_scale: 1.0,
            listed: Duration::ZERO,
            targets: Duration::ZERO,
            stop: Duration::ZERO,
            resumed: Duration::ZERO,
        }
    }
}

/// What the service is started with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The account's number.
    pub account: String,
    /// The region's name.
    pub region: String,
    /// All deployment groups; their applications follow from them.
    pub groups: Vec<Group>,
    /// Speed.
    pub pace: Pace,
    /// Results in one page of a list.
    pub page_size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            groups: Vec::new(),
            pace: Pace::default(),
            page_size: 100,
        }
    }
}
