"""``make conformance``: real SDKs through every door of unexpire, while their sessions end under them.

    python tests/conformance/run.py [--only TEXT] [--live | --virtual] [--report FILE] [--unexpire WHEEL]

Exits with 1 if the lab counted a single request with an expired session, or a client failed a call.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cases import DOORS, Case, clients
from driving import LIFETIME_S, VIRTUAL_HOURS, Outcome, end_all, run
from install import ROOT, Installed, install, polite

# What `make test` cannot run: aiobotocore and aioboto3 pin a botocore of their own, and `aws login` signs with awscrt, which makes every
# start of a program slower that has it. The virtual environment, and what pytest is given.
SUITES: dict[str, tuple[str, ...]] = {
    "aio": ("tests/delivery/test_aio.py",),
    "aioboto3": ("tests/delivery/test_aio.py",),
    "login": (
        *("tests/lab/test_lab_sso.py", "tests/providers/test_provider_contract.py"),
        *("tests/providers/test_provider_failures.py", "tests/scenarios", "-k", "login"),
    ),
}
CAPACITY = 72
"""Of weights of cases that go on at once. Most of them only sleep; what starts a program for every call does not."""


def main() -> int:
    options = _options()
    began = time.monotonic()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, _break_off)
    cases = _chosen(options)
    suites = [] if options.only or options.door else list(SUITES)
    wanted = {need for case in cases for need in case.needs} | set(suites)
    there = install(options.folder, options.unexpire or _wheel(), wanted)
    under_way = threading.Event()
    with ThreadPoolExecutor(1) as beside:
        failures = beside.submit(_suites, suites, there, under_way)
        outcomes = _again(_run(cases, there, CAPACITY, under_way), there)
    text = table(outcomes)
    print(text, flush=True)
    (options.folder / "table.md").write_text(text + "\n")
    print(f"{time.monotonic() - began:.0f} s in all", flush=True)
    bad = [outcome for outcome in outcomes if not outcome.passed]
    if options.report:
        why = _unfit(options, outcomes)
        print(f"{options.report} is left as it is: {why}" if why else f"{options.report} has the new table", flush=True)
        if not why:
            _report(options.report, text)
    for outcome in bad:
        print(
            f"{outcome.case.name}: {outcome.expired} expired, {outcome.failed} failed; {'; '.join(outcome.complaints)}"
        )
    return 1 if bad or failures.result() or not any(outcome.calls for outcome in outcomes) else 0


def _break_off(sign: int, frame: object) -> None:
    end_all()
    os._exit(128 + sign)


def _chosen(options: argparse.Namespace) -> list[Case]:
    found = [client for client in clients(Installed(options.folder)) if options.only.lower() in client.name.lower()]
    doors = options.door or list(DOORS)
    real = [Case(client, door) for client in found for door in client.doors if door in doors]
    faked = [Case(client, door, virtual=True) for client in found for door in client.virtual if door in doors]
    return (real if not options.virtual else []) + (faked if not options.live else [])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="clients whose name contains it")
    parser.add_argument("--door", action="append", choices=list(DOORS))
    parser.add_argument("--live", action="store_true", help="real time only")
    parser.add_argument("--virtual", action="store_true", help="the faked clock only")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "conformance")
    parser.add_argument("--report", type=Path, help="the page whose table is replaced if all was run and passed")
    parser.add_argument("--unexpire", help="what pip installs as unexpire (default: the wheel in build/wheel)")
    return parser.parse_args()


def _wheel() -> str:
    built = sorted((ROOT / "build" / "wheel").glob("*.whl"))
    return str(built[-1]) if built else str(ROOT)


def _run(cases: list[Case], there: Installed, capacity: int, under_way: threading.Event | None = None) -> list[Outcome]:
    """All cases: each as soon as what it needs is there, as many at once as the machine bears, and the long ones before others.
    `under_way` is set when the last of them has begun."""
    outcomes: dict[Case, Outcome] = {}
    waiting = sorted(cases, key=lambda case: case.weight)
    changed = threading.Condition()
    free, began = capacity, time.monotonic()

    def one(case: Case) -> None:
        nonlocal free
        why = there.missing(*case.needs)
        outcome = Outcome(case, skipped=why) if why else run(case, there)
        said = (
            f"skipped {case.name}: {why}" if why else f"{'ok     ' if outcome.passed else 'FAILED '} {_line(outcome)}"
        )
        print(f"{time.monotonic() - began:4.0f} s: {said}", flush=True)
        with changed:
            outcomes[case] = outcome
            free += case.weight
            changed.notify_all()

    with ThreadPoolExecutor(max(len(cases), 1)) as pool, changed:
        while waiting:
            first = [case for case in waiting if case.virtual] or waiting
            ready = next((case for case in first if there.tried(*case.needs)), None)
            if ready is None or ready.weight > free:
                changed.wait(0.5)
                continue
            free -= ready.weight
            waiting.remove(ready)
            pool.submit(one, ready)
        if under_way is not None:
            under_way.set()
        changed.wait_for(lambda: len(outcomes) == len(cases))
    return [outcomes[case] for case in cases]


def _again(outcomes: list[Outcome], there: Installed) -> list[Outcome]:
    """A second chance for the cases that failed without one expired request, now that nothing else keeps the machine busy.

    SDKs give an endpoint a second or two, which a machine with more programs than cores does not always have. An expired request
    is final: no load excuses it.
    """
    second = [o.case for o in outcomes if not o.passed and not o.expired]
    if not second:
        return outcomes
    print(f"once more, by themselves: {', '.join(case.name for case in second)}", flush=True)
    redone = {outcome.case: outcome for outcome in _run(second, there, CAPACITY // 4)}
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


def _unfit(options: argparse.Namespace, outcomes: list[Outcome]) -> str:
    """Why the table is not one to publish; empty if it is."""
    if not all(outcome.passed for outcome in outcomes):
        return "not every case passed"
    if any(outcome.skipped for outcome in outcomes):
        return "not every case could be run"
    if options.only or options.door or options.live or options.virtual:
        return "not every case was chosen"
    return ""


def _report(page: Path, text: str) -> None:
    """Put the table between the two marks of the page."""
    begin, end = "<!-- table -->", "<!-- end of table -->"
    head, _, rest = page.read_text().partition(begin)
    _, _, tail = rest.partition(end)
    when = f"{time.strftime('%Y-%m-%d', time.gmtime())}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    page.write_text(
        f"{head}{begin}\nMeasured on {when}; virtual runs last {VIRTUAL_HOURS} hours.\n\n{text}\n{end}{tail}"
    )


def _suites(venvs: list[str], there: Installed, under_way: threading.Event) -> int:
    """Run them beside the cases. Starting those is what the machine is busiest with, so the suites wait for that to be over."""
    under_way.wait()
    failures = 0
    for venv in venvs:
        why = there.missing(venv)
        if why:
            print(f"skipped the suite of {venv}: {why}", flush=True)
            continue
        words = [*polite(10), there.python(venv), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run([*words, *SUITES[venv]], cwd=ROOT, capture_output=True, text=True)
        said = done.stdout if done.returncode else done.stdout.splitlines()[-1]
        print(f"the suite of {venv}: {said}", flush=True)
        failures += done.returncode
    return failures


if __name__ == "__main__":
    sys.exit(main())
