//! What runs on an instance turns bad, or good again, without a release.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What runs on a colour of an instance behaves differently from its next health check on.
///
/// # Errors
/// When nothing was installed there.
pub fn misbehave(
    instance: &codedeploy::Instance,
    service: &str,
    colour: &str,
    behaviour: &Value,
) -> Result<()> {
    let folder = instance.root.join("opt/greenlight").join(service).join(colour);
    let file = folder.join("behaviour.json");
    ensure!(file.exists(), "{} is missing", file.display());
    std::fs::write(&file, behaviour.to_string()).with_context(|| format!("cannot write {}", file.display()))
}
