"""What moto lacks of the AWS that the template describes. Each module is one corner of AWS."""


def install() -> None:
    """Registers the resource types and corrects moto. Importing a module is what registers its types."""
    from extension import alarms, balancing, delivery, firewall, functions, intrinsics, messaging, metrics, rules, storage
    from extension import identity, operations  # noqa: F401  (they only add resource types)

    for corner in (alarms, balancing, delivery, firewall, functions, intrinsics, messaging, metrics, rules, storage):
        corner.correct()
