//! A request in WAF's log, in the schema and with the oddities of real records from load balancers: explicit nulls, a
//! source id that is no ARN, `Default_Action` where no rule decided.
//!
//! Source: AWS WAF developer guide, "Log fields" and "Log examples".

use super::definition::Field;
use super::rules::{Judgement, Outcome, Request, Rule, WebAcl};
use http::Version;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a redacted value becomes.
const REDACTED: &str = "REDACTED";

/// Which fields the web ACL's logging configuration leaves out.
#[derive(Debug, Clone, Default)]
pub(super) struct Redaction(Vec<Field>);

impl Redaction {
    /// From the `RedactedFields` of a logging configuration. What is not known is left in, with a warning.
    pub(super) fn new(fields: &Value) -> Self {
        let fields = fields.as_array().into_iter().flatten();
        let known = fields.filter_map(|field| match Field::deserialize(field) {
            Ok(field) => Some(field),
            Err(error) => {
                tracing::warn!(%field, %error, "the data plane does not know this field, and logs it");
                None
            }
        });
        Self(known.collect())
    }

    fn hides(&self, hidden: impl Fn(&Field) -> bool) -> bool {
        self.0.iter().any(hidden)
    }
}

/// What a record tells beside the request and the judgement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// The load balancer, as records name it: `123456789012-app/name/0123456789abcdef`.
    pub(super) source: &'a str,
    pub(super) host: &'a str,
    pub(super) version: Version,
    pub(super) redaction: &'a Redaction,
}

/// One line of the log.
pub(super) fn record(
    acl: &WebAcl,
    request: &Request<'_>,
    judgement: &Judgement<'_>,
    surroundings: &Surroundings<'_>,
) -> Value {
    let Surroundings { source, host, version, redaction } = *surroundings;
    let is_rate = judgement.by.is_some_and(|rule| rule.rate().is_some());
    let counted = judgement
        .counted
        .iter()
        .map(|rule| json!({ "ruleId": rule.name, "action": "COUNT", "ruleMatchDetails": [] }));
    let shown = |is_hidden: bool, text: &str| if is_hidden { REDACTED.to_owned() } else { text.to_owned() };
    json!({
        "timestamp": request.time.as_millisecond(),
        "formatVersion": 1,
        "webaclId": acl.arn,
        "terminatingRuleId": judgement.by.map_or("Default_Action", |rule| rule.name.as_str()),
        "terminatingRuleType": if is_rate { "RATE_BASED" } else { "REGULAR" },
        "action": match judgement.outcome {
            Outcome::Allow => "ALLOW",
            Outcome::Block => "BLOCK",
            Outcome::Challenge => "CHALLENGE",
        },
        "terminatingRuleMatchDetails": [],
        "httpSourceName": "ALB",
        "httpSourceId": source,
        "ruleGroupList": [],
        "rateBasedRuleList": judgement.by.and_then(|rule| rate_based(acl, rule, request)).into_iter().collect::<Vec<_>>(),
        "nonTerminatingMatchingRules": counted.collect::<Vec<_>>(),
        "requestHeadersInserted": null,
        "responseCodeSent": null,
        "httpRequest": {
            "clientIp": request.client.to_string(),
            "country": "-",
            "headers": headers(request, redaction),
            "uri": shown(redaction.hides(|field| matches!(field, Field::UriPath(_))), request.path),
            "args": shown(redaction.hides(|field| matches!(field, Field::QueryString(_))), request.query),
            "httpVersion": format!("{version:?}"),
            "httpMethod": shown(redaction.hides(|field| matches!(field, Field::Method(_))), request.method),
            "requestId": trace_id(request),
            "fragment": "",
            "scheme": "http",
            "host": host,
        },
    })
}

fn rate_based(acl: &WebAcl, rule: &Rule, request: &Request<'_>) -> Option<Value> {
    let rate = rule.rate()?;
    Some(json!({
        "rateBasedRuleId": format!("{}_{}", acl.arn, rule.name),
        "rateBasedRuleName": rule.name,
        "limitKey": "IP",
        "maxRateAllowed": rate.limit,
        "evaluationWindowSec": rate.window_seconds.to_string(),
        "limitValue": request.client.to_string(),
    }))
}

const TRACE_ID: &str = "x-amzn-trace-id";

