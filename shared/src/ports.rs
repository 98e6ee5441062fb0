//! What the release path needs of AWS, as traits in its own words.
//!
//! One adapter each in `greenlight::aws`, one in-memory fake in `testing`. Every method says in
//! its [`Failure`]'s class whether a repeat is safe.

use crate::failure::Failure;
use crate::secret::Secret;
use jiff::Timestamp;
use release::evidence::PublishedMinute;
pub use release::pass::LedgerVersion;
use release::plan::Window;
use release::{
    Announcement, Colour, Deployment, DeploymentId, Description, InstanceId, Ledger, Receipt, Revision,
    RuleArn, RuleOwner, Rules, ScalingProcess, ServiceName, Summary, Target, TargetHealth, VerdictWord,
    Weights,
};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

/// What a port answers.
pub type PortResult<T> = Result<T, Failure>;

/// The ledgers, `ledger/<service>.json` in the state bucket.
pub trait Ledgers: Sync {
    /// The ledger and its version; `None` before the first write.
    fn read_ledger(
        &self,
        service: &ServiceName,
    ) -> impl Future<Output = PortResult<Option<(Ledger, LedgerVersion)>>> + Send;

    /// Replaces the ledger if it still has this version, or creates it if there is none and `expected` is `None`.
    ///
    /// Conflict when another pass was first. Outcome unknown when the answer was lost: read before a repeat.
    fn write_ledger(
        &self,
        ledger: &Ledger,
        expected: Option<&LedgerVersion>,
    ) -> impl Future<Output = PortResult<LedgerVersion>> + Send;
}

/// What ended releases leave, in the state bucket.
pub trait Receipts: Sync {
    /// Writes a receipt at its key. One that is there already stays, and is no failure.
    fn write_receipt(&self, receipt: &Receipt) -> impl Future<Output = PortResult<()>> + Send;
}

/// The page of all services, in the state bucket. Only `lifecycle` writes it.
pub trait Pages: Sync {
    /// Replaces the page. Two that are written at the same time leave either.
    fn write_page(&self, html: &str) -> impl Future<Output = PortResult<()>> + Send;

    /// What `waf-logs` leaves of who is kept out, for the page; `None` when nothing lies there.
    fn blocked(&self) -> impl Future<Output = PortResult<Option<Vec<u8>>>> + Send;

    /// A link that opens the page for this long, if the function's own credentials last so long. Whoever has it may read the
    /// page, so that it is a secret.
    fn page_link(&self, lasts: Duration) -> impl Future<Output = PortResult<String>> + Send;
}

/// Whoever has subscribed to the stack's topic.
pub trait Announcements: Sync {
    /// Announces what was not announced yet, and remembers that in the state bucket. What could not be remembered is
    /// announced again when it is asked for again.
    fn announce(&self, announcement: &Announcement) -> impl Future<Output = PortResult<()>> + Send;
}

/// What an operator is told of a preview: its secret, one for each service, in the state bucket, and where to send it. Only
/// `lifecycle` makes secrets.
pub trait PreviewSecrets: Sync {
    /// The secret of a service; `None` when none was made yet.
    fn preview_secret(
        &self,
        service: &ServiceName,
    ) -> impl Future<Output = PortResult<Option<Secret>>> + Send;

    /// Makes a new one, which takes the place of the one before. Two that are made at the same time leave either: read it.
    fn make_preview_secret(&self, service: &ServiceName) -> impl Future<Output = PortResult<()>> + Send;

    /// The host names that the service answers to, as its base rule has them.
    fn hosts(&self, service: &ServiceName) -> impl Future<Output = PortResult<Vec<String>>> + Send;
}

/// The listener's rules of a service: the base rule, a release's rule at the priority before it, and a preview's before that.
pub trait ListenerRules: Sync {
    /// All of them, in one call however many rules the listener has.
    fn rules(&self, service: &ServiceName) -> impl Future<Output = PortResult<Rules>> + Send;

    /// The release that owns this rule, by its tags. `None` when it carries no tags of ours or is gone.
    fn rule_owner(
        &self,
        service: &ServiceName,
        rule: &RuleArn,
    ) -> impl Future<Output = PortResult<Option<RuleOwner>>> + Send;

    /// Creates the release's rule with the base rule's conditions and all weight on `live`.
    ///
    /// Conflict when the priority is in use: a release is open, or its rule was left over.
    fn create_release_rule(
        &self,
        service: &ServiceName,
        live: Colour,
        release: &Description,
    ) -> impl Future<Output = PortResult<RuleArn>> + Send;

    /// Sets the weights of a release's rule. Conflict when the rule is gone.
    fn set_release_weights(
        &self,
        service: &ServiceName,
        rule: &RuleArn,
        weights: Weights,
    ) -> impl Future<Output = PortResult<()>> + Send;

    /// Deletes a release's rule; a rule that is gone is no failure.
    fn delete_release_rule(
        &self,
        service: &ServiceName,
        rule: &RuleArn,
    ) -> impl Future<Output = PortResult<()>> + Send;

    /// Creates the rule of a preview, with the base rule's conditions and the header that holds the service's secret. It leads
    /// to the release's candidate alone.
    ///
    /// Conflict when the priority is in use.
    fn create_preview_rule(
        &self,
        service: &ServiceName,
        release: &Description,
    ) -> impl Future<Output = PortResult<RuleArn>> + Send;

