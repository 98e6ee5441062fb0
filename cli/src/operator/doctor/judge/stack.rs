//! What all services share.

use super::{Found, counted};
use crate::operator::doctor::facts::{
    Alarm, AlarmState, Alias, Bucket, Canary, Counts, Facts, Firewall, Function, Held, Queue, Schedule, Stack,
};
use std::collections::BTreeMap;

pub(super) fn judge(facts: &Facts, found: &mut Found<'_>) {
    if let Some(stack) = found.seen(
        &format!("stack {}", facts.name),
        &facts.stack,
        "cloudformation:DescribeStacks and cloudformation:ListStackResources",
    ) {
        of_cloudformation(stack, found);
    }
    let settings = found.seen("the functions' settings", &facts.settings, "lambda:GetFunctionConfiguration");
    for fault in settings.into_iter().flatten() {
        found.say(
            "setting_wrong",
            format!("{}-lifecycle", facts.name),
            format!("has a wrong setting, {fault}: no release opens until it is right"),
            "deploy the stack with another value (docs/settings.md)",
        );
    }
    let _said_once = found.seen("the log groups", &facts.log_groups, "logs:DescribeLogGroups");
    for function in &facts.functions {
        of_a_function(function, facts, found);
    }
    let aliases = "the aliases of the lifecycle function";
    let rights = "lambda:GetAlias and lambda:GetFunctionConfiguration";
    if let Some(aliases) = found.seen(aliases, &facts.aliases, rights) {
        of_the_aliases(aliases, found);
    }
    let hour = "what CloudWatch has counted of the functions";
    if let Some(last_hour) = found.seen(hour, &facts.last_hour, "cloudwatch:GetMetricData") {
        for (function, counts) in last_hour {
            of_an_hour(function, *counts, found);
        }
    }
    for schedule in &facts.schedules {
        of_a_schedule(schedule, found);
    }
    for queue in &facts.queues {
        of_a_queue(queue, found);
    }
    for bucket in &facts.buckets {
        of_a_bucket(bucket, found);
    }
    let look_at_alarms = "cloudwatch:DescribeAlarms";
    if let Some(alarms) = found.seen("the alarms", &facts.alarms, look_at_alarms)
        && facts.watched
    {
        of_own_alarms(alarms, facts.firewall.is_some(), found);
    }
    if let Some(topic) =
        found.seen("the topic of notifications", &facts.topic, "sns:ListSubscriptionsByTopic")
        && topic.confirmed == 0
    {
        let pending = match topic.pending {
            0 => "nobody has subscribed".to_owned(),
            pending => format!("{} not confirmed", counted(pending, "subscription")),
        };
        found.say(
            "nobody_is_told",
            format!("topic {}", topic.arn),
            format!("has no listener, so that nobody hears of verdicts and failures: {pending}"),
            "confirm the mail of AWS Notifications, or deploy with NotificationEmail, or subscribe AWS's chat integration",
        );
    }
    if let Some(firewall) = &facts.firewall {
        of_the_firewall(firewall, found);
    }
}

fn of_cloudformation(stack: &Stack, found: &mut Found<'_>) {
    let object = format!("stack {}", found.stack);
    let Stack { status, reason, drifted, .. } = stack;
    let why = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    if status.ends_with("_IN_PROGRESS") {
        found.say(
            "stack_changes",
            object,
            format!("is {status}{why}: what is said below may be half of an update"),
            "wait until the update is over, and ask again",
        );
    } else if status.contains("ROLLBACK") || !status.ends_with("_COMPLETE") {
        let todo = format!(
            "read why (aws cloudformation describe-stack-events --stack-name {}), mend it, and deploy again \
             (docs/deploying.md)",
            found.stack
        );
        found.say("stack_failed", object, format!("is {status}{why}: its last change did not succeed"), todo);
    }
    for (name, physical, how) in drifted {
        let todo = format!(
            "see what differs (aws cloudformation describe-stack-resource-drifts --stack-name {}), then undo it, or put it \
             into the template",
            found.stack
        );
        found.say(
            "resource_drifted",
            format!("{name} ({physical})"),
            format!("is not as the template says: {how}"),
            todo,
        );
    }
}

fn of_a_function(function: &Function, facts: &Facts, found: &mut Found<'_>) {
    let Function { name, state } = function;
    let object = format!("function {name}");
    if let Some(state) = found.seen(&object, state, "lambda:GetFunction") {
        let why = state.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        if state.state != "Active" {
            found.say(
                "function_not_active",
                &object,
                format!("is {}{why}", state.state),
                "deploy the stack again; releases stand still without it",
            );
        }
        if let Some(why) = &state.update_failed {
            let todo = "deploy the stack again; it runs its former code meanwhile";
            found.say("function_not_updated", &object, format!("has not taken its last update: {why}"), todo);
        }
        if state.reserved == Some(0) {
            found.say(
                "function_stopped",
                &object,
                "never runs: somebody has set its reserved concurrency to 0",
                format!("aws lambda delete-function-concurrency --function-name {name}"),
            );
        }
    }
    log_group(&format!("/aws/lambda/{name}"), facts, found);
}

