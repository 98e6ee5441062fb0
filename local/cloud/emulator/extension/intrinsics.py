"""CloudFormation's functions and attributes that moto's parser lacks, and no silence about unknown types."""

import ipaddress
from typing import Any

import moto.cloudformation.models  # noqa: F401  (the parser's model list is complete only after this)
import moto.cloudformation.parsing as parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Stack
from moto.elbv2.models import FakeListener, FakeListenerRule, FakeLoadBalancer, FakeTargetGroup


def correct() -> None:
    _functions()
    _attributes()
    _unknown_types()
    _nested_parameters()
    _defaults_of_lists()
    _rule_priorities()


def _functions() -> None:
    original = parsing.clean_json

    def clean_json(value: Any, resources: Any) -> Any:
        if isinstance(value, list):
            # moto leaves AWS::NoValue out of maps only.
            items = [parsing.clean_json(item, resources) for item in value]
            return [item for item in items if item is not None]
        if isinstance(value, dict) and "Fn::Cidr" in value:
            block, count, bits = (original(part, resources) for part in value["Fn::Cidr"])
            subnets = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
            return [str(subnet) for subnet, _ in zip(subnets, range(int(count)))]
        if isinstance(value, dict) and list(value) == ["Fn::GetAZs"] and not original(value["Fn::GetAZs"], resources):
            return [resources["AWS::Region"] + letter for letter in "abc"]
        return original(value, resources)

    # moto's recursive calls resolve through the module, so this one is met at every depth.
    parsing.clean_json = clean_json


def _attributes() -> None:
    def attributes(of: type, answers: dict[str, Any]) -> None:
        inherited = getattr(of, "get_cfn_attribute", None)

        def get(self: Any, name: str) -> Any:
            if name in answers:
                return answers[name](self)
            if inherited is None:
                raise ValidationError(message=f"The emulator has no attribute {name} for {of.__name__}.")
            return inherited(self, name)

        of.get_cfn_attribute = get
        of.has_cfn_attr = classmethod(lambda cls, name: True)

    attributes(
        FakeTargetGroup,
        {
            "TargetGroupFullName": lambda group: group.arn.split(":")[-1],
            "TargetGroupName": lambda group: group.name,
            "TargetGroupArn": lambda group: group.arn,
        },
    )
    attributes(
        FakeLoadBalancer,
        {
            "LoadBalancerFullName": lambda balancer: balancer.arn.split("loadbalancer/")[1],
            "LoadBalancerArn": lambda balancer: balancer.arn,
            "CanonicalHostedZoneID": lambda balancer: balancer.canonical_hosted_zone_id,
        },
    )
    attributes(FakeListener, {"ListenerArn": lambda listener: listener.arn})
    attributes(FakeListenerRule, {"RuleArn": lambda rule: rule.arn})

    def output(self: Stack, name: str) -> str:
        found = self.output_map.get(name.removeprefix("Outputs."))
        if found is None:
            raise ValidationError(message=f"Stack {self.name} has no {name}.")
        return found.value

    Stack.get_cfn_attribute = output


def _unknown_types() -> None:
    original = parsing.resource_class_from_type

    def resource_class_from_type(kind: str) -> Any:
        found = original(kind)
        if found is None and kind not in parsing.NULL_MODELS:
            raise ValidationError(message=f"The emulator has no resource type {kind}: add it to local/cloud/emulator/extension.")
        return found

    parsing.resource_class_from_type = resource_class_from_type


def _nested_parameters() -> None:
    """CloudFormation hands a nested stack texts only; moto hands it lists too."""
    original = Stack.create_from_cloudformation_json.__func__

    def create(cls: Any, name: str, description: Any, account: str, region: str, **more: Any) -> Stack:
        for parameter, value in description["Properties"].get("Parameters", {}).items():
            if isinstance(value, (list, dict)):
                raise ValidationError(
                    message="Value of property Parameters must be an object with String (or simple type) properties: "
                    f"{parameter} of {name}"
                )
        return original(cls, name, description, account, region, **more)

    Stack.create_from_cloudformation_json = classmethod(create)


def _defaults_of_lists() -> None:
    """A list that is not given is a list all the same; moto leaves its default a text."""
    original = parsing.ResourceMap.load_parameters

    def load_parameters(self: Any) -> None:
        original(self)
        for name, described in self._template.get("Parameters", {}).items():
            value = self.resolved_parameters.get(name)
            if described["Type"] == "CommaDelimitedList" and isinstance(value, str):
                self.resolved_parameters[name] = self._parsed_resources[name] = value.split(",")

    parsing.ResourceMap.load_parameters = load_parameters


def _rule_priorities() -> None:
    """A priority from the template may be text; moto compares priorities without converting them."""
    original = FakeListenerRule.create_from_cloudformation_json.__func__

    def create(cls: Any, name: str, description: Any, account: str, region: str, **more: Any) -> Any:
        properties = description["Properties"]
        properties["Priority"] = int(properties["Priority"])
        return original(cls, name, description, account, region, **more)

    FakeListenerRule.create_from_cloudformation_json = classmethod(create)
