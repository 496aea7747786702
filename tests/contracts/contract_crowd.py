"""A crowd of processes at one door: twenty forked readers, each of which writes down what it got."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["read_by_many"]

_CROWD = """
import json, os, sys, time, traceback
warm = False
folder, readers, times, pause, words = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:]
{prepare}
if warm:
    make(*words)()  # what is loaded before the fork is loaded once
children = []
for number in range(readers):
    child = os.fork()
    if child == 0:
        try:
            ask = make(*words)
            with open(os.path.join(folder, str(number)), "w") as out:
                for _ in range(times):
                    out.write(json.dumps(ask()) + "\\n")
                    time.sleep(pause)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""

# Each defines make(*words), called in the reader, which gives what is to be called: [key, secret, token], or the text of an error.
READERS = {
    "http": """
import http.client
def make(port, calls):
    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
        headers = {}
        for method, path, given in json.loads(calls):
            connection.request(method, path, headers={**headers, **given})
            answer = connection.getresponse()
            body = answer.read().decode()
            if path.endswith("/api/token"):
                headers = {"X-aws-ec2-metadata-token": body}
        connection.close()
        if answer.status != 200:
            return body
        found = json.loads(body)
        return [found["AccessKeyId"], found["SecretAccessKey"], found["Token"]]
    return ask
""",
    "agent-socket": """
from unexpire.delivery import agent_protocol
def make(path, request):
    def ask():
        status, found = agent_protocol.ask(path, json.loads(request), timeout_s=30)
        return [found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]] if status == 200 else str(found)
    return ask
""",
    "credential-process": """
import subprocess
def make(*line):
    def ask():
        done = subprocess.run(line, capture_output=True, text=True, timeout=60)
        if done.returncode:
            return done.stderr
        found = json.loads(done.stdout)
        return [found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]]
    return ask
""",
    "credentials-file": """
import configparser
def make(path, section):
    def ask():
        found = configparser.RawConfigParser()
        found.read(path)
        values = dict(found[section])
        return [values["aws_access_key_id"], values["aws_secret_access_key"], values["aws_session_token"]]
    return ask
""",
    "boto3-session": """
from unexpire.delivery.boto3 import boto3_session
from unexpire.errors import UnexpireError
from botocore.exceptions import BotoCoreError
warm = True
def make(profile):
    session = boto3_session(profile_name=profile)
    def ask():
        try:
            return list(session.get_credentials().get_frozen_credentials())[:3]
        except (UnexpireError, BotoCoreError) as error:
            return str(error)
    return ask
""",
    "aiobotocore": """
import asyncio
from unexpire.delivery.aio import aiobotocore_session
from unexpire.errors import UnexpireError
from botocore.exceptions import BotoCoreError
warm = True
def make(profile):
    session, loop = aiobotocore_session(profile_name=profile), asyncio.new_event_loop()
    async def get():
        return list(await (await session.get_credentials()).get_frozen_credentials())[:3]
    def ask():
        try:
            return loop.run_until_complete(get())
        except (UnexpireError, BotoCoreError) as error:
            return str(error)
    return ask
""",
}


def read_by_many(
    kind: str, words: Sequence[str], folder: Path, variables: Mapping[str, str], *, times: int, pause: float
) -> list[list[str] | str]:
    """What twenty processes got, `times` each: a set of three, or an error's text."""
    folder.mkdir()
    script = _CROWD.replace("{prepare}", READERS[kind])
    line = [sys.executable, "-c", script, str(folder), "20", str(times), str(pause), *words]
    done = subprocess.run(line, env=dict(variables), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(text) for path in sorted(folder.iterdir()) for text in path.read_text().splitlines()]
