"""Every `aws` command that a document shows is one of AWS's, with options that it has: documented.py FILE...

By botocore's models, and so without an account. Prints what is wrong, a line each, and how many commands were seen.
"""

import re
import sys

import botocore.session
from botocore import xform_name

# What the AWS command line makes itself, and its options, as far as documents use them (AWS CLI command reference).
OWN = {
    "s3 cp": {"recursive", "region"},
    "s3 ls": {"recursive"},
    "s3 rb": {"force"},
    "s3 rm": {"recursive"},
    "logs tail": {"since", "follow", "format", "filter-pattern"},
    "ecr get-login-password": {"region"},
}
# The names that the command line gives to botocore's services and operations.
SERVICES = {"s3api": "s3", "deploy": "codedeploy"}
GLOBAL = {
    "query", "output", "region", "profile", "endpoint-url", "cli-binary-format", "no-cli-pager", "cli-input-json",
    "max-items", "page-size", "starting-token", "no-paginate", "no-verify-ssl", "generate-cli-skeleton",
}

_SESSION = botocore.session.get_session()


def commands(text):
    """Each command as the words up to where the shell ends it; lines that end in a backslash are one."""
    for line in text.replace("\\\n", " ").splitlines():
        yield from commands_of(line)


def commands_of(line):
    # One command within another, `$(aws ...)`, is a word of that one.
    while inner := re.search(r"\$\(([^()]*)\)", line):
        yield from commands_of(inner[1])
        line = line.replace(inner[0], "WORD")
    for found in re.finditer(r"(?:^|[\s(`;])aws ([a-z0-9]+) ([a-z0-9-]+)([^`\n]*)", line):
        yield found[1], found[2], re.split(r"\s(?:\||&&|;|#)\s|\)|;", found[3])[0]


def fault(service, operation, rest):
    options = {option for option in re.findall(r"(?<!\S)--([a-z0-9-]+)", rest)}
    own = OWN.get(f"{service} {operation}")
    if own is not None:
        return options - own - GLOBAL
    model = _SESSION.get_service_model(SERVICES.get(service, service))
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in names:
        return {f"no operation {operation}"}
    shape = model.operation_model(names[operation]).input_shape
    members = shape.members if shape else {}
    known = {xform_name(name, "-") for name in members}
    known |= {f"no-{xform_name(name, '-')}" for name, member in members.items() if member.type_name == "boolean"}
    return options - known - GLOBAL


def main():
    seen = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for service, operation, rest in commands(text):
            seen += 1
            try:
                wrong = fault(service, operation, rest)
            except botocore.exceptions.UnknownServiceError:
                wrong = {f"no service {service}"}
            if wrong:
                print(f"{path}: aws {service} {operation}: {', '.join(sorted(wrong))}")
    print(f"{seen} commands")


if __name__ == "__main__":
    main()
