"""An AWS on this machine whose credentials really do expire.

::

    from datetime import timedelta
    from unexpire.lab import Lab

    with Lab(lifetime=timedelta(seconds=20)) as lab:           # loopback, a free port; moto loads when it is needed
        variables = lab.make_home(tmp_path)                    # AWS files, a profile of every kind, and the environment
        run(["aws", "s3", "ls", "--profile", "role"], env=variables)
        keys = lab.issue_session("Deploy", seconds=-60)        # Credentials of a session that ended a minute ago
        lab.age(3600)                                          # everything issued is an hour older (real clocks stay right), or …
        lab.advance(3600)                                      # … its clock moves (where the program's is moved too)
        lab.set_clock_offset(1200)                             # AWS's clock and the caller's differ
        lab.outage("sts", "503", seconds=30)                   # and refuse hang 500 throttle slow truncate html …
        lab.end_all_sessions(); lab.revoke_sso(); lab.rotate_key()
        assert lab.count("sts", "AssumeRole", outcome="ok") == 1 and lab.count(outcome="expired") == 0
        assert not any(secret in output for secret in lab.secrets())

Programs in other processes do the same over HTTP, see `unexpire.lab.control`. Nothing of the product imports this package.
"""

from __future__ import annotations

from .lab import Lab
from .ledger import EXPIRED_CODES, Entry
from .outages import MODES, Outage

__all__ = ["EXPIRED_CODES", "MODES", "Entry", "Lab", "Outage"]
