//! `greenlight release`: a bundle on its way, as a build sees it.

mod follow;
mod output;
mod summary;
pub(crate) mod upload;
pub(crate) mod wait;

use anyhow::{Context as _, bail};
pub(crate) use follow::Seen;
use std::fmt;
pub(crate) use summary::Summary;

/// An object by its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, key } = self;
        write!(f, "s3://{bucket}/{key}")
    }
}

/// Reads `s3://bucket/key`.
pub(crate) fn address(text: &str) -> anyhow::Result<Address> {
    let names = text.strip_prefix("s3://").and_then(|object| object.split_once('/'));
    let (bucket, key) = names
        .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
        .with_context(|| format!("{text} names no object: write s3://bucket/key"))?;
    Ok(Address { bucket: bucket.to_owned(), key: key.to_owned() })
}

/// The service of a bundle's key, `releases/<service>/…`.
fn service_of(key: &str) -> anyhow::Result<&str> {
    let service = key.strip_prefix("releases/").and_then(|rest| rest.split_once('/'));
    match service {
        Some((service, _)) => Ok(service),
        None => bail!("{key} is no release: write s3://bucket/releases/SERVICE/NUMBER-COMMIT.zip"),
    }
}
