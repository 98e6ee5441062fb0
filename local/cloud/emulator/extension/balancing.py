"""Elastic Load Balancing: moto ignores the attributes that a template gives a load balancer."""

from typing import Any

from moto.elbv2.models import FakeLoadBalancer


def correct() -> None:
    """A load balancer has the attributes of its template."""
    inherited = FakeLoadBalancer.create_from_cloudformation_json.__func__

    def create_from_cloudformation_json(
        cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> FakeLoadBalancer:
        made = inherited(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        for attribute in cloudformation_json["Properties"].get("LoadBalancerAttributes", []):
            made.attrs[attribute["Key"]] = attribute["Value"]
        return made

    FakeLoadBalancer.create_from_cloudformation_json = classmethod(create_from_cloudformation_json)