/// Which version answers. Two do while CodeDeploy tries a new one.
fn of_the_aliases(aliases: &[Alias], found: &mut Found<'_>) {
    let function = format!("{}-lifecycle", found.stack);
    let look = format!(
        "aws deploy list-deployments --application-name {}.functions --deployment-group-name lifecycle-",
        found.stack
    );
    for Alias { name, version, canary } in aliases {
        let Some(Canary { version: tried, percent, published_at }) = canary else { continue };
        let since = published_at
            .map(|at| format!(", which was published at {}", at.strftime("%Y-%m-%d %H:%M UTC")))
            .unwrap_or_default();
        found.say(
            "canary_runs",
            format!("alias {name} of {function}"),
            format!(
                "sends {percent} % of its calls to version {tried}{since}, and the others to version {version}, whose settings are judged \
                 here: a new version of Greenlight is being tried"
            ),
            format!("wait for half an hour, and ask again; if it still stands so: {look}{name}"),
        );
    }
    let [one, other] = aliases else { return };
    if one.version != other.version && one.canary.is_none() && other.canary.is_none() {
        found.say(
            "aliases_differ",
            format!("alias {} of {function}", other.name),
            format!(
                "answers with version {}, and alias {} with version {}: hooks and commands are not judged by the same code",
                other.version, one.name, one.version
            ),
            format!("one was taken back without the other: read why ({look}{}), and deploy the stack again", other.name),
        );
    }
}

/// Where something must be written that somebody can read, and where it is not kept for ever.
pub(super) fn log_group(name: &str, facts: &Facts, found: &mut Found<'_>) {
    // That they could not be read is said once.
    let Ok(groups) = &facts.log_groups else { return };
    let object = format!("log group {name}");
    match groups.get(name) {
        None => found.say(
            "log_missing",
            object,
            "is not there, and nothing but the stack may make it: what is written there is lost",
            format!("aws logs create-log-group --log-group-name {name}, then put-retention-policy"),
        ),
        Some(None) => found.say(
            "log_kept_for_ever",
            object,
            "keeps everything for ever, at 0.03 dollars for each GB and month",
            format!("aws logs put-retention-policy --log-group-name {name} --retention-in-days 30"),
        ),
        Some(Some(_)) => {}
    }
}

fn of_an_hour(function: &str, counts: Counts, found: &mut Found<'_>) {
    let object = format!("function {function}");
    let Counts { errors, throttles } = counts;
    if errors > 0 {
        let todo = format!("read why: greenlight logs --since 1h --stack {}", found.stack);
        found.say("function_fails", &object, format!("failed {errors} times in the last hour"), todo);
    }
    if throttles > 0 {
        found.say(
            "function_throttled",
            &object,
            format!("was refused {throttles} times in the last hour, because no execution was free"),
            "ask Service Quotas for more concurrent executions, or find who takes them",
        );
    }
}

fn of_a_schedule(schedule: &Schedule, found: &mut Found<'_>) {
    let Schedule { name, without_it, rule } = schedule;
    let right = "events:DescribeRule and events:ListTargetsByRule";
    let Some(rule) = found.seen(&format!("rule {name}"), rule, right) else { return };
    let object = format!("rule {}", rule.name);
    if !rule.enabled {
        let todo = format!("aws events enable-rule --name {}", rule.name);
        found.say("schedule_disabled", object, format!("is disabled: {without_it}"), todo);
    } else if rule.targets == 0 {
        let todo = "make the function its target again (aws events put-targets), as template.yaml has it";
        found.say("schedule_wakes_nobody", object, format!("has no target: {without_it}"), todo);
    }
}

fn of_a_queue(queue: &Queue, found: &mut Found<'_>) {
    let Queue { name, function, held } = queue;
    let object = format!("queue {name}");
    let right = "sqs:GetQueueAttributes";
    let Some(Held { url, count, samples }) = found.seen(&object, held, right) else { return };
    if *count == 0 {
        return;
    }
    let samples: Vec<String> =
        samples.iter().map(|sample| format!("{}: {}", sample.what, sample.why)).collect();
    let samples = if samples.is_empty() { String::new() } else { format!(": {}", samples.join("; ")) };
    let count = counted(usize::try_from(*count).unwrap_or(usize::MAX), "event");
    let replay = match *function {
        "upload" => "upload the bundle again, which replays it",
        "waf-logs" => "nothing has to be replayed, the next log tells of those who go on",
        _ => "nothing has to be replayed, the next pass reads the truth from AWS",
    };
    found.say(
        "events_failed",
        object,
        format!("holds {count} that {}-{function} gave up on{samples}", found.stack),
        format!("mend the cause; {replay}. Then empty the queue: aws sqs purge-queue --queue-url {url}"),
    );
}

