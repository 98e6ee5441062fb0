//! What the application answered, by the load balancer's log: read in any pieces, and counted for what it is.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use jiff::Timestamp;
use offenders::classify::{Classifier, PathKind};
use offenders::configuration::Configuration;
use offenders::object::{ObjectReader, Summary};
use offenders::tally::{Activity, Room, Tally};
use proptest::prelude::*;

const CRAWLER: &str = "Mozilla/5.0 (compatible; ExampleBot/2.1; +https://example.net/bot.html)";

fn written() -> Timestamp {
    "2026-11-28T11:20:00Z".parse().unwrap()
}

/// A line of a request that the application answered with `status`, or that ended at the load balancer.
fn line(client: &str, request: &str, status: Option<u16>, agent: &str) -> String {
    let (target, code) = match status {
        Some(status) => ("10.0.0.1:80", format!("{status} {status}")),
        None => ("-", "403 -".to_owned()),
    };
    format!(
        r#"https 2026-11-28T11:16:03.186641Z app/shop/50dc6c495c0c9188 {client} {target} 0.000 0.001 0.000 {code} 34 366 "{request} HTTP/2.0" "{agent}" - - - "Root=1-58337262" "-" "-" 0 2026-11-28T11:16:03.000000Z "forward" "-" "-" "-" "-" "-" "-" TID_1"#
    )
}

fn read_in(text: &str, configuration: &Configuration, pieces: usize) -> (Summary, Tally) {
    let mut classifier = Classifier::new(configuration, None);
    let mut reader = ObjectReader::new(&mut classifier, Room::of(1000), written());
    for piece in text.as_bytes().chunks(pieces) {
        reader.push(piece).unwrap();
    }
    reader.finish().unwrap()
}

/// What one request amounts to: successes, refused, accepted, why its path is kept.
#[track_caller]
fn counted(request: &str, status: u16, agent: &str) -> (usize, usize, usize, Option<PathKind>) {
    let text = line("198.51.100.7:1024", request, Some(status), agent);
    let (summary, tally) = read_in(&text, &Configuration::default(), 4096);
    assert_eq!((summary.records, summary.bad), (1, 0), "{:?}", summary.complaints);
    let mut found = Activity::default();
    tally.each(|_, activity| found = activity.clone());
    let kept = found.paths.first().map(|(path, ..)| path.kind());
    (found.successes.len(), found.refused().len(), found.accepted().len(), kept)
}

#[test]
fn an_answer_is_counted_for_what_it_is() {
    let shop = "https://shop.example:443";
    for (request, status, expected) in [
        ("GET URL/products/7", 200, (1, 0, 0, None)),
        ("GET URL/products/7", 304, (1, 0, 0, None)),
        ("POST URL/login", 200, (1, 0, 1, None)),
        ("POST URL/login", 302, (1, 0, 1, None)),
        ("POST URL/Login/?next=/", 401, (0, 1, 0, None)),
        ("PUT URL/users/sign_in.json", 422, (0, 1, 0, None)),
        ("POST URL/wp-login.php", 200, (0, 1, 0, None)),
        ("POST URL/wp-login.php", 302, (1, 0, 1, None)),
        ("GET URL/login", 401, (0, 0, 0, None)),
        ("POST URL/login", 503, (0, 0, 0, None)),
        ("GET URL/api/v1/orders", 401, (0, 0, 0, None)),
        ("GET URL/gone", 404, (0, 0, 0, Some(PathKind::Missing))),
        ("GET URL/gone.png", 404, (0, 0, 0, None)),
        ("GET URL/gone", 500, (0, 0, 0, None)),
        ("GET URL/.env", 404, (0, 0, 0, Some(PathKind::Probed))),
        ("GET URL/.env", 200, (1, 0, 0, None)),
        ("GET URL/server-status", 403, (0, 0, 0, Some(PathKind::Probed))),
        ("GET URL/wp-content/old", 404, (0, 0, 0, Some(PathKind::Probed))),
        ("GET URL/wp-content/a.png", 404, (0, 0, 0, None)),
        // WordPress answers 200 there to a wrong password too.
        ("POST URL/xmlrpc.php", 200, (1, 0, 0, None)),
        ("GET URL/gaming/console/7", 404, (0, 0, 0, Some(PathKind::Missing))),
    ] {
        assert_eq!(counted(&request.replace("URL", shop), status, "Firefox"), expected, "{request} {status}");
    }
}

