//! Settings from the environment, checked before anything else runs.
//!
//! [`VARIABLES`] documents every variable. [`Settings::read`] reads them all and reports every bad one with what is
//! expected. What the way back needs, the names of a stack's parts, must be right. Where anything else is wrong a default
//! stands in for it, and no release opens.

mod fault;
mod read;
mod services;
mod source;
mod variables;

pub use fault::{SettingFault, SettingsError};
pub use read::{Reader, Zero};
pub use services::ServiceSettings;
pub use source::{ProcessEnvironment, Strings};
pub use variables::{VARIABLES, Variable};

use appspec::finding::Agent;
use release::{Gate, Policy, ServiceName, Strategy};
use std::collections::BTreeMap;
use std::time::Duration;

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
    /// Who hears how releases end. The template names it after the stack, as the application.
    pub topic_arn: String,
    /// The function that is the gate of the releases that open, if there is one. How long it may take stands in the policy.
    pub gate: Option<String>,
    /// How releases run.
    pub policy: Policy,
    /// What bundles are judged for.
    pub instances: InstanceSettings,
    /// What is wrong with the variables that the way back does not need. Defaults stand in for them, and no release
    /// opens.
    pub faults: Vec<SettingFault>,
}

/// What an instance is to a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceSettings {
    /// The line of CodeDeploy agents that it runs.
    pub agent: Agent,
    /// Bytes of its disk.
    pub disk_bytes: u64,
}

impl Default for InstanceSettings {
    /// As the template makes one.
    fn default() -> Self {
        Self { agent: Agent::One, disk_bytes: 20 << 30 }
    }
}

impl Settings {
    /// Reads and checks every variable.
    ///
    /// # Errors
    /// Every fault there is, when one is of the stack's parts: services, alarms, buckets, application, listener. Other
    /// faults alone are [`Settings::faults`]: malformed, contradictory and unknown variables, and a policy under which no
    /// release fits into the time-out of a hook.
    pub fn read(source: &impl Strings) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(source);
        let told = services::told(&mut reader);
        let alarms = services::alarms(&mut reader);
        let state_bucket = reader.value(&variables::STATE_BUCKET, bucket);
        let artifact_bucket = reader.value(&variables::ARTIFACT_BUCKET, bucket);
        let application = reader.value(&variables::APPLICATION, |text| name(text, 100));
        let listener_arn = reader.value(&variables::LISTENER_ARN, |text| arn(text, ":listener/"));
        let of_parts = reader.faults().len();
        let gate = gate(&mut reader);
        let policy = policy(&mut reader, gate.is_some());
        let instances = instances(&mut reader);
        reader.refuse_unknown_names(
            PREFIX,
            |name| name.starts_with(FIREWALL_PREFIX),
            "docs/settings.md lists them",
        );

        let faults = reader.faults()[of_parts..].to_vec();
        let settings = (|| {
            let (application, listener_arn) = (application?, listener_arn?);
            let stack =
                services::Stack { application: &application, listener_arn: &listener_arn, alarms: &alarms? };
            Some(Self {
                services: services::named(&told?, &stack),
                state_bucket: state_bucket?,
                artifact_bucket: artifact_bucket?,
                topic_arn: topic_arn(&application, &listener_arn),
                application,
                listener_arn,
                gate,
                policy: Policy { is_sound: faults.is_empty(), ..policy? },
                instances: instances?,
                faults,
            })
        })();
        settings.filter(|_| of_parts == 0).ok_or_else(|| SettingsError(reader.faults().to_vec()))
    }
}

/// The release policy alone, for whoever deploys: they hear of a fault before a function does.
///
/// # Errors
/// Every fault there is, also variables that are no part of a policy.
pub fn read_policy(source: &impl Strings) -> Result<Policy, SettingsError> {
    let mut reader = Reader::new(source);
    let has_gate = gate(&mut reader).is_some();
    let policy = policy(&mut reader, has_gate);
    reader.refuse_unknown_names(PREFIX, |_| false, "docs/settings.md lists those of the release policy");
    reader.finish(policy)
}

fn instances(reader: &mut Reader<'_, impl Strings>) -> Option<InstanceSettings> {
    let gib = |text: &str| text.parse().ok().filter(|gib| (1..=65_536_u64).contains(gib));
    let agent = reader.value(&variables::AGENT, Agent::parse);
    let disk = reader.value(&variables::INSTANCE_DISK, gib);
    Some(InstanceSettings { agent: agent?, disk_bytes: disk? << 30 })
}

/// The function that is the gate. One with a wrong name is none, and then no release opens.
fn gate(reader: &mut Reader<'_, impl Strings>) -> Option<String> {
    reader
        .value(&variables::GATE, |text| if text == "none" { Some(None) } else { function(text).map(Some) })
        .flatten()
}

/// The name of a function: 1 to 64 letters, digits, `_` or `-` (Lambda API reference, `CreateFunction`).
fn function(text: &str) -> Option<String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    ((1..=64).contains(&text.len()) && text.bytes().all(legal)).then(|| text.to_owned())
}

