import json

from incident_manager.actors.ports import extend


def test_members_are_added_to_the_extensions_of_a_payload() -> None:
    payload = b'{"data":{"a":1},"extensions":{"cursor":"e:1"}}'
    assert json.loads(extend(payload, b'"recovered":true')) == {
        "data": {"a": 1},
        "extensions": {"cursor": "e:1", "recovered": True},
    }
