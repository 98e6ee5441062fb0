"""Creates a stack in the emulator from transformed CloudFormation and prints what came of it as JSON.

usage: deploy.py ENDPOINT STACK template.json [NAME=VALUE ...]

Parameters that name the account's own network (VpcId, SubnetIds) default to the account's default VPC. What stands
around the services is left out (LEFT_OUT).
Prints {"resources": {logical id: physical id}, "outputs": {name: value}, "roles": {logical id of what has the role:
{"name": physical id of that, "policies": {name: [statement]}}}}.
"""

import json
import os
import sys
from typing import Any

import boto3
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

REGION = os.environ.get("AWS_REGION", "eu-west-1")


def client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="AKIALOCALDEPLOYMENT0",
        aws_secret_access_key="local",
    )


def default_network(endpoint: str) -> dict[str, str]:
    ec2 = client("ec2", endpoint)
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    return {"VpcId": vpc["VpcId"], "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets)}


# Parameters that switch off what nothing here plays: RDS, CloudFront, AWS's managed rules.
SWITCHED_OFF = {"Database": "none", "ImageAccess": "none", "WafManagedRules": "none"}

# Nested stacks that no parameter switches off. Watch: nobody publishes the metrics of functions and queues here.
LEFT_OUT = ["Watch"]

# Where a resource says which role it has.
HAS_ROLE = {"AWS::Lambda::Function": "Role", "AWS::IAM::InstanceProfile": "Roles"}


def role_of(resource: dict[str, Any]) -> str | None:
    """The logical id of the role that a function or an instance profile has."""
    named = resource.get("Properties", {}).get(HAS_ROLE.get(resource["Type"], ""))
    reference = named[0] if isinstance(named, list) else named
    if not isinstance(reference, dict):
        return None
    return reference.get("Ref") or (reference.get("Fn::GetAtt") or [None])[0]


def policies(endpoint: str, role: str) -> dict[str, list[dict[str, Any]]]:
    """What a role allows, as CloudFormation resolved it: its own policies and those attached to it, by name."""
    iam = client("iam", endpoint)
    found = {}
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        found[f"{role}/{name}"] = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found[arn] = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    listed = {name: document["Statement"] for name, document in found.items()}
    return {name: [one] if isinstance(one, dict) else one for name, one in listed.items()}


def create(endpoint: str, stack: str, template: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    declared = template.get("Parameters", {})
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise SystemExit(f"the template has no parameter {', '.join(unknown)}; it has {', '.join(sorted(declared))}")
    values = {**default_network(endpoint), **SWITCHED_OFF, **given}
    template["Resources"] = {name: one for name, one in template["Resources"].items() if name not in LEFT_OUT}
    cloudformation = client("cloudformation", endpoint)
    try:
        cloudformation.create_stack(
            StackName=stack,
            TemplateBody=json.dumps(template),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in values.items() if name in declared
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
    except (ClientError, ResponseParserError) as error:
        raise SystemExit(f"stack {stack} was refused: {error}") from None
    made = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    if made["StackStatus"] != "CREATE_COMPLETE":
        raise SystemExit(f"stack {stack} ended as {made['StackStatus']}: {made.get('StackStatusReason', 'no reason')}")
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    # What a condition left out is listed without a name.
    ids = {r["LogicalResourceId"]: r.get("PhysicalResourceId", "") for r in resources if "LogicalResourceId" in r}
    roles = {name: role_of(resource) for name, resource in template["Resources"].items() if ids.get(name)}
    return {
        "resources": ids,
        "outputs": {o["OutputKey"]: o["OutputValue"] for o in made.get("Outputs", [])},
        "roles": {
            name: {"name": ids[name], "policies": policies(endpoint, ids[role])} for name, role in roles.items() if role
        },
    }


def main() -> None:
    endpoint, stack, path = sys.argv[1:4]
    with open(path, encoding="utf-8") as file:
        template = json.load(file)
    given = dict(argument.split("=", 1) for argument in sys.argv[4:])
    json.dump(create(endpoint, stack, template, given), sys.stdout)


if __name__ == "__main__":
    main()