#[test]
fn a_crawler_that_says_so_may_follow_old_links_and_look_for_no_secrets() {
    assert_eq!(counted("GET http://a:80/wp-content/old", 404, CRAWLER), (0, 0, 0, None));
    assert_eq!(counted("GET http://a:80/old", 404, CRAWLER), (0, 0, 0, None));
    assert_eq!(counted("GET http://a:80/.git/config", 404, CRAWLER), (0, 0, 0, Some(PathKind::Probed)));
    assert_eq!(counted("POST http://a:80/login", 401, CRAWLER), (0, 1, 0, None));
}

#[test]
fn crawlers_call_themselves_so_with_or_without_a_page_of_theirs() {
    for crawler in [
        "Googlebot-Image/1.0",
        "Mediapartners-Google",
        "Twitterbot/1.0",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
        "Baiduspider",
    ] {
        assert_eq!(counted("GET http://a:80/wp-content/old", 404, crawler).3, None, "{crawler}");
    }
    for other in ["curl/8.9", "masscan/1.3 (https://github.com/robertdavidgraham/masscan)", "-"] {
        assert_eq!(
            counted("GET http://a:80/wp-content/old", 404, other).3,
            Some(PathKind::Probed),
            "{other}"
        );
    }
}

#[test]
fn what_did_not_reach_the_application_is_left_to_wafs_log() {
    let text = line("198.51.100.7:1024", "POST https://a:443/login", None, "x");
    let (summary, tally) = read_in(&text, &Configuration::default(), 4096);
    assert_eq!((summary.records, summary.without_meaning, tally.len()), (1, 1, 0));
}

#[test]
fn nothing_is_counted_of_who_is_allowed_and_of_a_proxy_that_names_nobody() {
    let text = line("198.51.100.7:1024", "POST https://a:443/login", Some(401), "x");
    let networks = vec!["198.51.100.0/24".parse().unwrap()];
    let allowed = Configuration { allow: networks.clone(), ..Configuration::default() };
    let mut proxy = Configuration::default();
    proxy.clients.trusted_proxies = networks;
    for configuration in [allowed, proxy] {
        assert_eq!(read_in(&text, &configuration, 4096).1.len(), 0);
    }
    assert_eq!(read_in(&text, &Configuration::default(), 4096).1.len(), 1);
}

#[test]
fn an_answer_that_refuses_credentials_here_may_be_configured() {
    let mut configuration = Configuration::default();
    configuration.detectors.credentials.refused_at.insert("/door*".to_owned(), vec![200]);
    let text = line("198.51.100.7:1", "POST https://a:443/doors/7", Some(200), "x");
    let (_, tally) = read_in(&text, &configuration, 4096);
    tally.each(|_, activity| assert_eq!(activity.refused().len(), 1));
    assert_eq!(tally.len(), 1);
}

#[test]
fn a_client_is_one_however_it_is_written() {
    let clients = ["2001:db8::7:1024", "[2001:db8::7]:1024", "2001:0DB8:0:0:0:0:0:9:55"];
    let text: String = clients.map(|client| line(client, "GET http://a/", Some(200), "x") + "\n").concat();
    let (_, tally) = read_in(&text, &Configuration::default(), 4096);
    let mut seen = Vec::new();
    tally.each(|client, activity| seen.push((client.ip().to_string(), activity.successes.clone())));
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].0.as_str(), seen[0].1[0].1), ("2001:db8::", 3));
}

proptest! {
    #[test]
    fn lines_are_read_the_same_in_any_pieces(
        paths in prop::collection::vec("[a-z\"\\\\ /?.]{0,20}", 1..40), pieces in 1..700_usize, junk in any::<bool>(),
    ) {
        let mut text = String::new();
        for (n, path) in paths.iter().enumerate() {
            text += &line(&format!("198.51.{n}.7:1024"), &format!("GET https://a:443/{path}"), Some(404), "x");
            text += if junk { "\r\nnot a line of it\n" } else { "\n" };
        }
        let (whole, tally) = read_in(&text, &Configuration::default(), usize::MAX);
        let (summary, in_pieces) = read_in(&text, &Configuration::default(), pieces);
        prop_assert_eq!(&summary, &whole);
        prop_assert_eq!(in_pieces.len(), tally.len());
        prop_assert!(whole.records > 0);
        prop_assert!(!junk || whole.bad >= paths.len() as u64);
    }

    #[test]
    fn no_text_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), at in any::<prop::sample::Index>()) {
        let mut text = line("198.51.100.7:1", "GET https://a:443/x", Some(200), "y").into_bytes();
        let at = at.index(text.len() - 5) + 5;
        text.splice(at..at, bytes);
        let mut classifier = Classifier::new(&Configuration::default(), None);
        let mut reader = ObjectReader::new(&mut classifier, Room::of(10), written());
        reader.push(&text).unwrap();
        prop_assert!(reader.finish().is_ok());
    }
}
