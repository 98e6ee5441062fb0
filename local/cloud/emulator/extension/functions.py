"""Lambda: a function's versions and aliases, and where its failed asynchronous invocations go."""

from typing import Any

from moto.awslambda.exceptions import UnknownEventConfig
from moto.awslambda.models import EventInvokeConfig, LambdaBackend, LambdaFunction, LambdaVersion

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
    _versions()
    _event_invoke_configs()


def _versions() -> None:
    """CloudFormation knows a version's number. moto sees no other description, so a stack keeps its first version."""
    inherited = LambdaVersion.create_from_cloudformation_json.__func__

    def create(cls: Any, name: str, description: Any, account: str, region: str, **more: Any) -> Any:
        version = inherited(cls, name, description, account, region, **more)
        version.function = description["Properties"]["FunctionName"]
        return version

    LambdaVersion.create_from_cloudformation_json = classmethod(create)
    LambdaVersion.has_cfn_attr = classmethod(lambda cls, attribute: attribute == "Version")
    LambdaVersion.get_cfn_attribute = lambda self, _: str(self.version)
    LambdaVersion.physical_resource_id = property(lambda self: f"{self.function}:{self.version}")


def _event_invoke_configs() -> None:
    """One belongs to a function as it stands, or to one of its aliases: `NAME:ALIAS`."""

    def put(self: Any, function_name: str, config: dict[str, Any]) -> Any:
        function = self.get_function(function_name)
        event = EventInvokeConfig(function.function_arn, function.last_modified, config)
        self.__dict__.setdefault("event_invoke_configs", {})[function_name] = event
        return event.response()

    def get(self: Any, function_name: str) -> Any:
        event = self.__dict__.get("event_invoke_configs", {}).get(function_name)
        if event is None:
            raise UnknownEventConfig(self.get_function(function_name).function_arn)
        return event.response()

    LambdaBackend.put_function_event_invoke_config = put
    LambdaBackend.get_function_event_invoke_config = get


@resource("AWS::Lambda::Alias")
def alias(properties: dict[str, Any], place: Place) -> Made:
    wanted = {name: properties[name] for name in ("FunctionName", "FunctionVersion", "Name")}
    arn = place.client("lambda").create_alias(**wanted)["AliasArn"]
    return Made(arn, {"AliasArn": arn})


@resource("AWS::Lambda::EventInvokeConfig")
def event_invoke_config(properties: dict[str, Any], place: Place) -> Made:
    name, qualifier = properties["FunctionName"], properties["Qualifier"]
    settings: dict[str, Any] = {"FunctionName": name if qualifier == "$LATEST" else f"{name}:{qualifier}"}
    for number in ("MaximumEventAgeInSeconds", "MaximumRetryAttempts"):
        if number in properties:
            settings[number] = int(properties[number])
    if "DestinationConfig" in properties:
        settings["DestinationConfig"] = properties["DestinationConfig"]
    place.client("lambda").put_function_event_invoke_config(**settings)
    return Made(place.name, {})
