"""IAM roles with all their policies, and identity providers."""

import json
from typing import Any

from extension.resource import Made, Place, resource


@resource("AWS::IAM::Role")
def role(properties: dict[str, Any], place: Place) -> Made:
    iam = place.client("iam")
    name = properties.get("RoleName", place.name)
    made = iam.create_role(
        RoleName=name,
        Path=properties.get("Path", "/"),
        AssumeRolePolicyDocument=json.dumps(properties["AssumeRolePolicyDocument"]),
    )["Role"]
    for policy in properties.get("Policies", []):
        # IAM takes a document without a version, which SAM itself writes; moto refuses it.
        document = json.dumps({"Version": "2012-10-17", **policy["PolicyDocument"]})
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
    for arn in properties.get("ManagedPolicyArns", []):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    return Made(name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})


@resource("AWS::IAM::OIDCProvider")
def oidc_provider(properties: dict[str, Any], place: Place) -> Made:
    arn = place.client("iam").create_open_id_connect_provider(
        Url=properties["Url"],
        ClientIDList=properties.get("ClientIdList", []),
        ThumbprintList=properties.get("ThumbprintList", ["0" * 40]),
    )["OpenIDConnectProviderArn"]
    return Made(arn, {"Arn": arn})
