"""Creates a stack in the emulator from transformed CloudFormation and prints what came of it as JSON.

usage: deploy.py ENDPOINT STACK template.json [NAME=VALUE ...]

Parameters that name the account's own network (VpcId, SubnetIds) default to the account's default VPC.
Prints {"resources": {logical id: physical id}, "outputs": {name: value}}.
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


def create(endpoint: str, stack: str, template: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    declared = template.get("Parameters", {})
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise SystemExit(f"the template has no parameter {', '.join(unknown)}; it has {', '.join(sorted(declared))}")
    values = {**default_network(endpoint), **given}
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
    return {
        # What a condition left out is listed without a name.
        "resources": {
            r["LogicalResourceId"]: r.get("PhysicalResourceId", "") for r in resources if "LogicalResourceId" in r
        },
        "outputs": {o["OutputKey"]: o["OutputValue"] for o in made.get("Outputs", [])},
    }


def main() -> None:
    endpoint, stack, path = sys.argv[1:4]
    with open(path, encoding="utf-8") as file:
        template = json.load(file)
    given = dict(argument.split("=", 1) for argument in sys.argv[4:])
    json.dump(create(endpoint, stack, template, given), sys.stdout)


if __name__ == "__main__":
    main()
