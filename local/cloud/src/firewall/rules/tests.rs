use super::super::record::{Redaction, Surroundings, record};
use super::*;
use serde_json::json;

const SET: &str = "arn:aws:wafv2:eu-west-1:123456789012:regional/ipset/blocked/1";

fn rule(name: &str, priority: i64, action: &str, statement: &Value) -> Value {
    json!({ "Name": name, "Priority": priority, "Action": { action: {} }, "Statement": statement })
}

fn text(kind: &str, field: &Value, more: &[(&str, &str)]) -> Value {
    let transformations =
        json!([{ "Priority": 1, "Type": "LOWERCASE" }, { "Priority": 0, "Type": "URL_DECODE" }]);
    let mut statement = json!({ "FieldToMatch": field, "TextTransformations": transformations });
    for (name, value) in more {
        statement[*name] = json!(value);
    }
    json!({ kind: statement })
}

fn regex(regex: &str) -> Value {
    text("RegexMatchStatement", &json!({ "UriPath": {} }), &[("RegexString", regex)])
}

fn acl(rules: &[Value]) -> WebAcl {
    let blocked = ["198.51.100.7/32".parse().unwrap(), "2001:db8:0:64::/64".parse().unwrap()];
    let sets = Sets::from([(SET.to_owned(), Arc::new(blocked.into_iter().collect()))]);
    let described =
        json!({ "Name": "shop", "ARN": "arn:acl", "DefaultAction": { "Allow": {} }, "Rules": rules });
    WebAcl::new(&described, &sets).unwrap()
}

/// Who blocks a request of this client for this path, and who counts it.
fn judged(acl: &WebAcl, rates: &mut Rates, client: &str, path: &str) -> (Option<String>, Vec<String>) {
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", "Sqlmap/1.8".parse().unwrap());
    let request = Request {
        time: Timestamp::UNIX_EPOCH,
        client: client.parse().unwrap(),
        method: "GET",
        path,
        query: "",
        headers: &headers,
    };
    let judgement = acl.judge(&request, rates, 1);
    let counted = judgement.counted.iter().map(|rule| rule.name.clone()).collect();
    let is_blocked = judgement.outcome == Outcome::Block;
    (judgement.by.filter(|_| is_blocked).map(|rule| rule.name.clone()), counted)
}

fn blocked_by(acl: &WebAcl, client: &str, path: &str) -> Option<String> {
    judged(acl, &mut Rates::default(), client, path).0
}

#[test]
fn an_ip_set_blocks_its_addresses_whatever_they_ask_for() {
    let statement =
        json!({ "OrStatement": { "Statements": [{ "IPSetReferenceStatement": { "ARN": SET } }] } });
    let acl = acl(&[rule("blocked", 0, "Block", &statement)]);
    assert_eq!(blocked_by(&acl, "198.51.100.7", "/").as_deref(), Some("blocked"));
    assert_eq!(blocked_by(&acl, "2001:db8:0:64::9", "/").as_deref(), Some("blocked"));
    assert_eq!(blocked_by(&acl, "198.51.100.8", "/"), None);
}

#[test]
fn text_is_transformed_before_it_is_compared() {
    let probe = regex(r"(^|/)(\.(env|git)($|[./])|wp-login\.php)");
    let acl = acl(&[rule("probe", 0, "Block", &probe)]);
    for (path, is_blocked) in [
        ("/.env", true),
        ("/%2EENV", true),
        ("/shop/.git/config", true),
        ("/WP-Login.php", true),
        ("/.environment", false),
        ("/", false),
    ] {
        assert_eq!(blocked_by(&acl, "203.0.113.1", path).is_some(), is_blocked, "{path}");
    }
}

