"""What holds for all tests: properties are tried on the same examples each time, so that a failure is the change's and not the day's.

UNEXPIRE_RANDOM=1 tries new ones.
"""

from __future__ import annotations

import os

try:
    from hypothesis import settings
except ImportError:  # conformance runs some suites with the pins of other libraries, and with little else
    pass
else:
    settings.register_profile("same", derandomize=True, deadline=None)
    settings.register_profile("new", deadline=None)
    settings.load_profile("new" if os.environ.get("UNEXPIRE_RANDOM") else "same")
