//! Requests as AWS logs them: a line of WAF's log, and a line of the load balancer's.

use std::fmt::Write as _;

use crate::traffic::{Firewall, Request};

/// When scenarios begin, seconds since 1970.
pub const START: i64 = 1_795_348_800;

/// The rule that blocks by our IP sets.
pub const OWN_RULE: &str = "greenlight-blocked";

/// A line of the web ACL's log. `turned_away`: by our own rule.
pub fn of_firewall(request: &Request, turned_away: bool, number: u64, out: &mut String) {
    let (action, rule) = match request.firewall {
        _ if turned_away => ("BLOCK", OWN_RULE),
        Firewall::Allow => ("ALLOW", "Default_Action"),
        Firewall::Block(rule) => ("BLOCK", rule),
        Firewall::Challenge => ("CHALLENGE", "challenge"),
    };
    let Request { from, method, path, agent, .. } = request;
    let at = START * 1000 + i64::from(request.at);
    let written = writeln!(
        out,
        r#"{{"timestamp":{at},"formatVersion":1,"webaclId":"arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/shop/0f2c","terminatingRuleId":"{rule}","terminatingRuleType":"REGULAR","action":"{action}","terminatingRuleMatchDetails":[],"httpSourceName":"ALB","httpSourceId":"123456789012-app/shop/50dc","ruleGroupList":[],"rateBasedRuleList":[],"nonTerminatingMatchingRules":[],"requestHeadersInserted":null,"responseCodeSent":null,"httpRequest":{{"clientIp":"{from}","country":"DE","headers":[{{"name":"host","value":"www.example.com"}},{{"name":"user-agent","value":"{agent}"}}],"uri":"{path}","args":"","httpVersion":"HTTP/2.0","httpMethod":"{method}","requestId":"1-{:08x}-{number:024x}","fragment":"","scheme":"https","host":"www.example.com"}}}}"#,
        at / 1000
    );
    written.unwrap_or_default();
}

/// A line of the load balancer's access log, with the fields of
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html>.
pub fn of_load_balancer(request: &Request, turned_away: bool, number: u64, out: &mut String) {
    let Request { from, method, path, agent, status, .. } = request;
    let at = jiff::Timestamp::from_millisecond(START * 1000 + i64::from(request.at)).unwrap_or_default();
    let at = at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ");
    let port = 1024 + number % 60_000;
    let ends_here = match request.firewall {
        Firewall::Allow => turned_away.then_some(403),
        Firewall::Block(_) => Some(403),
        Firewall::Challenge => Some(if turned_away { 403 } else { 202 }),
    };
    let (target, times, codes, actions, group) = match ends_here {
        Some(code) => ("-", "-1 -1 -1", format!("{code} -"), "waf", "-"),
        None => (
            "10.0.1.17:8080",
            "0.001 0.004 0.000",
            format!("{status} {status}"),
            "waf,forward",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop-blue/73e2d6bc24d8a067",
        ),
    };
    let status = codes.rsplit(' ').next().unwrap_or("-");
    let written = writeln!(
        out,
        r#"https {at} app/shop/50dc6c495c0c9188 {from}:{port} {target} {times} {codes} 512 2048 "{method} https://www.example.com:443{path} HTTP/2.0" "{agent}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 {group} "Root=1-{number:032x}" "www.example.com" "arn:aws:acm:eu-west-1:123456789012:certificate/1f2e" 100 {at} "{actions}" "-" "-" "{target}" "{status}" "-" "-" TID_{number:032x} "-" "-" "-""#,
    );
    written.unwrap_or_default();
}
