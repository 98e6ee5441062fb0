"""Holds a value against a shape of AWS's service models: members, types, required ones, enumerations, patterns, sizes."""

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import regex
from botocore.model import Shape

_PATTERNS: dict[str, Any] = {}

_TYPES = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "character": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str, datetime),
    "blob": (str, bytes),
}


def faults(value: Any, shape: Shape, where: str) -> Iterator[str]:
    """Why AWS would refuse the value; each with the path of the member."""
    kind = shape.type_name
    wanted = _TYPES[kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{where}: {value!r} is no {kind}"
        return
    yield from _size(value, shape, where)
    if kind == "structure":
        yield from _structure(value, shape, where)
    elif kind == "list":
        for at, one in enumerate(value):
            yield from faults(one, shape.member, f"{where}[{at}]")
    elif kind == "map":
        for key, one in value.items():
            yield from faults(key, shape.key, f"{where} key {key}")
            yield from faults(one, shape.value, f"{where}.{key}")
    elif kind == "string":
        yield from _string(value, shape, where)


def _structure(value: dict[str, Any], shape: Any, where: str) -> Iterator[str]:
    if getattr(shape, "is_document_type", False):
        return
    for name in shape.required_members:
        if name not in value:
            yield f"{where}.{name}: is required and missing"
    for name, one in value.items():
        if name not in shape.members:
            yield f"{where}.{name}: is no member; there are {', '.join(shape.members)}"
        elif one is not None:
            yield from faults(one, shape.members[name], f"{where}.{name}")
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        yield f"{where}: holds {len(value)} members of a union, not one"


def _size(value: Any, shape: Shape, where: str) -> Iterator[str]:
    limits = shape.metadata
    if isinstance(value, bool) or isinstance(value, datetime) or not {"min", "max"} & set(limits):
        return
    size = value if isinstance(value, int | float) else len(value)
    if not float(limits.get("min", -math.inf)) <= size <= float(limits.get("max", math.inf)):
        what = "value" if isinstance(value, int | float) else "length"
        yield f"{where}: {what} {size} is not between {limits.get('min', 'any')} and {limits.get('max', 'any')}"


def _string(value: str, shape: Any, where: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{where}: {value!r} is none of {', '.join(shape.enum)}"
    pattern = shape.metadata.get("pattern")
    if pattern:
        if pattern not in _PATTERNS:
            _PATTERNS[pattern] = _compiled(pattern)
        if not _PATTERNS[pattern].fullmatch(value):
            yield f"{where}: {value!r} does not match {pattern}"


def _compiled(pattern: str) -> Any:
    """A pattern as Java reads it: with pairs of surrogates, and with classes that Python's own `re` does not know."""
    pairs = {r"\uD800\uDC00-\uDBFF\uDFFF", "\ud800\udc00-\udbff\udfff"}
    for pair in pairs:
        pattern = pattern.replace(pair, r"\U00010000-\U0010FFFF")
    return regex.compile(pattern, regex.DOTALL)
