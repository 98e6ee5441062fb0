"""WAFv2: IP sets, web ACLs, their association with a load balancer, and their logs."""

from ipaddress import ip_network
from typing import Any
from uuid import uuid4

from moto.wafv2.exceptions import WAFv2ClientError
from moto.wafv2.models import FakeIPSet, WAFV2Backend

from extension.resource import Made, Place, resource

MOST_ENTRIES = 10_000


def correct() -> None:
    """UpdateIPSet refuses what AWS refuses; moto takes anything. A lock token is as long as AWS's."""
    FakeIPSet.lock_token = property(lambda self: self.whole_token, _renew_token)
    inherited = WAFV2Backend.update_ip_set

    def update_ip_set(
        self: Any, name: str, scope: str, _id: str, description: str | None, addresses: list[str], lock_token: str
    ) -> Any:
        for arn, known in self.ip_sets.items():
            if arn.endswith(f"/ipset/{name}/{_id}"):
                _check(addresses, known.ip_address_version)
        return inherited(self, name, scope, _id, description, addresses, lock_token)

    WAFV2Backend.update_ip_set = update_ip_set


def _renew_token(ip_set: Any, _short: str) -> None:
    ip_set.whole_token = str(uuid4())


def _check(addresses: list[str], version: str) -> None:
    if len(addresses) > MOST_ENTRIES:
        raise WAFv2ClientError("WAFLimitsExceededException", f"An IP set holds {MOST_ENTRIES} entries at most.")
    for address in addresses:
        try:
            network = ip_network(address, strict=False)
        except ValueError as error:
            raise WAFv2ClientError("WAFInvalidParameterException", f"Error reason: {error}, field: IP_ADDRESS") from None
        if f"IPV{network.version}" != version or network.prefixlen == 0 or "/" not in address:
            raise WAFv2ClientError(
                "WAFInvalidParameterException", f"Error reason: {address} is no {version} network, field: IP_ADDRESS"
            )


@resource("AWS::WAFv2::IPSet")
def ip_set(properties: dict[str, Any], place: Place) -> Made:
    summary = place.client("wafv2").create_ip_set(
        Name=properties.get("Name", place.name),
        Scope=properties["Scope"],
        IPAddressVersion=properties["IPAddressVersion"],
        Addresses=properties.get("Addresses", []),
    )["Summary"]
    return Made(f"{summary['Name']}|{summary['Id']}|{properties['Scope']}", {"Arn": summary["ARN"], "Id": summary["Id"]})


@resource("AWS::WAFv2::WebACL")
def web_acl(properties: dict[str, Any], place: Place) -> Made:
    request = {"Name": place.name, **_api_names(properties)}
    summary = place.client("wafv2").create_web_acl(**request)["Summary"]
    return Made(
        f"{summary['Name']}|{summary['Id']}|{properties['Scope']}", {"Arn": summary["ARN"], "Id": summary["Id"]}
    )


def _api_names(value: Any) -> Any:
    """CloudFormation writes `Arn` where WAFv2's API writes `ARN`."""
    if isinstance(value, dict):
        return {("ARN" if key == "Arn" else key): _api_names(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_api_names(inner) for inner in value]
    return value


@resource("AWS::WAFv2::WebACLAssociation")
def association(properties: dict[str, Any], place: Place) -> Made:
    place.client("wafv2").associate_web_acl(**properties)
    return Made(f"{properties['WebACLArn']}|{properties['ResourceArn']}", {})


@resource("AWS::WAFv2::LoggingConfiguration")
def logging_configuration(properties: dict[str, Any], place: Place) -> Made:
    place.client("wafv2").put_logging_configuration(LoggingConfiguration=properties)
    return Made(properties["ResourceArn"], {})
