//! A service's rules as the load balancer describes them, and the action that is written back.

use crate::failure::{Class, Failure};
use crate::settings::ServiceSettings;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, Rule, RuleCondition, RuleTransform, TargetGroupTuple,
};
use release::{Colour, Odd, PerColour, Preview, ReleaseRule, Routing, RuleArn, Rules, ServiceName, Weights};

pub use aws_sdk_elasticloadbalancingv2::types::TargetGroupStickinessConfig as StickinessConfig;

/// What is known of a service's rules.
pub(super) struct ServiceRules {
    /// How both divide traffic.
    pub(super) weights: Rules,
    /// What a release's rule is made of.
    pub(super) base: Result<BaseRule, Failure>,
    /// The base rule's stickiness, or without one the release's.
    pub(super) stickiness: Option<StickinessConfig>,
}

/// A base rule, as far as a release's rule is a copy of it.
pub(super) struct BaseRule {
    /// Its conditions, as `CreateRule` takes them.
    pub(super) conditions: Vec<RuleCondition>,
    /// Its transforms.
    pub(super) transforms: Option<Vec<RuleTransform>>,
    /// The priority reserved for a release's rule.
    pub(super) release_priority: i32,
}

impl ServiceRules {
    /// Picks the service's rules out of all of the listener's: the base rule by its ARN, and what stands at the place of a
    /// release's rule. Its ARN and its tags tell whose that is: its host changes with the stack's. What one rule does
    /// that cannot be understood hides nothing of the other.
    pub(super) fn among(
        rules: &[Rule],
        service: &ServiceName,
        own: &ServiceSettings,
        listener: &str,
    ) -> Result<Self, Failure> {
        let base_arn = &own.base_rule_arn;
        let Some(base) = rules.iter().find(|rule| rule.rule_arn.as_ref() == Some(base_arn)) else {
            let why = format!(
                "the base rule {base_arn} of {service} is not on listener {listener}: deploy the stack with another Bake, which makes it again (docs/operating.md)"
            );
            return Self::without_base(rules, own, why);
        };
        let priority = base.priority.as_deref().and_then(|text| text.parse::<i32>().ok());
        let Some(release_priority) = priority.map(|priority| priority - 1).filter(|priority| *priority >= 1)
        else {
            return Err(wrong(format!(
                "the base rule {base_arn} of {service} leaves no priority before it for a release: give it priority 2 or more"
            )));
        };
        let place = release_priority.to_string();
        let is_no_release = |rule: &&Rule| previews(rule, own).is_some();
        let release =
            rules.iter().find(|rule| rule.priority.as_ref() == Some(&place) && !is_no_release(rule));
        let release = release.map(|rule| release_rule(rule, own)).transpose()?;
        let preview = preview_rule(rules, own, release_priority);
        Ok(Self {
            weights: Rules { base: routing(base, own), release, preview },
            base: Ok(BaseRule {
                conditions: base.conditions().iter().cloned().map(for_creation).collect(),
                transforms: base.transforms.clone().filter(|transforms| !transforms.is_empty()),
                release_priority,
            }),
            stickiness: stickiness(base),
        })
    }

    /// Somebody has deleted the base rule, and with it what says where a release's rule stands. That one is then told by the
    /// two groups, which it names both, and by its tags like any other. A preview's stands right before it.
    fn without_base(rules: &[Rule], own: &ServiceSettings, why: String) -> Result<Self, Failure> {
        let names = |rule: &Rule, colour: Colour| {
            let mut all = rule.actions().iter().flat_map(shares);
            all.any(|(group, _)| own.target_groups.of(colour) == group)
        };
        let release = rules.iter().find(|rule| Colour::BOTH.iter().all(|colour| names(rule, *colour)));
        let place = release.and_then(|rule| rule.priority.as_deref()?.parse::<i32>().ok());
        let odd = Odd { why: why.clone(), gives: PerColour::default(), plain: false, gone: true };
        Ok(Self {
            weights: Rules {
                base: Routing::Odd(odd),
                release: release.map(|rule| release_rule(rule, own)).transpose()?,
                preview: place.and_then(|place| preview_rule(rules, own, place)),
            },
            base: Err(wrong(why)),
            stickiness: release.and_then(stickiness),
        })
    }
}

fn stickiness(rule: &Rule) -> Option<StickinessConfig> {
    rule.actions().iter().find_map(|action| action.forward_config()?.target_group_stickiness_config.clone())
}

