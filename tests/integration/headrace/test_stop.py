"""A signal that comes from outside, while a wait begins, lasts or ends, never hangs a sender."""

from __future__ import annotations

import subprocess
import sys

#: Signals that come from outside while a wait begins, lasts or ends. With an Event instead of the pipe it hangs at once.
ROUNDS = """
import random, signal
from headrace.interrupts import Stop

for _ in range(3000):
    stop = Stop()
    with stop.listening():
        signal.signal(signal.SIGALRM, signal.getsignal(signal.SIGTERM))
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00001, 0.002))
        while not stop:
            stop.wait(0.00001)
print("done")
"""


def test_a_signal_in_the_middle_of_a_wait_never_hangs() -> None:
    done = subprocess.run([sys.executable, "-c", ROUNDS], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "done\n", done.stderr
