//! What a record of WAF's log counts as. Nothing was answered in it: what was asked for, and what WAF did, is all.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use jiff::Timestamp;
use offenders::classify::{Classifier, PathKind};
use offenders::configuration::Configuration;
use offenders::object::ObjectReader;
use offenders::tally::{Activity, Room};

/// A rule that real users trip here.
const IGNORED: &str = "count-me-out";

fn configuration() -> Configuration {
    let mut configuration = Configuration::default();
    configuration.detectors.ignore_rules = vec![IGNORED.to_owned()];
    configuration.detectors.odd_paths.except = vec!["/.well-known/.env".to_owned()];
    configuration
}

/// Blocked, tries of credentials, why the path is kept.
#[track_caller]
fn counted(action: &str, rule: &str, kind: &str, request: &str) -> (usize, usize, Option<PathKind>) {
    let (method, path) = request.split_once(' ').unwrap();
    let record = format!(
        r#"{{"timestamp":1767228995639,"terminatingRuleId":"{rule}","terminatingRuleType":"{kind}","action":"{action}","httpRequest":{{"clientIp":"198.51.100.7","headers":[],"uri":"{path}","args":"","httpVersion":"HTTP/2.0","httpMethod":"{method}","requestId":"1-6955c643"}}}}"#
    );
    let mut classifier = Classifier::new(&configuration(), Some("greenlight-blocked"));
    let written = Timestamp::from_millisecond(1_767_228_995_639).unwrap();
    let mut reader = ObjectReader::new(&mut classifier, Room::of(1000), written);
    reader.push(record.as_bytes()).unwrap();
    let (summary, tally) = reader.finish().unwrap();
    assert_eq!((summary.records, summary.bad), (1, 0), "{:?}", summary.complaints);
    let mut found = Activity::default();
    tally.each(|_, activity| found = activity.clone());
    assert_eq!(found.requests.len(), 1);
    let kept = found.paths.first().map(|(path, ..)| path.kind());
    (found.blocked().len(), found.credentials().len(), kept)
}

#[test]
fn what_a_rule_blocked_is_held_against_a_client_and_its_path_only_where_it_is_a_secret() {
    let by = |rule, kind, request| counted("BLOCK", rule, kind, request);
    assert_eq!(by("common-rules", "REGULAR", "GET /products/7"), (1, 0, None));
    assert_eq!(by("common-rules", "REGULAR", "GET /wp-admin/"), (1, 0, None));
    assert_eq!(by("probe", "REGULAR", "GET /.env"), (1, 0, Some(PathKind::Probed)));
    // Whom these rules stop may be anybody.
    assert_eq!(by("flood", "RATE_BASED", "GET /products/7"), (0, 0, None));
    assert_eq!(by(IGNORED, "REGULAR", "GET /products/7"), (0, 0, None));
    assert_eq!(by(IGNORED, "REGULAR", "GET /.env"), (0, 0, Some(PathKind::Asked)));
}

#[test]
fn of_what_waf_let_pass_it_is_kept_who_asks_for_secrets_and_who_sends_credentials() {
    let passed = |request| counted("ALLOW", "Default_Action", "REGULAR", request);
    assert_eq!(passed("GET /shop/.git/config"), (0, 0, Some(PathKind::Asked)));
    assert_eq!(passed("GET /%2e%2e/%2e%2e/x"), (0, 0, Some(PathKind::Asked)), "no browser climbs so high");
    assert_eq!(passed("GET /wp-admin/"), (0, 0, None), "the site may run on it");
    assert_eq!(passed("GET /.well-known/.env"), (0, 0, None), "the operator says that it is usual here");
    assert_eq!(passed("POST /Login/"), (0, 1, None));
    assert_eq!(passed("REDACTED /login"), (0, 1, None));
    assert_eq!(passed("GET /login"), (0, 0, None));
}
