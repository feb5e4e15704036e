"""A small shop that is right, to put one mistake into, and what is said of the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_app.contract import load_shop
from stream_app.errors import DocumentError

PARENT = """\
apiVersion: v3.1.0
kind: DataContract
id: test-customers
version: 1.0.0
status: active
schema:
  - name: customers
    customProperties:
      - property: recordKey
        value: customer_id
    properties:
      - name: customer_id
        logicalType: integer
        required: true
      - name: name
        logicalType: string
"""
THINGS = """\
apiVersion: v3.1.0
kind: DataContract
id: test-things
version: 1.0.0
status: active
schema:
  - name: things
    customProperties:
      - property: recordKey
        value: id
      - property: eventTime
        value: at
      - property: unknownFields
        value: warning
    properties:
      - name: id
        logicalType: integer
        required: true
        logicalTypeOptions:
          minimum: 1
        relationships:
          - type: foreignKey
            to: customers.customer_id
      - name: code
        logicalType: string
        required: true
        logicalTypeOptions:
          pattern: "^[A-Z]+$"
          maxLength: 20
        customProperties:
          - property: clean
            value: [strip]
        quality:
          - id: code_known
            type: library
            metric: invalidValues
            dimension: accuracy
            severity: error
            arguments:
              validValues: [A, B]
            mustBe: 0
      - name: note
        logicalType: string
      - name: at
        logicalType: timestamp
        logicalTypeOptions:
          minimum: "2000-01-01T00:00:00Z"
    quality:
      - id: positive
        type: custom
        engine: headrace
        implementation:
          condition: id > 0
        dimension: accuracy
        severity: error
"""


def write_shop(folder: Path, things: str = THINGS) -> Path:
    """Write the two contracts of the small shop."""
    (folder / "customers.odcs.yaml").write_text(PARENT, encoding="utf-8")
    (folder / "things.odcs.yaml").write_text(things, encoding="utf-8")
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        load_shop(folder)
    return str(caught.value)


def refusal_of(folder: Path, old: str, new: str, marker: str | None = None, text: str = THINGS) -> str:
    """The message when ``old`` becomes ``new``; it must name the file and the line on which ``marker`` stands."""
    file = folder / "things.odcs.yaml"
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
    text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    message = refusal(folder)
    start = text.index(new if marker is None else marker, text.index(new[:8]) if marker is None else 0)
    line = text.count("\n", 0, start) + 1
    assert message.startswith(f"{file}:{line}: "), f"expected line {line}: {message}"
    assert "\n" not in message
    return message
