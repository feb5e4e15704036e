"""The panel of a record shows findings beside their fields and personal values nowhere."""

from __future__ import annotations

import json

from dashboard.parts.record_panel import content_html
from stream_app.contract import load_shop
from stream_app.contract.summary import describe
from stream_app.judge.verdict import read_findings
from stream_app.views.record import content

FIELDS = ("customer_id", "email", "country", "name")
CUSTOMERS = describe(load_shop(None).contracts["customers"])


def test_findings_stand_beside_their_fields_and_personal_values_nowhere() -> None:
    found = json.dumps([{"rule": "email.format", "severity": "error", "path": "$.email", "message": "no e-mail <b>"}]).encode()
    value = b'{"customer_id":"<b>7</b>","name":"Ada Byron","email":"ada at example.org","country":"<i>France</i>"}'
    shown = str(content_html(content(value, CUSTOMERS, read_findings(found))))
    rows = {field: row for row in shown.split("<tr") for field in FIELDS if f">{field}</bdi></th>" in row}

    assert "no e-mail &lt;b&gt;" in rows["email"]
    assert 'class="found"' in rows["email"]
    assert "no e-mail" not in rows["country"]
    assert "&lt;b&gt;7&lt;/b&gt;" in rows["customer_id"]
    assert "text of 13 characters" in rows["country"], "a segment's value that the contract does not list"
    assert "France" not in shown
    assert "text of 9 characters" in rows["name"]
    assert "Ada" not in shown
    assert "example.org" not in shown
