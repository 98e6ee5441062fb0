"""Creates a stack in the emulator from transformed CloudFormation and prints what came of it as JSON.

usage: deploy.py ENDPOINT STACK template.json FOLDER [NAME=VALUE ...]

The templates that it nests are taken from FOLDER. Parameters that name the account's own network (VpcId, SubnetIds)
default to the account's default VPC. What stands around the services is left out (LEFT_OUT).
Prints {"parameters": [name of each that was given or filled in], "resources": {logical id: physical id}, "outputs": {name:
value}, "roles": {logical id of what has the role: {"name": physical id of that, "policies": {name: [statement]}}}}. What is
in a nested stack has the id `<nested>.<own>`.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from transform import CODE_BUCKET, REGION, UPLOADED, transform


def client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="AKIALOCALDEPLOYMENT0",
        aws_secret_access_key="local",
        # A whole stack is made in one answer. On a busy machine that takes minutes, and a repeated call finds it half made.
        config=Config(read_timeout=600, retries={"max_attempts": 0}),
    )


def default_network(endpoint: str) -> dict[str, str]:
    ec2 = client("ec2", endpoint)
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    return {"VpcId": vpc["VpcId"], "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets)}


# Parameters that switch off what nothing here plays: RDS, CloudFront, AWS's managed rules, CodeDeploy for functions.
SWITCHED_OFF = {"Database": "none", "ImageAccess": "none", "WafManagedRules": "none", "FunctionCanary": "none"}

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


def upload_nested(endpoint: str, template: dict[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """Uploads the templates that a template nests, as `sam package` does, and answers them by logical id."""
    s3 = client("s3", endpoint)
    # The stacks of an account share it.
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    nested = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::CloudFormation::Stack":
            path = resource["Properties"]["TemplateURL"].removeprefix(UPLOADED)
            nested[name] = transform(str(folder / path))
            s3.put_object(Bucket=CODE_BUCKET, Key=path, Body=json.dumps(nested[name]).encode())
    return nested


def resources(cloudformation: Any, stack: str) -> dict[str, str]:
    listed = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    # What a condition left out is listed without a name.
    return {r["LogicalResourceId"]: r.get("PhysicalResourceId", "") for r in listed if "LogicalResourceId" in r}


def holders(template: dict[str, Any], ids: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """What has a role: its logical id, its physical id, and the role's."""
    for name, resource in template["Resources"].items():
        role = role_of(resource)
        if role and ids.get(name):
            yield name, ids[name], ids[role]


def create(
    endpoint: str, stack: str, template: dict[str, Any], folder: Path, given: dict[str, str]
) -> dict[str, Any]:
    declared = template.get("Parameters", {})
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise SystemExit(f"the template has no parameter {', '.join(unknown)}; it has {', '.join(sorted(declared))}")
    values = {**default_network(endpoint), **SWITCHED_OFF, **given}
    values = {name: value for name, value in values.items() if name in declared}
    template["Resources"] = {name: one for name, one in template["Resources"].items() if name not in LEFT_OUT}
    cloudformation = client("cloudformation", endpoint)
    nested = upload_nested(endpoint, template, folder)
    try:
        cloudformation.create_stack(
            StackName=stack,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
    except (ClientError, ResponseParserError) as error:
        raise SystemExit(f"stack {stack} was refused: {error}") from None
    made = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    if made["StackStatus"] != "CREATE_COMPLETE":
        raise SystemExit(f"stack {stack} ended as {made['StackStatus']}: {made.get('StackStatusReason', 'no reason')}")
    ids = resources(cloudformation, stack)
    found = list(holders(template, ids))
    for name, inner in nested.items():
        if not ids.get(name):
            continue
        inside = resources(cloudformation, ids[name])
        ids |= {f"{name}.{own}": physical for own, physical in inside.items()}
        found += [(f"{name}.{own}", physical, role) for own, physical, role in holders(inner, inside)]
    return {
        "parameters": list(values),
        "resources": ids,
        "outputs": {o["OutputKey"]: o["OutputValue"] for o in made.get("Outputs", [])},
        "roles": {name: {"name": physical, "policies": policies(endpoint, role)} for name, physical, role in found},
    }


def main() -> None:
    endpoint, stack, path, folder = sys.argv[1:5]
    with open(path, encoding="utf-8") as file:
        template = json.load(file)
    given = dict(argument.split("=", 1) for argument in sys.argv[5:])
    json.dump(create(endpoint, stack, template, Path(folder), given), sys.stdout)


if __name__ == "__main__":
    main()
