//! Settings from the environment, checked before anything else runs.
//!
//! [`VARIABLES`] documents every variable. [`Settings::read`] reads them all, reports every bad one with what
//! is expected, and refuses to go on with any of them.

mod fault;
mod read;
mod source;
mod variables;

pub use fault::{SettingFault, SettingsError};
pub use read::{Reader, Zero};
pub use source::{ProcessEnvironment, Strings};
pub use variables::{VARIABLES, Variable};

use release::{PerColour, Policy, ServiceName};
use std::collections::{BTreeMap, BTreeSet};

/// The prefix of every variable of ours.
const PREFIX: &str = "GREENLIGHT_";

/// The prefix of the variables that `functions/waf-logs` documents and reads itself.
const FIREWALL_PREFIX: &str = "GREENLIGHT_WAF_";

/// What the functions are told about their surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The services and what belongs to each.
    pub services: BTreeMap<ServiceName, ServiceSettings>,
    /// The bucket of the ledgers.
    pub state_bucket: String,
    /// The bucket of the uploads.
    pub artifact_bucket: String,
    /// The CodeDeploy application.
    pub application: String,
    /// The listener that holds the rules.
    pub listener_arn: String,
    /// How releases run.
    pub policy: Policy,
}

/// What belongs to one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Its CodeDeploy deployment group.
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

impl Settings {
    /// Reads and checks every variable.
    ///
    /// # Errors
    /// Every fault there is: missing, malformed, contradictory and unknown variables, and a policy under which
    /// no release fits into the time-out of a hook.
    pub fn read(source: &impl Strings) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(source);
        let names = reader.list(&variables::SERVICES, "", |item| ServiceName::new(item).ok());
        let state_bucket = reader.value(&variables::STATE_BUCKET, "", bucket);
        let artifact_bucket = reader.value(&variables::ARTIFACT_BUCKET, "", bucket);
        let application = reader.value(&variables::APPLICATION, "", |text| name(text, 100));
        let listener_arn = reader.value(&variables::LISTENER_ARN, "", |text| arn(text, ":listener/"));
        let policy = policy(&mut reader);
        let each: Vec<_> =
            names.iter().flatten().map(|name| (name.clone(), service(&mut reader, name))).collect();
        check_nothing_is_shared(&mut reader, &each);
        if names.is_some() {
            reader.refuse_unknown_names(
                PREFIX,
                |name| name.starts_with(FIREWALL_PREFIX),
                "is its service missing in GREENLIGHT_SERVICES?",
            );
        }

        let services: Option<BTreeMap<_, _>> =
            each.into_iter().map(|(name, settings)| Some((name, settings?))).collect();
        let settings = (|| {
            Some(Self {
                services: services?,
                state_bucket: state_bucket?,
                artifact_bucket: artifact_bucket?,
                application: application?,
                listener_arn: listener_arn?,
                policy: policy?,
            })
        })();
        reader.finish(settings)
    }
}

fn policy(reader: &mut Reader<'_, impl Strings>) -> Option<Policy> {
    let strategy = reader.value(&variables::STRATEGY, "", |text| text.parse().ok());
    let bake = reader.time(&variables::BAKE, Zero::Allowed);
    let install_deadline = reader.time(&variables::INSTALL_DEADLINE, Zero::Refused);
    let drain = reader.time(&variables::DRAIN, Zero::Allowed);
    let unhealthy_grace = reader.time(&variables::UNHEALTHY_GRACE, Zero::Allowed);
    let unknown_limit = reader.time(&variables::UNKNOWN_LIMIT, Zero::Allowed);
    let look_interval = reader.time(&variables::LOOK_INTERVAL, Zero::Refused);
    let silence_limit = reader.time(&variables::SILENCE_LIMIT, Zero::Allowed);
    let rollback_window = reader.time(&variables::ROLLBACK_WINDOW, Zero::Allowed);
    let heal_after = reader.time(&variables::HEAL_AFTER, Zero::Allowed);
    let drift = reader.value(&variables::DRIFT, "", |text| text.parse().ok());
    let policy = Policy {
        strategy: strategy?,
        bake: bake?,
        install_deadline: install_deadline?,
        drain: drain?,
        unhealthy_grace: unhealthy_grace?,
        unknown_limit: unknown_limit?,
        look_interval: look_interval?,
        silence_limit: silence_limit?,
        rollback_window: rollback_window?,
        heal_after: heal_after?,
        drift: drift?,
    };
    check_silence_is_longer_than_a_pause(reader, &policy);
    if !policy.fits_a_hook() {
        let (install, bake) = (variables::INSTALL_DEADLINE.name, variables::BAKE.name);
        let unknown = variables::UNKNOWN_LIMIT.name;
        reader.fault(
            variables::STRATEGY.name,
            Some(policy.strategy.to_string()),
            format!(
                "installation ({install} = {}), strategy ({}), one wait for proof ({unknown} = {}) and bake ({bake} = {}) \
                 to take at most {} together, which is how long the instances' hooks wait; they take {}",
                duration::show(policy.install_deadline),
                duration::show(policy.strategy.total()),
                duration::show(policy.unknown_limit),
                duration::show(policy.bake),
                duration::show(Policy::HOOK_TIMEOUT),
                duration::show(policy.longest_release()),
            ),
        );
    }
    Some(policy)
}

