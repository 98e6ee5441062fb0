//! What Greenlight believes of AWS, as far as looking can tell: the headings of docs/assumptions.md.

use super::Outcome;
use super::seen::Seen;
use super::{recorded, watched};
use crate::operator::doctor::Looked;

/// What is believed, and how it is held against what was seen.
pub(super) struct Belief {
    /// A stable word for it.
    pub(super) kind: &'static str,
    /// Of its section.
    pub(super) heading: &'static str,
    /// With its number.
    pub(super) assumed: &'static str,
    /// What looking needs.
    pub(super) right: &'static str,
    pub(super) compare: fn(&Seen) -> Looked<Outcome>,
}

/// In the order of the document.
pub(super) const BELIEFS: [Belief; 18] = [
    Belief {
        kind: "metric_late",
        heading: "A minute of a load balancer's metric is absent, then partial, then whole, one to two and a half minutes late",
        assumed: "there within 150 s of its end, and whole within 180 s",
        right: "cloudwatch:GetMetricData",
        compare: watched::metric_late,
    },
    Belief {
        kind: "empty_metric",
        heading: "A metric that was never published is an empty series, and FILL leaves it empty",
        assumed: "an alarm's expression has a value in each minute in which one of its metrics has one",
        right: "cloudwatch:DescribeAlarms and cloudwatch:GetMetricData",
        compare: recorded::empty_metric,
    },
    Belief {
        kind: "alarm_late",
        heading: "An alarm goes into ALARM within a minute of the datapoint that breaches it",
        assumed: "within 210 s of the end of the minute: the datapoint comes 150 s late, and 60 s are the alarm's",
        right: "cloudwatch:DescribeAlarmHistory",
        compare: recorded::alarm_late,
    },
    Belief {
        kind: "weight_zero_unused",
        heading: "A target group that is named with weight 0 only is health-checked",
        assumed: "no target of the colour without traffic is unused",
        right: "elasticloadbalancing:DescribeTargetHealth and s3:GetObject on the state bucket",
        compare: watched::weight_zero_unused,
    },
    Belief {
        kind: "target_left_out",
        heading: "DescribeTargetHealth lists every registered target, in every answer",
        assumed: "each answer lists each instance in service",
        right: "elasticloadbalancing:DescribeTargetHealth and autoscaling:DescribeAutoScalingGroups",
        compare: watched::target_left_out,
    },
    Belief {
        kind: "condition_members",
        heading: "A rule can be sent to CreateRule as DescribeRules shows it",
        assumed: "conditions have Field, HostHeaderConfig.Values and Values, and nothing else",
        right: "elasticloadbalancing:DescribeRules",
        compare: recorded::condition_members,
    },
    Belief {
        kind: "without_revision",
        heading: "An instance that starts before its service has a successful revision goes into service without one",
        assumed: "instances are in service before the first release",
        right: "autoscaling:DescribeAutoScalingGroups and s3:GetObject on the state bucket",
        compare: watched::without_revision,
    },
    Belief {
        kind: "processes_resumed",
        heading: "CodeDeploy resumes the Auto Scaling processes that it suspended, within 60 seconds, also after a stop",
        assumed: "none is suspended 60 s after a release has ended",
        right: "autoscaling:DescribeAutoScalingGroups and s3:GetObject on the state bucket",
        compare: watched::processes_resumed,
    },
    Belief {
        kind: "creator_told",
        heading: "Who created a deployment is told as `user`, `autoscaling`, `CodeDeployAutoUpdate` or `codeDeployRollback`",
        assumed: "a launch deployment is not told as `user`, and no fifth word is told",
        right: "codedeploy:ListDeployments and codedeploy:BatchGetDeployments",
        compare: recorded::creator_told,
    },
    Belief {
        kind: "role_assumed",
        heading: "CodeDeploy can assume a role whose trust policy names the account as `aws:SourceAccount`",
        assumed: "a deployment of the stack's group succeeds",
        right: "codedeploy:ListDeployments and codedeploy:BatchGetDeployments",
        compare: recorded::role_assumed,
    },
    Belief {
        kind: "boot_succeeds",
        heading: "An instance's user data succeeds on today's Amazon Linux",
        assumed: "the boot of each instance in service says that it is ready",
        right: "logs:FilterLogEvents on the services' log groups",
        compare: recorded::boot_succeeds,
    },
    Belief {
        kind: "version_follows",
        heading: "Another description publishes another version of a function, and only if the function is another",
        assumed: "the version of each alias has the function's settings",
        right: "lambda:GetAlias and lambda:GetFunctionConfiguration",
        compare: recorded::version_follows,
    },
    Belief {
        kind: "executions",
        heading: "A new account runs ten executions at a time, all functions of a region together",
        assumed: "10 at least, and none was refused",
        right: "lambda:GetAccountSettings and cloudwatch:GetMetricStatistics",
        compare: recorded::executions,
    },
    Belief {
        kind: "start_slow",
        heading: "A function that has slept is there within half a second",
        assumed: "its own start takes 500 ms at most. What Lambda does before it is told nowhere",
        right: "logs:FilterLogEvents on /aws/lambda/STACK-*",
        compare: recorded::start_slow,
    },
    Belief {
        kind: "event_late",
        heading: "An event comes seldom more than twice, and S3's within a minute",
        assumed: "an upload is told, and its bundle read, within 60 s, and seldom more than twice",
        right: "logs:FilterLogEvents on /aws/lambda/STACK-upload and s3:GetObject on the bucket of uploads",
        compare: recorded::event_late,
    },
    Belief {
        kind: "clocks_apart",
        heading: "The clocks of functions agree within seconds",
        assumed: "within 20 s",
        right: "logs:FilterLogEvents on /aws/lambda/STACK-*",
        compare: recorded::clocks_apart,
    },
    Belief {
        kind: "no_value_left_out",
        heading: "CloudFormation leaves out a variable whose value is `AWS::NoValue`",
        assumed: "the upload function has no variable AWS_ENDPOINT_URL",
        right: "lambda:GetFunctionConfiguration",
        compare: recorded::no_value_left_out,
    },
    Belief {
        kind: "firewall_log_late",
        heading: "WAF delivers its log within six minutes, and an address that joins an IP set is kept out within one",
        assumed: "a log is there within 360 s of the beginning of its time. How fast a block works is not looked at",
        right: "s3:ListBucket on the bucket aws-waf-logs-STACK-…",
        compare: recorded::firewall_log_late,
    },
];
