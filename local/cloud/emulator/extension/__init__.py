"""What moto lacks of the AWS that the template describes. Each module is one corner of AWS."""


def install() -> None:
    """Registers the resource types and corrects moto. Importing a module is what registers its types."""
    from extension import alarms, delivery, firewall, functions, identity, intrinsics, messaging, operations, storage

    for corner in (alarms, delivery, functions, intrinsics, storage):
        corner.correct()
    # The others only add resource types.
    assert firewall and identity and messaging and operations
