"""S3 buckets with all the properties that the template gives them."""

import json
import re
from typing import Any

import moto.s3.notifications as notifications
from moto.s3.responses import S3Response

from extension.resource import Made, Place, resource


def correct() -> None:
    # The local cloud's gateway delivers S3's notifications itself, in AWS's own shape. Test events stay moto's.
    notifications.send_event = lambda *_: None

    # SDKs that read strictly want AWS's root elements.
    for call, root in (("notification", "NotificationConfiguration"), ("versioning", "VersioningConfiguration")):
        _answer_with_root(f"get_bucket_{call}", root)


def _answer_with_root(call: str, root: str) -> None:
    inherited = getattr(S3Response, call)

    def answered(self: Any) -> Any:
        status, headers, body = inherited(self)
        text = body.decode() if isinstance(body, bytes) else body
        return status, headers, re.sub(r"(</?)GetBucket\w*", rf"\1{root}", text)

    setattr(S3Response, call, answered)


@resource("AWS::S3::Bucket")
def bucket(properties: dict[str, Any], place: Place) -> Made:
    s3 = place.client("s3")
    name = properties.get("BucketName", place.name.lower())
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": place.region})
    if "VersioningConfiguration" in properties:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=properties["VersioningConfiguration"])
    if "PublicAccessBlockConfiguration" in properties:
        block = {key: str(value).lower() == "true" for key, value in properties["PublicAccessBlockConfiguration"].items()}
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    if "LifecycleConfiguration" in properties:
        rules = [_lifecycle_rule(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    if "BucketEncryption" in properties:
        rules = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        s3.put_bucket_encryption(
            Bucket=name,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]} for rule in rules]
            },
        )
    if "NotificationConfiguration" in properties:
        s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration=_notifications(properties["NotificationConfiguration"])
        )
    return Made(
        name,
        {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{place.region}.amazonaws.com",
        },
    )


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """The API's form of a lifecycle rule, which CloudFormation spells differently."""
    out: dict[str, Any] = {
        "ID": rule.get("Id", "rule"),
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    if "ExpirationInDays" in rule:
        out["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    old = rule.get("NoncurrentVersionExpiration")
    days = old["NoncurrentDays"] if old else rule.get("NoncurrentVersionExpirationInDays")
    if days is not None:
        out["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(days)}
    if "AbortIncompleteMultipartUpload" in rule:
        after = int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
        out["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": after}
    return out


def _notifications(configuration: dict[str, Any]) -> dict[str, Any]:
    def one(entry: dict[str, Any], target: str, api_name: str) -> dict[str, Any]:
        out = {api_name: entry[target], "Events": [entry["Event"]]}
        if "Filter" in entry:
            out["Filter"] = {"Key": {"FilterRules": entry["Filter"]["S3Key"]["Rules"]}}
        return out

    out: dict[str, Any] = {
        "LambdaFunctionConfigurations": [
            one(entry, "Function", "LambdaFunctionArn") for entry in configuration.get("LambdaConfigurations", [])
        ],
        "QueueConfigurations": [one(entry, "Queue", "QueueArn") for entry in configuration.get("QueueConfigurations", [])],
    }
    if "EventBridgeConfiguration" in configuration:
        out["EventBridgeConfiguration"] = {}
    return out


@resource("AWS::S3::BucketPolicy")
def bucket_policy(properties: dict[str, Any], place: Place) -> Made:
    document = dict(properties["PolicyDocument"])
    # The local cloud has no TLS, and moto takes a statement as if it had no conditions: "deny what comes without
    # TLS" would deny everything.
    document["Statement"] = [one for one in document["Statement"] if not _about_transport(one)]
    if document["Statement"]:
        place.client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=json.dumps(document))
    return Made(properties["Bucket"], {})


def _about_transport(statement: dict[str, Any]) -> bool:
    conditions = statement.get("Condition", {}).values()
    return any("aws:SecureTransport" in condition for condition in conditions)
