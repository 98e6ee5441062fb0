"""What the load balancer has counted. The local cloud holds it and publishes it as late as AWS does."""

import json
import os
import urllib.request
from datetime import datetime, timezone
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend


def correct() -> None:
    """GetMetricData is answered by the rules that alarms are evaluated by."""
    CloudWatchBackend.get_metric_data = get_metric_data


def get_metric_data(
    self: Any,
    queries: list[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampDescending",
) -> list[dict[str, Any]]:
    if start_time >= end_time:
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    request = {
        "StartTime": _seconds(start_time),
        "EndTime": _seconds(end_time),
        "MetricDataQueries": queries,
    }
    url = os.environ["LOCAL_CLOUD"] + "/_local/metric-data"
    body = json.dumps(request, default=str).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, method="POST"), timeout=10) as answer:
            results = json.load(answer)
    except urllib.error.HTTPError as refused:
        raise ValidationError(json.load(refused)["error"]) from refused
    order = -1 if scan_by == "TimestampDescending" else 1
    return [
        {
            "id": result["Id"],
            "label": result["Label"],
            "timestamps": [datetime.fromtimestamp(at, timezone.utc) for at in result["Timestamps"]][::order],
            "values": result["Values"][::order],
            "status_code": "Complete",
        }
        for result in results
    ]


def _seconds(time: datetime) -> float:
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()