/// The whole action that divides traffic. Both groups are always named: one that no rule names is not health-checked.
pub fn forward(groups: &PerColour<String>, weights: Weights, stickiness: Option<StickinessConfig>) -> Action {
    let tuples = Colour::BOTH.into_iter().map(|colour| {
        let weight = i32::from(weights.of(colour));
        TargetGroupTuple::builder().target_group_arn(groups.of(colour)).weight(weight).build()
    });
    let config = ForwardActionConfig::builder()
        .set_target_groups(Some(tuples.collect()))
        .set_target_group_stickiness_config(stickiness)
        .build();
    Action::builder().r#type(ActionTypeEnum::Forward).forward_config(config).build()
}

fn wrong(message: String) -> Failure {
    Failure::new(Class::Permanent, message)
}

fn release_rule(rule: &Rule, own: &ServiceSettings) -> Result<ReleaseRule, Failure> {
    let arn =
        rule.rule_arn.clone().ok_or_else(|| wrong("AWS described a rule without its ARN".to_owned()))?;
    Ok(ReleaseRule { weights: routing(rule, own), arn: RuleArn(arn) })
}

/// What stands at the place of a preview's rule, if it does what one does. A rule elsewhere that does the same is somebody
/// else's: a stack update moves a preview's rule together with the base rule, in one call.
fn preview_rule(rules: &[Rule], own: &ServiceSettings, release_priority: i32) -> Option<RuleArn> {
    let place = (release_priority - 1).to_string();
    rules.iter().filter(|rule| rule.priority.as_ref() == Some(&place)).find_map(|rule| previews(rule, own))
}

/// A rule that leads whoever sends a preview's header to a group of the service.
fn previews(rule: &Rule, own: &ServiceSettings) -> Option<RuleArn> {
    let mut headers = rule.conditions().iter().filter_map(|condition| condition.http_header_config());
    let asks = headers.any(|header| {
        header.http_header_name().is_some_and(|name| name.eq_ignore_ascii_case(Preview::HEADER))
    });
    let mut groups = rule.actions().iter().flat_map(shares).map(|(group, _)| group);
    let leads_here =
        groups.any(|group| Colour::BOTH.iter().any(|colour| own.target_groups.of(*colour) == group));
    rule.rule_arn.clone().filter(|_| asks && leads_here).map(RuleArn)
}

fn routing(rule: &Rule, own: &ServiceSettings) -> Routing {
    let arn = rule.rule_arn.as_deref().unwrap_or("without ARN");
    let all = || rule.actions().iter().flat_map(shares);
    let gives =
        |colour: Colour| all().any(|(group, weight)| own.target_groups.of(colour) == group && weight > 0);
    let odd = |why: String, plain: bool| {
        let gives = PerColour { blue: gives(Colour::Blue), green: gives(Colour::Green) };
        Routing::Odd(Odd { why, gives, plain, gone: false })
    };
    let [action] = rule.actions() else { return odd(not_one_forward(arn), false) };
    if action.r#type != Some(ActionTypeEnum::Forward) {
        return odd(not_one_forward(arn), false);
    }
    let known = |group: &str| Colour::BOTH.iter().any(|colour| own.target_groups.of(*colour) == group);
    if let Some((group, _)) = shares(action).into_iter().find(|(group, _)| !known(group)) {
        return odd(
            format!(
                "rule {arn} forwards to {group}, which is neither the blue nor the green group: let it forward to both by hand"
            ),
            false,
        );
    }
    let weight = |colour: Colour| {
        let ours = all().find(|(group, _)| own.target_groups.of(colour) == *group);
        ours.map_or(0, |(_, weight)| u32::try_from(weight).unwrap_or(0))
    };
    match Weights::new(weight(Colour::Blue), weight(Colour::Green)) {
        Ok(weights) => Routing::Divides(weights),
        Err(error) => odd(
            format!("rule {arn} has weights that cannot be: {error}; set all weight on the live colour"),
            true,
        ),
    }
}

fn not_one_forward(arn: &str) -> String {
    format!(
        "rule {arn} has other actions than one forward action, which a change of weights would remove: take them away by hand"
    )
}

/// A rule with one group may name it beside the configuration or inside it; a weight that is not given is 1
/// (ELB API reference, `Action` and `TargetGroupTuple`).
pub fn shares(action: &Action) -> Vec<(&str, i32)> {
    let tuples = action.forward_config().map(ForwardActionConfig::target_groups).unwrap_or_default();
    if tuples.is_empty() {
        return action.target_group_arn().map(|group| (group, 1)).into_iter().collect();
    }
    tuples.iter().filter_map(|tuple| Some((tuple.target_group_arn()?, tuple.weight().unwrap_or(1)))).collect()
}

/// A described condition carries its values twice, and a new one must not (ELB API reference, `RuleCondition`).
fn for_creation(mut condition: RuleCondition) -> RuleCondition {
    if condition.host_header_config.is_some() || condition.path_pattern_config.is_some() {
        condition.values = None;
        condition.regex_values = None;
    }
    condition
}
