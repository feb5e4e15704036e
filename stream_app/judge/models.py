"""A contract's fields as pydantic validators: a strict one for records that are clean already, one for cleaned records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import ConfigDict, GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, SchemaValidator, core_schema
from typing_extensions import TypedDict

from stream_app.contract.formats import FLOATS, FORMATS, INTEGERS, Format
from stream_app.contract.model import Contract, Field
from stream_app.errors import DocumentError
from stream_app.windows.as_of import END_MS, FIRST_MS
from stream_app.windows.calendar import moment

#: Canonical timestamps are UTC; only these pass without cleaning.
CANONICAL_TIMESTAMP = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"
CANONICAL_DATE = r"^\d{4}-\d\d-\d\d$"
_INT64 = 2**63

#: Options that bound a value → their names in pydantic and msgspec.
BOUNDS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
}
#: pydantic's error type → the structural check whose rule it breaks; all others are ``type``.
CHECKS = {
    "format": "format",
    "greater_than_equal": "minimum",
    "less_than_equal": "maximum",
    "greater_than": "exclusiveMinimum",
    "less_than": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "string_too_short": "minLength",
    "string_too_long": "maxLength",
    "range": "range",
}
#: The event times that can be shown: from the first one up to the last, which is not one of them.
EVENT_TIMES = moment(FIRST_MS), moment(END_MS)


@dataclass(frozen=True, slots=True)
class Models:
    """The compiled validators of one contract.

    ``fast`` and ``exact`` take JSON bytes and return the fields in contract order; both raise ``ValidationError``.
    ``dump`` serialises their result to canonical JSON.
    """

    fast: Callable[[bytes], dict[str, Any]]
    exact: Callable[[bytes], dict[str, Any]]
    dump: Callable[[dict[str, Any]], bytes]


def build_models(contract: Contract) -> Models:
    """Compile a contract's fields.

    ``fast`` accepts a record only if cleaning would change nothing (ASCII only: see ``Judge``), every field is present
    and every structural rule holds; ``exact`` accepts any cleaned record, ``null`` included.
    """
    fast, exact = _adapter(contract, already_clean=True), _adapter(contract, already_clean=False)
    return Models(fast.validator.validate_json, exact.validator.validate_json, exact.serializer.to_json)


def _adapter(contract: Contract, *, already_clean: bool) -> TypeAdapter[dict[str, Any]]:
    fields = {field.name: _annotated(field, contract, already_clean=already_clean) for field in contract.fields}
    shape = TypedDict(contract.entity, fields)  # type: ignore[misc]
    config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    shape.__pydantic_config__ = config  # type: ignore[attr-defined]
    adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(shape)  # type: ignore[arg-type]
    return adapter


def _annotated(field: Field, contract: Contract, *, already_clean: bool) -> Any:
    schema = structure(field, already_clean=already_clean)
    if not (already_clean and field.required):
        schema = core_schema.nullable_schema(schema)
    try:
        SchemaValidator(schema)
    except Exception as error:  # noqa: BLE001 - pydantic-core raises several kinds
        reason = str(error).splitlines()[-1].strip()
        raise DocumentError(f"{contract.file}: the field {field.name!r} cannot be compiled: {reason}") from None

    class _Annotation:
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
            return schema

    return _Annotation


def spelling_keys(field: Field) -> frozenset[str]:
    """Return the strings, case-folded, that cleaning spells in another way."""
    return frozenset(key.casefold() for key in field.spellings)


def structure(field: Field, *, already_clean: bool, parsed: bool = False) -> CoreSchema:
    """Return the schema of one field. ``parsed``: timestamps and dates are ``datetime`` and ``date``, not strings."""
    options = field.options
    if field.type == "boolean":
        return core_schema.bool_schema(strict=True)
    if field.type == "integer":
        return _integer(options)
    if field.type == "number":
        limits: dict[str, Any] = {BOUNDS[name]: float(value) for name, value in options.items() if name in BOUNDS}
        number = core_schema.float_schema(strict=True, allow_inf_nan=False, **limits)
        if "format" not in options:
            return number
        most = FLOATS[options["format"]]
        return core_schema.chain_schema([number, _as_format(core_schema.float_schema(ge=-most, le=most))])
    if field.type == "timestamp":
        moments: dict[str, Any] = {
            BOUNDS[name]: datetime.fromisoformat(value) for name, value in options.items() if name in BOUNDS
        }
        steps: list[CoreSchema] = [core_schema.datetime_schema(**moments)]
        if field.event_time:
            first, end = EVENT_TIMES
            steps.append(_named("range", core_schema.datetime_schema(ge=first, lt=end)))
        if not parsed:
            steps.insert(0, core_schema.str_schema(strict=True, pattern=CANONICAL_TIMESTAMP))
        return steps[0] if len(steps) == 1 else core_schema.chain_schema(steps)
    if field.type == "date":
        days: dict[str, Any] = {BOUNDS[name]: date.fromisoformat(value) for name, value in options.items() if name in BOUNDS}
        day = core_schema.date_schema(**days)
        text = core_schema.str_schema(strict=True, pattern=CANONICAL_DATE)
        return day if parsed else core_schema.chain_schema([text, day])
    return _string(field, already_clean=already_clean)


def _integer(options: Any) -> CoreSchema:
    bounds: dict[str, Any] = {BOUNDS[name]: int(value) for name, value in options.items() if name in BOUNDS}
    steps: list[CoreSchema] = [core_schema.int_schema(strict=True, **bounds)]
    if not _bounded(options):
        steps.append(core_schema.int_schema(ge=-_INT64, lt=_INT64))
    if "format" in options:
        least, most = INTEGERS[options["format"]]
        steps.append(_as_format(core_schema.int_schema(ge=least, le=most)))
    return steps[0] if len(steps) == 1 else core_schema.chain_schema(steps)


def _as_format(schema: CoreSchema) -> CoreSchema:
    """Name every error of the schema ``format``."""
    return _named("format", schema)


def _named(check: str, schema: CoreSchema) -> CoreSchema:
    """Name every error of the schema after the check that it is."""
    return core_schema.custom_error_schema(schema, custom_error_type=check, custom_error_message=f"wrong {check}")


def _bounded(options: Any) -> bool:
    low = options.get("minimum", options.get("exclusiveMinimum"))
    high = options.get("maximum", options.get("exclusiveMaximum"))
    return low is not None and high is not None and low >= -_INT64 and high < _INT64


def _string(field: Field, *, already_clean: bool) -> CoreSchema:
    options = field.options
    lengths: dict[str, Any] = {}
    if "minLength" in options:
        lengths["min_length"] = int(options["minLength"])
    if "maxLength" in options:
        lengths["max_length"] = int(options["maxLength"])
    patterns: list[str] = []
    if already_clean:
        patterns += _clean_patterns(field.clean)
    if "pattern" in options:
        patterns.append(options["pattern"])
    first, *rest = patterns or [None]  # type: ignore[list-item]
    steps: list[CoreSchema] = [core_schema.str_schema(strict=True, pattern=first, **lengths)]
    steps += [core_schema.str_schema(pattern=pattern) for pattern in rest]
    if "format" in options:
        steps.append(_as_format(_format(FORMATS[options["format"]], already_clean=already_clean)))
    return steps[0] if len(steps) == 1 else core_schema.chain_schema(steps)


def _format(form: Format, *, already_clean: bool) -> CoreSchema:
    """Return the schema of strings with the format. The fast way calls no Python: strings that are not plain are examined."""
    if already_clean and form.plain is not None:
        return core_schema.str_schema(pattern=form.plain)
    steps: list[CoreSchema] = [core_schema.str_schema(pattern=pattern) for pattern in form.patterns]
    if form.listed is not None:
        steps.append(core_schema.literal_schema(sorted(form.listed())))
    test = form.test
    if test is not None:

        def tested(text: str) -> str:
            if not test(text):
                raise ValueError
            return text

        steps.append(core_schema.no_info_plain_validator_function(tested))
    return core_schema.chain_schema(steps)


def _clean_patterns(clean: tuple[str, ...]) -> list[str]:
    """Return regular expressions (linear-time, of pydantic-core) that match the ASCII strings that cleaning does not change."""
    patterns = []
    if "collapse" in clean:
        patterns.append(r"^[!-~]+( [!-~]+)*$")
    elif "strip" in clean:
        patterns.append(r"^[!-~]([ -~]*[!-~])?$")
    elif "emptyToNull" in clean:
        patterns.append(r"^[ -~]+$")
    else:
        patterns.append(r"^[ -~]*$")
    if "lower" in clean:
        patterns.append(r"^[^A-Z]*$")
    if "upper" in clean:
        patterns.append(r"^[^a-z]*$")
    return patterns
