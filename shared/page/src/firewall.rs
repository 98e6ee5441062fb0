//! Who is kept out: how many, and for what. Addresses are not on the page.

use crate::text::{at, beginning};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Characters of a detector's name that are shown, and of why nothing is known.
const LONGEST: usize = 60;
const LONGEST_ERROR: usize = 240;
/// Detectors that are listed. There are eight.
const DETECTORS: usize = 20;
/// Bytes of the document that are read: a page must stay small whatever lies there.
const LARGEST: usize = 16_384;
/// The format that is read.
const SCHEMA: u32 = 1;

/// What `waf-logs` leaves of who is kept out (`functions/waf-logs/src/blocked.rs`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Blocked {
    schema: u32,
    at: Timestamp,
    mode: String,
    #[serde(rename = "blocked")]
    by_detector: BTreeMap<String, u64>,
    challenged: u64,
    held: u64,
}

/// What is known of the firewall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Firewall {
    /// Nothing lies there: the stack has none, or it never kept anybody out.
    Absent,
    /// So many.
    Known(Blocked),
    /// It could not be read, for this reason.
    Failed(String),
}

impl Firewall {
    /// From the document, whoever has written it.
    pub fn read(document: Option<&[u8]>) -> Self {
        let Some(document) = document else { return Self::Absent };
        if document.len() > LARGEST {
            return Self::Failed(format!("its {} bytes are too many", document.len()));
        }
        match serde_json::from_slice::<Blocked>(document) {
            Ok(blocked) if blocked.schema == SCHEMA => Self::Known(blocked),
            Ok(blocked) => Self::Failed(format!("it is of format {}, and this is {SCHEMA}", blocked.schema)),
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

pub(crate) fn section(firewall: &Firewall) -> Markup {
    let blocked = match firewall {
        Firewall::Absent => return html! {},
        Firewall::Known(blocked) => blocked,
        Firewall::Failed(why) => {
            return html! {
                section {
                    h2 { "Kept out" }
                    p class="warning" { "How many are blocked cannot be read: " (beginning(why, LONGEST_ERROR)) }
                }
            };
        }
    };
    let total = blocked.by_detector.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let is_counting = blocked.mode == "count";
    html! {
        section {
            h2 { "Kept out" }
            p {
                @match (total, is_counting) {
                    (0, _) => { "Nobody is blocked." },
                    (1, false) => { "1 address or network is blocked." },
                    (_, false) => { (total) " addresses and networks are blocked." },
                    (_, true) => { (total) " would be blocked: the firewall only counts." },
                }
                @if blocked.challenged > 0 { " " (blocked.challenged) " are challenged." }
                span class="less" { " Last changed at " (at(blocked.at)) "; " code { "greenlight blocked" } " says who and why." }
            }
            @if blocked.held > 0 {
                p class="warning" {
                    (blocked.held) " blocks are held, because they may be the site's own fault: see the message about them."
                }
            }
            @if total > 0 {
                dl {
                    @for (detector, count) in blocked.by_detector.iter().take(DETECTORS) {
                        dt { (beginning(detector, LONGEST)) } dd { (count) }
                    }
                }
            }
        }
    }
}
