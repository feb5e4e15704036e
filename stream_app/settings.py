"""All settings of Headrace, read once from ``HEADRACE_*`` environment variables."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from stream_app.errors import SettingsError
from stream_app.redis_url import check_redis_url

#: Variables that only docker-compose.yml reads.
_COMPOSE = {"HEADRACE_REDIS_WORKER_PASSWORD", "HEADRACE_REDIS_DASHBOARD_PASSWORD"}
#: Variables of the tests, and those that Docker and Kubernetes set for a service.
_SERVICE = re.compile(r"^HEADRACE_TEST_|_SERVICE_(HOST|PORT)|_PORT$|_PORT_\d+_(TCP|UDP)|_ENV_")


class Settings(BaseSettings):
    """Settings of one process. They are frozen; ``repr`` masks secrets."""

    model_config = SettingsConfigDict(
        env_prefix="HEADRACE_", frozen=True, extra="ignore", hide_input_in_errors=True, validate_by_name=True
    )

    kafka: str = Field(
        default="127.0.0.1:9092",
        description="Kafka bootstrap servers, `host:port[,host:port…]`.",
        pattern=r"^[^\s,:]+:\d{1,5}(,[^\s,:]+:\d{1,5})*$",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="Security protocol of the Kafka listener."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="SASL mechanism, for a SASL_* protocol."
    )
    kafka_username: str | None = Field(default=None, description="SASL user name.")
    kafka_password: SecretStr | None = Field(default=None, description="SASL password.")
    kafka_ca_file: Path | None = Field(default=None, description="CA certificates (PEM) for SSL; default: the system's.")
    redis: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis URL, `redis://[user:password@]host:port/db` or `rediss://…`; with Sentinels "
        "`redis+sentinel://[user:password@]host:port[,host:port…]/service[/db]`.",
    )
    redis_prefix: str = Field(default="headrace", description="Prefix of every Redis key, without the colon.", pattern=r"^\S+$")
    shop: Path | None = Field(default=None, description="Folder of the shop's contracts; default: the built-in shop.")
    shop_name: str = Field(
        default="",
        max_length=80,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="Name of the shop, at most 80 characters, in the titles of pages, prints and reports.",
    )
    timezone: str = Field(
        default="UTC",
        description="Time zone of pages and reports, such as `Europe/Berlin`: their days and times are those of its clocks.",
    )
    topic_prefix: str = Field(default="", description="Prefix of every topic name.", pattern=r"^[a-zA-Z0-9._-]*$")
    group: str = Field(default="headrace", description="Consumer group of the workers.", min_length=1)
    partitions: int = Field(default=4, ge=1, le=1000, description="Partitions of topics that Headrace creates.")
    replication: int = Field(default=1, ge=1, le=10, description="Replication factor of topics that Headrace creates.")
    max_record_bytes: int = Field(
        default=256 * 1024, ge=1024, le=900_000, description="Bytes; a longer record is rejected unread."
    )
    max_batch_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024 * 1024,
        le=1024 * 1024 * 1024,
        description="Bytes to which a compressed batch of records is decompressed; a larger one is not read.",
    )
    unreadable_batches: Literal["stop", "skip"] = Field(
        default="stop",
        description="What a worker does at a batch that it cannot read: `stop` stops that partition; `skip` keeps the bytes in "
        "the dead-letter topic and goes on.",
    )
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
        description="Seconds that a worker retries while Kafka or Redis is unavailable, before it exits.",
    )
    exactly_once: bool = Field(
        default=False,
        description="`on`: deliver in transactions, so that a read_committed consumer sees every record once; "
        "needs a broker with transactions.",
    )
    rebuild: bool = Field(
        default=True,
        description="`on`: an empty or foreign store in Redis is rebuilt from the topics; `off`: the worker exits instead.",
    )
    baseline: Path | None = Field(
        default=None, description="File of `headrace baseline` that outliers are compared with; default: a learned baseline."
    )
    dashboard_login: Path | None = Field(
        default=None,
        description="File with the dashboard's OpenID Connect settings (Streamlit's `[auth]` secrets); default: no log-in.",
    )
    dashboard_allow: str = Field(
        default="",
        description="Users who may see the dashboard after logging in: e-mails and domains, `ann@example.org,@example.com`.",
    )
    dashboard_write: bool = Field(
        default=False,
        description="`on`: users who have logged in may act on incidents on pages; needs HEADRACE_DASHBOARD_LOGIN.",
    )
    source_token: SecretStr | None = Field(default=None, description="Bearer token for HTTP sources.")
    session_timeout: float = Field(
        default=10.0, ge=1, allow_inf_nan=False, description="Seconds until a dead worker's partitions move to another worker."
    )
    monitor: bool = Field(default=True, description="`on`: workers watch the windows for anomalies; `off`: they do not.")
    anomaly_window: Literal["minute", "hour", "day"] = Field(
        default="hour", description="Length of the windows that workers watch for anomalies."
    )
    window_grace: float = Field(
        default=300.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds of event time after its end until a window is final and is checked for anomalies.",
    )
    anomaly_sensitivity: str = Field(
        default="",
        pattern=r"^\s*([^\s,=]+=\d+(\.\d+)?(\s*,\s*[^\s,=]+=\d+(\.\d+)?)*)?\s*$",
        description="Sensitivity per metric, `volume=2, mix=0.5`: a factor on its deviation; 0 switches a metric off.",
    )
    calendar: Path | None = Field(
        default=None,
        description="File of planned events (sales, closing days), which the monitor expects and pages show; default: none.",
    )
    notify: SecretStr | None = Field(
        default=None, description="Where to send notifications: Apprise URLs (webhook, Slack, e-mail …), separated by spaces."
    )
    notify_severity: Literal["warning", "error"] = Field(
        default="error", description="Minimum severity that triggers a notification."
    )
    notify_per_hour: int = Field(
        default=10, ge=1, le=1000, description="Maximum messages per hour; the excess is sent later as one digest."
    )
    report_language: Literal["en", "de", "fr"] = Field(default="en", description="Language of the reports.")
    llm_model: str | None = Field(
        default=None,
        min_length=1,
        description="Model that chooses what reports state, and adds its opinion; default: a template chooses.",
    )
    llm_base_url: str = Field(
        default="https://api.openai.com/v1",
        pattern=r"^https?://[^\s@]+$",
        description="Endpoint of the model; it supports OpenAI's chat completions.",
    )
    llm_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("HEADRACE_LLM_KEY", "OPENAI_API_KEY"),
        description="API key of the endpoint; default: `OPENAI_API_KEY`.",
    )
    llm_timeout: float = Field(
        default=60.0,
        ge=1,
        le=3_600,
        allow_inf_nan=False,
        description="Seconds that a report waits for the model, including retries and repair.",
    )
    llm_daily_tokens: int = Field(default=500_000, ge=0, description="Maximum tokens per day (UTC), all reporters together.")
    llm_daily_cost: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="Maximum cost per day (UTC), all reporters together.",
    )
    llm_price_input: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Price of a million input tokens, in the daily cost's currency.",
    )
    llm_price_output: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Price of a million output tokens, in the daily cost's currency.",
    )

    @field_validator("redis")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        check_redis_url(value.get_secret_value())
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            return ZoneInfo(value).key
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError("is not a time zone; use a name such as Europe/London") from None

    @field_validator("source_token")
    @classmethod
    def _sendable(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value() if value is not None else ""
        if not all("!" <= letter <= "~" for letter in token):
            raise ValueError("a token consists of visible ASCII characters; remove white space and line breaks")
        return value if token else None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.dashboard_write and self.dashboard_login is None:
            raise ValueError("HEADRACE_DASHBOARD_WRITE is on: set HEADRACE_DASHBOARD_LOGIN, so that pages know who acts")
        if self.kafka_security_protocol.startswith("SASL") and not (self.kafka_username and self.kafka_password):
            raise ValueError(
                "HEADRACE_KAFKA_SECURITY_PROTOCOL uses SASL: set HEADRACE_KAFKA_USERNAME and HEADRACE_KAFKA_PASSWORD"
            )
        return self

    @property
    def redis_address(self) -> str:
        """``host:port`` of Redis for messages, without user and password; the path of a socket."""
        parts = urlsplit(self.redis.get_secret_value())
        return parts.netloc.rpartition("@")[2] or parts.path


def load_settings(**overrides: Any) -> Settings:
    """Read the environment; ``overrides`` win (``None`` means not given).

    Raises:
        SettingsError: names each invalid variable and the reason; never its value.
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
                # The description helps more than the regular expression.
                said = f"has an invalid format. Expected: {field.description}"
            problems.append(f"HEADRACE_{name.upper()}: {said}" if name else said)
        raise SettingsError("; ".join(problems)) from None


def unknown_settings(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return a line for each ``HEADRACE_*`` variable that is not a setting, with the most similar setting.

    Variables that Docker and Kubernetes set for services, and those of the tests, are ignored.
    """
    known = {f"HEADRACE_{name.upper()}" for name in Settings.model_fields} | _COMPOSE
    lines = []
    for name in sorted(os.environ if environment is None else environment):
        if name.startswith("HEADRACE_") and name not in known and not _SERVICE.search(name):
            near = difflib.get_close_matches(name, known, 1, 0.8)
            lines.append(f"unknown setting {name}; " + (f"did you mean {near[0]}?" if near else "docs/settings.md lists all"))
    return lines
