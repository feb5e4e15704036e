"""One question to a model at any OpenAI-compatible endpoint, limited in time and size.

Every failure is a value, not an exception, because a report does not depend on the model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import tenacity
from pydantic import BaseModel, Field, SecretStr, ValidationError

from reporter.answer import Failure, Reply, estimate
from reporter.prompt import MOST_TOKENS, SHAPES, Messages
from stream_app.failures import Kind, http_failure
from stream_app.failures.table import MODEL
from stream_app.retries import POLICIES

#: Maximum length of a reply, in bytes of the response.
MOST_BYTES = 1 << 20
#: Attempts and waits of one question.
POLICY = POLICIES["model"]
FIRST_WAIT = POLICY.first
#: Minimum seconds that a call needs.
LEAST_TIME = 0.2
#: Share of the seconds that are left which one try may use, so that one that hangs leaves time for another.
TRY_SHARE = 0.6


class TooLarge(httpx2.RequestError):
    """The reply is longer than MOST_BYTES, or is compressed, so that its length is unknown."""


class _Bounded(httpx2.AsyncByteStream):
    """A body that raises TooLarge beyond MOST_BYTES."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._inner:
            size += len(part)
            if size > MOST_BYTES:
                raise TooLarge("reply too large")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Limit a response before its body is read."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise TooLarge("reply is compressed")
    response.stream = _Bounded(response.stream)


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(default=0, ge=0, le=10**9)
    completion_tokens: int = Field(default=0, ge=0, le=10**9)


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class Endpoint:
    """A model at an endpoint with OpenAI's chat completions."""

    def __init__(self, base_url: str, model: str, key: SecretStr | None) -> None:
        self._base_url = base_url
        self._model = model
        # Local endpoints need no key, but the client requires a value.
        self._key = (key.get_secret_value().strip() if key is not None else "") or "none"
        self._shape = 0

    @property
    def model(self) -> str:
        """The model's name at the endpoint."""
        return self._model

    def ask(self, messages: Messages, seconds: float) -> Reply | Failure:
        """Return the model's reply within ``seconds``, retries included."""
        if seconds < LEAST_TIME:
            return Failure("timeout", "no time left")
        if not (self._key.isascii() and self._key.isprintable()):
            return Failure("settings", "HEADRACE_LLM_KEY has characters that no key has; copy it again")
        try:
            return asyncio.run(self._within(messages, seconds))
        except (httpx2.InvalidURL, ValueError, TypeError, OSError, ExceptionGroup) as error:
            # What a client raises before it sends: an invalid port or host name.
            return Failure("settings", f"HEADRACE_LLM_BASE_URL cannot be asked ({type(error).__name__}); correct it")

    async def _within(self, messages: Messages, seconds: float) -> Reply | Failure:
        began = time.monotonic()
        try:
            # A deadline for the whole call: a server that sends byte by byte never exceeds a time-out between two of them.
            async with asyncio.timeout(seconds):
                return await self._ask(messages, began, seconds)
        except TimeoutError:
            return Failure("timeout", f"no answer in {seconds:.0f} s")

    async def _ask(self, messages: Messages, began: float, seconds: float) -> Reply | Failure:
        http = httpx2.AsyncClient(
            follow_redirects=False,  # the key goes to the endpoint that was named, nowhere else
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [_bound]},
            timeout=seconds,
        )
        client = openai.AsyncOpenAI(
            api_key=self._key, base_url=self._base_url, max_retries=0, timeout=seconds, http_client=http,
            organization=None, project=None,
        )  # fmt: skip
        async with client:
            retrying = tenacity.AsyncRetrying(
                stop=tenacity.stop_any(POLICY.stop, tenacity.stop_before_delay(seconds)),
                wait=_wait,
                retry=tenacity.retry_if_exception(_is_temporary),
                reraise=True,
            )
            try:
                raw: bytes = await retrying(self._shaped, client, messages, began + seconds)
            except openai.OpenAIError as error:
                return _failure(error)
            return _read(raw, messages, time.monotonic() - began)

    async def _shaped(self, client: openai.AsyncOpenAI, messages: Messages, until: float) -> bytes:
        """Ask in the way that worked last, else in simpler ones; each try gets its share of the time ``until`` the deadline."""
        while True:
            try:
                async with asyncio.timeout(max(LEAST_TIME, TRY_SHARE * (until - time.monotonic()))):
                    answer = await client.chat.completions.with_raw_response.create(
                        model=self._model,
                        messages=messages,  # type: ignore[arg-type]
                        **SHAPES[self._shape],
                    )
            except (openai.BadRequestError, openai.UnprocessableEntityError):
                if self._shape + 1 == len(SHAPES):
                    raise
                self._shape += 1
            else:
                return answer.http_response.content


def _wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds to wait: those that the endpoint asks for, if plausible; else longer after each attempt."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, openai.APIStatusError):
        asked = error.response.headers.get("retry-after", "")
        if asked.isascii() and asked.isdigit() and len(asked) < 6:
            return float(asked)
    return float(tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=POLICY.longest)(state))


def _is_temporary(error: BaseException) -> bool:
    """True if another attempt may succeed."""
    if isinstance(error, openai.APIStatusError):
        return http_failure(MODEL, error.status_code).kind is Kind.PASSING
    if isinstance(error, TimeoutError):
        return True
    return isinstance(error, openai.APIConnectionError) and not isinstance(error.__cause__, TooLarge)


def _failure(error: openai.OpenAIError) -> Failure:
    if isinstance(error, openai.APIStatusError):
        found = http_failure(MODEL, error.status_code)
        return Failure(f"status-{error.status_code}", found.text if found.permanent else found.meaning)
    if isinstance(error, openai.APITimeoutError):
        return Failure("timeout", "the endpoint does not answer in time")
    if isinstance(error, openai.APIConnectionError):
        if isinstance(error.__cause__, TooLarge):
            return Failure("too-large", f"the reply has more than {MOST_BYTES} bytes or is compressed")
        return Failure("unreachable", type(error.__cause__ or error).__name__)
    return Failure("malformed", type(error).__name__)


def _read(raw: bytes, messages: Messages, seconds: float) -> Reply | Failure:
    """Read a completion strictly from its bytes, whatever their declared type."""
    try:
        completion = _Completion.model_validate_json(raw)
    except ValidationError:
        return Failure("malformed", "the reply is not a chat completion")
    choice = completion.choices[0]
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return Failure("refusal", "the model refuses to answer")
    if choice.finish_reason == "length":
        return Failure("cut-off", f"the reply did not fit into {MOST_TOKENS} tokens")
    if not choice.message.content:
        return Failure("malformed", "the reply is empty")
    usage = completion.usage or _Usage()
    content = choice.message.content
    return Reply(content, usage.prompt_tokens or estimate(messages), usage.completion_tokens or len(content) // 3 + 1, seconds)
