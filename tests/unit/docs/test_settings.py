"""Settings: what cannot be used is refused by the name of its variable, and no value is ever repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from headrace.cli.main import cli
from stream_app.errors import HeadraceError, SettingsError
from stream_app.monitor.tuning import Tuning
from stream_app.settings import Settings, load_settings

PREFIX = "HEADRACE_"


def refusal(**overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(**overrides)
    return str(caught.value)


def test_the_defaults_are_a_laptops() -> None:
    settings = load_settings()
    assert settings.kafka == "127.0.0.1:9092"
    assert settings.redis.get_secret_value() == "redis://127.0.0.1:6379/0"
    assert settings.shop is None
    assert settings.topic_prefix == ""


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KAFKA", "broker-without-port"),
        ("KAFKA", "https://broker.example:9092/x"),
        ("KAFKA", "broker:9092;other:9092"),
        ("KAFKA", "broker:9092,"),
        ("KAFKA_SECURITY_PROTOCOL", "TLSv9"),
        ("KAFKA_SASL_MECHANISM", "KERBEROS-9"),
        ("REDIS", "cache.example:6399"),
        ("REDIS", "https://cache.example:6399"),
        ("REDIS", "redis://cache.example:sixty"),
        ("REDIS", "redis://cache.example:70001"),
        ("SOURCE_TOKEN", "t\xf6ken-of-the-api"),
        ("SOURCE_TOKEN", "token-of-the-api\n"),
        ("REDIS_PREFIX", "two words"),
        ("REDIS_PREFIX", ""),
        ("TOPIC_PREFIX", "shop/one"),
        ("GROUP", ""),
        ("EXACTLY_ONCE", "perhaps"),
        ("MONITOR", ""),
        ("PARTITIONS", "four"),
        ("PARTITIONS", "0"),
        ("PARTITIONS", "4.75"),
        ("PARTITIONS", "98765"),
        ("REPLICATION", "-77"),
        ("MAX_RECORD_BYTES", "987654321"),
        ("MAX_RECORD_BYTES", "12"),
        ("GRACE", "-77"),
        ("GRACE", "soonish"),
        ("GRACE", "nan"),
        ("GRACE", "inf"),
        ("GIVE_UP_AFTER", "nan"),
        ("SESSION_TIMEOUT", "0.03125"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name_only(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(PREFIX + variable, value)
    message = refusal()
    assert message.startswith(f"{PREFIX}{variable}: ")
    assert len(value) < 2 or value not in message


def test_every_bad_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PARTITIONS", "many")
    monkeypatch.setenv("HEADRACE_GRACE", "long")
    message = refusal()
    assert "HEADRACE_PARTITIONS: " in message
    assert "HEADRACE_GRACE: " in message


def test_a_bad_override_is_refused_by_the_variables_name() -> None:
    assert refusal(partitions=98_765).startswith("HEADRACE_PARTITIONS: ")
    assert "98" not in refusal(partitions=98_765)


@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_sasl_needs_a_user_and_a_password(monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    monkeypatch.setenv("HEADRACE_KAFKA_SECURITY_PROTOCOL", protocol)
    monkeypatch.setenv("HEADRACE_KAFKA_USERNAME", "visible-user")
    message = refusal()
    assert "HEADRACE_KAFKA_PASSWORD" in message
    assert "visible-user" not in message
    monkeypatch.setenv("HEADRACE_KAFKA_PASSWORD", "open-sesame")
    assert load_settings().kafka_username == "visible-user"


def test_secrets_are_masked_wherever_settings_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_KAFKA_PASSWORD", "open-sesame")
    monkeypatch.setenv("HEADRACE_SOURCE_TOKEN", "token-sesame")
    monkeypatch.setenv("HEADRACE_REDIS", "redis://user:redis-sesame@cache.example:6379/0")
    settings = load_settings()
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {vars(settings)}"
    assert "sesame" not in shown
    assert settings.redis.get_secret_value().endswith("sesame@cache.example:6379/0")


def test_a_bad_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_REDIS", "user:redis-sesame@cache.example")
    message = refusal()
    assert message.startswith("HEADRACE_REDIS: ")
    assert "redis://" in message
    assert "sesame" not in message


def test_an_override_wins_over_the_environment_unless_it_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PARTITIONS", "7")
    assert load_settings(partitions=3).partitions == 3
    assert load_settings(partitions=None).partitions == 7


@pytest.mark.parametrize("text", ["on", "ON", "true", "True", "1"])
def test_a_switch_is_on(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("HEADRACE_EXACTLY_ONCE", text)
    assert load_settings().exactly_once is True


@pytest.mark.parametrize("text", ["off", "Off", "false", "0"])
def test_a_switch_is_off(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("HEADRACE_MONITOR", text)
    assert load_settings().monitor is False


def test_settings_do_not_change_once_read() -> None:
    settings = load_settings(shop=Path("somewhere"))
    with pytest.raises(ValidationError):
        settings.partitions = 9


def test_a_variable_that_is_none_of_ours_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_TEST_KAFKA", "anything")
    monkeypatch.setenv("KAFKA", "anything")
    assert load_settings().kafka == "127.0.0.1:9092"


def test_a_value_of_an_invalid_format_is_refused_with_the_description(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_KAFKA", "broker-without-port")
    monkeypatch.setenv("HEADRACE_REDIS", "cache.example:6399")
    said = refusal()
    assert "HEADRACE_KAFKA: has an invalid format. Expected: Kafka bootstrap servers, `host:port" in said
    assert "HEADRACE_REDIS: a Redis URL starts with redis://" in said


def test_an_empty_token_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_SOURCE_TOKEN", "")
    assert load_settings().source_token is None


def test_every_command_names_unknown_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_NOTFY", "anything")
    monkeypatch.setenv("HEADRACE_WHATEVER_ELSE", "anything")
    monkeypatch.setenv("HEADRACE_KAFKA_PORT_9092_TCP", "tcp://10.0.0.1:9092")
    monkeypatch.setenv("HEADRACE_KAFKA_SERVICE_HOST", "10.0.0.1")
    done = CliRunner().invoke(cli, ["contract", "--format", "rules"])
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "headrace: unknown setting HEADRACE_NOTFY; did you mean HEADRACE_NOTIFY?",
        "headrace: unknown setting HEADRACE_WHATEVER_ELSE; docs/settings.md lists all",
    ]


def test_a_metric_that_is_not_watched_is_refused() -> None:
    assert Tuning.of("volume=2, finding:price_zero=0, mix=0.5").factor("finding:price_zero") == 0
    with pytest.raises(SettingsError, match="HEADRACE_ANOMALY_SENSITIVITY: unknown metric volumes"):
        Tuning.of("mix=1, volumes=0")


def test_a_settings_error_is_ours_and_every_setting_is_described() -> None:
    assert issubclass(SettingsError, HeadraceError)
    assert all(field.description for field in Settings.model_fields.values())
