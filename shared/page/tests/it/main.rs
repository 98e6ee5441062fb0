//! The page as a browser gets it.

// `cfg(test)` holds anyway; it tells clippy that a test may unwrap.
#![cfg(test)]

mod sample;

use jiff::Timestamp;
use page::{Firewall, Service, page};
use proptest::prelude::*;
use release::ServiceName;
use sample::{
    HOSTILE, firewall, frozen, full, hostile_firewall, ledger, names, now, receipt, rejected, service,
    shifting,
};
use serde_json::json;

/// The page without its style, an element a line.
fn body(services: &[Service]) -> String {
    let page = page(services, &Firewall::Absent, now());
    let (_, body) = page.split_once("</style>").unwrap();
    body.replace("><", ">\n<")
}

/// What no page may have: a program, anything that is fetched, and an address that could be followed.
fn assert_self_contained(page: &str) {
    let page = page.to_lowercase();
    for forbidden in [
        "<script",
        "http://",
        "https://",
        "src=",
        "href=",
        "url(",
        "@import",
        "javascript:",
        "<iframe",
        "<form",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    // No element has a handler: every attribute is one of ours.
    for tag in page.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        assert!(!tag.contains(" on"), "{tag}");
    }
}

#[test]
fn a_freeze_stands_on_the_page_until_it_is_over() {
    let mut ledger = shifting();
    ledger.frozen = Some(frozen("the database moves"));
    assert!(body(&[service(ledger.clone())]).contains("the database moves"));
    ledger.frozen.as_mut().unwrap().until = Timestamp::UNIX_EPOCH;
    assert!(!body(&[service(ledger)]).contains("the database moves"));
}

#[test]
fn every_stored_ledger_is_a_page() {
    for name in names() {
        let services = [service(ledger(&name))];
        assert_self_contained(&page(&services, &Firewall::Absent, now()));
        insta::assert_snapshot!(name, body(&services));
    }
}

#[test]
fn the_way_of_a_release_is_drawn_and_stands_there_in_numbers() {
    insta::assert_snapshot!(body(&[service(shifting()), service(rejected())]));
}

fn kept_out(document: &str) -> String {
    section(&page(&[], &Firewall::read(Some(document.as_bytes())), now())).to_owned()
}

fn section(page: &str) -> &str {
    let (_, section) = page.split_once("<section>").unwrap();
    section.split_once("</section>").unwrap().0
}

