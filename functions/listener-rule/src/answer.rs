//! What CloudFormation is told (CloudFormation user guide, custom resource reference, response objects).

use crate::event::Request;
use release::RuleArn;
use serde::Serialize;

/// What a resource is called that was not made.
pub const NOT_CREATED: &str = "not-created";

/// Bytes that an answer may have.
pub const LONGEST: usize = 4096;

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Success,
    Failed,
}

impl<'a> Answer<'a> {
    /// It was done. The rule's ARN is the resource's name; one that was removed keeps its name.
    pub fn success(request: &'a Request, rule: Option<RuleArn>) -> Self {
        let id = rule.map_or_else(|| name(request), |rule| rule.0);
        Self::new(request, Status::Success, id, String::new())
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
