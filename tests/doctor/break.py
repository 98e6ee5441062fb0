"""Breaks a stack in the ways in which people break stacks.

usage: break.py ENDPOINT STACK, whose service is called backend

Prints what is broken as JSON: [[kind of finding, a part of the object's name]].
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "local/cloud/emulator"))
import deploy  # noqa: E402


def break_all(endpoint: str, stack: str) -> list[tuple[str, str]]:
    def client(name: str):  # type: ignore[no-untyped-def]
        return deploy.client(name, endpoint)

    resources = deploy.resources(client("cloudformation"), stack)
    listener = resources["Listener"]
    broken = []

    client("events").disable_rule(Name=resources["LifecycleFunctionTick"])
    broken.append(("schedule_disabled", resources["LifecycleFunctionTick"]))

    logs = client("logs")
    logs.delete_log_group(logGroupName=f"/aws/lambda/{stack}-listener-rule")
    broken.append(("log_missing", f"/aws/lambda/{stack}-listener-rule"))
    logs.delete_retention_policy(logGroupName=f"/aws/lambda/{stack}-upload")
    broken.append(("log_kept_for_ever", f"/aws/lambda/{stack}-upload"))

    failed = {"requestPayload": {"detail-type": "Scheduled Event"}, "responsePayload": {"errorMessage": "no ledger"}}
    client("sqs").send_message(QueueUrl=resources["LifecycleFailures"], MessageBody=json.dumps(failed))
    broken.append(("events_failed", "LifecycleFailures"))

    alarms = client("cloudwatch")
    alarms.disable_alarm_actions(AlarmNames=[f"{stack}.backend-blue-errors"])
    broken.append(("alarm_muted", f"{stack}.backend-blue-errors"))
    alarms.delete_alarms(AlarmNames=[f"{stack}.backend-green-slow"])
    broken.append(("alarm_missing", f"{stack}.backend-green-slow"))

    s3 = client("s3")
    s3.put_bucket_versioning(Bucket=resources["StateBucket"], VersioningConfiguration={"Status": "Suspended"})
    broken.append(("versions_not_kept", resources["StateBucket"]))
    s3.put_bucket_notification_configuration(Bucket=resources["ArtifactBucket"], NotificationConfiguration={})
    broken.append(("uploads_not_told", resources["ArtifactBucket"]))
    s3.put_object(Bucket=resources["StateBucket"], Key="ledger/backend.json", Body=b"{}")
    broken.append(("ledger_unreadable", "the ledger of backend"))

    firewall = client("wafv2")
    name, web_acl, _ = resources["WebAcl"].split("|")
    arn = firewall.get_web_acl(Name=name, Id=web_acl, Scope="REGIONAL")["WebACL"]["ARN"]
    firewall.delete_logging_configuration(ResourceArn=arn)
    broken.append(("firewall_log_off", stack))
    firewall.disassociate_web_acl(ResourceArn=resources["LoadBalancer"])
    broken.append(("firewall_aside", "load balancer"))

    client("autoscaling").suspend_processes(AutoScalingGroupName=f"{stack}.backend", ScalingProcesses=["Launch"])
    broken.append(("scaling_suspended", f"{stack}.backend"))

    balancing = client("elbv2")
    rules = balancing.describe_rules(ListenerArn=listener)["Rules"]
    rule = next(rule["RuleArn"] for rule in rules if rule["Priority"] == "20")
    balancing.delete_rule(RuleArn=rule)
    broken.append(("base_rule_gone", "the base rule of backend"))
    return broken


def main() -> None:
    endpoint, stack = sys.argv[1:3]
    json.dump(break_all(endpoint, stack), sys.stdout)


if __name__ == "__main__":
    main()