#[test]
fn who_is_kept_out_stands_on_the_page_by_detector_and_no_address_does() {
    let page = page(&[], &firewall(), now());
    insta::assert_snapshot!(section(&page).replace("><", ">\n<"));
    assert_self_contained(&page);
    assert!(!body(&[]).contains("Kept out"), "a stack without a firewall");
    let nobody = r#"{"schema": 1, "at": "2026-11-28T14:58:00Z", "mode": "count", "challenged": 0, "held": 7, "blocked": {}}"#;
    assert!(
        kept_out(nobody).contains("Nobody is blocked.") && kept_out(nobody).contains("7 blocks are held")
    );
    let counts = nobody.replace("{}}", r#"{"scanning": 2}}"#);
    assert!(kept_out(&counts).contains("2 would be blocked: the firewall only counts."));
}

#[test]
fn whatever_lies_where_the_firewalls_document_should_the_page_says_so_as_text() {
    let hostile = "</dt><script>alert(1)</script>\u{202e}".repeat(50);
    let named = json!({"schema": 1, "at": "2026-11-28T14:58:00Z", "mode": &hostile, "challenged": 0, "held": 0,
        "blocked": {&hostile: u64::MAX, "scanning": 1}});
    let newer = r#"{"schema": 2, "at": "2026-11-28T14:58:00Z", "mode": "", "challenged": 0, "held": 0, "blocked": {}}"#;
    for document in [named.to_string(), json!(hostile).to_string(), newer.to_owned(), "x".repeat(100_000)] {
        let section = kept_out(&document);
        assert!(!section.contains("<script") && section.len() < 2_500, "{section}");
    }
    assert!(kept_out(newer).contains("it is of format 2, and this is 1"));
    let many: serde_json::Map<String, serde_json::Value> =
        (0..300).map(|n| (format!("d{n}"), json!(1))).collect();
    let many = json!({"schema": 1, "at": "2026-11-28T14:58:00Z", "mode": "block", "challenged": 0, "held": 0, "blocked": many});
    assert_eq!(kept_out(&many.to_string()).matches("<dt>").count(), 20);
}

#[test]
fn the_page_that_is_looked_at_has_a_firewall_that_others_wrote() {
    let page = page(&[], &hostile_firewall(), now());
    let section = section(&page);
    assert!(section.contains("&lt;script&gt;") && !section.contains("<script"), "{section}");
    assert!(section.contains("brute force") && section.contains("blocks are held"), "{section}");
}

#[test]
fn a_service_that_cannot_be_read_hides_no_other() {
    let failed = Service::Failed {
        service: ServiceName::new("frontend").unwrap(),
        error: "reading ledger s3://shop-state/ledger/frontend.json failed: throttled".to_owned(),
    };
    let page = body(&[failed, service(ledger("idle"))]);
    assert!(page.contains("No release is open; 1 of 2 services cannot be read"), "{page}");
    assert!(page.contains(
        "It cannot be read: reading ledger s3://shop-state/ledger/frontend.json failed: throttled"
    ));
    assert!(page.contains("backend"));
}

#[test]
fn the_browser_is_told_to_run_and_fetch_nothing_and_to_tell_nobody_the_address() {
    let page = page(&[], &Firewall::Absent, now());
    let (head, _) = page.split_once("<style>").unwrap();
    for said in [
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         base-uri 'none'; form-action 'none'\">",
        "<meta name=\"referrer\" content=\"no-referrer\">",
        "<meta name=\"robots\" content=\"noindex\">",
    ] {
        assert!(head.contains(said), "{said} is not in {head}");
    }
}

#[test]
fn a_page_without_services_is_a_page() {
    assert!(body(&[]).contains("No release is open"));
}

#[test]
fn markup_and_invisible_characters_in_what_others_wrote_are_text() {
    let services = [
        full("backend".to_owned(), HOSTILE),
        Service::Failed { service: ServiceName::new("frontend").unwrap(), error: HOSTILE.to_owned() },
    ];
    let page = page(&services, &Firewall::Absent, now());
    assert!(
        !page.contains("<script")
            && !page.contains("<img")
            && !page.contains('\u{202e}')
            && !page.contains('\u{7}')
    );
    let shown = "&lt;/style&gt;&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot; \
                 onload=&quot;x\\u{202e}\\u{7}&amp;lt;";
    // As a reason, as what is waited for, as why an object could not be told, and as an error.
    assert!(page.matches(shown).count() >= 4, "{page}");
}

#[test]
fn eight_services_with_all_that_can_be_said_are_200_kb_at_most() {
    let services: Vec<Service> =
        (0..8).map(|index| full(format!("service-{index}"), &"a word ".repeat(100))).collect();
    let size = page(&services, &Firewall::Absent, now()).len();
    assert!(size <= 200_000, "{size} bytes");
    // Each character of a text that is nothing but quotation marks becomes six.
    let services: Vec<Service> =
        (0..8).map(|index| full(format!("service-{index}"), &"\"".repeat(10_000))).collect();
    let size = page(&services, &Firewall::Absent, now()).len();
    assert!(size <= 520_000, "{size} bytes");
}

#[test]
fn a_release_without_an_end_or_with_its_end_before_its_beginning_is_drawn_all_the_same() {
    let mut ledger = rejected();
    let mut receipt = receipt();
    std::mem::swap(&mut receipt.opened_at, &mut receipt.closed_at);
    for step in &mut receipt.steps {
        (step.percent, step.until) = (255, None);
    }
    ledger.releases.last_mut().unwrap().receipt.0 = Some(Box::new(receipt));
    let page = body(&[service(ledger)]);
    assert!(page.contains("<path") && !page.contains("NaN") && !page.contains("inf"), "{page}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_others_write_the_page_runs_and_fetches_nothing(text in any::<String>()) {
        let page = page(&[full("backend".to_owned(), &text)], &Firewall::Absent, now());
        let with_nothing = page_with_nothing();
        // What is written adds no element.
        prop_assert_eq!(page.matches('<').count(), with_nothing.matches('<').count());
        prop_assert_eq!(page.matches('>').count(), with_nothing.matches('>').count());
        prop_assert_eq!(page.matches('"').count(), with_nothing.matches('"').count());
    }
}

fn page_with_nothing() -> String {
    page(&[full("backend".to_owned(), "")], &Firewall::Absent, now())
}
