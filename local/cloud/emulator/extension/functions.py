"""Lambda: a function's aliases, and where its failed asynchronous invocations go."""

from typing import Any

from moto.awslambda.models import LambdaFunction

from extension.resource import Made, Place, resource


def correct() -> None:
    """GetFunctionConfiguration answers the dead-letter queue that the template names."""
    inherited = LambdaFunction.get_configuration

    def get_configuration(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        configuration = inherited(self, *args, **kwargs)
        letters = getattr(self, "dead_letter_config", None)
        if letters:
            configuration["DeadLetterConfig"] = letters
        return configuration

    LambdaFunction.get_configuration = get_configuration

    made = LambdaFunction.create_from_cloudformation_json.__func__

    def create(cls: Any, name: str, description: Any, account: str, region: str, **more: Any) -> Any:
        function = made(cls, name, description, account, region, **more)
        function.dead_letter_config = description["Properties"].get("DeadLetterConfig")
        return function

    LambdaFunction.create_from_cloudformation_json = classmethod(create)


@resource("AWS::Lambda::Alias")
def alias(properties: dict[str, Any], place: Place) -> Made:
    wanted = {name: properties[name] for name in ("FunctionName", "FunctionVersion", "Name")}
    arn = place.client("lambda").create_alias(**wanted)["AliasArn"]
    return Made(arn, {"AliasArn": arn})


@resource("AWS::Lambda::EventInvokeConfig")
def event_invoke_config(properties: dict[str, Any], place: Place) -> Made:
    settings: dict[str, Any] = {"FunctionName": properties["FunctionName"]}
    for number in ("MaximumEventAgeInSeconds", "MaximumRetryAttempts"):
        if number in properties:
            settings[number] = int(properties[number])
    if "DestinationConfig" in properties:
        settings["DestinationConfig"] = properties["DestinationConfig"]
    place.client("lambda").put_function_event_invoke_config(**settings)
    return Made(place.name, {})
