//! The data plane of an Application Load Balancer, on this machine.
//!
//! It forwards HTTP/1 requests by host-header rules and weights, checks the health of targets, and counts what an
//! ALB counts. It holds no AWS client: its caller hands over rules, groups and targets, and reads health and metrics.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use load_balancer::{ListenerAction, Forward, HealthCheck, LoadBalancer, Routing, Rule, Target, TargetGroup};
//!
//! let balancer = LoadBalancer::new().start("127.0.0.1:8000".parse()?).await?;
//! balancer.set_target_groups(vec![TargetGroup::new("blue", HealthCheck::default()).with_target(Target {
//!     id: "i-1".to_owned(),
//!     address: "127.0.1.1:8080".parse()?,
//! })]);
//! balancer.set_routing(&Routing::new(vec![Rule {
//!     priority: 10,
//!     hosts: vec!["shop.example.com".to_owned()],
//!     headers: Vec::new(),
//!     action: ListenerAction::Forward(vec![Forward { target_group: "blue".to_owned(), weight: 100 }]),
//! }]));
//! # Ok(()) }
//! ```
//!
//! # As on AWS
//! - Rules by priority; `host-header` and `http-header` values with `*` and `?`, upper and lower case alike, the port left out.
//!   (Elastic Load Balancing user guide, "Condition types for listener rules".)
//! - No fail-over between the groups of one action: a group without targets answers its share with 503; a group
//!   without a healthy target gets its share all the same ("fail open"), on all its targets. ("Health checks for
//!   Application Load Balancer target groups".)
//! - A group that a rule names is health-checked whatever its weight; a group that none names is `unused` with
//!   `Target.NotInUse`.
//! - A new target is healthy after one passed check; one that was unhealthy needs the healthy threshold.
//! - 502 when a target refuses or drops the connection, 504 when it does not answer in time. A target that refused
//!   is not asked again and no other is asked instead. ("Troubleshoot your Application Load Balancers".)
//! - A target taken out of its group gets no new request and is shown as `draining` for the deregistration delay.
//!
//! - Weights are kept on average: each request is drawn by chance ([`Draw`]).
//! - Several nodes, each of which learns of a change of the rules at its own time and publishes its own counts.
//!   Meanwhile the same client may get either answer, by the node that it reaches.
//! - 460 in the counts when a client does not wait for its answer. Answers and time-outs of the load balancer's own
//!   belong to no target group: a target that hangs is seen in no metric of its group.
//!
//! # Not as on AWS
//! - If a target closes a *reused* connection without an answer, the request is sent once more over a fresh connection,
//!   because an idle connection that closes in the very moment of its reuse says nothing about the release under test.
//!   This holds for bodies of at most [`REPLAYABLE_BODY`] bytes; a longer body always gets a fresh connection. The
//!   price: a target that is killed while it works on such a request causes no 502. [`LoadBalancerMetrics::retried`]
//!   counts each such retry, so none is hidden.
//! - All nodes share one health check for each target. No zones, no TLS, no HTTP/2, no WebSocket upgrade, no stickiness, no slow start.

mod access;
mod answer;
mod checks;
mod forward;
mod group;
mod headers;
mod health;
mod locked;
mod metrics;
mod pool;
mod routing;
mod server;
mod shared;
mod table;
mod weights;

pub use access::{Access, Admission, RequestFacts};
pub use forward::REPLAYABLE_BODY;
pub use group::{HealthCheck, Matcher, MatcherError, Target, TargetGroup};
pub use health::{Reason, State, TargetHealth};
pub use metrics::{GroupMetrics, HostCount, LoadBalancerMetrics, Metrics, ResponseTimes};
pub use routing::{FixedResponse, Forward, HeaderCondition, ListenerAction, Routing, Rule};
pub use server::{Handle, LoadBalancer};
pub use weights::Draw;
