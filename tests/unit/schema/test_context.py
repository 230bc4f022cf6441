"""The context of an execution: services of its own caller, loaders of its own."""

from incident_manager.schema.context import new_context
from unit.schema.desk import Desk


async def test_no_two_executions_share_loaders(desk: Desk) -> None:
    one, two = new_context(desk), new_context(desk)
    assert one.services is two.services is desk
    assert one.loaders is not two.loaders