fn of_a_bucket(bucket: &Bucket, found: &mut Found<'_>) {
    let Bucket { name, versions, tells } = bucket;
    let object = format!("bucket {name}");
    if found.seen(&object, versions, "s3:GetBucketVersioning") == Some(&false) {
        let todo = format!(
            "aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
        );
        found.say(
            "versions_not_kept",
            &object,
            "does not keep versions: a release is pinned to one, and a ledger is restored from one",
            todo,
        );
    }
    let tells = tells.as_ref().and_then(|tells| found.seen(&object, tells, "s3:GetBucketNotification"));
    if tells == Some(&false) {
        found.say(
            "uploads_not_told",
            &object,
            format!("tells {}-upload nothing of uploads below releases/: no release opens", found.stack),
            "deploy the stack again, or put the notification of s3:ObjectCreated:* there by hand",
        );
    }
}

/// The alarms about Greenlight itself, as infra/watch.yaml names them.
fn of_own_alarms(alarms: &BTreeMap<String, Alarm>, has_firewall: bool, found: &mut Found<'_>) {
    let names = ["no-tick", "lifecycle-errors", "upload-failed", "lifecycle-failed", "alarm-failed"];
    for name in names.into_iter().chain(has_firewall.then_some("waf-logs-failed")) {
        let name = format!("{}-{name}", found.stack);
        alarm(&name, alarms, found);
        if alarms.get(&name).is_some_and(|alarm| alarm.state == AlarmState::Firing) {
            found.say(
                "alarm_fires",
                format!("alarm {name}"),
                "fires",
                format!(
                    "its description says what to do: aws cloudwatch describe-alarms --alarm-names {name} --query \
                     'MetricAlarms[0].[AlarmDescription,StateReason]'"
                ),
            );
        }
    }
}

/// An alarm that must be there, and be heard.
pub(super) fn alarm(name: &str, alarms: &BTreeMap<String, Alarm>, found: &mut Found<'_>) {
    let object = format!("alarm {name}");
    let Some(Alarm { state, actions_enabled, actions }) = alarms.get(name) else {
        let todo = "deploy the stack with another value of any of its properties, which makes it anew";
        return found.say("alarm_missing", object, "is not there: what it watches goes unseen", todo);
    };
    if !actions_enabled {
        let todo = format!("aws cloudwatch enable-alarm-actions --alarm-names {name}");
        found.say("alarm_muted", &object, "has its actions switched off: nobody hears of it", todo);
    }
    if *actions == 0 {
        found.say(
            "alarm_without_action",
            &object,
            "has no action: nobody hears of it",
            "detect drift of the stack, and give it the action that the template says",
        );
    }
    if *state == AlarmState::NoData {
        found.say(
            "alarm_without_data",
            &object,
            "has never been evaluated (INSUFFICIENT_DATA); one that is new leaves this state within minutes",
            "wait for five minutes; else see what it does with missing data, which must be notBreaching",
        );
    }
}

fn of_the_firewall(firewall: &Firewall, found: &mut Found<'_>) {
    let own = found.stack.to_owned();
    let before =
        found.seen("the load balancer's web ACL", &firewall.before, "wafv2:GetWebACLForResource").cloned();
    match before {
        Some(Some(name)) if name == own => {}
        None => {}
        Some(other) => {
            let says = match other {
                None => "has no web ACL: nobody is kept out".to_owned(),
                Some(name) => {
                    format!("has the web ACL {name}, and not the stack's: the stack's rules keep nobody out")
                }
            };
            let todo =
                format!("aws wafv2 associate-web-acl with the web ACL {own} and the load balancer's ARN");
            found.say("firewall_aside", "the load balancer", says, todo);
        }
    }
    let object = format!("web ACL {own}");
    let logs =
        firewall.logs.as_ref().and_then(|logs| found.seen(&object, logs, "wafv2:GetLoggingConfiguration"));
    if logs == Some(&false) {
        found.say(
            "firewall_log_off",
            object,
            "does not log: offenders are not found, only floods and probes are refused",
            "switch its log to the bucket aws-waf-logs-… of the stack on again, or deploy with WafMode=none and back",
        );
    }
}
