//! The page: every service on one sheet of HTML, for whoever must see at night what is going on.
//!
//! [`page`] makes it from what was read, and knows nothing else. It is one file: no script, nothing that is fetched from
//! elsewhere, and readable without colour, on a phone and on paper. What a service or a person has written stands in it as text,
//! never as markup: `maud` escapes it, and what is too long of it is cut.

mod delivery;
mod firewall;
mod picture;
mod service;
mod text;

pub use firewall::{Blocked, Firewall};
use jiff::Timestamp;
use maud::{DOCTYPE, PreEscaped, html};
use release::{Ledger, ServiceName, Status};
use text::{at, named};

/// What was read of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// Its ledger, and what AWS was seen to say.
    Known {
        /// What is remembered.
        ledger: Box<Ledger>,
        /// What was seen.
        status: Status,
    },
    /// It could not be read.
    Failed {
        /// Which.
        service: ServiceName,
        /// Why.
        error: String,
    },
}

/// Nothing is fetched, sent or run, whatever stands in the page. A policy in the page itself cannot forbid that another one
/// frames it (Content Security Policy Level 3, `frame-ancestors`).
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// As many open releases are named in the title.
const NAMED: usize = 2;

const STYLE: &str = include_str!("style.css");

/// The page with these services, in this order, as it is written at `now`.
pub fn page(services: &[Service], firewall: &Firewall, now: Timestamp) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                // The address of the page is what opens it.
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { (in_short(services)) " – Greenlight" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Greenlight" }
                    p { strong { (in_short(services)) } ". Written at " (at(now)) "." }
                }
                main {
                    div class="services" { @for service in services { (service::card(service)) } }
                    (firewall::section(firewall))
                }
                footer {
                    (delivery::meaning())
                    p {
                        "This page does not renew itself. While a release is open, waits, or has just ended it is written anew "
                        "each minute: load it again. " code { "greenlight page" } " writes it at once and opens it for an hour."
                    }
                }
            }
        }
    };
    page.into_string()
}

impl Service {
    fn ledger(&self) -> Option<&Ledger> {
        match self {
            Self::Known { ledger, .. } => Some(ledger),
            Self::Failed { .. } => None,
        }
    }
}

/// All of it in a few words: what is under way, or that nothing is.
fn in_short(services: &[Service]) -> String {
    let ledgers = services.iter().filter_map(Service::ledger);
    let open: Vec<String> = ledgers
        .filter_map(|ledger| Some((ledger, ledger.open.as_ref()?)))
        .map(|(Ledger { service, .. }, open)| {
            format!("{service}: {} is {}", named(open.purpose, open.upload.number), open.phase.word())
        })
        .collect();
    let open = match open.len() {
        0 => "No release is open".to_owned(),
        1..=NAMED => open.join(", "),
        more => format!("{more} releases are open"),
    };
    match services.iter().filter(|service| service.ledger().is_none()).count() {
        0 => open,
        unreadable => format!("{open}; {unreadable} of {} services cannot be read", services.len()),
    }
}
