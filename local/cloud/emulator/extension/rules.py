"""Listener rules: the quota that moto does not know."""

from typing import Any

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend

# Rules per Application Load Balancer, default rules not counted (Elastic Load Balancing quotas).
RULES_PER_LOAD_BALANCER = 100


class TooManyRulesError(ELBClientError):
    def __init__(self) -> None:
        super().__init__("TooManyRules", "The maximum number of rules on this load balancer has been reached")


def correct() -> None:
    inherited = ELBv2Backend.create_rule

    def create_rule(self: Any, listener_arn: str, *arguments: Any, **named: Any) -> Any:
        for listener in self.describe_listeners(None, [listener_arn]):
            listeners = self.describe_listeners(listener.load_balancer_arn, None)
            count = sum(not rule.is_default for one in listeners for rule in one.rules.values())
            if count >= RULES_PER_LOAD_BALANCER:
                raise TooManyRulesError()
        return inherited(self, listener_arn, *arguments, **named)

    ELBv2Backend.create_rule = create_rule
