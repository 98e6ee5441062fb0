//! The page of all services: when it is written, and how somebody opens it.
//!
//! The tick has looked at every service anyway, so that a page costs it one `PutObject`, and one small `GetObject` for how many
//! the firewall keeps out: while a release is open, waits, or has ended just now, as for the summaries. At rest it reads and writes
//! nothing. Whoever asks for the page has it written anew
//! first. It decides nothing: a page that cannot be written fails no tick, and comes after everything else.

use crate::handler::look;
use futures::future::{join, join_all};
use greenlight::failure::{Failure, chain};
use greenlight::ports::{Clock, Pages, Ports};
use greenlight::reconcile::{NoLedger, Reconciled, read};
use greenlight::settings::Settings;
use jiff::Timestamp;
use page::{Firewall, Service, page};
use release::{Policy, ServiceName, Status, Summary};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a link opens the page: long enough to be sent to a colleague, and no more.
const LINK_LASTS: Duration = Duration::from_secs(3600);

/// The services of a page after a tick, if there may be something new on it. A service whose ledger cannot be read is news, too.
pub(crate) fn of_a_tick(
    reconciled: &[(ServiceName, Result<Reconciled, NoLedger>)],
    policy: &Policy,
    now: Timestamp,
) -> Option<Vec<Service>> {
    let is_news = |reconciled: &Result<Reconciled, NoLedger>| match reconciled {
        Ok(reconciled) => Summary::of(&reconciled.ledger, policy, now).is_fresh(now),
        Err(_) => true,
    };
    if !reconciled.iter().any(|(_, reconciled)| is_news(reconciled)) {
        return None;
    }
    let services = reconciled
        .iter()
        .map(|(service, reconciled)| match reconciled {
            Ok(reconciled) => of_passes(service, reconciled),
            Err(no_ledger) => Service::Failed { service: service.clone(), error: chain(&no_ledger.failure) },
        })
        .collect();
    Some(services)
}

/// What the last pass has seen and decided.
fn of_passes(service: &ServiceName, reconciled: &Reconciled) -> Service {
    let Some(pass) = reconciled.passes.last() else {
        return Service::Failed { service: service.clone(), error: "no pass has looked at it".to_owned() };
    };
    let ledger = &reconciled.ledger;
    let status = Status::of(ledger, &pass.observation, &pass.plan.reasons, pass.now);
    Service::Known { ledger: Box::new(ledger.clone()), status }
}

/// How many are kept out, as far as that can be read: the page says so where it cannot.
async fn firewall(ports: &impl Pages) -> Firewall {
    match ports.blocked().await {
        Ok(document) => Firewall::read(document.as_deref()),
        Err(failure) => Firewall::Failed(chain(&failure)),
    }
}

/// Writes it. Nobody waits for it, and the next tick writes it anew.
pub(crate) async fn write(ports: &impl Pages, services: &[Service], now: Timestamp) {
    let html = page(services, &firewall(ports).await, now);
    if let Err(failure) = ports.write_page(&html).await {
        tracing::warn!(
            failure_class = failure.class().word(),
            error = chain(&failure),
            "the page of all services is not written; the next tick writes it"
        );
    }
}

/// What `page` answers: a link to the page as it is now. The link is a secret, and no log has it.
///
/// # Errors
/// When the page cannot be written, or its link not be signed.
pub(crate) async fn answer(
    ports: &(impl Ports + Pages),
    settings: &Settings,
    clock: &impl Clock,
) -> Result<Value, Failure> {
    let services = settings.services.keys().map(|service| async move {
        match read(ports, service).await {
            Ok((ledger, _)) => {
                let status = look(ports, &settings.policy, clock, &ledger).await;
                Service::Known { ledger: Box::new(ledger), status }
            }
            Err(failure) => Service::Failed { service: service.clone(), error: chain(&failure) },
        }
    });
    let (services, firewall) = join(join_all(services), firewall(ports)).await;
    let now = clock.now();
    ports.write_page(&page(&services, &firewall, now)).await?;
    let link = ports.page_link(LINK_LASTS).await?;
    tracing::info!(services = services.len(), "told where the page is");
    Ok(json!({ "command": "page", "writtenAt": now, "link": link, "lastsSeconds": LINK_LASTS.as_secs() }))
}
