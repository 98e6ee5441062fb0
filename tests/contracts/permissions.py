"""Compares the recorded calls of each function with what its role grants, both ways.

usage: permissions.py REPORT.json RECORD.jsonl ...

A call without a grant is a fault. So is a grant without a call, unless `granted-without-call.json` says why it must be
there; an entry there that excuses nothing is a fault too. A grant of a policy that several functions share counts as
used when any of them used it: which of them drives a release is chance. A statement that lists one resource for each
service counts as used when one of these was: which service has a deployment to look for is chance too. The instances' calls
need grants as well; what they are granted is not compared, because the agent's own calls are not recorded.

The report: `functions {name: {calls, calls_without_grant, grants_without_call}}`, `instances {calls,
calls_without_grant}`.
"""

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import needs
import wire

EXCUSES = Path(__file__).with_name("granted-without-call.json")


@dataclass(frozen=True)
class Grant:
    """One action of one statement on its resources of one kind. Numbers, because ARNs differ from stack to stack."""

    policy: str
    statement: int
    action: str
    resource: int


@dataclass
class Caller:
    """A function, or the instances."""

    calls: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    grants: dict[Grant, str] = field(default_factory=dict)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def kind(resource: str) -> str:
    """An ARN up to its resource's type, `…:deploymentgroup`. S3 has none: there the whole ARN counts."""
    parts = resource.split(":", 5)
    return resource if len(parts) < 6 or parts[2] == "s3" else ":".join([*parts[:5], re.split("[:/]", parts[5])[0]])


def grants(stack: dict[str, Any], holder: str) -> Iterator[tuple[Grant, str, dict[str, Any]]]:
    """What the role of a function or an instance profile grants: each with its resource and its statement."""
    logical = {physical: name for name, physical in stack["resources"].items()}
    for name, statements in stack["roles"][holder]["policies"].items():
        policy = logical.get(name) or (name if name.startswith("arn:") else f"{holder}/{name.split('/')[-1]}")
        for number, statement in enumerate(statements):
            if statement["Effect"] == "Deny":
                continue
            resources = listed(statement["Resource"])
            kinds = [kind(str(resource)) for resource in resources]
            for action in listed(statement["Action"]):
                for resource, of_kind in zip(resources, kinds, strict=True):
                    yield Grant(policy, number, action, kinds.index(of_kind)), resource, statement


def holds(conditions: dict[str, dict[str, Any]], context: dict[str, str | None]) -> bool:
    """Whether the conditions hold, as far as the call tells; what it does not tell holds."""
    for operator, wanted in conditions.items():
        for key, value in wanted.items():
            if key not in context:
                continue
            found, values = context[key], [str(one).lower() for one in listed(value)]
            if operator == "Null":
                if str(found is None).lower() not in values:
                    return False
            elif found is None or not any(fnmatchcase(found.lower(), one) for one in values):
                return False
    return True


def key_of(function: str) -> str:
    """What the access keys of a function begin with on the local cloud."""
    return "ASIA" + function.upper().replace("-", "")


def holders(stack: dict[str, Any], key: str) -> tuple[str, list[str]] | None:
    """Who calls with a key, and whose roles count; none for callers that are not the product's."""
    if key.startswith("ASIAINSTANCE"):
        return "instances", [name for name in stack["roles"] if name.endswith("InstanceProfile")]
    for holder, role in stack["roles"].items():
        if key.rstrip("0123456789") == key_of(role["name"]).rstrip("0123456789"):
            return role["name"], [holder]
    return None


def compare(lines: list[dict[str, Any]]) -> tuple[dict[str, Caller], set[Grant]]:
    callers: dict[str, Caller] = defaultdict(Caller)
    used: set[Grant] = set()
    known = needs.Known(lines)
    stack: dict[str, Any] = {}
    for line in lines:
        if "stack" in line:
            stack = line["stack"]
            for holder, role in stack["roles"].items():
                if not holder.endswith("InstanceProfile"):
                    for grant, resource, statement in grants(stack, holder):
                        where = statement.get("Sid", f"statement {grant.statement}")
                        callers[role["name"]].grants[grant] = f"{grant.policy} {where}: {grant.action} on {resource}"
            continue
        found = holders(stack, line["caller"])
        if found is None:
            continue
        who, roles = found
        for need in known.needs(line, stack):
            callers[who].calls[need.action] += 1
            met = {
                grant
                for holder in roles
                for grant, resource, statement in grants(stack, holder)
                if fnmatchcase(need.action, grant.action)
                and (need.resource is None or resource == "*" or fnmatchcase(need.resource, resource))
                and holds(statement.get("Condition", {}), need.context)
            }
            if not met:
                callers[who].refused[f"{need.action} on {need.resource or 'anything'}"] += 1
            used |= met
    return callers, used


def excused(unused: dict[Grant, str]) -> tuple[dict[Grant, str], list[str]]:
    """The grants that nothing excuses, and the excuses that excuse nothing."""
    left, idle = dict(unused), []
    for excuse in json.loads(EXCUSES.read_text(encoding="utf-8")):
        for action in excuse["actions"]:
            of = {grant for grant in unused if grant.action == action and grant.policy == excuse.get("policy", grant.policy)}
            if not of:
                idle.append(f"{EXCUSES.name} excuses {action}, which is used or not granted: take it out")
            left = {grant: text for grant, text in left.items() if grant not in of}
    return left, idle


def main() -> None:
    report, *records = sys.argv[1:]
    lines = [json.loads(line) for record in records for line in Path(record).read_text(encoding="utf-8").splitlines()]
    try:
        callers, used = compare(lines)
    except wire.Unreadable as error:
        sys.exit(f"a call cannot be read: {error}")
    instances = callers.pop("instances", Caller())
    unused = {grant: text for caller in callers.values() for grant, text in caller.grants.items() if grant not in used}
    left, wrong = excused(unused)
    functions = {}
    for name, caller in sorted(callers.items()):
        idle = sorted(text for grant, text in left.items() if grant in caller.grants)
        functions[name] = {
            "calls": dict(sorted(caller.calls.items())),
            "calls_without_grant": sorted(caller.refused),
            "grants_without_call": idle,
        }
        wrong += [f"{name} calls {call}, which its role does not grant" for call in sorted(caller.refused)]
        wrong += [f"{name} never makes use of {text}" for text in idle]
    wrong += [f"an instance calls {call}, which its role does not grant" for call in sorted(instances.refused)]
    told = {"calls": dict(sorted(instances.calls.items())), "calls_without_grant": sorted(instances.refused)}
    Path(report).parent.mkdir(parents=True, exist_ok=True)
    Path(report).write_text(json.dumps({"functions": functions, "instances": told}, indent=1) + "\n", encoding="utf-8")
    for fault in wrong:
        print(fault)
    count = sum(sum(caller.calls.values()) for caller in callers.values())
    print(f"{count} calls of {len(callers)} functions held against their roles: {len(wrong)} faults; see {report}")
    if wrong or not count:
        sys.exit(1)


if __name__ == "__main__":
    main()
