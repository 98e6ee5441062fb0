//! A web ACL as WAF's API describes it. What is not here the data plane does not know, and says so.
//!
//! Source: AWS WAF API reference, `WebACL`, `Rule`, `Statement`.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// A rule of a web ACL.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) priority: i64,
    pub(super) action: RuleAction,
    pub(super) statement: Statement,
}

/// What becomes of a request that a rule matches.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum RuleAction {
    Allow(IgnoredAny),
    Block(IgnoredAny),
    Challenge(IgnoredAny),
    Count(IgnoredAny),
}

/// What a rule looks for.
#[derive(Debug, Clone, Deserialize)]
pub(super) enum Statement {
    #[serde(rename = "IPSetReferenceStatement")]
    IpSet(IpSetReference),
    #[serde(rename = "RateBasedStatement")]
    RateBased(RateBased),
    #[serde(rename = "RegexMatchStatement")]
    RegexMatch(RegexMatch),
    #[serde(rename = "ByteMatchStatement")]
    ByteMatch(ByteMatch),
    #[serde(rename = "AndStatement")]
    And(Statements),
    #[serde(rename = "OrStatement")]
    Or(Statements),
    #[serde(rename = "NotStatement")]
    Not(Negated),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct IpSetReference {
    #[serde(rename = "ARN")]
    pub(super) arn: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RateBased {
    pub(super) limit: u32,
    #[serde(default = "five_minutes")]
    pub(super) evaluation_window_sec: u32,
    pub(super) aggregate_key_type: AggregateKey,
    pub(super) scope_down_statement: Option<Box<Statement>>,
}

fn five_minutes() -> u32 {
    300
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum AggregateKey {
    #[serde(rename = "IP")]
    Ip,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RegexMatch {
    pub(super) regex_string: String,
    pub(super) field_to_match: Field,
    pub(super) text_transformations: Vec<Transformation>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ByteMatch {
    /// Base64, as every blob of a JSON API.
    pub(super) search_string: String,
    pub(super) field_to_match: Field,
    pub(super) text_transformations: Vec<Transformation>,
    pub(super) positional_constraint: Position,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Position {
    Exactly,
    StartsWith,
    EndsWith,
    Contains,
}

/// The part of a request that is looked at; also what a log leaves out.
#[derive(Debug, Clone, Deserialize)]
pub(super) enum Field {
    UriPath(IgnoredAny),
    QueryString(IgnoredAny),
    Method(IgnoredAny),
    SingleHeader(Header),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Header {
    pub(super) name: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Transformation {
    pub(super) priority: i64,
    #[serde(rename = "Type")]
    pub(super) kind: Transform,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Transform {
    None,
    Lowercase,
    UrlDecode,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statements {
    pub(super) statements: Vec<Statement>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Negated {
    pub(super) statement: Box<Statement>,
}
