//! Listener rules: what a caller hands over, and which hosts a rule matches.

use http::HeaderMap;
use std::collections::BTreeSet;

/// A listener's rules and its default action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// In any order; the lowest priority that matches wins.
    pub rules: Vec<Rule>,
    /// For requests that no rule matches.
    pub default: ListenerAction,
}

impl Routing {
    /// These rules, and 503 for everything else.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, default: ListenerAction::FixedResponse(FixedResponse::new(503)) }
    }

    /// The target groups that any rule or the default action names, whatever their weight.
    pub(crate) fn groups_in_use(&self) -> BTreeSet<&str> {
        self.rules
            .iter()
            .map(|rule| &rule.action)
            .chain([&self.default])
            .flat_map(|action| match action {
                ListenerAction::Forward(forwards) => forwards.as_slice(),
                ListenerAction::FixedResponse(_) => &[],
            })
            .map(|forward| forward.target_group.as_str())
            .collect()
    }
}

impl Default for Routing {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// One listener rule with a host-header condition, and perhaps others on headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// 1 to 50,000; lower is asked first.
    pub priority: u32,
    /// Host names; `*` stands for any characters, `?` for exactly one. One of them has to match.
    pub hosts: Vec<String>,
    /// Each of them has to match as well.
    pub headers: Vec<HeaderCondition>,
    /// What happens to a request that matches.
    pub action: ListenerAction,
}

/// A condition on a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderCondition {
    /// The header's name, upper and lower case alike.
    pub name: String,
    /// Values; `*` stands for any characters, `?` for exactly one, upper and lower case alike. One of them has to match.
    pub values: Vec<String>,
}

impl HeaderCondition {
    /// Whether one of the request's headers of this name has one of the values.
    pub(crate) fn matches(&self, headers: &HeaderMap) -> bool {
        headers.get_all(&self.name).iter().any(|value| {
            let value = value.as_bytes().to_ascii_lowercase();
            self.values.iter().any(|pattern| glob(pattern.to_ascii_lowercase().as_bytes(), &value))
        })
    }
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerAction {
    /// Forward to one of these target groups, by weight. With all weights 0 the answer is 503.
    Forward(Vec<Forward>),
    /// Answer without a target.
    FixedResponse(FixedResponse),
}

/// A target group in a forward action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The target group's ARN.
    pub target_group: String,
    /// 0 to 999, relative to the weights beside it.
    pub weight: u16,
}

/// A fixed response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedResponse {
    /// The HTTP status; one that HTTP does not know is answered as 500.
    pub status: u16,
    /// For example `text/plain`.
    pub content_type: String,
    /// May be empty.
    pub body: String,
}

impl FixedResponse {
    /// A plain-text response without body.
    pub fn new(status: u16) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8".to_owned(), body: String::new() }
    }
}

/// A host name to match, `*` for any characters and `?` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPattern(String);

impl HostPattern {
    pub(crate) fn new(pattern: &str) -> Self {
        Self(pattern.to_ascii_lowercase())
    }

    /// `host` as [`host_of`] gives it.
    pub(crate) fn matches(&self, host: &str) -> bool {
        glob(self.0.as_bytes(), host.as_bytes())
    }
}

/// The name in a Host header: without port, in lower case.
pub(crate) fn host_of(header: &str) -> String {
    let name = match header.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => header,
    };
    name.to_ascii_lowercase()
}

/// Goes back to the last `*` on a mismatch, so it is never worse than pattern times text.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(expected) if *expected == b'?' || expected == byte => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    read = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_match_exactly_and_by_wildcards() {
        for (pattern, host, expected) in [
            ("shop.example.com", "shop.example.com", true),
            ("Shop.Example.com", "SHOP.example.COM:8000", true),
            ("shop.example.com", "api.example.com", false),
            ("shop.example.com", "shop.example.com.evil.test", false),
            ("*.example.com", "api.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("api-?.example.com", "api-1.example.com", true),
            ("api-?.example.com", "api-12.example.com", false),
            ("*", "", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxbxxaxx", false),
            ("", "", true),
        ] {
            assert_eq!(HostPattern::new(pattern).matches(&host_of(host)), expected, "{pattern} on {host}");
        }
    }

    #[test]
    fn headers_match_by_name_and_value_whatever_their_case() {
        let condition = HeaderCondition {
            name: "X-Preview".to_owned(),
            values: vec!["ab?d".to_owned(), "*9".to_owned()],
        };
        let sent = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )])
        };
        for (name, value, expected) in [
            ("x-preview", "ABCD", true),
            ("x-preview", "09", true),
            ("x-preview", "abd", false),
            ("x-preview", "", false),
            ("x-other", "abcd", false),
        ] {
            assert_eq!(condition.matches(&sent(name, value)), expected, "{name}: {value}");
        }
        assert!(!condition.matches(&HeaderMap::new()));
    }

    #[test]
    fn groups_at_weight_zero_are_in_use() {
        let forward = |group: &str, weight| Forward { target_group: group.to_owned(), weight };
        let routing = Routing {
            rules: vec![Rule {
                priority: 1,
                hosts: vec!["*".to_owned()],
                headers: Vec::new(),
                action: ListenerAction::Forward(vec![forward("blue", 100), forward("green", 0)]),
            }],
            default: ListenerAction::Forward(vec![forward("rest", 1)]),
        };
        assert_eq!(routing.groups_in_use(), BTreeSet::from(["blue", "green", "rest"]));
    }
}
