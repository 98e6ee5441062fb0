//! A preview: what an operator is told of it. Its secret stands in this answer, and in nothing that is logged or stored but its
//! own object.

use crate::event::Previewed;
use crate::handler::{self, Order, service_as_typed};
use greenlight::failure::{Class, Failure};
use greenlight::ports::{Clock, Ports, PreviewSecrets};
use greenlight::reconcile::read;
use greenlight::secret::Secret;
use greenlight::settings::Settings;
use release::{Ledger, Preview, ServiceName, accept_preview};
use serde_json::{Value, json};
use std::time::Duration;

/// Asks for a preview, or makes a new secret. Says which header leads to the candidate, and where.
///
/// # Errors
/// When the service is not known, or S3, the load balancer or the ledger cannot be reached.
pub(crate) async fn obey(
    ports: &(impl Ports + PreviewSecrets),
    settings: &Settings,
    clock: &impl Clock,
    typed: &str,
    wanted: Previewed,
    dry_run: bool,
) -> Result<Value, Failure> {
    let service = service_as_typed(settings, typed)?;
    match wanted {
        Previewed::NewSecret => rotate(ports, service, dry_run).await,
        Previewed::For(lasts) => ask(ports, settings, clock, service, lasts, dry_run).await,
    }
}

async fn ask(
    ports: &(impl Ports + PreviewSecrets),
    settings: &Settings,
    clock: &impl Clock,
    service: &ServiceName,
    lasts: Option<Duration>,
    dry_run: bool,
) -> Result<Value, Failure> {
    let now = clock.now();
    // The pass that the command wakes may make the rule.
    let secret = if dry_run { None } else { Some(secret(ports, service).await?) };
    let order = Order::new("preview", |ledger: &Ledger| accept_preview(ledger, lasts, now));
    let mut answer = handler::obey(ports, settings, clock, service.as_str(), &order, dry_run).await?;
    if let Some(secret) = secret.filter(|_| answer["refused"] == json!(false)) {
        answer["preview"] = told(ports, service, &secret).await;
        answer["preview"]["until"] = answer["ledger"]["open"]["preview"]["until"].clone();
    }
    Ok(answer)
}

/// The secret, made where there is none.
async fn secret(ports: &impl PreviewSecrets, service: &ServiceName) -> Result<Secret, Failure> {
    if let Some(secret) = ports.preview_secret(service).await? {
        return Ok(secret);
    }
    ports.make_preview_secret(service).await?;
    // Of two that were made at the same time this is the one that stayed.
    ports.preview_secret(service).await?.ok_or_else(|| {
        let message =
            format!("the preview's secret of {service} was written and is not there: ask once more");
        Failure::new(Class::Transient, message)
    })
}

/// A rule that stands has the secret that it was made with, so a new one waits until none stands.
async fn rotate(
    ports: &(impl Ports + PreviewSecrets),
    service: &ServiceName,
    dry_run: bool,
) -> Result<Value, Failure> {
    let ledger = read(ports, service).await?.0;
    let preview = ledger.open.as_ref().and_then(|open| open.preview.as_ref());
    let is_in_use = preview.is_some_and(|preview| !preview.ended || preview.rule.is_some());
    let (changed, says) = if is_in_use {
        let todo = "resume ends it; then ask for a new secret once more";
        (false, format!("no new secret while a preview of {service} stands or is asked for: {todo}"))
    } else {
        (true, "a new secret: the header that was told before leads nowhere any more".to_owned())
    };
    let mut answer = json!({
        "service": service, "command": "preview", "changed": changed, "refused": is_in_use, "says": says,
    });
    if dry_run {
        answer["dryRun"] = json!(true);
    } else if changed {
        ports.make_preview_secret(service).await?;
        answer["preview"] = told(ports, service, &secret(ports, service).await?).await;
    }
    tracing::info!(service = service.as_str(), command = "preview", changed, dry_run, says, "took a command");
    Ok(answer)
}

/// Which header leads to the candidate, and where to send it, as far as that can be read.
async fn told(ports: &impl PreviewSecrets, service: &ServiceName, secret: &Secret) -> Value {
    let hosts = ports.hosts(service).await.unwrap_or_default();
    json!({ "header": Preview::HEADER, "value": secret.reveal(), "hosts": hosts })
}
