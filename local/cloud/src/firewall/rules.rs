//! A web ACL made ready to judge requests, as AWS WAF judges them: rules by priority, the first that blocks or allows
//! ends it, one that counts goes on, and the default action is for whatever is left.

use super::definition::{self as api, Field, Position, RuleAction, Statement, Transform, Transformation};
use super::networks::Networks;
use super::rates::Rates;
use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use jiff::Timestamp;
use load_balancer::{Admission, RequestFacts};
use percent_encoding::percent_decode_str;
use regex_lite::Regex;
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The IP sets, by ARN.
pub(super) type Sets = BTreeMap<String, Arc<Networks>>;

/// A web ACL.
#[derive(Debug, Clone)]
pub(super) struct WebAcl {
    pub(super) arn: String,
    pub(super) name: String,
    blocks_by_default: bool,
    rules: Vec<Rule>,
}

/// A rule of it.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) name: String,
    priority: i64,
    action: RuleAction,
    condition: Condition,
}

#[derive(Debug, Clone)]
enum Condition {
    From(Arc<Networks>),
    Rate(Rate),
    Text { field: Field, transformations: Vec<Transform>, test: Test },
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// A rate-based rule's limit.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    pub(super) limit: u32,
    pub(super) window_seconds: u32,
    among: Option<Box<Condition>>,
}

#[derive(Debug, Clone)]
enum Test {
    Matches(Regex),
    Bytes(Position, Vec<u8>),
}

/// A request as rules see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) time: Timestamp,
    pub(super) client: IpAddr,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Allow,
    Block,
    /// Ended here, because it brought no token.
    Challenge,
}

/// What a web ACL says about a request.
#[derive(Debug, Clone)]
pub(super) struct Judgement<'a> {
    /// What becomes of it.
    pub(super) outcome: Outcome,
    /// The rule that ended it; none for the default action.
    pub(super) by: Option<&'a Rule>,
    /// Rules that matched and only count.
    pub(super) counted: Vec<&'a Rule>,
}

impl WebAcl {
    /// From what `GetWebACL` answers. A rule that the data plane does not know is left out with a warning.
    ///
    /// # Errors
    /// When it has no name or ARN.
    pub(super) fn new(described: &Value, sets: &Sets) -> Result<Self> {
        let text = |name: &str| {
            let found = described.get(name).and_then(Value::as_str);
            found.map(ToOwned::to_owned).with_context(|| format!("the web ACL has no {name}"))
        };
        let mut rules = Vec::new();
        for rule in described.get("Rules").and_then(Value::as_array).into_iter().flatten() {
            match Rule::new(rule, sets) {
                Ok(rule) => rules.push(rule),
                Err(error) => {
                    let rule = rule.get("Name").and_then(Value::as_str).unwrap_or_default();
                    tracing::warn!(
                        rule,
                        error = %format!("{error:#}"),
                        "the data plane does not know this rule of the web ACL; it never matches here"
                    );
                }
            }
        }
        rules.sort_by_key(|rule| rule.priority);
        let blocks_by_default = described.pointer("/DefaultAction/Block").is_some();
        Ok(Self { arn: text("ARN")?, name: text("Name")?, blocks_by_default, rules })
    }

    /// The ARNs of the IP sets that the rules of a described web ACL refer to.
    pub(super) fn sets_of(described: &Value) -> Vec<String> {
        match described {
            Value::Object(fields) => {
                let own =
                    fields.get("IPSetReferenceStatement").and_then(|statement| statement["ARN"].as_str());
                let own = own.map(ToOwned::to_owned);
                own.into_iter().chain(fields.values().flat_map(Self::sets_of)).collect()
            }
            Value::Array(values) => values.iter().flat_map(Self::sets_of).collect(),
            _ => Vec::new(),
        }
    }

    /// Judges a request. Rates are counted on a clock that runs `speed` times as fast as AWS's.
    pub(super) fn judge(&self, request: &Request<'_>, rates: &mut Rates, speed: u32) -> Judgement<'_> {
        let mut counted = Vec::new();
        for rule in &self.rules {
            if !rule.condition.holds(&rule.name, request, rates, speed) {
                continue;
            }
            let outcome = match rule.action {
                RuleAction::Count(_) => {
                    counted.push(rule);
                    continue;
                }
                RuleAction::Block(_) => Outcome::Block,
                RuleAction::Challenge(_) => Outcome::Challenge,
                RuleAction::Allow(_) => Outcome::Allow,
            };
            return Judgement { outcome, by: Some(rule), counted };
        }
        let outcome = if self.blocks_by_default { Outcome::Block } else { Outcome::Allow };
        Judgement { outcome, by: None, counted }
    }
}

impl Rule {
    fn new(described: &Value, sets: &Sets) -> Result<Self> {
        let api::Rule { name, priority, action, statement } = api::Rule::deserialize(described)?;
        Ok(Self { name, priority, action, condition: Condition::new(statement, sets)? })
    }

