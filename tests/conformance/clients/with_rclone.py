"""rclone, as a server that lives as long as the client (`rclone rcd`), so that its SDK has to renew what it holds."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from line_by_line import BUCKET, REGION, URL, serve

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]

remote = {"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true", "ENDPOINT": URL, "REGION": REGION}
variables = {f"RCLONE_CONFIG_LAB_{name}": value for name, value in remote.items()}
if os.environ.get("AWS_PROFILE"):
    variables["RCLONE_CONFIG_LAB_PROFILE"] = os.environ["AWS_PROFILE"]
command = [
    "rclone",
    "rcd",
    "--rc-addr",
    f"127.0.0.1:{port}",
    "--rc-no-auth",
    "--low-level-retries",
    "1",
    "--retries",
    "1",
]
rclone = subprocess.Popen(
    [*command, "--config", os.devnull],
    env={**os.environ, **variables},
    stdin=subprocess.DEVNULL,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(what: str, **arguments: object) -> object:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/{what}", json.dumps(arguments).encode(), {"Content-Type": "application/json"}
    )
    try:
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RuntimeError(error.read().decode()) from None


def call(_: int) -> None:
    ask("operations/list", fs=f"lab:{BUCKET}", remote="")


for _ in range(100):
    try:
        ask("rc/noop")
        break
    except OSError:
        time.sleep(0.1)
else:
    sys.exit("rclone did not start")
try:
    serve(call)
finally:
    rclone.terminate()
    rclone.wait(10)
