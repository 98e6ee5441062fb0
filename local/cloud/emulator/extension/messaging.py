"""SQS queue policies and SNS subscriptions."""

import json
from typing import Any

from moto.sqs.models import Queue

from extension.resource import Made, Place, resource


def correct() -> None:
    """The local cloud reads queues for the functions itself. moto would look for Docker with every message."""
    Queue.lambda_event_source_mappings = property(lambda _: {}, lambda _self, _mappings: None)


@resource("AWS::SQS::QueuePolicy")
def queue_policy(properties: dict[str, Any], place: Place) -> Made:
    for queue in properties["Queues"]:
        policy = {"Policy": json.dumps(properties["PolicyDocument"])}
        place.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes=policy)
    return Made(place.name, {})


@resource("AWS::SNS::Subscription")
def subscription(properties: dict[str, Any], place: Place) -> Made:
    arn = place.client("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    return Made(arn, {"Arn": arn})
