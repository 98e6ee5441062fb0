//! Reading requests, with AWS's errors for what is missing or wrong.

use serde_json::Value;

use crate::{aws::S3Location, error::ApiError};

/// AWS's limit for a deployment's description, in characters.
const LONGEST_DESCRIPTION: usize = 256;

const BUNDLE_TYPES: [&str; 5] = ["tar", "tgz", "zip", "YAML", "JSON"];

pub(super) fn text<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

pub(super) fn flag(body: &Value, key: &str) -> bool {
    body.get(key).and_then(Value::as_bool).unwrap_or_default()
}

pub(super) fn required<'a>(body: &'a Value, key: &str, error: &'static str) -> Result<&'a str, ApiError> {
    text(body, key).ok_or_else(|| ApiError::new(error, format!("{key} is required")))
}

pub(super) fn application(body: &Value) -> Result<&str, ApiError> {
    required(body, "applicationName", "ApplicationNameRequiredException")
}

pub(super) fn group(body: &Value) -> Result<&str, ApiError> {
    required(body, "deploymentGroupName", "DeploymentGroupNameRequiredException")
}

/// `d-` and nine capitals or digits.
pub(super) fn deployment_id(body: &Value) -> Result<&str, ApiError> {
    let id = required(body, "deploymentId", "DeploymentIdRequiredException")?;
    valid_deployment_id(id)
}

pub(super) fn valid_deployment_id(id: &str) -> Result<&str, ApiError> {
    let well_formed = id.strip_prefix("d-").is_some_and(|rest| {
        rest.len() == 9 && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    });
    let error = || {
        let message = format!("Specified DeploymentId is not in the valid format: {id}");
        ApiError::new("InvalidDeploymentIdException", message)
    };
    if well_formed { Ok(id) } else { Err(error()) }
}

pub(super) fn unknown_deployment(id: &str) -> ApiError {
    ApiError::new("DeploymentDoesNotExistException", format!("The deployment {id} could not be found"))
}

pub(super) fn description(body: &Value) -> Result<Option<String>, ApiError> {
    match text(body, "description") {
        Some(text) if text.chars().count() > LONGEST_DESCRIPTION => Err(ApiError::new(
            "DescriptionTooLongException",
            format!("The description is longer than {LONGEST_DESCRIPTION} characters"),
        )),
        other => Ok(other.map(str::to_owned)),
    }
}

/// `revision` as an object in S3.
pub(super) fn revision(body: &Value) -> Result<S3Location, ApiError> {
    let invalid = |why: String| ApiError::new("InvalidRevisionException", why);
    let Some(revision) = body.get("revision").filter(|revision| !revision.is_null()) else {
        return Err(ApiError::new("RevisionRequiredException", "Revision is required"));
    };
    if text(revision, "revisionType") != Some("S3") {
        return Err(invalid("Only revisions in S3 can be deployed here".to_owned()));
    }
    let location: S3Location = revision
        .get("s3Location")
        .cloned()
        .ok_or_else(|| invalid("s3Location is required when revisionType is S3".to_owned()))
        .and_then(|location| serde_json::from_value(location).map_err(|error| invalid(error.to_string())))?;
    if location.bucket.is_empty() || location.key.is_empty() {
        return Err(invalid("The S3 location needs a bucket and a key".to_owned()));
    }
    match location.bundle_type.as_deref() {
        Some(kind) if BUNDLE_TYPES.contains(&kind) => Ok(location),
        other => Err(invalid(format!("The bundle type ({}) is invalid", other.unwrap_or_default()))),
    }
}

/// Ids of a batch: at least one and at most so many.
pub(super) fn ids<'a>(
    body: &'a Value,
    key: &str,
    most: usize,
    missing: &'static str,
    too_many: &'static str,
) -> Result<Vec<&'a str>, ApiError> {
    let ids: Vec<&str> =
        body.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if ids.is_empty() {
        return Err(ApiError::new(missing, format!("{key} must name at least one")));
    }
    if ids.len() > most {
        return Err(ApiError::new(too_many, format!("{key} may name at most {most}, not {}", ids.len())));
    }
    Ok(ids)
}

/// One page of a list, and the token for the next.
pub(super) fn page<T>(all: Vec<T>, size: usize, body: &Value) -> Result<(Vec<T>, Option<String>), ApiError> {
    let start = match text(body, "nextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|start| start.parse::<usize>().ok())
            .filter(|start| *start <= all.len())
            .ok_or_else(|| ApiError::new("InvalidNextTokenException", "The next token is invalid"))?,
    };
    let end = start + size;
    let token = (end < all.len()).then(|| format!("page-{end}"));
    Ok((all.into_iter().skip(start).take(size).collect(), token))
}
