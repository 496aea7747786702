"""``make conformance``: real SDKs through every door of unexpire, while their sessions end under them.

    python tests/conformance/run.py [--only TEXT] [--live | --virtual] [--report FILE] [--unexpire WHEEL]

Exits with 1 if the lab counted a single request with an expired session, or a client failed a call.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cases import DOORS, Case, clients
from driving import LIFETIME_S, VIRTUAL_HOURS, Outcome, live, virtual
from install import ROOT, Installed, install

LIVE_CAPACITY = 26
VIRTUAL_CAPACITY = 20


def main() -> int:
    options = _options()
    began = time.monotonic()
    there = install(options.folder, options.unexpire or _wheel())
    print(f"installed in {time.monotonic() - began:.0f} s", flush=True)
    found = [client for client in clients(there) if options.only.lower() in client.name.lower()]
    doors = options.door or list(DOORS)
    real = [Case(client, door) for client in found for door in client.doors if door in doors]
    faked = [Case(client, door, virtual=True) for client in found for door in client.virtual if door in doors]
    with ThreadPoolExecutor(2) as pool:
        halves = [pool.submit(_run, real, live, there, LIVE_CAPACITY)] if not options.virtual else []
        halves += [pool.submit(_run, faked, virtual, there, VIRTUAL_CAPACITY)] if not options.live else []
        outcomes = [outcome for half in halves for outcome in half.result()]
    outcomes = _again(outcomes, there)
    text = table(outcomes)
    print(text, flush=True)
    print(f"{time.monotonic() - began:.0f} s in all", flush=True)
    bad = [outcome for outcome in outcomes if not outcome.passed]
    if options.report and not bad:
        _report(options.report, text)
    for outcome in bad:
        print(
            f"{outcome.case.name}: {outcome.expired} expired, {outcome.failed} failed; {'; '.join(outcome.complaints)}"
        )
    suites = 0 if options.only else _aio_suites(there)
    return 1 if bad or suites or not any(outcome.calls for outcome in outcomes) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="clients whose name contains it")
    parser.add_argument("--door", action="append", choices=list(DOORS))
    parser.add_argument("--live", action="store_true", help="real time only")
    parser.add_argument("--virtual", action="store_true", help="the faked clock only")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "conformance")
    parser.add_argument("--report", type=Path, help="the page whose table is replaced if all passes")
    parser.add_argument("--unexpire", help="what pip installs as unexpire (default: the wheel in build/wheel)")
    return parser.parse_args()


def _wheel() -> str:
    built = sorted((ROOT / "build" / "wheel").glob("*.whl"))
    return str(built[-1]) if built else str(ROOT)


def _run(
    cases: list[Case], how: Callable[[Case, Installed], Outcome], there: Installed, capacity: int
) -> list[Outcome]:
    """All cases, the heavy ones first, as many at once as the machine bears."""
    room = threading.Condition()
    free = capacity

    def one(case: Case) -> Outcome:
        nonlocal free
        needs = (*case.client.needs, "faketime") if case.virtual else case.client.needs
        why = there.missing(*needs)
        if why:
            print(f"skipped {case.name}: {why}", flush=True)
            return Outcome(case, skipped=why)
        weight = 1 if case.virtual else case.client.weight
        with room:
            room.wait_for(lambda: free >= weight)
            free -= weight
        try:
            outcome = how(case, there)
        except Exception as error:  # a case that breaks is a result, and the others go on
            outcome = Outcome(case, complaints=[f"{type(error).__name__}: {error}"])
        finally:
            with room:
                free += weight
                room.notify_all()
        print(f"{'ok     ' if outcome.passed else 'FAILED '} {_line(outcome)}", flush=True)
        return outcome

    with ThreadPoolExecutor(max(len(cases), 1)) as pool:
        started = {case: pool.submit(one, case) for case in sorted(cases, key=lambda case: -case.client.weight)}
    return [started[case].result() for case in cases]


def _again(outcomes: list[Outcome], there: Installed) -> list[Outcome]:
    """A second chance for the cases that failed without one expired request, now that nothing else keeps the machine busy.

    SDKs give an endpoint a second or two, which a machine with more programs than cores does not always have. An expired request
    is final: no load excuses it.
    """
    second = [o.case for o in outcomes if not o.passed and not o.expired]
    if not second:
        return outcomes
    print(f"once more, by themselves: {', '.join(case.name for case in second)}", flush=True)
    redone = {
        outcome.case: outcome
        for half, how in ((False, live), (True, virtual))
        for outcome in _run([case for case in second if case.virtual is half], how, there, LIVE_CAPACITY // 3)
    }
    return [redone.get(o.case, o) for o in outcomes]


def _line(o: Outcome) -> str:
    counted = (
        f"{o.lifetimes} lifetimes, {o.calls} calls, {o.expired} expired, {o.renewals} AssumeRole, {o.outages} outages"
    )
    return f"{o.case.name}: {counted}{'; ' + '; '.join(o.complaints) if o.complaints else ''}"


def table(outcomes: list[Outcome]) -> str:
    lines = [
        "| client | door | sessions of | lifetimes | outages of STS | calls | failed | expired | AssumeRole |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for o in outcomes:
        of = "1 h, virtual" if o.case.virtual else f"{LIFETIME_S} s, real"
        first = f"| {o.case.client.name} | {o.case.door} | {of} "
        if o.skipped:
            lines.append(f"{first}| skipped: {o.skipped} | | | | | |")
        else:
            lines.append(
                f"{first}| {o.lifetimes} | {o.outages} | {o.calls} | {o.failed} | {o.expired} | {o.renewals} |"
            )
    return "\n".join(lines)


def _report(page: Path, text: str) -> None:
    """Put the table between the two marks of the page."""
    begin, end = "<!-- table -->", "<!-- end of table -->"
    head, _, rest = page.read_text().partition(begin)
    _, _, tail = rest.partition(end)
    when = f"{time.strftime('%Y-%m-%d', time.gmtime())}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    page.write_text(
        f"{head}{begin}\nMeasured on {when}; virtual runs last {VIRTUAL_HOURS} hours.\n\n{text}\n{end}{tail}"
    )


def _aio_suites(there: Installed) -> int:
    """The unit suite of aiobotocore and aioboto3, which `make test` cannot run: both pin a botocore of their own."""
    failures = 0
    for venv in ("aio", "aioboto3"):
        why = there.missing(venv)
        if why:
            print(f"skipped the aio suite in {venv}: {why}")
            continue
        words = [
            there.python(venv),
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            str(ROOT / "tests/delivery/test_aio.py"),
        ]
        failures += subprocess.run(words, cwd=ROOT).returncode
    return failures


if __name__ == "__main__":
    sys.exit(main())
