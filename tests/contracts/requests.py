"""Holds recorded calls, and the answers that the local cloud gave itself, against AWS's service models.

usage: requests.py RECORD.jsonl ...

Prints each fault once, as call, caller, member and why, and ends with 1 when there is any.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import shapes
import wire
from botocore.model import OperationModel

# The local cloud's own callers; what they send is not the product's.
PRODUCT = "ASIA"

# Errors that every operation of a protocol may answer, besides those that its model lists.
# Source: "Common errors" of the services' API references; for S3 "Error responses".
COMMON = {
    "query": {"AccessDenied", "InternalFailure", "ServiceUnavailable", "Throttling", "ValidationError"},
    "json": {"AccessDeniedException", "InternalFailure", "ServiceUnavailable", "ThrottlingException", "ValidationException"},
    "smithy-rpc-v2-cbor": {"AccessDeniedException", "InternalFailure", "ServiceUnavailable", "ThrottlingException"},
    "rest-json": {"AccessDeniedException", "ServiceException", "TooManyRequestsException", "ResourceNotFoundException"},
    "rest-xml": {"AccessDenied", "InternalError", "SlowDown", "ServiceUnavailable", "NoSuchKey", "PreconditionFailed"},
}


def of_call(line: dict[str, Any]) -> Iterator[str]:
    operation, members = wire.request(line)
    shape = operation.input_shape
    if shape is None:
        yield from (f"{name}: the operation has no members" for name in members)
        return
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name == "blob":
        # It was streamed past the recorder.
        members.setdefault(payload, b"")
    if operation.http_checksum:
        # The checksum's header is a member of few operations, and S3 takes it from all that have one.
        members = {name: value for name, value in members.items() if not name.startswith("x-amz-checksum-")}
    yield from shapes.faults(members, shape, "")


def of_answer(line: dict[str, Any]) -> Iterator[str]:
    if "headers" not in line:
        return
    operation = wire.operation_model(line["answer"])
    body = wire.body_of(line)
    protocol = operation.service_model.metadata["protocol"]
    if line["status"] >= 300:
        code = error_code(protocol, line, body)
        known = {shape.error_code for shape in operation.error_shapes} | {shape.name for shape in operation.error_shapes}
        if code not in known | COMMON[protocol]:
            yield f"error {code}: {operation.name} never answers it"
        return
    if operation.output_shape is None or protocol == "rest-json":
        # Lambda's answers are what functions say.
        return
    members = wire.result(body, operation) if protocol == "query" else wire.json_object(body)
    yield from shapes.faults(members, operation.output_shape, "")


def error_code(protocol: str, line: dict[str, Any], body: bytes) -> str:
    if protocol in ("query", "rest-xml"):
        root = ElementTree.fromstring(body)
        path = "{*}Error/{*}Code" if protocol == "query" else "{*}Code"
        return str(root.findtext(path))
    if protocol == "smithy-rpc-v2-cbor":
        if line["headers"].get("smithy-protocol") != "rpc-v2-cbor":
            raise wire.Unreadable("an answer of this protocol has the header smithy-protocol and is CBOR")
        return str(wire.cbor(body).get("__type")).rsplit("#", 1)[-1]
    if protocol == "rest-json":
        return str(line["headers"].get("x-amzn-errortype"))
    return str(wire.json_object(body).get("__type")).rsplit("#", 1)[-1]


def check(lines: Iterator[dict[str, Any]]) -> tuple[Counter[str], Counter[str]]:
    """What was looked at, and what is wrong, each with how often."""
    seen: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for line in lines:
        name = line.get("call") or line.get("answer")
        ours = line.get("caller", "").startswith(PRODUCT) if "call" in line else "headers" in line
        if name is None or not ours:
            continue
        kind = "call" if "call" in line else "answer"
        seen[kind] += 1
        try:
            found = list(of_call(line) if kind == "call" else of_answer(line))
        except (wire.Unreadable, ElementTree.ParseError, ValueError) as error:
            found = [str(error)]
        wrong.update(f"{kind} {name} of {line['caller'].rstrip('0123456789')}: {fault}" for fault in found)
    return seen, wrong


def read(paths: list[str]) -> Iterator[dict[str, Any]]:
    for path in paths:
        with open(path, encoding="utf-8") as file:
            yield from map(json.loads, file)


def main() -> None:
    seen, wrong = check(read(sys.argv[1:]))
    for fault, times in sorted(wrong.items()):
        print(f"{fault} ({times} times)")
    print(f"{seen['call']} calls and {seen['answer']} answers held against AWS's service models: {len(wrong)} faults")
    if wrong or not seen["call"] or not seen["answer"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
