"""docker-compose.yml and the Dockerfile agree with the code, and no port can be reached from another machine."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from headrace.cli.main import COMMANDS
from stream_app.settings import Settings
from tests.support.compose import OURS, compose_file
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return compose_file()


def test_it_starts_kafka_redis_and_the_parts_of_headrace_the_simulator_only_when_asked(compose: dict[str, Any]) -> None:
    profiles = {name: service.get("profiles", []) for name, service in compose["services"].items()}
    assert profiles == {
        "kafka": [], "redis": [], "worker": [], "reporter": [], "dashboard": [], "simulator": ["simulator"],
    }  # fmt: skip


def test_every_port_is_bound_to_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_its_commands_and_settings_are_headraces(compose: dict[str, Any]) -> None:
    for name in OURS:
        service = compose["services"][name]
        assert service["command"].split()[0] in COMMANDS
        for variable in service["environment"]:
            assert variable.removeprefix("HEADRACE_").lower() in Settings.model_fields, variable


def test_the_image_holds_every_package_of_the_project() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    for name in packages:
        assert f"\nCOPY {name} {name}\n" in dockerfile
        assert f"\n!{name}\n" in ignored
