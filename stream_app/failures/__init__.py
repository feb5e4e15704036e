"""The table of failures, passing and permanent, and the row of an error."""

from stream_app.failures.classify import classify, http_failure, name_of, passes, reply
from stream_app.failures.model import Failure, Kind, Scope
from stream_app.failures.table import FAILURES

__all__ = ["FAILURES", "Failure", "Kind", "Scope", "classify", "http_failure", "name_of", "passes", "reply"]
