"""Updates of stacks as CloudFormation does them, nested ones with those that nest them."""

from typing import Any

from moto.cloudformation.models import Stack, get_stack_from_s3_url
from moto.cloudformation.parsing import ResourceMap
from moto.utilities.utils import get_partition


def correct() -> None:
    _conditions()
    _nested_stacks()


def _conditions() -> None:
    """What a condition left out is not updated. An update that changes the condition itself is not played."""
    original = ResourceMap.build_resource_diff

    def build_resource_diff(self: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        def is_there(name: str) -> bool:
            condition = template["Resources"][name].get("Condition")
            return condition is None or bool(self.lazy_condition_map[condition])

        by_action = original(self, template, parameters)
        return {**by_action, "Modify": [name for name in by_action["Modify"] if is_there(name)]}

    ResourceMap.build_resource_diff = build_resource_diff


def _nested_stacks() -> None:
    """moto deletes a nested stack and makes another."""

    def update(
        cls: Any, original_resource: Stack, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Stack:
        properties, resources = cloudformation_json["Properties"], original_resource.resource_map
        template = get_stack_from_s3_url(properties["TemplateURL"], account_id=account_id, partition=get_partition(region_name))
        before = resources.input_parameters
        try:
            original_resource.update(template, parameters=properties.get("Parameters", {}))
        except Exception:
            # It rolls back, and what it refused once it refuses again.
            resources.input_parameters = before
            resources.load_parameters()
            raise
        return original_resource

    Stack.update_from_cloudformation_json = classmethod(update)
