"""Adds a CloudFormation resource type to moto: one function that calls the emulator's own API.

moto finds resource types as subclasses of CloudFormationModel whose module lies below `moto.`; a type that it
does not know it skips without a word.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from moto.core.common_models import CloudFormationModel


@dataclass(frozen=True)
class Place:
    """Where a resource is made: its account, its region, and the name CloudFormation generated for it."""

    name: str
    region: str
    account: str

    def client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(
            service,
            endpoint_url=os.environ["EMULATOR_ENDPOINT"],
            region_name=region or self.region,
            aws_access_key_id="AKIALOCALEXTENSION00",
            aws_secret_access_key="local",
        )


@dataclass(frozen=True)
class Made:
    """What `Ref` and `Fn::GetAtt` answer for a resource that exists."""

    ref: str
    attributes: dict[str, Any]


Maker = Callable[[dict[str, Any], Place], Made]


def resource(kind: str) -> Callable[[Maker], Maker]:
    """Registers the decorated function as the maker of a CloudFormation resource type."""

    def register(make: Maker) -> Maker:
        class Extension(CloudFormationModel):
            __module__ = "moto.extension.models"
            made: Made

            @staticmethod
            def cloudformation_name_type() -> str:
                return ""

            @staticmethod
            def cloudformation_type() -> str:
                return kind

            @classmethod
            def has_cfn_attr(cls, attr: str) -> bool:
                return True

            @classmethod
            def create_from_cloudformation_json(
                cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
            ) -> "Extension":
                one = cls()
                place = Place(resource_name, region_name, account_id)
                one.made = make(cloudformation_json.get("Properties", {}), place)
                return one

            @property
            def physical_resource_id(self) -> str:
                return self.made.ref

            def get_cfn_attribute(self, attribute_name: str) -> Any:
                if attribute_name not in self.made.attributes:
                    raise KeyError(f"{kind} has no attribute {attribute_name} in the emulator's extension")
                return self.made.attributes[attribute_name]

            def is_created(self) -> bool:
                return True

        Extension.__name__ = kind.replace("::", "")
        # moto keeps only weak references to its subclasses.
        _registered.append(Extension)
        return make

    return register


_registered: list[type] = []


def lower_camel(value: Any) -> Any:
    """CloudFormation writes `DeploymentConfigName` where some services' APIs write `deploymentConfigName`."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: lower_camel(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [lower_camel(inner) for inner in value]
    return value
