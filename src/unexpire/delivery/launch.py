"""From a command line to a running command: the first set of credentials, the files and variables, the endpoint, the start.

Nothing here loads a server: the command waits for this process, and only the one beside it serves.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..credentials import Credentials, KeyKind, format_timestamp
from ..errors import UnexpireError
from ..freshness import Freshness, remaining
from ..providers.base import Prompt, Provider
from ..providers.chain import predict
from ..settings.environment import Environment, utc_now
from . import agent_protocol, bedrock_keys, child
from .child_settings import child_files, child_variables, region_of
from .loopback import answers, bind_loopback
from .order import PATH, Order, policy_for
from .run_folder import hold, new_run_folder

if TYPE_CHECKING:
    from ..providers.candidate import Prediction
    from ..providers.resolve import RoleRequest
    from .serving import Serving
    from .sessions import OnWait

__all__ = ["Launch", "first_credentials", "prepare"]

_IMDS_READY_WITHIN_S = 10.0
"""SDKs ask the metadata service once and give it a second (botocore: metadata_service_timeout and _num_attempts), then take it that
there is none, for good. So the command does not start before the process beside it has loaded; of the container endpoint they ask
again."""


@dataclass(slots=True)
class Launch:
    """A command that is ready to start: everything that can go wrong beforehand has not."""

    path: str
    command: tuple[str, ...]
    environment: Environment = field(repr=False)
    prediction: Prediction = field(repr=False)
    order: Order
    warnings: tuple[str, ...] = ()

    def become(self) -> NoReturn:
        """Start the process beside the command, then be the command. Raises CommandNotRun. POSIX only."""
        folder = new_run_folder(self.environment.variables)
        placeholders = child.fill_standard_descriptors()
        try:
            listener = bind_loopback()
            port = listener.getsockname()[1]
            variables = self._variables(folder, port)
            watch = child.watch_descriptor(os.getpid())
            line = child.sidecar_command(listener.fileno(), watch, os.getpid(), folder)
            keep = [descriptor for descriptor in (listener.fileno(), watch, hold(folder)) if descriptor >= 0]
            child.start_detached(line, self.order.to_bytes(), keep)
            listener.close()
            if self.order.imds_secret is not None:
                answers(port, _IMDS_READY_WITHIN_S)
            for descriptor in placeholders:
                os.close(descriptor)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                reason = (error.strerror or type(error).__name__).lower()
                raise UnexpireError(
                    f"the process that renews beside the command cannot be started: {reason}",
                    hint="ulimit -a; df -h",
                ) from error
            raise
        child.become(self.path, self.command, variables)

    def run_and_wait(self, *, clock: Callable[[], datetime] = utc_now) -> int:
        """Serve from this process and run the command as its child; its exit code. For systems without `exec`."""
        from .server import ServerThread
        from .serving import Serving

        folder = new_run_folder(self.environment.variables)
        serving: list[Serving] = []
        again = lambda: Environment.of(self.environment.variables, cwd=self.environment.cwd)  # noqa: E731 - read anew each time
        try:
            with ServerThread(lambda request: serving[0](request)) as server:
                serving.append(Serving(self.order, again, server.port, clock=clock))
                with serving[0]:
                    return child.run_and_wait(self.path, self.command, self._variables(folder, server.port))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _variables(self, folder: Path, port: int) -> dict[str, str]:
        """Write the files of the command into `folder`, and give its variables."""
        files = child_files(self.environment, self.prediction)
        token_file, config = folder / "token", folder / "config"
        _write(token_file, self.order.token)  # no line end: some SDKs send the file as it is
        _write(config, files.config)
        added = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{port}{PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.order.token,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
            "AWS_CONFIG_FILE": str(config),
        }
        if files.hides_credentials:
            _write(folder / "credentials", "")
            added["AWS_SHARED_CREDENTIALS_FILE"] = str(folder / "credentials")
        if files.hides_boto:
            _write(folder / "boto", "")
            added["BOTO_CONFIG"] = str(folder / "boto")
        variables = child_variables(self.environment, self.prediction, added)
        if self.order.imds_secret is not None:
            base = f"http://127.0.0.1:{port}"
            variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = base
            variables["AWS_METADATA_ENDPOINT"] = base  # what object_store reads instead
            variables["AWS_EC2_METADATA_V1_DISABLED"] = "true"
            # said, and not only unset: a profile may say IPv6. botocore goes by the endpoint alone where there is one; others need not
            variables["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "IPv4"
            for name in ("AWS_EC2_METADATA_DISABLED", "AWS_IMDS_USE_IPV6"):
                variables.pop(name, None)
        return variables


def prepare(
    command: Sequence[str],
    *,
    profile: str | None,
    role: RoleRequest | None,
    imds: bool,
    prompt: Prompt,
    use_agent: bool = True,
    environment: Environment | None = None,
    on_wait: OnWait | None = None,
) -> Launch:
    """Find the command and get its first credentials, asking the human where needed. Raises CommandNotRun, UnexpireError.

    An outage is waited out for as long as the user's setting ``outage-wait`` says; `on_wait` is told of it, once.
    """
    environment = environment or Environment.of(child.own_variables())
    path = child.find_command(command[0], environment.variables, environment.cwd)
    from ..providers.resolve import provider_for
    from .sessions import follow_login, leave_way, session_store, watched

    states = watched(environment)
    provider = provider_for(environment, profile=profile, role=role, prompt=prompt)
    store = session_store(environment)
    states += follow_login(environment, store, provider, profile)
    prediction = predict(environment, profile)
    held = None
    if use_agent:
        home = str(environment.home) if environment.home is not None else None
        ask = agent_protocol.ask_for_credentials
        held = ask(environment.variables, home, profile=profile, role=role, identity=provider.identity)
    held = held or first_credentials(provider, environment, on_wait)
    leave_way(environment, store, provider, profile, role, held, states)
    order = Order(
        profile=profile,
        role=role,
        held=held,
        token=secrets.token_urlsafe(32),
        imds_secret=secrets.token_urlsafe(32) if imds else None,
        region=region_of(environment, prediction),
        use_agent=use_agent,
        terminal=_terminal(),
    )
    warnings = _warnings(provider, held, environment.now(), imds=imds)
    if bedrock_keys.short_term(environment.variables):
        warnings.append(
            f"{bedrock_keys.VARIABLE} is left out: nothing renews a short-term API key; the command's SDKs sign for Bedrock instead"
        )
    return Launch(path, tuple(command), environment, prediction, order, tuple(warnings))


def first_credentials(provider: Provider, environment: Environment, on_wait: OnWait | None = None) -> Credentials:
    """What is kept for this source already and usable, else what it gives now. Never an expired set: RefreshFailed then.

    What is due for renewal is good enough to start with: the process beside the command renews it while the command starts.
    """
    from .sessions import patient_refresher, session_store

    store = session_store(environment)
    kept = store.load(provider.identity)
    policy = policy_for(provider)
    if kept is not None and policy.freshness(kept, environment.now()) is not Freshness.EXPIRED:
        return kept
    return patient_refresher(provider, environment, store, policy=policy, on_wait=on_wait).current()


def _terminal() -> str | None:
    """The terminal that standard error leads to, by its name; None where it does not, or the name leads nowhere from here."""
    try:
        return os.ttyname(2) if os.isatty(2) else None
    except (OSError, AttributeError):  # AttributeError: Windows, which serves from the process that has the terminal
        return None


def _warnings(provider: Provider, held: Credentials, now: datetime, *, imds: bool) -> list[str]:
    left = remaining(held.expiration, now)
    found = []
    if held.kind is KeyKind.TEMPORARY and not provider.renewable:
        end = "at a time that nobody here knows"
        if held.expiration is not None and left is not None:
            end = f"at {format_timestamp(held.expiration)} (in {int(left.total_seconds()) // 60} min)"
        why = "renewing it takes an MFA code" if provider.interactive else "nothing can renew it"
        found.append(
            f"{provider.describe()}: this session ends {end}, and {why}; the command has credentials until then"
        )
    if imds and left is not None and left.total_seconds() < 25 * 60:
        found.append("--imds: SDKs keep using a session from IMDS past its end when it has less than 25 min left")
    if imds and not os.path.exists("/proc/net/tcp"):
        found.append("--imds: on this system any local user can ask this endpoint while the command runs")
    return found


def _write(path: Path, text: str) -> None:
    from ..stores import atomic

    atomic.replace(path, text, mode=0o600)
