"""CodeDeploy's applications and groups. Deployments are the local cloud's own: moto has none that move."""

from typing import Any

from moto.codedeploy.models import DeploymentGroup

from extension.resource import Made, Place, lower_camel, resource


def correct() -> None:
    """GetDeploymentGroup answers Auto Scaling groups as objects with a name and the hook that CodeDeploy put there."""
    inherited = DeploymentGroup.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        inherited(self, *args, **kwargs)
        hook = f"CodeDeploy-managed-automatic-launch-deployment-hook-{self.deployment_group_name}"
        self.auto_scaling_groups = [{"name": name, "hook": hook} for name in self.auto_scaling_groups]

    DeploymentGroup.__init__ = init


@resource("AWS::CodeDeploy::Application")
def application(properties: dict[str, Any], place: Place) -> Made:
    request = lower_camel({"ApplicationName": place.name, **properties})
    place.client("codedeploy").create_application(**request)
    return Made(request["applicationName"], {})


@resource("AWS::CodeDeploy::DeploymentGroup")
def deployment_group(properties: dict[str, Any], place: Place) -> Made:
    request = lower_camel({"DeploymentGroupName": place.name, **properties})
    place.client("codedeploy").create_deployment_group(**request)
    return Made(request["deploymentGroupName"], {})
