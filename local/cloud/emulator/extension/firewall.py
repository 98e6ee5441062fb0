"""WAFv2: IP sets, web ACLs, their association with a load balancer, and their logs."""

from typing import Any

from extension.resource import Made, Place, resource


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
