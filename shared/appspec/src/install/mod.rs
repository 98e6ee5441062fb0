//! What Install makes of a bundle: decided from the names, kinds and link targets in it, and from its AppSpec file.

mod tree;

pub use tree::{BundleTree, Found, Kind, find};