/// The policy. What is wrong has its default meanwhile, and a strategy that cannot be read is none that a release opens by.
fn policy(reader: &mut Reader<'_, impl Strings>, has_gate: bool) -> Option<Policy> {
    let strategy = reader.value(&variables::STRATEGY, |text| text.parse().ok()).or(Some(Strategy::AllAtOnce));
    let bake = reader.time(&variables::BAKE, Zero::Allowed);
    let install_deadline = reader.time(&variables::INSTALL_DEADLINE, Zero::Refused);
    let drain = reader.time(&variables::DRAIN, Zero::Allowed);
    let unhealthy_grace = reader.time(&variables::UNHEALTHY_GRACE, Zero::Allowed);
    let unknown_limit = reader.time(&variables::UNKNOWN_LIMIT, Zero::Allowed);
    let look_interval = reader.time(&variables::LOOK_INTERVAL, Zero::Refused);
    let silence_limit = reader.time(&variables::SILENCE_LIMIT, Zero::Allowed);
    let rollback_window = reader.time(&variables::ROLLBACK_WINDOW, Zero::Allowed);
    let heal_after = reader.time(&variables::HEAL_AFTER, Zero::Allowed);
    let drift = reader.value(&variables::DRIFT, |text| text.parse().ok());
    let harm = reader
        .value(&variables::HARM, |text| text.parse().ok().filter(|harm| (1..=1_000_000_u64).contains(harm)));
    let at_max = reader.value(&variables::AT_MAX, |text| text.parse().ok());
    let gate = reader.value(&variables::GATE_DEADLINE, |text| {
        duration::parse(text).filter(|time| *time >= Gate::SHORTEST)
    });
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
        harm: harm?,
        at_max: at_max?,
        gate: if has_gate { gate? } else { Duration::ZERO },
        is_sound: true,
    };
    let policy = with_a_silence_longer_than_a_pause(reader, policy)?;
    fitting_a_hook(reader, policy)
}

fn fitting_a_hook(reader: &mut Reader<'_, impl Strings>, policy: Policy) -> Option<Policy> {
    if !policy.fits_a_hook() {
        let (install, bake) = (variables::INSTALL_DEADLINE.name, variables::BAKE.name);
        let unknown = variables::UNKNOWN_LIMIT.name;
        let gate = if policy.gate.is_zero() {
            String::new()
        } else {
            let name = variables::GATE_DEADLINE.name;
            format!(", two answers of the gate ({name} = {} each)", duration::show(policy.gate))
        };
        reader.fault(
            variables::STRATEGY.name,
            Some(policy.strategy.to_string()),
            format!(
                "installation ({install} = {}), strategy ({}), one wait for proof ({unknown} = {}){gate} and bake ({bake} = {}) \
                 to take at most {} together, which is how long the instances' hooks wait; they take {}",
                duration::show(policy.install_deadline),
                duration::show(policy.strategy.total()),
                duration::show(policy.unknown_limit),
                duration::show(policy.bake),
                duration::show(Policy::HOOK_TIMEOUT),
                duration::show(policy.longest_release()),
            ),
        );
        // A rollback may have to release the previous revision, and must fit.
        return Some(Policy {
            strategy: Strategy::AllAtOnce,
            bake: usual(&variables::BAKE)?,
            install_deadline: usual(&variables::INSTALL_DEADLINE)?,
            unknown_limit: usual(&variables::UNKNOWN_LIMIT)?,
            gate: Duration::ZERO,
            ..policy
        });
    }
    Some(policy)
}

fn usual(time: &Variable) -> Option<Duration> {
    time.default.and_then(duration::parse)
}

/// A pass records a question at most once per look interval. A silence limit below a few intervals would end a
/// healthy release.
fn with_a_silence_longer_than_a_pause(
    reader: &mut Reader<'_, impl Strings>,
    policy: Policy,
) -> Option<Policy> {
    let limit = policy.silence_limit;
    if limit.is_zero() || limit >= 3 * policy.look_interval {
        return Some(policy);
    }
    let look = variables::LOOK_INTERVAL.name;
    reader.fault(
        variables::SILENCE_LIMIT.name,
        Some(duration::show(limit)),
        format!("0, or at least three times {look} = {}", duration::show(policy.look_interval)),
    );
    let (silence, look) = (usual(&variables::SILENCE_LIMIT)?, usual(&variables::LOOK_INTERVAL)?);
    Some(Policy { silence_limit: silence, look_interval: look, ..policy })
}

/// The topic of the listener's account and region that has the stack's name.
fn topic_arn(stack: &str, listener_arn: &str) -> String {
    let (place, _) = listener_arn.split_once(":listener/").unwrap_or((listener_arn, ""));
    format!("{}:{stack}-notifications", place.replacen(":elasticloadbalancing:", ":sns:", 1))
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
