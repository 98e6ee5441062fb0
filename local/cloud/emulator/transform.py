"""Turns the SAM template into plain CloudFormation, offline, the way `sam deploy` has it done by AWS.

usage: transform.py template.yaml out.json

Parameters stay references: CloudFormation resolves them when the stack is created.
The code of a function becomes `s3://code/<binary>.zip`, as `sam package` would have uploaded it, so that the
function's own description says which binary it runs. The template of a nested stack gets an address in the same bucket.
"""

import json
import os
import sys
from pathlib import PurePath
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

REGION = os.environ.get("AWS_REGION", "eu-west-1")
CODE_BUCKET = "code"


def binary_of(function: dict[str, Any], logical_id: str) -> str:
    """The binary of a function: named in its build properties, else the last folder of its code."""
    build = function.get("Metadata", {}).get("BuildProperties", {})
    if "Binary" in build:
        return str(build["Binary"])
    name = PurePath(str(function["Properties"].get("CodeUri", ""))).name
    if name in ("", "."):
        raise SystemExit(
            f"function {logical_id}: cannot tell which binary it runs; "
            "set Metadata.BuildProperties.Binary or let CodeUri name the crate's folder"
        )
    return name


def package(template: dict[str, Any]) -> None:
    """Replaces local code paths, which the translator refuses, by where `sam package` would put them."""
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            binary = binary_of(resource, logical_id)
            resource["Properties"]["CodeUri"] = {"Bucket": CODE_BUCKET, "Key": f"{binary}.zip"}
        if resource["Type"] == "AWS::CloudFormation::Stack":
            nested = resource["Properties"]["TemplateURL"]
            resource["Properties"]["TemplateURL"] = f"https://s3.amazonaws.com/{CODE_BUCKET}/{nested}"


def inherit_code(template: dict[str, Any]) -> None:
    """A CodeUri in Globals counts for every function that has none of its own."""
    code = template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function" and code is not None:
            resource["Properties"].setdefault("CodeUri", code)


def transform(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    inherit_code(template)
    package(template)
    # An empty map of managed policies avoids the call to IAM; the session only tells the region.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    return dict(translator.translate(template, parameter_values={}))


def main() -> None:
    template, out = sys.argv[1:3]
    with open(out, "w", encoding="utf-8") as file:
        json.dump(transform(template), file, indent=1)


if __name__ == "__main__":
    main()
