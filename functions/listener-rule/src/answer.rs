//! What CloudFormation is told (CloudFormation user guide, custom resource reference, response objects).

use crate::configuration::ATTRIBUTE;
use crate::event::Request;
use release::RuleArn;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a resource is called that was not made.
pub const NOT_CREATED: &str = "not-created";

/// Bytes that an answer may have.
pub const LONGEST: usize = 4096;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The stack has this base rule, or none any more.
    Rule(Option<RuleArn>),
    /// This is the digest of a configuration.
    Digest(String),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answer<'a> {
    status: Status,
    /// What whoever deploys reads.
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: String,
    physical_resource_id: String,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
    /// What the template can ask for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    data: BTreeMap<&'static str, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Success,
    Failed,
}

impl<'a> Answer<'a> {
    /// It was done. A rule's ARN is the resource's name; one that was removed keeps its name. A configuration has the name
    /// that it has in the template, whatever it says: CloudFormation would delete one that has another.
    pub fn success(request: &'a Request, done: Done) -> Self {
        let (id, data) = match done {
            Done::Rule(Some(rule)) => (rule.0, BTreeMap::new()),
            Done::Rule(None) => (name(request), BTreeMap::new()),
            Done::Digest(digest) => {
                let known = request.physical_resource_id.as_ref();
                let id = known.unwrap_or(&request.logical_resource_id).clone();
                (id, BTreeMap::from([(ATTRIBUTE, digest)]))
            }
        };
        Self { data, ..Self::new(request, Status::Success, id, String::new()) }
    }

    /// It was not done. The resource keeps its name: CloudFormation would delete one that has another.
    pub fn failed(request: &'a Request, reason: String) -> Self {
        Self::new(request, Status::Failed, name(request), reason)
    }

    fn new(request: &'a Request, status: Status, physical_resource_id: String, reason: String) -> Self {
        Self {
            status,
            reason,
            physical_resource_id,
            stack_id: &request.stack_id,
            request_id: &request.request_id,
            logical_resource_id: &request.logical_resource_id,
            data: BTreeMap::new(),
        }
    }

    /// As JSON. A reason is cut where the answer would be too long.
    ///
    /// # Errors
    /// Never: there are only texts in it.
    pub fn to_json(mut self) -> serde_json::Result<String> {
        loop {
            let json = serde_json::to_string(&self)?;
            let Some(over) = json.len().checked_sub(LONGEST + 1) else { return Ok(json) };
            if self.reason.is_empty() {
                return Ok(json);
            }
            let keep = self.reason.len().saturating_sub(over + 1 + "…".len());
            self.reason.truncate(self.reason.floor_char_boundary(keep));
            if !self.reason.is_empty() {
                self.reason.push('…');
            }
        }
    }
}

fn name(request: &Request) -> String {
    request.physical_resource_id.clone().unwrap_or_else(|| NOT_CREATED.to_owned())
}
