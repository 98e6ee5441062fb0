//! One service: what has the traffic, what is under way and what it waits for, and how the last releases ended.

use crate::text::{at, beginning, in_units, lasted, named};
use crate::{Service, delivery, picture};
use maud::{Markup, html};
use release::{Colour, Exposure, Instances, Ledger, Past, Status, Verdict};
use std::time::Duration;

/// Characters of a sentence that are shown.
const LONGEST: usize = 240;
/// Sentences about what is waited for.
const SENTENCES: usize = 6;
/// Releases that are listed.
const RELEASES: usize = 10;

pub(crate) fn card(service: &Service) -> Markup {
    match service {
        Service::Known { ledger, status } => html! {
            article {
                h2 { (ledger.service) " " span class="phase" { (ledger.phase()) } }
                @if ledger.live.is_none() {
                    p class="warning" { "No release is live yet: the service answers 503 until its first one succeeds." }
                }
                @for colour in Colour::BOTH { (of_colour(colour, ledger, status)) }
                (under_way(ledger, status))
                (picture::of(ledger, status.at))
                (past(ledger))
                (delivery::figures(ledger))
            }
        },
        Service::Failed { service, error } => html! {
            article {
                h2 { (service) " " span class="phase" { "unknown" } }
                p class="warning" { "It cannot be read: " (beginning(error, LONGEST)) }
            }
        },
    }
}

fn of_colour(colour: Colour, ledger: &Ledger, status: &Status) -> Markup {
    let share = status.traffic.map(|traffic| *traffic.of(colour));
    html! {
        div class={ "colour " (colour.word()) } {
            p { b { (colour.word()) } " " (role(colour, ledger)) }
            p class="share" {
                svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                    rect class="track" width="100" height="8" {}
                    @if let Some(percent) = share { rect class="full" width=(percent) height="8" {} }
                }
                @match share {
                    Some(percent) => b { (percent) " %" span class="unseen" { " of the traffic" } },
                    None => b { "? %" },
                }
            }
            p class="less" {
                (runs(colour, ledger))
                @match status.instances.of(colour) {
                    Some(Instances { healthy, registered }) => { " · " (healthy) " of " (registered) " instances healthy" },
                    None => " · health was not looked at",
                }
            }
        }
    }
}

/// What a colour is at the moment.
fn role(colour: Colour, ledger: &Ledger) -> &'static str {
    let is = |of: Option<Colour>| of == Some(colour);
    if is(ledger.live.as_ref().map(|live| live.colour)) {
        "is live"
    } else if is(ledger.open.as_ref().map(|open| open.colour)) {
        "is the candidate"
    } else {
        "is idle"
    }
}

/// What runs on a colour.
fn runs(colour: Colour, ledger: &Ledger) -> Markup {
    if let Some(open) = ledger.open.as_ref().filter(|open| open.colour == colour) {
        let intended = open.intended_percent();
        return html! {
            (named(open.purpose, open.upload.number)) " (" (open.upload.commit) "), " (open.phase.word()) " since "
            (at(open.since)) ", meant to have " (intended) " %"
        };
    }
    if let Some(live) = ledger.live.as_ref().filter(|live| live.colour == colour) {
        return html! { "Release " (live.upload.number) " (" (live.upload.commit) ") since " (at(live.since)) };
    }
    match ledger.previous.as_ref().filter(|previous| previous.colour == colour && !previous.overwritten) {
        Some(previous) => {
            html! { "Release " (previous.upload.number) " (" (previous.upload.commit) "), the previous one" }
        }
        None => html! { "Nothing to go back to" },
    }
}

/// The open release and what it waits for, and what waits behind it.
fn under_way(ledger: &Ledger, status: &Status) -> Markup {
    html! {
        @if ledger.paused {
            p class="warning" {
                "Paused by an operator"
                @if let Some(said) = &ledger.pause_said { " (" (beginning(&said.to_string(), LONGEST)) ")" }
                @if ledger.open.is_some() { ": no release gets more traffic until " } @else { ": the next release gets no traffic until " }
                code { "resume" } "."
            }
        }
        @if let Some(freeze) = ledger.frozen.as_ref().filter(|freeze| freeze.until > status.at) {
            p class="warning" {
                "No release opens until " (at(freeze.until)) ", or until " code { "thaw" } ": " (beginning(&freeze.reason, LONGEST))
            }
        }
        @if let Some(open) = &ledger.open {
            h3 { (named(open.purpose, open.upload.number)) ": what it waits for" }
        } @else {
            h3 { "Now" }
        }
        ul {
            @for sentence in status.now.iter().take(SENTENCES) { li { (beginning(sentence, LONGEST)) } }
            @if status.now.is_empty() { li { "nothing is to be done" } }
            @if let Some(said) = ledger.open.as_ref().and_then(|open| open.said.as_ref()) {
                li { "an operator said: " (beginning(&said.to_string(), LONGEST)) }
            }
            @if let Some(next) = &ledger.pending {
                li { "release " (next.number) " (" (next.commit) ") waits behind it" }
            }
        }
    }
}

fn past(ledger: &Ledger) -> Markup {
    html! {
        h3 { "The last releases" }
        @if ledger.releases.is_empty() { p { "None has ended yet." } }
        ol { @for past in ledger.releases.iter().rev().take(RELEASES) { (ended(past)) } }
    }
}

fn ended(past: &Past) -> Markup {
    let Past { purpose, upload, colour, verdict, opened_at, closed_at, .. } = past;
    let (mark, reason) = match verdict {
        Verdict::Live => ("✓", None),
        Verdict::Rejected { .. } => ("✕", Some(verdict.reason())),
        Verdict::Superseded { .. } => ("→", Some(verdict.reason())),
    };
    html! {
        li class=(verdict.word()) {
            p {
                b { (named(*purpose, upload.number)) " " span aria-hidden="true" { (mark) } " " (verdict.word()) }
                span class="less" {
                    " " (upload.commit) " on " (colour.word()) " · " (at(*closed_at)) " · after "
                    (lasted(*opened_at, *closed_at))
                }
            }
            @if let Some(reason) = reason { p { (beginning(&reason, LONGEST)) } }
            @if let Some(Exposure { seconds, failed }) = past.exposure.0 {
                p {
                    "It had traffic for " (in_units(Duration::from_secs(seconds))) ", and "
                    @match failed {
                        Some(failed) => { "failed at least " (failed) " requests." },
                        None => "how many requests it failed is not known.",
                    }
                }
            }
            @if let Some(why) = &past.untold_for {
                p class="less" { "Its object could not be told: " (beginning(why, LONGEST)) }
            }
        }
    }
}