    /// The limit, for a rate-based rule.
    pub(super) fn rate(&self) -> Option<&Rate> {
        if let Condition::Rate(rate) = &self.condition { Some(rate) } else { None }
    }
}

impl Condition {
    fn new(statement: Statement, sets: &Sets) -> Result<Self> {
        let all = |statements: Vec<Statement>| {
            statements.into_iter().map(|statement| Self::new(statement, sets)).collect::<Result<Vec<_>>>()
        };
        Ok(match statement {
            Statement::IpSet(api::IpSetReference { arn }) => {
                Self::From(Arc::clone(sets.get(&arn).with_context(|| format!("there is no IP set {arn}"))?))
            }
            Statement::RateBased(rate) => {
                let api::AggregateKey::Ip = rate.aggregate_key_type;
                let among = rate.scope_down_statement.map(|statement| Self::new(*statement, sets));
                Self::Rate(Rate {
                    limit: rate.limit,
                    window_seconds: rate.evaluation_window_sec,
                    among: among.transpose()?.map(Box::new),
                })
            }
            Statement::RegexMatch(regex) => Self::Text {
                field: regex.field_to_match,
                transformations: in_order(regex.text_transformations),
                test: Test::Matches(Regex::new(&regex.regex_string)?),
            },
            Statement::ByteMatch(bytes) => Self::Text {
                field: bytes.field_to_match,
                transformations: in_order(bytes.text_transformations),
                test: Test::Bytes(bytes.positional_constraint, STANDARD.decode(bytes.search_string)?),
            },
            Statement::And(api::Statements { statements }) => Self::All(all(statements)?),
            Statement::Or(api::Statements { statements }) => Self::Any(all(statements)?),
            Statement::Not(api::Negated { statement }) => Self::Not(Box::new(Self::new(*statement, sets)?)),
        })
    }

    fn holds(&self, rule: &str, request: &Request<'_>, rates: &mut Rates, speed: u32) -> bool {
        match self {
            Self::From(networks) => networks.contain(request.client),
            Self::Rate(rate) => {
                let window = Duration::from_secs(rate.window_seconds.into()) / speed.max(1);
                rate.among.as_ref().is_none_or(|among| among.holds(rule, request, rates, speed))
                    && rates.count(rule, request.client, request.time, window) > rate.limit
            }
            Self::Text { field, transformations, test } => {
                request.field(field).is_some_and(|text| test.passes(&transformed(text, transformations)))
            }
            Self::All(all) => all.iter().all(|one| one.holds(rule, request, rates, speed)),
            Self::Any(any) => any.iter().any(|one| one.holds(rule, request, rates, speed)),
            Self::Not(one) => !one.holds(rule, request, rates, speed),
        }
    }
}

impl From<Outcome> for Admission {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Allow => Self::Allow,
            Outcome::Block => Self::Block,
            Outcome::Challenge => Self::Challenge,
        }
    }
}

impl<'a> Request<'a> {
    /// What the load balancer asks about.
    pub(super) fn of(facts: &RequestFacts<'a>) -> Self {
        let head = facts.head;
        Self {
            time: facts.time,
            client: facts.client,
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
        }
    }

    fn field(&self, field: &Field) -> Option<&'a str> {
        match field {
            Field::UriPath(_) => Some(self.path),
            Field::QueryString(_) => Some(self.query),
            Field::Method(_) => Some(self.method),
            Field::SingleHeader(header) => self.headers.get(&header.name)?.to_str().ok(),
        }
    }
}

impl Test {
    fn passes(&self, text: &str) -> bool {
        match self {
            Self::Matches(regex) => regex.is_match(text),
            Self::Bytes(position, wanted) => {
                let text = text.as_bytes();
                match position {
                    Position::Exactly => text == wanted,
                    Position::StartsWith => text.starts_with(wanted),
                    Position::EndsWith => text.ends_with(wanted),
                    Position::Contains => {
                        wanted.is_empty() || text.windows(wanted.len()).any(|part| part == wanted)
                    }
                }
            }
        }
    }
}

fn in_order(mut transformations: Vec<Transformation>) -> Vec<Transform> {
    transformations.sort_by_key(|transformation| transformation.priority);
    transformations.into_iter().map(|transformation| transformation.kind).collect()
}

fn transformed(text: &str, transformations: &[Transform]) -> String {
    transformations.iter().fold(text.to_owned(), |text, transform| match transform {
        Transform::None => text,
        Transform::Lowercase => text.to_lowercase(),
        Transform::UrlDecode => percent_decode_str(&text).decode_utf8_lossy().into_owned(),
    })
}

#[cfg(test)]
mod challenge;
#[cfg(test)]
mod tests;
