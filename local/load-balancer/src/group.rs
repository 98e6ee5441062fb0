//! Target groups: what a caller hands over.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// A target group with its registered targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    /// The ARN that actions name it by.
    pub arn: String,
    /// How targets are checked.
    pub health_check: HealthCheck,
    /// How long a target that was taken out is shown as `draining`; AWS's default is 300 s.
    pub deregistration_delay: Duration,
    /// The registered targets.
    pub targets: Vec<Target>,
}

impl TargetGroup {
    /// A group without targets, with AWS's deregistration delay.
    pub fn new(arn: impl Into<String>, health_check: HealthCheck) -> Self {
        Self {
            arn: arn.into(),
            health_check,
            deregistration_delay: Duration::from_mins(5),
            targets: Vec::new(),
        }
    }

    /// The same group with one more target.
    #[must_use]
    pub fn with_target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }
}

/// A registered target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// An instance id, or whatever the caller knows it by.
    pub id: String,
    /// Where requests and health checks go.
    pub address: SocketAddr,
}

/// How the targets of a group are checked. The default is AWS's: `GET /` every 30 s, 5 s to answer 200, healthy
/// after 5 passes, unhealthy after 2 failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// The path and query to ask for.
    pub path: String,
    /// From the start of one check to the start of the next.
    pub interval: Duration,
    /// Until an answer has to be there.
    pub timeout: Duration,
    /// Passes in a row that make an unhealthy target healthy.
    pub healthy_threshold: u32,
    /// Failures in a row that make a target unhealthy.
    pub unhealthy_threshold: u32,
    /// The statuses that pass.
    pub matcher: Matcher,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            healthy_threshold: 5,
            unhealthy_threshold: 2,
            matcher: Matcher::default(),
        }
    }
}

/// The statuses that pass a health check, as AWS writes them: `200`, `200,202` or `200-299`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher(Vec<(u16, u16)>);

impl Matcher {
    /// Whether a check that was answered with `status` passes.
    pub fn matches(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

impl Default for Matcher {
    fn default() -> Self {
        Self(vec![(200, 200)])
    }
}

impl FromStr for Matcher {
    type Err = MatcherError;

    fn from_str(text: &str) -> Result<Self, MatcherError> {
        let error = || MatcherError { text: text.to_owned() };
        let status = |part: &str| part.trim().parse::<u16>().ok().filter(|code| (200..=499).contains(code));
        text.split(',')
            .map(|part| {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let range = (status(first).ok_or_else(error)?, status(last).ok_or_else(error)?);
                if range.0 > range.1 { Err(error()) } else { Ok(range) }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A health check's matcher that AWS would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "health check matcher {text:?} is not a list of statuses from 200 to 499; write 200, 200,202 or 200-299"
)]
pub struct MatcherError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_as_aws_writes_them() {
        for (text, pass, fail) in
            [("200", 200, 201), ("200,202", 202, 201), ("200-299", 250, 300), ("200, 301-302", 302, 303)]
        {
            let matcher: Matcher = text.parse().unwrap();
            assert!(matcher.matches(pass), "{text} has {pass}");
            assert!(!matcher.matches(fail), "{text} has not {fail}");
        }
    }

    #[test]
    fn matchers_that_aws_refuses_are_refused() {
        for text in ["", "ok", "299-200", "100", "200-", "503"] {
            assert!(text.parse::<Matcher>().is_err(), "{text:?}");
        }
    }
}
