"""What moto lacks of the AWS that the template describes. Each module is one corner of AWS."""


def install() -> None:
    """Registers the resource types and corrects moto. Importing a module is what registers its types."""
    from extension import alarms, balancing, custom_resources, delivery, firewall, functions, intrinsics, messaging, metrics, rules, storage, updates
    from extension import identity, operations  # noqa: F401  (they only add resource types)

    corners = (alarms, balancing, delivery, firewall, functions, intrinsics, messaging, metrics, rules, storage, updates)
    for corner in (*corners, custom_resources):
        corner.correct()
