from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from incident_manager.actors.commands import SubmitAlert, UpdateIncident
from incident_manager.actors.vocabulary import Severity
from incident_manager.http.rest import shapes
from incident_manager.http.rest.forms import Form
from incident_manager.http.rest.operation import Many, Operation, Other
from incident_manager.http.rest.problems import InvalidFields
from incident_manager.http.rest.schemas import body_schemas, components

ALERT = Form(
    "Alert",
    SubmitAlert("-", "-", "-", Severity.P4),
    required=("source", "severity"),
    optional=("title", "labels", "affected_services", "timestamp"),
    besides={"more": {"type": "integer"}},
)


def test_a_body_has_the_limits_of_its_command() -> None:
    schema = body_schemas(ALERT)["Alert"]
    assert schema["required"] == ["source", "severity"]
    assert schema["properties"]["source"] == {"type": "string", "minLength": 1, "maxLength": 255}
    assert schema["properties"]["labels"] == {
        "type": ["object", "null"],
        "maxProperties": 64,
        "propertyNames": {"type": "string", "minLength": 1, "maxLength": 128},
        "additionalProperties": {"type": "string", "maxLength": 1024},
    }
    assert schema["properties"]["more"] == {"type": "integer"}
    assert schema["properties"]["timestamp"]["format"] == "date-time"


VALUES: Any = st.one_of(
    st.none(),
    st.sampled_from(["P0", "P9", "", "a" * 300, "1970-01-01T00:00:00Z"]),
    st.lists(st.sampled_from(["", "a", 1]), max_size=3),
    st.dictionaries(st.sampled_from(["", "k", "k" * 129]), st.sampled_from(["", "v", 1])),
)


@given(st.fixed_dictionaries({}, optional={m.name: VALUES for m in ALERT.members}))
def test_a_body_that_is_read_is_one_of_its_schema(body: dict[str, Any]) -> None:
    validator = Draft202012Validator(body_schemas(ALERT)["Alert"])
    try:
        ALERT.read(body)
    except InvalidFields:
        return
    assert validator.is_valid(body), body


@pytest.mark.parametrize("required", [True, False])
def test_what_need_not_be_given_may_be_null(required: bool) -> None:
    names = ("severity", "title", "labels")
    form = Form("F", UpdateIncident("-"), **{"required" if required else "optional": names})
    for schema in body_schemas(form)["F"]["properties"].values():
        assert Draft202012Validator(schema).is_valid(None) is not required


def test_many_bodies_and_those_of_others() -> None:
    found = body_schemas(Many("Alerts", "alerts", ALERT, 7))
    assert list(found) == ["Alerts", "Alert"]
    assert found["Alerts"]["properties"]["alerts"] == {
        "type": "array",
        "minItems": 1,
        "maxItems": 7,
        "items": {"$ref": "#/components/schemas/Alert"},
    }
    assert body_schemas(Other("Foreign", {"type": "array"})) == {"Foreign": {"type": "array"}}


def test_answers_come_with_what_is_in_them_in_its_order() -> None:
    found = components([Operation((shapes.Acks,), bodies=(ALERT,))], [shapes.Problem])
    assert list(found) == [
        "Ack",
        "AckStatus",
        "Acks",
        "Alert",
        "ErrorCode",
        "FieldError",
        "Problem",
    ]
    assert list(found["Ack"]["properties"]) == list(shapes.Ack.__annotations__)
    assert "oldest" not in found["Problem"]["required"]
