"""What the integration guide repeats of the code is what the code says."""

import re

from incident_manager.actors.vocabulary import Severity
from incident_manager.http.ingest.severities import DEFAULTS, UNLABELLED
from system.docs.blocks import ROOT

GUIDE = (ROOT / "docs" / "integration-guide.md").read_text()
ROW = re.compile(r"^\| (?P<words>`[^|]+) \| (?P<severity>P\d) \|$", re.MULTILINE)


def test_severities() -> None:
    shown = {
        word: Severity(row["severity"])
        for row in ROW.finditer(GUIDE)
        for word in re.findall(r"`(\w+)`", row["words"])
    }
    assert shown == DEFAULTS
    [unknown] = [row for row in ROW.finditer(GUIDE) if "unknown word" in row["words"]]
    assert Severity(unknown["severity"]) is UNLABELLED
