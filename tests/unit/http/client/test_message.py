from typing import Any, TypedDict

import attrs
import msgspec
import pytest

from incident_manager.http.client.message import Message


class Incident(TypedDict):
    title: str


class Data(TypedDict):
    newIncidents: Incident


@attrs.frozen
class Whole:
    newIncidents: dict[str, Any]  # noqa: N815


def test_data_become_a_type() -> None:
    message = Message({"newIncidents": {"title": "x"}})
    assert message.into(Data)["newIncidents"]["title"] == "x"
    assert message.into(Whole) == Whole({"title": "x"})


def test_data_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.newIncidents\.title"):
        Message({"newIncidents": {"title": 7}}).into(Data)
