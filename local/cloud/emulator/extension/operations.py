"""What a stack needs around its services: secrets, scaling policies, budgets."""

import json
from typing import Any

from extension.resource import Made, Place, resource


@resource("AWS::SecretsManager::Secret")
def secret(properties: dict[str, Any], place: Place) -> Made:
    text = properties.get("SecretString")
    generate = properties.get("GenerateSecretString")
    if generate:
        value = json.loads(generate.get("SecretStringTemplate", "{}"))
        value[generate.get("GenerateStringKey", "password")] = "generated"
        text = json.dumps(value)
    name = properties.get("Name", place.name)
    arn = place.client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"]
    return Made(arn, {"Id": arn})


@resource("AWS::AutoScaling::ScalingPolicy")
def scaling_policy(properties: dict[str, Any], place: Place) -> Made:
    request = {"PolicyName": place.name, **properties}
    tracking = request.get("TargetTrackingConfiguration")
    if tracking:
        # From a parameter it is text.
        tracking["TargetValue"] = float(tracking["TargetValue"])
    place.client("autoscaling").put_scaling_policy(**request)
    name = request["PolicyName"]
    # moto's answer carries no ARN.
    arn = f"arn:aws:autoscaling:{place.region}:{place.account}:scalingPolicy:local:policyName/{name}"
    return Made(arn, {"Arn": arn, "PolicyName": name})


@resource("AWS::Budgets::Budget")
def budget(properties: dict[str, Any], place: Place) -> Made:
    described = {"BudgetName": place.name, **properties["Budget"]}
    described["BudgetLimit"]["Amount"] = str(described["BudgetLimit"]["Amount"])
    place.client("budgets", region="us-east-1").create_budget(
        AccountId=place.account,
        Budget=described,
        NotificationsWithSubscribers=properties.get("NotificationsWithSubscribers", []),
    )
    return Made(place.name, {})
