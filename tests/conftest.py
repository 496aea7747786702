"""What holds for all tests, wherever they are started from.

Properties are tried on the same examples each time, so that a failure is the change's and not the day's; UNEXPIRE_RANDOM=1 tries new ones.

Signals mean what they mean at a terminal. A shell that runs its commands in the background, nohup and some CI runners leave SIGINT, SIGQUIT
or SIGHUP ignored, and children inherit that (POSIX, "Shell Command Language", 2.11: a shell cannot even trap what it found ignored): then
no test of Ctrl-C could pass.
"""

from __future__ import annotations

import os
import signal

try:
    from hypothesis import settings
except ImportError:  # conformance runs some suites with the pins of other libraries, and with little else
    pass
else:
    settings.register_profile("same", derandomize=True, deadline=None)
    settings.register_profile("new", deadline=None)
    settings.load_profile("new" if os.environ.get("UNEXPIRE_RANDOM") else "same")

for _name in ("SIGINT", "SIGQUIT", "SIGHUP"):
    if hasattr(signal, _name) and signal.getsignal(getattr(signal, _name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, _name), signal.default_int_handler if _name == "SIGINT" else signal.SIG_DFL)