/// A pass records a question at most once per look interval. A silence limit below a few intervals would end a
/// healthy release.
fn check_silence_is_longer_than_a_pause(reader: &mut Reader<'_, impl Strings>, policy: &Policy) {
    let limit = policy.silence_limit;
    if !limit.is_zero() && limit < 3 * policy.look_interval {
        let look = variables::LOOK_INTERVAL.name;
        reader.fault(
            variables::SILENCE_LIMIT.name,
            Some(duration::show(limit)),
            format!("0, or at least three times {look} = {}", duration::show(policy.look_interval)),
        );
    }
}

fn service(reader: &mut Reader<'_, impl Strings>, service: &ServiceName) -> Option<ServiceSettings> {
    let service = service.as_str();
    let deployment_group = reader.value(&variables::DEPLOYMENT_GROUP, service, |text| name(text, 100));
    let base_rule_arn = reader.value(&variables::BASE_RULE_ARN, service, |text| arn(text, ":listener-rule/"));
    let blue_group =
        reader.value(&variables::BLUE_TARGET_GROUP_ARN, service, |text| arn(text, ":targetgroup/"));
    let green_group =
        reader.value(&variables::GREEN_TARGET_GROUP_ARN, service, |text| arn(text, ":targetgroup/"));
    let blue_alarms = reader.list(&variables::BLUE_ALARMS, service, |item| name(item, 255));
    let green_alarms = reader.list(&variables::GREEN_ALARMS, service, |item| name(item, 255));
    let auto_scaling_group = reader.value(&variables::AUTO_SCALING_GROUP, service, |text| name(text, 255));
    let alarms = PerColour { blue: blue_alarms?, green: green_alarms? };
    check_alarms_fit_one_call(reader, service, &alarms);
    Some(ServiceSettings {
        deployment_group: deployment_group?,
        base_rule_arn: base_rule_arn?,
        target_groups: PerColour { blue: blue_group?, green: green_group? },
        alarms,
        auto_scaling_group: auto_scaling_group?,
    })
}

/// `DescribeAlarms` takes at most 100 names (CloudWatch API reference), and one call per look has to do.
const ALARMS_PER_CALL: usize = 100;

fn check_alarms_fit_one_call(
    reader: &mut Reader<'_, impl Strings>,
    service: &str,
    alarms: &PerColour<Vec<String>>,
) {
    let count = alarms.blue.len() + alarms.green.len();
    if count > ALARMS_PER_CALL {
        let variable = variables::GREEN_ALARMS.name_for(service);
        let expected =
            format!("at most {ALARMS_PER_CALL} alarms for both colours together, there are {count}");
        reader.fault(variable, Some(alarms.green.join(",")), expected);
    }
}

/// What two services, or two colours, share would be changed for one because of the other.
fn check_nothing_is_shared(
    reader: &mut Reader<'_, impl Strings>,
    services: &[(ServiceName, Option<ServiceSettings>)],
) {
    let mut taken = BTreeSet::new();
    for (service, settings) in services {
        let Some(settings) = settings else { continue };
        let alarms = |variable: Variable, names: &[String]| {
            names.iter().map(|name| (variable, name.clone())).collect::<Vec<_>>()
        };
        let mut own = vec![
            (variables::DEPLOYMENT_GROUP, settings.deployment_group.clone()),
            (variables::BASE_RULE_ARN, settings.base_rule_arn.clone()),
            (variables::BLUE_TARGET_GROUP_ARN, settings.target_groups.blue.clone()),
            (variables::GREEN_TARGET_GROUP_ARN, settings.target_groups.green.clone()),
        ];
        own.extend(alarms(variables::BLUE_ALARMS, &settings.alarms.blue));
        own.extend(alarms(variables::GREEN_ALARMS, &settings.alarms.green));
        for (variable, value) in own {
            // One format is one kind of thing: a group and an alarm may well have the same name.
            if !taken.insert((variable.format, value.clone())) {
                reader.fault(
                    variable.name_for(service.as_str()),
                    Some(value),
                    format!("{}; it is used twice", variable.format),
                );
            }
        }
    }
}

/// The name of a bucket: 3 to 63 lower-case letters, digits, dots and dashes (S3 user guide, bucket naming rules).
pub fn bucket(text: &str) -> Option<String> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-';
    ((3..=63).contains(&text.len()) && text.bytes().all(legal)).then(|| text.to_owned())
}

fn name(text: &str, longest: usize) -> Option<String> {
    let legal = !text.is_empty()
        && text.chars().count() <= longest
        && !text.contains(|letter: char| letter.is_control() || letter == '\u{fffd}');
    (legal && text.trim() == text).then(|| text.to_owned())
}

fn arn(text: &str, kind: &str) -> Option<String> {
    (text.starts_with("arn:") && text.contains(kind)).then(|| name(text, 1024)).flatten()
}

#[cfg(test)]
mod tests;
