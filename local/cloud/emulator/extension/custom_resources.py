"""Custom resources: the stack's own function makes, changes and removes them, as CloudFormation has it done.

The function runs as on AWS, under the Runtime Interface Emulator, and is told a URL at which its answer is waited for.
moto calls a function at creation only, and in a container.
"""

import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import moto.cloudformation.parsing as parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Stack
from moto.core.common_models import CloudFormationModel

from extension.resource import Place

KINDS = ("Custom::ListenerRule", "Custom::Configuration")
_sandboxes = count(9000)


def correct() -> None:
    """The types are known; moto takes every custom type for its own model."""
    original = parsing.resource_class_from_type

    def resource_class_from_type(kind: str) -> Any:
        return CustomResource if kind in KINDS else original(kind)

    parsing.resource_class_from_type = resource_class_from_type

    inherited = parsing.ResourceMap.delete

    def delete(self: Any) -> None:
        remove_all(self)
        inherited(self)

    parsing.ResourceMap.delete = delete


def remove_all(resources: Any) -> None:
    """CloudFormation deletes what depends on others before these, also in a nested stack; moto knows no order."""
    for name, one in list(resources._parsed_resources.items()):
        if isinstance(one, Stack):
            remove_all(one.resource_map)
        elif isinstance(one, CustomResource):
            one.delete(resources._account_id, resources._region_name)
            del resources._parsed_resources[name]


class CustomResource(CloudFormationModel):
    """One of a stack."""

    __module__ = "moto.extension.models"

    def __init__(self, described: dict[str, Any], properties: dict[str, Any], place: Place) -> None:
        self.described, self.properties, self.place = described, properties, place
        self.name: str | None = None
        self.data: dict[str, Any] = {}

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return KINDS[0]

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return True

    def get_cfn_attribute(self, attribute_name: str) -> Any:
        return self.data[attribute_name]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> "CustomResource":
        described = {
            "StackId": kwargs["StackId"],
            "LogicalResourceId": kwargs["LogicalId"],
            "ResourceType": kwargs["ResourceType"],
        }
        properties = as_texts(cloudformation_json["Properties"])
        one = cls(described, properties, Place(resource_name, region_name, account_id))
        one._ask("Create", properties)
        return one

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: "CustomResource",
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> "CustomResource":
        one, before, name = original_resource, original_resource.properties, original_resource.name
        properties = as_texts(cloudformation_json["Properties"])
        try:
            one._ask("Update", properties, before)
        except ValidationError:
            # CloudFormation rolls back, and asks for what was there before.
            one._ask("Update", before, properties)
            raise
        one.properties = properties
        if one.name != name:
            # What was replaced goes last.
            one._ask("Delete", before, named=name)
        return one

    def delete(self, account_id: str, region_name: str) -> None:
        self._ask("Delete", self.properties, named=self.name)

    @property
    def physical_resource_id(self) -> str | None:
        return self.name

    def is_created(self) -> bool:
        return True

    def _ask(
        self,
        kind: str,
        properties: dict[str, Any],
        before: dict[str, Any] | None = None,
        named: str | None = None,
    ) -> None:
        request = {"RequestType": kind, "RequestId": str(uuid.uuid4()), **self.described}
        request["ServiceToken"] = properties["ServiceToken"]
        request["ResourceProperties"] = properties
        if kind != "Create":
            request["PhysicalResourceId"] = named or self.name
        if before is not None:
            request["OldResourceProperties"] = before
        answer = asked(self.place, request)
        for member in ("StackId", "RequestId", "LogicalResourceId"):
            if answer.get(member) != request[member]:
                raise ValidationError(f"the answer has another {member}: {answer}")
        if answer.get("Status") != "SUCCESS":
            raise ValidationError(f"{self.described['LogicalResourceId']}: {answer.get('Reason')}")
        if kind != "Delete":
            self.name, self.data = answer["PhysicalResourceId"], answer.get("Data", {})


def as_texts(value: Any) -> Any:
    """CloudFormation makes texts of numbers and truth values."""
    if isinstance(value, dict):
        return {key: as_texts(member) for key, member in value.items()}
    if isinstance(value, list):
        return [as_texts(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def asked(place: Place, request: dict[str, Any]) -> dict[str, Any]:
    """What the function answers, at the URL that the request tells it."""
    answers: list[bytes] = []

    class Answer(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:  # noqa: N802
            answers.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/answer?X-Amz-Signature=local"
        said = run(place, json.dumps({**request, "ResponseURL": url}).encode())
        server.shutdown()
    if len(answers) != 1 or len(answers[0]) > 4096:
        raise ValidationError(f"a custom resource answers once, in 4096 bytes: {answers}; the function said {said!r}")
    return dict(json.loads(answers[0]))


def run(place: Place, payload: bytes) -> bytes:
    """Invokes the function once, in a sandbox of its own."""
    token = json.loads(payload)["ServiceToken"]
    described = place.client("lambda").get_function(FunctionName=token)
    configuration = described["Configuration"]
    name = configuration["FunctionName"]
    binary = described["Code"]["Location"].rsplit("/", 1)[-1].removesuffix(".zip")
    invocations, runtime = (f"127.0.0.1:{free_port()}" for _ in range(2))
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        **configuration.get("Environment", {}).get("Variables", {}),
        **{name: os.environ[name] for name in ("LOCAL_CLOUD_STATE",) if name in os.environ},
        "_HANDLER": "bootstrap",
        "AWS_REGION": place.region,
        "AWS_ACCESS_KEY_ID": f"ASIA{name.upper().replace('-', '')}{next(_sandboxes)}",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_ENDPOINT_URL": endpoint(),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(configuration["Timeout"]),
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
    }
    command = [os.environ["LOCAL_CLOUD_RUNTIME"], "--log-level", "error"]
    command += ["--runtime-interface-emulator-address", invocations, "--runtime-api-address", runtime]
    command += [os.path.join(os.environ["LOCAL_CLOUD_BINARIES"], binary)]
    with open(os.environ["LOCAL_CLOUD_FUNCTION_LOG"].format(name), "ab") as log:
        sandbox = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        url = f"http://{invocations}/2015-03-31/functions/function/invocations"
        listening(invocations, sandbox)
        with urllib.request.urlopen(url, payload, timeout=configuration["Timeout"] + 10) as said:
            return bytes(said.read())
    finally:
        sandbox.kill()
        sandbox.wait()


def listening(address: str, sandbox: subprocess.Popen[bytes]) -> None:
    host, port = address.split(":")
    end = time.monotonic() + 30
    while time.monotonic() < end and sandbox.poll() is None:
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise ValidationError("the Runtime Interface Emulator does not listen")


def endpoint() -> str:
    """The gateway, which tells the load balancer of every change; while the stack is made it does not serve yet."""
    gateway = os.environ["LOCAL_CLOUD"]
    try:
        with urllib.request.urlopen(f"{gateway}/_local/faults", timeout=0.5):
            return gateway
    except (OSError, urllib.error.URLError):
        return os.environ["EMULATOR_ENDPOINT"]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
