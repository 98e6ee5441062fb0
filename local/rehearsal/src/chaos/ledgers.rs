//! A ledger that is older than what it describes.

use super::stage::Stage;
use super::until;
use crate::releases::ToldVerdict;
use anyhow::{Context, Result};
use aws_sdk_s3::Client;
use std::time::Duration;

/// Longer than a release takes that the ledger knows nothing of: its rule goes, its deployment ends.
const FORGOTTEN: Duration = Duration::from_secs(90);

/// The candidate has all traffic, and the ledger has never heard of it. What serves must not be taken down. The next release
/// goes live.
pub(super) async fn restored_from_yesterday(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let client = Client::new(&stage.cloud().aws);
    let (bucket, key) = (&stage.product().state.clone(), format!("ledger/{}.json", stage.service()));
    let yesterday = client.get_object().bucket(bucket).key(&key).send().await.context("no ledger")?;
    let yesterday = yesterday.body.collect().await?.into_bytes();
    stage.push(0).await?;
    stage.reaches("baking").await?;
    client
        .put_object()
        .bucket(bucket)
        .key(&key)
        .body(yesterday.into())
        .send()
        .await
        .context("not restored")?;
    stage.display().line("the ledger is the one from before this release");
    until("a release that nobody remembers over", FORGOTTEN, || async {
        Ok(super::rest::is_at_rest(stage).await)
    })
    .await?;
    stage.display().line("at rest: what was live is live");
    let next = stage.push(0).await?;
    stage.ended(&next).await.map(Some)
}
