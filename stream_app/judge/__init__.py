"""bytes → Verdict. Pure and total: no Kafka, no Redis, no clock, and nothing that a record holds makes it raise."""

from stream_app.judge.judge import Judge
from stream_app.judge.verdict import Verdict

__all__ = ["Judge", "Verdict"]
