"""What a sender means by an alert's type and by its own name for what fires."""

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.vocabulary import AlertType, IncidentType

__all__ = ["classify", "source_key"]


def classify(
    alert_type: str | None, incident_type: IncidentType | None = None
) -> tuple[AlertType, IncidentType]:
    """The alert type and the incident type that a sender means (contract, section 2).

    ``alert_type`` is an AlertType, or an IncidentType (then the alert type is EVENT), in any
    case; a given ``incident_type`` wins. The defaults are EVENT and UNKNOWN. Raises
    :class:`Refused` with BAD_USER_INPUT for any other word.
    """
    if alert_type is None:
        return AlertType.EVENT, incident_type or IncidentType.UNKNOWN
    word = alert_type.upper()
    if word in AlertType.__members__:
        return AlertType[word], incident_type or IncidentType.UNKNOWN
    if word in IncidentType.__members__:
        return AlertType.EVENT, incident_type or IncidentType[word]
    names = ", ".join((*AlertType.__members__, *IncidentType.__members__))
    raise Refused(
        ErrorCode.BAD_USER_INPUT,
        f"alertType is {alert_type[:40]!r}; it must be one of {names}",
        "alertType",
    )


def source_key(source: str, external_id: str | None) -> str | None:
    """The source key of an alert with an external id; two sources never share one."""
    # With the length no two pairs read alike: "a" + "b:c" is not "a:b" + "c".
    return None if external_id is None else f"{len(source)}:{source}:{external_id}"
