"""The CBOR protocol that newer SDKs speak to CloudWatch, which moto lacks: translated to its JSON protocol and back.

Source: Smithy specification, "Smithy RPC v2 CBOR". The codec is botocore's own.
"""

import io
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import botocore.session
from botocore.parsers import RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer

PATH = re.compile(r"/service/(?P<prefix>\w+)/operation/(?P<operation>\w+)")

# The target prefix of each service that is spoken to like this.
SERVICES = {"GraniteServiceVersion20100801": "cloudwatch"}

Environment = dict[str, Any]
Application = Callable[[Environment, Callable[..., Any]], Iterable[bytes]]


class CborTranslation:
    """A WSGI application around another one."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.session = botocore.session.get_session()

    def __call__(self, environment: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        found = PATH.fullmatch(environment.get("PATH_INFO", ""))
        if found is None or found["prefix"] not in SERVICES:
            return self.application(environment, start_response)
        inner = self._as_json(environment, found)
        answer: dict[str, Any] = {}

        def keep(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            answer.update(status=status)

        body = b"".join(self.application(inner, keep))
        encoded = self._as_cbor(SERVICES[found["prefix"]], found["operation"], answer["status"], body)
        headers = [
            ("Content-Type", "application/cbor"),
            ("smithy-protocol", "rpc-v2-cbor"),
            ("Content-Length", str(len(encoded))),
        ]
        start_response(answer["status"], headers)
        return [encoded]

    def _as_json(self, environment: Environment, found: re.Match[str]) -> Environment:
        length = int(environment.get("CONTENT_LENGTH") or 0)
        raw = environment["wsgi.input"].read(length)
        request = decode(raw) if raw else {}
        body = json.dumps(request, default=_timestamp).encode()
        return {
            **environment,
            "PATH_INFO": "/",
            "CONTENT_TYPE": "application/x-amz-json-1.0",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_X_AMZ_TARGET": f"{found['prefix']}.{found['operation']}",
            "wsgi.input": io.BytesIO(body),
        }

    def _as_cbor(self, service: str, operation: str, status: str, body: bytes) -> bytes:
        value = json.loads(body) if body else {}
        if not status.startswith("2"):
            return encode_text_map({"__type": value.get("__type", "InternalFailure"), "message": str(value.get("message", ""))})
        shape = self.session.get_service_model(service).operation_model(operation).output_shape
        if shape is None:
            return encode_text_map({})
        encoded = bytearray()
        RpcV2CBORSerializer()._serialize_data_item(encoded, value, shape)
        return bytes(encoded)


def decode(raw: bytes) -> Any:
    parser = RpcV2CBORParser()
    return parser.parse_data_item(parser.get_peekable_stream_from_bytes(raw))


def encode_text_map(fields: dict[str, str]) -> bytes:
    """A CBOR map of text to text, for answers that have no shape."""

    def head(major: int, count: int) -> bytes:
        if count < 24:
            return bytes([major << 5 | count])
        return bytes([major << 5 | 25]) + count.to_bytes(2, "big")

    def text(value: str) -> bytes:
        encoded = value.encode()[:0xFFFF]
        return head(3, len(encoded)) + encoded

    return head(5, len(fields)) + b"".join(text(name) + text(value) for name, value in fields.items())


def _timestamp(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} has no JSON form")