/// The headers as the client sent them, without the one that the load balancer has added.
fn headers(request: &Request<'_>, redaction: &Redaction) -> Vec<Value> {
    let sent = request.headers.iter().filter(|(name, _)| *name != TRACE_ID);
    sent.map(|(name, value)| {
        let is_hidden = redaction.hides(
            |field| matches!(field, Field::SingleHeader(header) if name.as_str().eq_ignore_ascii_case(&header.name)),
        );
        let text = String::from_utf8_lossy(value.as_bytes());
        json!({ "name": name.as_str(), "value": if is_hidden { REDACTED } else { &text } })
    })
    .collect()
}

/// `1-67891233-abcdef012345678912345678` of `Root=1-67891233-abcdef012345678912345678`.
fn trace_id<'a>(request: &Request<'a>) -> &'a str {
    let value = request.headers.get(TRACE_ID).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').find_map(|part| part.trim().strip_prefix("Root=")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::rates::Rates;
    use crate::firewall::rules::Sets;
    use http::HeaderMap;
    use jiff::Timestamp;

    fn logged(rules: &Value, redaction: &Value) -> Value {
        let described =
            json!({ "Name": "shop", "ARN": "arn:acl", "DefaultAction": { "Allow": {} }, "Rules": rules });
        let acl = WebAcl::new(&described, &Sets::new()).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("host", "shop.test"), ("cookie", "secret"), (TRACE_ID, "Root=1-67891233-abcdef")]
        {
            headers.insert(name, value.parse().unwrap());
        }
        let request = Request {
            time: "2026-11-23T01:02:03.004Z".parse::<Timestamp>().unwrap(),
            client: "2001:db8:0:64::9".parse().unwrap(),
            method: "POST",
            path: "/login",
            query: "a=b",
            headers: &headers,
        };
        let judgement = acl.judge(&request, &mut Rates::default(), 1);
        let surroundings = Surroundings {
            source: "123456789012-app/shop/50dc6c495c0c9188",
            host: "shop.test",
            version: Version::HTTP_11,
            redaction: &Redaction::new(redaction),
        };
        record(&acl, &request, &judgement, &surroundings)
    }

    fn rate(limit: u32) -> Value {
        let statement = json!({ "RateBasedStatement": { "Limit": limit, "AggregateKeyType": "IP" } });
        json!([{ "Name": "flood", "Priority": 0, "Action": { "Block": {} }, "Statement": statement }])
    }

    #[test]
    fn a_request_that_no_rule_ends_is_allowed_by_the_default_action() {
        let record = logged(&json!([]), &Value::Null);
        assert_eq!(record["timestamp"], 1_795_395_723_004_i64);
        assert_eq!(
            (&record["action"], &record["terminatingRuleId"]),
            (&json!("ALLOW"), &json!("Default_Action"))
        );
        assert_eq!(record["httpSourceId"], "123456789012-app/shop/50dc6c495c0c9188");
        let request = &record["httpRequest"];
        assert_eq!(request["clientIp"], "2001:db8:0:64::9");
        assert_eq!((&request["uri"], &request["args"]), (&json!("/login"), &json!("a=b")));
        assert_eq!((&request["httpVersion"], &request["httpMethod"]), (&json!("HTTP/1.1"), &json!("POST")));
        assert_eq!(request["requestId"], "1-67891233-abcdef");
        let names =
            request["headers"].as_array().unwrap().iter().map(|header| header["name"].as_str().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), ["host", "cookie"]);
    }

    #[test]
    fn a_rate_based_rule_tells_its_limit_and_whom_it_met() {
        let record = logged(&rate(0), &Value::Null);
        assert_eq!(
            (&record["action"], &record["terminatingRuleType"]),
            (&json!("BLOCK"), &json!("RATE_BASED"))
        );
        let met = &record["rateBasedRuleList"][0];
        assert_eq!(
            (&met["rateBasedRuleName"], &met["limitValue"]),
            (&json!("flood"), &json!("2001:db8:0:64::9"))
        );
        assert_eq!(logged(&rate(9), &Value::Null)["rateBasedRuleList"], json!([]));
    }

    #[test]
    fn redacted_fields_are_there_without_their_values() {
        let redaction = json!([{ "SingleHeader": { "Name": "Cookie" } }, { "QueryString": {} }]);
        let request = logged(&json!([]), &redaction)["httpRequest"].clone();
        assert_eq!(request["headers"][1], json!({ "name": "cookie", "value": "REDACTED" }));
        assert_eq!(request["headers"][0]["value"], "shop.test");
        assert_eq!((&request["args"], &request["uri"]), (&json!("REDACTED"), &json!("/login")));
    }
}
