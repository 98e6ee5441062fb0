//! CloudFormation's requests (CloudFormation user guide, custom resource reference, request objects).

use base_rule::{Owner, Wanted, listener_of};
use greenlight::failure::{Class, Excerpt, Failure};
use release::{PerColour, RuleArn, ServiceName};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A request, as far as it takes to answer it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    /// `Create`, `Update` or `Delete`.
    pub request_type: String,
    /// Where the answer goes.
    #[serde(rename = "ResponseURL")]
    pub response_url: Secret,
    /// The stack's ARN.
    pub stack_id: String,
    /// Names the request.
    pub request_id: String,
    /// What the template calls the resource.
    pub logical_resource_id: String,
    /// Its type: [`crate::configuration::KIND`], or a base rule.
    #[serde(default)]
    pub resource_type: String,
    /// What the function called it. A stack that never heard of it has a name that CloudFormation made up, or
    /// [`crate::answer::NOT_CREATED`].
    #[serde(default)]
    pub physical_resource_id: Option<String>,
    /// What the template says.
    #[serde(default)]
    pub resource_properties: Value,
    /// What it said before.
    #[serde(default)]
    pub old_resource_properties: Value,
}

/// A URL that whoever has it may answer with. It is never shown.
#[derive(Deserialize)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What the template says of a base rule.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    #[serde(rename = "ServiceToken")]
    _service_token: String,
    #[serde(rename = "ServiceTimeout", default)]
    _service_timeout: Value,
    service: String,
    listener_arn: String,
    #[serde(deserialize_with = "number")]
    priority: u32,
    hosts: Vec<String>,
    blue_target_group_arn: String,
    green_target_group_arn: String,
    state_bucket: String,
    policy: BTreeMap<String, String>,
}

/// The properties, read.
#[derive(Debug)]
pub struct Described {
    /// The rule.
    pub wanted: Wanted,
    /// The bucket of the ledgers.
    pub state_bucket: String,
    /// The release policy, by the names of the template's parameters.
    pub policy: BTreeMap<String, String>,
}

/// Reads a request.
///
/// # Errors
/// When it does not say whom to answer.
pub fn read(payload: Value) -> Result<Request, Failure> {
    // What serde says quotes no text that is not of the wrong type; a URL of the right type is never quoted.
    serde_json::from_value(payload).map_err(|error| {
        let message = format!(
            "the payload is no request of CloudFormation ({}), and nobody can be answered: the function serves custom resources, see events/listener-rule",
            Excerpt(&error.to_string())
        );
        Failure::new(Class::Permanent, message)
    })
}

impl Request {
    /// Whose the base rule is.
    pub fn owner(&self) -> Owner {
        Owner { stack: self.stack_id.clone(), resource: self.logical_resource_id.clone() }
    }

    /// The base rule that the stack knows.
    pub fn rule(&self) -> Option<RuleArn> {
        let id = self.physical_resource_id.as_ref().filter(|id| listener_of(id).is_some());
        id.cloned().map(RuleArn)
    }

    /// What the template says.
    ///
    /// # Errors
    /// The first property that is missing, unknown or of another type.
    pub fn described(&self) -> Result<Described, Failure> {
        described(&self.resource_properties)
    }

    /// What it said before, if that can be read.
    pub fn before(&self) -> Option<Wanted> {
        described(&self.old_resource_properties).ok().map(|old| old.wanted)
    }
}

fn described(properties: &Value) -> Result<Described, Failure> {
    let wrong = |why: &str| {
        let message =
            format!("the resource's properties cannot be read, mend them in the template: {}", Excerpt(why));
        Failure::new(Class::Permanent, message)
    };
    let properties = Properties::deserialize(properties).map_err(|error| wrong(&error.to_string()))?;
    let service = ServiceName::new(&properties.service).map_err(|error| wrong(&error.to_string()))?;
    Ok(Described {
        wanted: Wanted {
            service,
            listener: properties.listener_arn,
            priority: properties.priority,
            hosts: properties.hosts,
            groups: PerColour {
                blue: properties.blue_target_group_arn,
                green: properties.green_target_group_arn,
            },
        },
        state_bucket: properties.state_bucket,
        policy: properties.policy,
    })
}

/// CloudFormation makes a text of every number in the properties.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = match &value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    number.ok_or_else(|| serde::de::Error::custom(format_args!("Priority is {value}, which is no priority")))
}
