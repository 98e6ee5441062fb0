//! The services of a stack: what the template tells of each, and what follows from names.

use super::{name, variables};
use crate::settings::{Reader, Strings};
use release::{PerColour, ServiceName};
use std::collections::{BTreeMap, BTreeSet};

/// What belongs to one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Its CodeDeploy deployment group, which has its name.
    pub deployment_group: String,
    /// The rule that always names both of its target groups.
    pub base_rule_arn: String,
    /// The ARNs of its target groups.
    pub target_groups: PerColour<String>,
    /// The names of the alarms that judge each colour.
    pub alarms: PerColour<Vec<String>>,
    /// Its Auto Scaling group.
    pub auto_scaling_group: String,
}

/// What the services of a stack have in common.
#[derive(Debug)]
pub(super) struct Stack<'a> {
    pub(super) application: &'a str,
    pub(super) listener_arn: &'a str,
    /// How the names of alarms end.
    pub(super) alarms: &'a [String],
}

/// What only AWS can tell of a service, because it numbers rules and target groups itself.
#[derive(Debug)]
pub(super) struct Told {
    name: ServiceName,
    rule: String,
    target_groups: PerColour<String>,
}

impl Told {
    /// `SERVICE:RULE:BLUE:GREEN`.
    fn parse(item: &str) -> Option<Self> {
        let [service, rule, blue, green] = item.split(':').collect::<Vec<_>>()[..] else { return None };
        let is_id = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let group = |text: &str| {
            let (name, id) = text.split_once('/')?;
            (is_id(&name.replace('-', "")) && is_id(id)).then(|| text.to_owned())
        };
        Some(Self {
            name: ServiceName::new(service).ok()?,
            rule: is_id(rule).then(|| rule.to_owned())?,
            target_groups: PerColour { blue: group(blue)?, green: group(green)? },
        })
    }

    fn settings(&self, stack: &Stack<'_>) -> ServiceSettings {
        let Stack { application, listener_arn, alarms } = stack;
        let own_name = format!("{application}.{}", self.name);
        let (account, _) = listener_arn.split_once(":listener/").unwrap_or((listener_arn, ""));
        let group = |name: &str| format!("{account}:targetgroup/{name}");
        let alarms =
            |colour: &str| alarms.iter().map(|alarm| format!("{own_name}-{colour}-{alarm}")).collect();
        ServiceSettings {
            deployment_group: self.name.to_string(),
            base_rule_arn: format!(
                "{}/{}",
                listener_arn.replacen(":listener/", ":listener-rule/", 1),
                self.rule
            ),
            target_groups: PerColour {
                blue: group(&self.target_groups.blue),
                green: group(&self.target_groups.green),
            },
            alarms: PerColour { blue: alarms("blue"), green: alarms("green") },
            auto_scaling_group: own_name,
        }
    }
}

/// Reads what is told of each service.
pub(super) fn told(reader: &mut Reader<'_, impl Strings>) -> Option<Vec<Told>> {
    let told = reader.list(&variables::SERVICES, Told::parse)?;
    let mut taken = BTreeSet::new();
    for Told { name, rule, target_groups } in &told {
        for own in [name.as_str(), rule, &target_groups.blue, &target_groups.green] {
            // What two services, or two colours, share would be changed for one because of the other.
            if !taken.insert(own) {
                let expected = format!("{}; {own} is used twice", variables::SERVICES.format);
                reader.fault_of_list(&variables::SERVICES, expected);
            }
        }
    }
    Some(told)
}

/// `DescribeAlarms` takes at most 100 names (CloudWatch API reference), and one call per look has to do for both colours.
const ALARMS_OF_A_COLOUR: usize = 50;

/// Reads how the names of the alarms end.
pub(super) fn alarms(reader: &mut Reader<'_, impl Strings>) -> Option<Vec<String>> {
    let alarms = reader.list(&variables::ALARMS, |item| name(item, 100))?;
    if alarms.len() > ALARMS_OF_A_COLOUR {
        let expected = format!("at most {ALARMS_OF_A_COLOUR} alarms of a colour, there are {}", alarms.len());
        reader.fault_of_list(&variables::ALARMS, expected);
    }
    Some(alarms)
}

/// The services, each with what follows from its name.
pub(super) fn named(told: &[Told], stack: &Stack<'_>) -> BTreeMap<ServiceName, ServiceSettings> {
    told.iter().map(|service| (service.name.clone(), service.settings(stack))).collect()
}
