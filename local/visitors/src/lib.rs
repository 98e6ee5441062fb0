//! Visitors: steady load over keep-alive connections, and a record of every request.
//!
//! The load is open-loop: requests become due at a constant rate whether or not earlier ones were answered, so a
//! target that stands still is seen as what it is. Which version answered is read from the header `x-release`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use visitors::{Counts, HostRate, Plan, Visitors};
//!
//! let shop = HostRate { host: "shop.example.com".to_owned(), per_second: 300 };
//! let visitors = Visitors::start(Plan::new("127.0.0.1:8000".parse()?, vec![shop]))?;
//! println!("{:?}", visitors.counts());
//! let log = visitors.stop().await;
//! assert_eq!(Counts::of(&log).lost(), 0);
//! # Ok(()) }
//! ```
//!
//! A request is *lost* when the visitor got no answer that a version of the service gave: a transport error, or a
//! 5xx without `x-release`, which the load balancer or a proxy made. A 5xx with `x-release` is an *error* of that
//! version.
//!
//! A request that fails because the server closed the idle keep-alive connection before it answered is sent once
//! more over a fresh connection, as browsers do, and counted as *retried*.
//!
//! Visitors and attackers have addresses of their own, see [`addresses`].

pub mod addresses;
mod attack;
mod connection;
mod counts;
mod log;
mod pace;
mod plan;
mod requests;
mod run;

pub use attack::{Attack, Attacker, Attempt};
pub use counts::{Count, Counts};
pub use log::{Failure, Log, Meaning, VisitEnding, VisitRecord};
pub use plan::{HostRate, Plan};
pub use run::Visitors;
