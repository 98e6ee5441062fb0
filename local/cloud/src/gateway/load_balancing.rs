//! What `ELBv2` answers that the emulator does not: target health as it is, and AWS's limits on weights.

use super::answers::{self, Body};
use super::recognise::{Call, form_fields, form_value};
use http::{Response, StatusCode};
use load_balancer::TargetHealth;
use std::collections::{BTreeMap, BTreeSet};

/// The namespace of the API version.
const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// Operations that change which target group gets what.
pub(super) fn changes_routing(operation: &str) -> bool {
    matches!(operation, "CreateRule" | "ModifyRule" | "DeleteRule" | "SetRulePriorities" | "ModifyListener")
}

/// Operations that change which targets a group has.
pub(super) fn changes_targets(operation: &str) -> bool {
    matches!(operation, "RegisterTargets" | "DeregisterTargets")
}

/// What is wrong with the weights of a `CreateRule` or `ModifyRule`, as AWS's error code and message.
///
/// Source: `ELBv2` API reference, `ForwardActionConfig` (one to five target groups) and `TargetGroupTuple` (weight 0 to 999).
pub(super) fn objection(form: &str) -> Option<(&'static str, String)> {
    let mut groups: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in form_fields(form) {
        let Some((action, rest)) = name.split_once(".ForwardConfig.TargetGroups.member.") else { continue };
        let Some((member, field)) = rest.split_once('.') else { continue };
        groups.entry("").or_default().insert(format!("{action}.{member}"));
        if field == "Weight" && !value.parse::<u32>().is_ok_and(|weight| weight <= 999) {
            return Some(("ValidationError", format!("Weight '{value}' must be between 0 and 999")));
        }
    }
    let most = groups.values().map(BTreeSet::len).max().unwrap_or(0);
    (most > 5).then(|| {
        ("TooManyUniqueTargetGroupsPerLoadBalancer", format!("{most} target groups in one action; at most 5"))
    })
}

/// `DescribeTargetHealth`, from the data plane. `health` looks a group up by its ARN, `runs` tells whether an instance
/// is there at all.
pub(super) fn target_health(
    call: &Call,
    form: &str,
    health: impl FnOnce(&str) -> Option<Vec<TargetHealth>>,
    runs: impl Fn(&str) -> bool,
) -> Response<Body> {
    let arn = form_value(form, "TargetGroupArn").unwrap_or_default();
    let Some(found) = health(&arn) else {
        let message = format!("Target groups '{arn}' not found");
        return answers::error(call, StatusCode::BAD_REQUEST, "TargetGroupNotFound", &message);
    };
    let asked: BTreeSet<String> = form_fields(form)
        .filter(|(name, _)| name.starts_with("Targets.") && name.ends_with(".Id"))
        .map(|(_, id)| id)
        .collect();
    let members: String = found
        .iter()
        .filter(|one| asked.is_empty() || asked.contains(&one.target.id))
        .map(|one| member(one, runs(&one.target.id)))
        .collect();
    let body = format!(
        "<DescribeTargetHealthResponse xmlns=\"{NAMESPACE}\"><DescribeTargetHealthResult><TargetHealthDescriptions>\
         {members}</TargetHealthDescriptions></DescribeTargetHealthResult><ResponseMetadata><RequestId>local</RequestId>\
         </ResponseMetadata></DescribeTargetHealthResponse>"
    );
    answers::answer(StatusCode::OK, "text/xml", body)
}

/// An instance that EC2 has terminated is `unused`, whatever its last health check said.
///
/// Source: Elastic Load Balancing user guide, target health status, `Target.InvalidState`.
fn member(health: &TargetHealth, runs: bool) -> String {
    let port = health.target.address.port();
    let (state, reason) = if runs {
        let reason = health.reason.map(|reason| (reason.as_str(), reason.description()));
        (health.state.as_str(), reason)
    } else {
        let terminated = "Target is in the terminated state".to_owned();
        ("unused", Some(("Target.InvalidState", terminated)))
    };
    let reason = reason.map_or_else(String::new, |(reason, description)| {
        format!("<Reason>{reason}</Reason><Description>{}</Description>", answers::escaped(&description))
    });
    format!(
        "<member><HealthCheckPort>{port}</HealthCheckPort><TargetHealth><State>{state}</State>{reason}</TargetHealth>\
         <Target><Id>{}</Id><Port>{port}</Port></Target></member>",
        answers::escaped(&health.target.id),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(weights: &[&str]) -> String {
        let groups = weights.iter().enumerate().map(|(at, weight)| {
            let group = format!("Actions.member.1.ForwardConfig.TargetGroups.member.{}", at + 1);
            format!("{group}.TargetGroupArn=arn&{group}.Weight={weight}")
        });
        format!("Action=ModifyRule&{}", groups.collect::<Vec<_>>().join("&"))
    }

    #[test]
    fn weights_outside_aws_limits_are_refused() {
        assert_eq!(objection(&weights(&["0", "999"])), None);
        assert!(objection(&weights(&["1000"])).is_some());
        assert!(objection(&weights(&["-1"])).is_some());
        assert_eq!(objection(&weights(&["1"; 5])), None);
        assert!(objection(&weights(&["1"; 6])).is_some());
    }
}
