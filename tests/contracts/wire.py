"""Reads what was on the wire, by the protocol of each service, into the members of AWS's service models.

Nothing is left out without a word, as botocore's own parsers do: what belongs to no member comes out under its name on
the wire, so that the model refuses it.
"""

import base64
import json
import re
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.parsers import RpcV2CBORParser

# The name in a signature's scope, and botocore's.
SERVICES = {
    "autoscaling": "autoscaling",
    "codedeploy": "codedeploy",
    "elasticloadbalancing": "elbv2",
    "events": "events",
    "lambda": "lambda",
    "monitoring": "cloudwatch",
    "s3": "s3",
    "sns": "sns",
    "sqs": "sqs",
    "sts": "sts",
    "wafv2": "wafv2",
}

# Headers that frame a body or name the client; no member of any operation.
FRAMING = {"content-type", "smithy-protocol", "x-amz-target", "x-amz-trailer", "x-amz-decoded-content-length"}

_SESSION = botocore.session.get_session()
_MODELS: dict[str, ServiceModel] = {}


class Unreadable(Exception):
    """What was on the wire is not what the protocol says."""


def service_model(scope: str) -> ServiceModel:
    if scope not in SERVICES:
        raise Unreadable(f"no service model is known for {scope}")
    if scope not in _MODELS:
        _MODELS[scope] = _SESSION.get_service_model(SERVICES[scope])
    return _MODELS[scope]


def operation_model(call: str) -> OperationModel:
    """The model of `service:Operation`."""
    scope, name = call.split(":", 1)
    service = service_model(scope)
    # Some answers are given by operations of the same path; S3's two lists differ by a field of the query.
    if name not in service.operation_names:
        raise Unreadable(f"{scope} has no operation {name}")
    return service.operation_model(name)


def body_of(line: dict[str, Any]) -> bytes:
    if "body_base64" in line:
        return base64.b64decode(line["body_base64"])
    return str(line.get("body", "")).encode()


def request(line: dict[str, Any]) -> tuple[OperationModel, dict[str, Any]]:
    """The operation of a recorded call and its members."""
    call = line["call"]
    if call == "s3:ListObjects" and "list-type=2" in line["query"].split("&"):
        call = "s3:ListObjectsV2"
    operation = operation_model(call)
    body = body_of(line)
    headers = {name.lower(): value for name, value in line["headers"].items()}
    kind = headers.get("content-type", "")
    if kind.startswith("application/x-www-form-urlencoded"):
        return operation, form(body.decode(), operation)
    if headers.get("smithy-protocol") == "rpc-v2-cbor" or kind.startswith("application/cbor"):
        return operation, cbor(body) if body else {}
    if kind.startswith("application/x-amz-json"):
        return operation, json_object(body)
    return operation, rest(line, operation, headers, body)


def json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError as error:
        raise Unreadable(f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unreadable("the body is no JSON object")
    return {name: one for name, one in value.items() if one is not None}


def cbor(body: bytes) -> dict[str, Any]:
    parser = RpcV2CBORParser()
    return dict(parser.parse_data_item(parser.get_peekable_stream_from_bytes(body)))


def scalar(text: str, shape: Shape) -> Any:
    """Text as the type that the shape has; text that is none of it stays text, and the model refuses it."""
    kind = shape.type_name
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind in ("integer", "long") and re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text)
    if kind in ("float", "double") and re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?", text):
        return float(text)
    return text


# Query protocol ------------------------------------------------------------------------------------------------------


def form(body: str, operation: OperationModel) -> dict[str, Any]:
    fields = dict(parse_qsl(body, keep_blank_values=True, strict_parsing=True))
    for name, wanted in (("Action", operation.name), ("Version", operation.service_model.api_version)):
        if fields.pop(name, None) != wanted:
            raise Unreadable(f"{name} is not {wanted}")
    shape = operation.input_shape
    members = _fields(fields, "", shape) if shape else {}
    return {**members, **fields}


