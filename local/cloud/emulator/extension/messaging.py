"""SQS queue policies, SNS subscriptions, and EventBridge's bus."""

import json
from typing import Any

from moto.events.models import Rule
from moto.sqs.models import Queue

from extension.resource import Made, Place, resource


def correct() -> None:
    """The local cloud reads queues for the functions itself, and invokes them with events. moto would look for Docker with
    every message, and fail with every event for a rule that has a function, a schedule's among them."""
    Queue.lambda_event_source_mappings = property(lambda _: {}, lambda _self, _mappings: None)
    inherited = Rule.send_to_targets

    def send_to_targets(self: Any, *event: Any, **more: Any) -> None:
        targets = self.targets
        self.targets = [target for target in targets if ":lambda:" not in target["Arn"]]
        try:
            inherited(self, *event, **more)
        finally:
            self.targets = targets

    Rule.send_to_targets = send_to_targets


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
