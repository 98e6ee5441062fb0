//! The lifecycle events that the service sends and the agent knows.

/// Lifecycle events of an in-place deployment without a load balancer, in order.
pub(crate) const LIFECYCLE_EVENTS: [&str; 7] = [
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
];

/// Hook names that Install lets pass: those above and the ones around a load balancer.
pub(crate) const POSSIBLE_LIFECYCLE_EVENTS: [&str; 13] = [
    "BeforeBlockTraffic",
    "BlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
    "ValidateService",
];