#[test]
fn bytes_are_found_where_they_are_looked_for() {
    let agent = json!({ "SingleHeader": { "Name": "user-agent" } });
    for (position, wanted, is_blocked) in [
        ("STARTS_WITH", "sqlmap", true),
        ("CONTAINS", "/1.", true),
        ("EXACTLY", "sqlmap", false),
        ("ENDS_WITH", "1.8", true),
    ] {
        let wanted = STANDARD.encode(wanted);
        let more = [("SearchString", wanted.as_str()), ("PositionalConstraint", position)];
        let acl = acl(&[rule("agent", 0, "Block", &text("ByteMatchStatement", &agent, &more))]);
        assert_eq!(blocked_by(&acl, "203.0.113.1", "/").is_some(), is_blocked, "{position}");
    }
}

#[test]
fn the_first_rule_that_decides_ends_it_and_those_that_count_go_on() {
    let any = regex("^/");
    let acl = acl(&[
        rule("late", 3, "Block", &any),
        rule("seen", 1, "Count", &any),
        rule("login", 2, "Allow", &regex("^/login")),
    ]);
    let mut rates = Rates::default();
    assert_eq!(judged(&acl, &mut rates, "203.0.113.1", "/login"), (None, vec!["seen".to_owned()]));
    let other = judged(&acl, &mut rates, "203.0.113.1", "/cart");
    assert_eq!(other, (Some("late".to_owned()), vec!["seen".to_owned()]));
}

#[test]
fn what_is_challenged_ends_there_with_an_outcome_of_its_own() {
    let acl =
        acl(&[rule("challenged", 0, "Challenge", &regex("^/login")), rule("late", 1, "Block", &regex("^/"))]);
    let headers = HeaderMap::new();
    let request = Request {
        time: Timestamp::UNIX_EPOCH,
        client: "203.0.113.1".parse().unwrap(),
        method: "POST",
        path: "/login",
        query: "",
        headers: &headers,
    };
    let judgement = acl.judge(&request, &mut Rates::default(), 1);
    assert_eq!((judgement.outcome, judgement.by.unwrap().name.as_str()), (Outcome::Challenge, "challenged"));
    let surroundings = Surroundings {
        source: "123456789012-app/shop/50dc",
        host: "www.example.com",
        version: http::Version::HTTP_2,
        redaction: &Redaction::default(),
    };
    assert_eq!(record(&acl, &request, &judgement, &surroundings)["action"], "CHALLENGE");
}

#[test]
fn a_rate_based_rule_blocks_beyond_its_limit_and_counts_what_it_is_narrowed_to() {
    let statement = json!({ "RateBasedStatement": {
        "Limit": 10, "EvaluationWindowSec": 60, "AggregateKeyType": "IP", "ScopeDownStatement": regex("^/login"),
    } });
    let acl = acl(&[rule("logins", 0, "Block", &statement)]);
    let mut rates = Rates::default();
    let mut blocked = |path| judged(&acl, &mut rates, "203.0.113.1", path).0.is_some();
    assert!((0..50).all(|_| !blocked("/")));
    assert!((0..10).all(|_| !blocked("/login")));
    assert!(blocked("/login"));
    assert!(!blocked("/"));
}

#[test]
fn a_rule_that_is_not_known_never_matches_and_the_others_do() {
    let unknown = json!({ "GeoMatchStatement": { "CountryCodes": ["XX"] } });
    let custom =
        json!({ "RateBasedStatement": { "Limit": 10, "AggregateKeyType": "CUSTOM_KEYS", "CustomKeys": [] } });
    let acl = acl(&[
        rule("geo", 0, "Block", &unknown),
        rule("keys", 1, "Block", &custom),
        rule("all", 2, "Block", &regex("^/")),
    ]);
    assert_eq!(acl.rules.len(), 1);
    assert_eq!(blocked_by(&acl, "203.0.113.1", "/").as_deref(), Some("all"));
}

#[test]
fn sets_are_found_wherever_a_rule_refers_to_them() {
    let statement = json!({ "NotStatement": { "Statement": { "IPSetReferenceStatement": { "ARN": SET } } } });
    assert_eq!(WebAcl::sets_of(&json!({ "Rules": [rule("a", 0, "Allow", &statement)] })), [SET]);
}
