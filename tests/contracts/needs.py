"""What a call needs of IAM: the action, the resource, and what its conditions ask about.

Source: Service Authorization Reference, and the API references where they name the permissions of an operation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import wire

# IAM's prefix where it is not the name in the signature.
PREFIX = {"monitoring": "cloudwatch"}

# Operations whose action has another name. Those of S3 depend on whether the call names a version.
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjects": "s3:ListBucket",
}
OF_VERSION = {
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
    "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
    "s3:DeleteObject": "s3:DeleteObjectVersion",
}

# Actions without resources: IAM looks at no more than whether they are granted on everything.
ON_EVERYTHING = {
    "autoscaling:DescribeAutoScalingGroups",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "cloudwatch:PutMetricData",
    "codedeploy:BatchGetDeploymentTargets",
    "codedeploy:ListDeploymentTargets",
    "codedeploy:PutLifecycleEventHookExecutionStatus",
    "codedeploy:StopDeployment",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
}

# The tag that marks a release's rule.
RELEASE_TAG = "greenlight:release"


@dataclass(frozen=True)
class Need:
    """One permission. No resource: which one it is cannot be told from the call."""

    action: str
    resource: str | None = "*"
    context: dict[str, str | None] = field(default_factory=dict, hash=False)


class Known:
    """What the records tell that a single call does not: the group of a deployment, the tags of a rule."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.groups: dict[str, tuple[str, str]] = {}
        self.rules_are_tagged = True
        for line in lines:
            if line.get("answer") in ("codedeploy:GetDeployment", "codedeploy:BatchGetDeployments"):
                answer = wire.json_object(wire.body_of(line)) if line["status"] == 200 else {}
                for info in [*answer.get("deploymentsInfo", []), answer.get("deploymentInfo", {})]:
                    if info:
                        self.groups[info["deploymentId"]] = (info["applicationName"], info["deploymentGroupName"])
            elif line.get("call") == "elasticloadbalancing:CreateRule":
                tags = wire.request(line)[1].get("Tags", [])
                self.rules_are_tagged &= any(tag["Key"] == RELEASE_TAG for tag in tags)

    def needs(self, line: dict[str, Any], stack: dict[str, Any]) -> Iterator[Need]:
        """The permissions of a recorded call; for an answer, those that it would not have been without."""
        if "answer" in line:
            # Who may not list a bucket hears 403, and not 404, of an object that is not there.
            if line["answer"] in ("s3:GetObject", "s3:HeadObject") and line["status"] == 404:
                yield Need("s3:ListBucket", f"arn:aws:s3:::{line['path'].split('/')[1]}")
            return
        operation, members = wire.request(line)
        scope = line["call"].split(":")[0]
        prefix = PREFIX.get(scope, scope)
        action = ACTIONS.get(f"{scope}:{operation.name}", f"{prefix}:{operation.name}")
        if prefix == "s3":
            yield from self._of_s3(action, members)
            return
        if action in ON_EVERYTHING:
            yield Need(action)
            return
        context: dict[str, str | None] = {}
        if action == "elasticloadbalancing:DeleteRule":
            own = self.rules_are_tagged and members["RuleArn"] not in stack["resources"].values()
            context[f"aws:ResourceTag/{RELEASE_TAG}"] = "tagged" if own else None
        if action == "events:PutEvents":
            (source,) = {entry["Source"] for entry in members["Entries"]}
            context["events:source"] = source
        for resource in self._resources(prefix, action, members):
            yield Need(action, resource, context)
        if action == "elasticloadbalancing:CreateRule" and members.get("Tags"):
            rule = members["ListenerArn"].replace(":listener/", ":listener-rule/") + "/new"
            yield Need("elasticloadbalancing:AddTags", rule, {"elasticloadbalancing:CreateAction": "CreateRule"})

    def _of_s3(self, action: str, members: dict[str, Any]) -> Iterator[Need]:
        bucket = f"arn:aws:s3:::{members['Bucket']}"
        if action == "s3:ListBucket" or action == "s3:ListObjectsV2":
            yield Need("s3:ListBucket", bucket, {"s3:prefix": members.get("Prefix", "")})
            return
        action = OF_VERSION.get(action, action) if "VersionId" in members else action
        yield Need(action, f"{bucket}/{members['Key']}")
        if "Tagging" in members and action == "s3:PutObject":
            yield Need("s3:PutObjectTagging", f"{bucket}/{members['Key']}")

    def _resources(self, prefix: str, action: str, members: dict[str, Any]) -> list[str | None]:
        arn = f"arn:aws:{prefix}:eu-west-1:123456789012"
        match action:
            case "autoscaling:ResumeProcesses":
                return [f"{arn}:autoScalingGroup:any:autoScalingGroupName/{members['AutoScalingGroupName']}"]
            case "autoscaling:SetInstanceHealth":
                return [None]
            case "codedeploy:CreateDeployment" | "codedeploy:ListDeployments":
                return [f"{arn}:deploymentgroup:{members['applicationName']}/{members['deploymentGroupName']}"]
            case "codedeploy:GetDeployment" | "codedeploy:BatchGetDeployments":
                ids = members.get("deploymentIds") or [members["deploymentId"]]
                groups = [self.groups.get(one) for one in ids]
                return [f"{arn}:deploymentgroup:{'/'.join(group)}" if group else None for group in groups]
            case "elasticloadbalancing:CreateRule":
                return [members["ListenerArn"]]
            case "elasticloadbalancing:ModifyRule" | "elasticloadbalancing:DeleteRule":
                return [members["RuleArn"]]
            case "events:PutEvents":
                buses = {entry.get("EventBusName", "default") for entry in members["Entries"]}
                return [f"{arn}:event-bus/{bus}" for bus in buses]
            case "lambda:InvokeFunction":
                name = members["FunctionName"]
                qualified = f"{name}:{members['Qualifier']}" if "Qualifier" in members else name
                return [qualified if name.startswith("arn:") else f"{arn}:function:{qualified}"]
            case "sns:Publish":
                return [members["TopicArn"]]
            case "wafv2:GetIPSet" | "wafv2:UpdateIPSet":
                return [members.get("ARN") or f"{arn}:regional/ipset/{members['Name']}/{members['Id']}"]
        raise SystemExit(f"needs.py does not know which resource {action} needs: teach it")
