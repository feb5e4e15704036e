"""A worker from its start to its exit code: Faust's worker around ours, and signals at whatever moment they come."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping

import faust

from stream_app.contract.model import Shop
from stream_app.process import collect_garbage_rarely, log_warnings
from stream_app.retries import GaveUp
from stream_app.settings import Settings
from stream_app.worker.app import HeadraceApp

log = logging.getLogger("headrace.worker")
#: Seconds after which a task that was cancelled and goes on is cancelled again.
_AGAIN = 1.0


class _Worker(faust.Worker):
    """Faust's worker, with our services started before the consumer and stopped after it."""

    def __init__(self, ours: HeadraceApp, early: Callable[[], int | None]) -> None:
        self.ours, self.early = ours, early
        super().__init__(
            ours.app, loglevel="WARNING", console_port=0, redirect_stdouts=False, override_logging=False, quiet=True
        )
        self.spinner = None  # it writes escape sequences into logs

    async def on_first_start(self) -> None:
        await super().on_first_start()
        # From here on the loop has the signals. One that came before it may have been lost in an import.
        if (number := self.early()) is not None:
            raise SystemExit(128 + number)

    async def on_start(self) -> None:
        try:
            await self.ours.start()
        except GaveUp as error:
            log.error("%s", error)  # noqa: TRY400 - it says what to do; a traceback would not
            raise SystemExit(1) from None
        await super().on_start()

    async def _stop_on_signal(self, signal: signal.Signals) -> None:
        insisting = asyncio.create_task(self._insist())
        try:
            await super()._stop_on_signal(signal)
            while self._starting_fut is not None and not self._starting_fut.done():
                self._starting_fut.cancel()
                await asyncio.sleep(0.1)
        finally:
            insisting.cancel()

    async def _insist(self) -> None:
        """Cancel again what was cancelled and goes on (see ``process.cancel_all``): Faust, which waits for it, does so once."""
        while True:
            await asyncio.sleep(_AGAIN)
            for task in asyncio.all_tasks():
                if task.cancelling():
                    task.cancel()

    async def _sentinel_task(self) -> None:
        """The last task of the loop; Faust's sleeps for a second."""

    async def on_shutdown(self) -> None:
        await super().on_shutdown()
        await self.ours.stop()


def run(
    shop: Shop, settings: Settings, topic_ids: Mapping[str, str] | None = None, early: Callable[[], int | None] = lambda: None
) -> int:
    """Run one worker until SIGTERM or SIGINT; returns the exit code. ``early``: a signal that came before."""
    log_warnings()
    collect_garbage_rarely()
    ours = HeadraceApp(shop, settings, topic_ids or {})
    code = 0
    try:
        _Worker(ours, early).execute_from_commandline()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    return 1 if ours.failure is not None else code
