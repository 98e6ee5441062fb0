"""CloudWatch alarms. Their states are evaluated by the local cloud; here is only where they are kept."""

from typing import Any

from moto.cloudwatch.models import Alarm

from extension.resource import Made, Place, resource


def correct() -> None:
    """A new alarm has seen no data yet (moto calls it OK). When it changed last is when its state was set last: the local cloud
    sets no state anew."""
    inherited = Alarm.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        inherited(self, *args, **kwargs)
        self.state_value = "INSUFFICIENT_DATA"

    Alarm.__init__ = init
    Alarm.state_transitioned_timestamp = property(lambda alarm: alarm.state_updated_timestamp)


@resource("AWS::CloudWatch::Alarm")
def alarm(properties: dict[str, Any], place: Place) -> Made:
    request = _numbers({"AlarmName": place.name, **properties})
    place.client("cloudwatch").put_metric_alarm(**request)
    name = request["AlarmName"]
    return Made(name, {"Arn": f"arn:aws:cloudwatch:{place.region}:{place.account}:alarm:{name}"})


WHOLE = {"EvaluationPeriods", "DatapointsToAlarm", "Period"}
TRUTHS = {"ActionsEnabled", "ReturnData"}


def _numbers(value: Any) -> Any:
    """Values that come from a parameter are text; the API wants numbers and booleans."""
    if isinstance(value, list):
        return [_numbers(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, inner in value.items():
        if key in WHOLE:
            out[key] = int(inner)
        elif key == "Threshold":
            out[key] = float(inner)
        elif key in TRUTHS:
            out[key] = str(inner).lower() == "true"
        else:
            out[key] = _numbers(inner)
    return out
