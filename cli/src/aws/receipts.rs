//! What ended releases have left in the state bucket.

use super::{Account, failed};
use anyhow::{Context as _, bail};
use release::{Receipt, ReleaseNumber, ServiceName};

/// The last receipt of this release, or of the service. Two releases have the same number after a `retry` or a rollback.
///
/// # Errors
/// When there is none, or the credentials may not read it.
pub(crate) async fn last(
    account: &Account,
    bucket: &str,
    service: &ServiceName,
    number: Option<ReleaseNumber>,
) -> anyhow::Result<Receipt> {
    let client = account.s3().await;
    let beginning = Receipt::beginning(service, number);
    let place = format!("s3://{bucket}/{beginning}");
    let mut pages = client.list_objects_v2().bucket(bucket).prefix(&beginning).into_paginator().send();
    let mut last = None;
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed(&format!("listing {place}"), error))?;
        last = page.contents().iter().filter_map(|object| object.key()).max().map(str::to_owned).or(last);
    }
    let Some(key) = last else {
        let asked = number.map(|number| format!("release {number} of ")).unwrap_or_default();
        bail!(
            "there is no receipt of {asked}{service} at {place}: a release leaves one within a minute of its end"
        );
    };
    let place = format!("s3://{bucket}/{key}");
    let get = client.get_object().bucket(bucket).key(&key).send().await;
    let get = get.map_err(|error| failed(&format!("reading {place}"), error))?;
    let body = get.body.collect().await.with_context(|| format!("reading {place} was interrupted"))?;
    serde_json::from_slice(&body.into_bytes())
        .with_context(|| format!("{place} is no receipt that this version knows"))
}