def _fields(fields: dict[str, str], prefix: str, shape: Any) -> Any:
    """Takes what belongs to the shape out of the fields."""
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            key = f"{prefix}{member.serialization.get('queryName', member.serialization.get('name', name))}"
            if any(field == key or field.startswith(f"{key}.") for field in fields):
                found[name] = _fields(fields, key if member.type_name not in ("structure",) else f"{key}.", member)
        return found
    if shape.type_name == "list":
        if fields.get(prefix) == "":
            fields.pop(prefix)
            return []
        inner = "" if shape.serialization.get("flattened") else f".{shape.member.serialization.get('name', 'member')}"
        found, number = [], 1
        while any(f == f"{prefix}{inner}.{number}" or f.startswith(f"{prefix}{inner}.{number}.") for f in fields):
            key = f"{prefix}{inner}.{number}"
            found.append(_fields(fields, f"{key}." if shape.member.type_name == "structure" else key, shape.member))
            number += 1
        return found
    if shape.type_name == "map":
        found, number = {}, 1
        entry = f"{prefix}" if shape.serialization.get("flattened") else f"{prefix}.entry"
        names = [shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")]
        while f"{entry}.{number}.{names[0]}" in fields:
            key = _fields(fields, f"{entry}.{number}.{names[0]}", shape.key)
            dot = "." if shape.value.type_name == "structure" else ""
            found[key] = _fields(fields, f"{entry}.{number}.{names[1]}{dot}", shape.value)
            number += 1
        return found
    return scalar(fields.pop(prefix, ""), shape)


# REST ----------------------------------------------------------------------------------------------------------------


def rest(line: dict[str, Any], operation: OperationModel, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    shape: Any = operation.input_shape
    members = shape.members if shape else {}
    path, _, literal = operation.http["requestUri"].partition("?")
    labels = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.escape(path)))
    found = re.fullmatch(f"{labels}/?", line["path"])
    if line["method"] != operation.http["method"] or found is None:
        raise Unreadable(f"{line['method']} {line['path']} is not {operation.http['method']} {path}")
    out: dict[str, Any] = {}
    # `x-id` is how SDKs name the operation to proxies.
    expected = dict(parse_qsl(literal, keep_blank_values=True))
    query = {k: v for k, v in parse_qsl(line["query"], keep_blank_values=True) if k != "x-id" and k not in expected}
    given = {name: value for name, value in headers.items() if name not in FRAMING}
    for name, member in members.items():
        place, on_wire = member.serialization.get("location"), member.serialization.get("name", name)
        if place == "uri":
            out[name] = unquote(found[on_wire])
        elif place == "querystring" and on_wire in query:
            out[name] = scalar(query.pop(on_wire), member)
        elif place == "header" and on_wire.lower() in given:
            out[name] = scalar(given.pop(on_wire.lower()), member)
        elif place == "headers":
            for header in [header for header in given if header.startswith(on_wire.lower())]:
                out.setdefault(name, {})[header[len(on_wire) :]] = given.pop(header)
    payload = shape.serialization.get("payload") if shape else None
    if payload and members[payload].type_name == "structure" and body:
        root = ElementTree.fromstring(body)
        wanted = members[payload].serialization.get("name", payload)
        if _tag(root) != wanted:
            raise Unreadable(f"the body is a {_tag(root)}, not a {wanted}")
        out[payload] = xml(root, members[payload])
    return {**out, **query, **given}


# XML -----------------------------------------------------------------------------------------------------------------


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def xml(element: ElementTree.Element, shape: Any) -> Any:
    if shape.type_name == "structure":
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        out: dict[str, Any] = {}
        for child in element:
            name = names.get(_tag(child), _tag(child))
            member = shape.members.get(name)
            if member is None:
                out[name] = child.text
            elif member.type_name == "list" and member.serialization.get("flattened"):
                out.setdefault(name, []).append(xml(child, member.member))
            else:
                out[name] = xml(child, member)
        return out
    if shape.type_name == "list":
        wanted = shape.member.serialization.get("name", "member")
        return [xml(child, shape.member) if _tag(child) == wanted else f"<{_tag(child)}>" for child in element]
    if shape.type_name == "map":
        return {entry[0].text: xml(entry[1], shape.value) for entry in element}
    return scalar(element.text or "", shape)


def result(body: bytes, operation: OperationModel) -> Any:
    """The result of the query protocol: `<OperationResponse><OperationResult>...`."""
    root = ElementTree.fromstring(body)
    wrapper = operation.output_shape.serialization.get("resultWrapper") if operation.output_shape else None
    children = {_tag(child): child for child in root}
    if _tag(root) != f"{operation.name}Response" or set(children) != {wrapper, "ResponseMetadata"} - {None}:
        raise Unreadable(f"{_tag(root)} with {', '.join(children)} is no {operation.name}Response")
    return xml(children[wrapper], operation.output_shape) if wrapper else {}
