//! CodeDeploy for EC2 on one machine: the service behind the JSON API, and an agent for each instance.
//!
//! Nothing here knows HTTP or the AWS SDK. A gateway takes `X-Amz-Target: CodeDeploy_20141006.<Operation>`
//! off a request, hands operation and body to [`CodeDeploy::call`], and answers with the value or with
//! [`ApiError::body`] and [`ApiError::http_status`].
//!
//! ```no_run
//! # use codedeploy::*; use std::{sync::Arc, collections::BTreeMap};
//! # async fn example(aws: Arc<dyn Aws>) -> Result<(), Box<dyn std::error::Error>> {
//! let fleet = Fleet::default();
//! fleet.add_instance(Instance {
//!     id: "i-0a1b2c3d4e5f60001".into(),
//!     auto_scaling_group: "demo-backend".into(),
//!     root: "/tmp/demo/i-0a1b2c3d4e5f60001".into(), // what is `/` on EC2
//!     address: "127.0.1.1".into(),
//!     environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]), // the agent's own, hooks inherit it
//! })?;
//! let group = Group::new("demo", "backend", ["demo-backend"]);
//! let service = CodeDeploy::new(Settings { groups: vec![group], ..Settings::default() }, fleet.clone(), aws);
//! let mut events = service.events(); // EventBridge's shape, best effort: see `Delivery`
//! let created = service.call("CreateDeployment", serde_json::json!({ /* as the SDK sends it */ })).await?;
//! let status = service.finished(created["deploymentId"].as_str().unwrap_or_default()).await; // "Succeeded"
//! fleet.kill_instance("i-0a1b2c3d4e5f60001"); // all its processes die; its running event stays open
//! # Ok(()) }
//! ```
//!
//! What the rest of AWS does for it comes through [`Aws`]: S3's `GetObject`, and suspending Auto Scaling's
//! processes. A new instance comes in by [`CodeDeploy::instance_launched`], which installs the last
//! successful revision and says whether Auto Scaling may let it into service.
//!
//! Instances are folders. `files:` destinations, the agent's deployment root
//! (`opt/codedeploy-agent/deployment-root`) and its working directory lie below [`Instance::root`].
//! How the agent treats a bundle is the real agent's behaviour, version 1.8.1; where they differ, this is wrong.

mod agent;
mod aws;
mod clock;
mod diagnostics;
mod engine;
mod error;
mod events;
mod fleet;
mod folders;
mod ids;
mod lifecycle_events;
mod service;
mod settings;
mod specification;

pub use aws::{Aws, Object, S3Error, S3Location};
pub use engine::Engine;
pub use error::ApiError;
pub use events::Delivery;
pub use fleet::{Fleet, Instance};
pub use service::{CodeDeploy, scale_out::Launch};
pub use settings::{Group, OutdatedInstances, Pace, Settings};