    /// Deletes the rule of a preview; a rule that is gone is no failure.
    fn delete_preview_rule(
        &self,
        service: &ServiceName,
        rule: &RuleArn,
    ) -> impl Future<Output = PortResult<()>> + Send;

    /// Sets the weights of the base rule.
    fn set_base_weights(
        &self,
        service: &ServiceName,
        weights: Weights,
    ) -> impl Future<Output = PortResult<()>> + Send;
}

/// The two target groups of a service.
pub trait TargetGroups: Sync {
    /// The health of every target of one colour, by instance.
    fn target_health(
        &self,
        service: &ServiceName,
        colour: Colour,
    ) -> impl Future<Output = PortResult<BTreeMap<InstanceId, TargetHealth>>> + Send;
}

/// The alarms of a service.
pub trait Alarms: Sync {
    /// Every configured alarm of both colours, in one call. An alarm that does not exist is `Missing`.
    fn alarm_states(&self, service: &ServiceName)
    -> impl Future<Output = PortResult<release::Alarms>> + Send;

    /// Sets this alarm of this colour to `ALARM`, for a drill. It holds until the alarm is evaluated next. An alarm that is not
    /// the colour's is refused.
    fn set_alarm(
        &self,
        service: &ServiceName,
        colour: Colour,
        alarm: &str,
    ) -> impl Future<Output = PortResult<()>> + Send;
}

/// The requests that both colours of a service got.
pub trait Traffic: Sync {
    /// What was published of the minutes in `window`, oldest first. A minute without a data point is left out: CloudWatch
    /// publishes no zeros, so nothing came, or it is not published yet. What was published lately still changes.
    fn published(
        &self,
        service: &ServiceName,
        window: Window,
    ) -> impl Future<Output = PortResult<Vec<PublishedMinute>>> + Send;
}

/// CodeDeploy's deployments of a service.
pub trait Deployments: Sync {
    /// A deployment by id; `None` when CodeDeploy does not know it.
    fn deployment(&self, id: &DeploymentId) -> impl Future<Output = PortResult<Option<Deployment>>> + Send;

    /// Finds a deployment whose `CreateDeployment` reply was lost: the one with exactly this description among those
    /// of the service's group that were created after its release opened, if any.
    fn find_deployment(
        &self,
        description: &Description,
        opened_at: Timestamp,
    ) -> impl Future<Output = PortResult<Option<Deployment>>> + Send;

    /// The deployment of the service's group that may still change instances, whether we or another opened it.
    fn active_deployment(
        &self,
        service: &ServiceName,
    ) -> impl Future<Output = PortResult<Option<Deployment>>> + Send;

    /// The instances of a deployment. Empty until CodeDeploy has started it.
    fn deployment_targets(&self, id: &DeploymentId) -> impl Future<Output = PortResult<Vec<Target>>> + Send;

    /// Opens a deployment of `revision`. Conflict when another deployment of the group is active.
    /// Outcome unknown when the answer was lost: find it by its description before a repeat.
    fn create_deployment(
        &self,
        description: &Description,
        revision: &Revision,
    ) -> impl Future<Output = PortResult<DeploymentId>> + Send;

    /// Stops a deployment; one that has ended is no failure.
    fn stop_deployment(&self, id: &DeploymentId) -> impl Future<Output = PortResult<()>> + Send;
}

/// The Auto Scaling group of a service.
pub trait Healing: Sync {
    /// Calls an instance unhealthy, whereupon Auto Scaling terminates it and starts another.
    fn replace(
        &self,
        service: &ServiceName,
        instance: &InstanceId,
    ) -> impl Future<Output = PortResult<()>> + Send;

    /// Which of the processes that a deployment suspends are suspended.
    fn suspended(
        &self,
        service: &ServiceName,
    ) -> impl Future<Output = PortResult<BTreeSet<ScalingProcess>>> + Send;

    /// Resumes these processes; one that runs is no failure.
    fn resume(
        &self,
        service: &ServiceName,
        processes: &BTreeSet<ScalingProcess>,
    ) -> impl Future<Output = PortResult<()>> + Send;
}

/// The uploaded bundles.
pub trait Uploads: Sync {
    /// Writes the tags `greenlight:verdict` and `greenlight:reason` on this object version and keeps its other tags.
    fn tag_verdict(
        &self,
        revision: &Revision,
        verdict: VerdictWord,
        reason: &str,
    ) -> impl Future<Output = PortResult<()>> + Send;

    /// Puts a service's summary beside the bundles, at `public/<service>.json`.
    fn publish(&self, summary: &Summary) -> impl Future<Output = PortResult<()>> + Send;
}

/// The time. Only the edge of a function has a real one.
pub trait Clock: Sync {
    /// Now.
    fn now(&self) -> jiff::Timestamp;
}

/// All of them.
pub trait Ports:
    Ledgers
    + Receipts
    + Announcements
    + ListenerRules
    + TargetGroups
    + Alarms
    + Traffic
    + Deployments
    + Healing
    + Uploads
{
}

impl<
    T: Ledgers
        + Receipts
        + Announcements
        + ListenerRules
        + TargetGroups
        + Alarms
        + Traffic
        + Deployments
        + Healing
        + Uploads,
> Ports for T
{
}
