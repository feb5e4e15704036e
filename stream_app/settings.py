"""Every setting of Headrace, read once from ``HEADRACE_*`` environment variables."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from stream_app.errors import SettingsError

#: Variables that docker-compose.yml reads itself.
_OTHERS = {"HEADRACE_REDIS_WORKER_PASSWORD", "HEADRACE_REDIS_DASHBOARD_PASSWORD"}
_SERVICE = re.compile(r"^HEADRACE_TEST_|_SERVICE_(HOST|PORT)|_PORT$|_PORT_\d+_(TCP|UDP)|_ENV_")


class Settings(BaseSettings):
    """Frozen settings; secrets are masked in ``repr`` and never logged."""

    model_config = SettingsConfigDict(
        env_prefix="HEADRACE_", frozen=True, extra="ignore", hide_input_in_errors=True, validate_by_name=True
    )

    kafka: str = Field(
        default="127.0.0.1:9092",
        description="Kafka bootstrap servers, `host:port[,host:port…]`.",
        pattern=r"^[^\s,:]+:\d{1,5}(,[^\s,:]+:\d{1,5})*$",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How to talk to Kafka."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="SASL mechanism, with a SASL_* protocol."
    )
    kafka_username: str | None = Field(default=None, description="SASL user name.")
    kafka_password: SecretStr | None = Field(default=None, description="SASL password.")
    kafka_ca_file: Path | None = Field(default=None, description="CA certificates (PEM) for SSL; default: the system's.")
    redis: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis URL, `redis://[user:password@]host:port/db` or `rediss://…`.",
    )
    redis_prefix: str = Field(default="headrace", description="First part of every Redis key.", pattern=r"^\S+$")
    shop: Path | None = Field(default=None, description="Folder of the shop's contracts; default: the built-in shop.")
    topic_prefix: str = Field(default="", description="Put before every topic name.", pattern=r"^[a-zA-Z0-9._-]*$")
    group: str = Field(default="headrace", description="Consumer group of the workers.", min_length=1)
    partitions: int = Field(default=4, ge=1, le=1000, description="Partitions of topics that Headrace creates.")
    replication: int = Field(default=1, ge=1, le=10, description="Replication factor of topics that Headrace creates.")
    max_record_bytes: int = Field(default=256 * 1024, ge=1024, le=900_000, description="A longer record is rejected unread.")
    grace: float = Field(
        default=60.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds a record waits for its reference data before it is rejected.",
    )
    give_up_after: float = Field(
        default=300.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds a failing broker or Redis is retried before the worker exits.",
    )
    exactly_once: Literal["on", "off"] = Field(
        default="off",
        description="Whether a read_committed subscriber sees every record once; needs a broker with transactions.",
    )
    baseline: Path | None = Field(
        default=None, description="File of `headrace baseline` that pins what outliers are compared with; default: learned."
    )
    dashboard_login: Path | None = Field(
        default=None,
        description="File with the dashboard's OpenID Connect settings (Streamlit's `[auth]` secrets); default: no log-in.",
    )
    dashboard_allow: str = Field(
        default="",
        description="Who may see the dashboard after logging in: e-mails and domains, `ann@example.org,@example.com`.",
    )
    source_token: SecretStr | None = Field(default=None, description="Bearer token for HTTP sources.")
    session_timeout: float = Field(
        default=10.0, ge=1, allow_inf_nan=False, description="Seconds until a dead worker's partitions move on."
    )
    monitor: Literal["on", "off"] = Field(default="on", description="Whether workers watch the windows for anomalies.")
    anomaly_window: Literal["minute", "hour", "day"] = Field(
        default="hour", description="Length of the windows that are watched for anomalies."
    )
    window_grace: float = Field(
        default=300.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds of event time after its end from which on a window is final and looked at.",
    )
    anomaly_sensitivity: str = Field(
        default="",
        pattern=r"^\s*([^\s,=]+=\d+(\.\d+)?(\s*,\s*[^\s,=]+=\d+(\.\d+)?)*)?\s*$",
        description="Factors on metrics' deviations, `volume=2, mix=0.5`; 0 switches a metric off.",
    )
    notify: SecretStr | None = Field(
        default=None, description="Where incidents are told: Apprise URLs, separated by spaces (webhook, Slack, e-mail …)."
    )
    notify_severity: Literal["warning", "error"] = Field(
        default="error", description="The least severity of incidents that people are told of."
    )
    notify_per_hour: int = Field(
        default=10, ge=1, le=1000, description="Messages an hour at the most; what is beyond comes later, summed up in one."
    )
    report_language: Literal["en", "de", "fr"] = Field(default="en", description="Language of the reports.")
    llm_model: str | None = Field(
        default=None, min_length=1, description="Model that writes the reports' prose; without it a template does."
    )
    llm_base_url: str = Field(
        default="https://api.openai.com/v1",
        pattern=r"^https?://[^\s@]+$",
        description="Endpoint of the model: any that speaks OpenAI's chat completions.",
    )
    llm_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("HEADRACE_LLM_KEY", "OPENAI_API_KEY"),
        description="API key of the endpoint; `OPENAI_API_KEY` is read where this is not set.",
    )
    llm_timeout: float = Field(
        default=60.0,
        ge=1,
        le=3_600,
        allow_inf_nan=False,
        description="Seconds a report waits for the model, retries and repair included.",
    )
    llm_daily_tokens: int = Field(
        default=500_000, ge=0, description="Tokens a day (UTC) that all reporters may spend together."
    )
    llm_daily_cost: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Cost a day (UTC) that all reporters may spend together."
    )
    llm_price_input: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Price of a million input tokens, in the unit of the daily cost."
    )
    llm_price_output: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Price of a million output tokens, in the unit of the daily cost."
    )

    @field_validator("redis")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("a Redis URL starts with redis://, rediss:// or unix://")
        try:
            _ = urlsplit(url).port
        except ValueError:
            raise ValueError("the port of the Redis URL is no number from 1 to 65535") from None
        return value

    @field_validator("source_token")
    @classmethod
    def _sendable(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value() if value is not None else ""
        if not all("!" <= letter <= "~" for letter in token):
            raise ValueError("a token is ASCII without white space; is there a line break at its end?")
        return value if token else None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL") and not (self.kafka_username and self.kafka_password):
            raise ValueError(
                "HEADRACE_KAFKA_SECURITY_PROTOCOL asks for SASL: set HEADRACE_KAFKA_USERNAME and HEADRACE_KAFKA_PASSWORD"
            )
        return self


def load_settings(**overrides: Any) -> Settings:
    """Read the environment; ``overrides`` win (``None`` means not given).

    Raises:
        SettingsError: names each variable that cannot be used, and why; never its value.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        problems = []
        for problem in error.errors(include_input=False, include_url=False, include_context=False):
            said = problem["msg"].removeprefix("Value error, ")
            name = "_".join(str(part) for part in problem["loc"])
            field = Settings.model_fields.get(name.lower())
            if problem["type"] == "string_pattern_mismatch" and field is not None:
                # An expression is no help to whom it refuses; what the setting is, is.
                said = f"not of the form that it needs. It is: {field.description}"
            problems.append(f"HEADRACE_{name.upper()}: {said}" if name else said)
        raise SettingsError("; ".join(problems)) from None


def unknown_settings(environment: Mapping[str, str] | None = None) -> list[str]:
    """A line for each ``HEADRACE_*`` variable that is no setting, with the setting that may be meant.

    Names that Docker and Kubernetes give to services, and those of the tests, are left alone.
    """
    known = {f"HEADRACE_{name.upper()}" for name in Settings.model_fields} | _OTHERS
    lines = []
    for name in sorted(os.environ if environment is None else environment):
        if name.startswith("HEADRACE_") and name not in known and not _SERVICE.search(name):
            near = difflib.get_close_matches(name, known, 1, 0.8)
            lines.append(f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else "; docs/settings.md lists them"))
    return lines
