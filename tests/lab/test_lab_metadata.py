"""IMDSv2 and the container endpoint: raw, and through botocore's own fetchers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

from labwire import send

from unexpire.lab import Lab

ROLE = "/latest/meta-data/iam/security-credentials/"
TTL = "x-aws-ec2-metadata-token-ttl-seconds"
FETCH = "import botocore.session as b; c = b.Session().get_credentials(); print(c.method, c.access_key)"


def token(lab: Lab, life: str = "21600") -> dict[str, str]:
    answer = send(f"{lab.url}/latest/api/token", "PUT", headers={TTL: life})
    assert (answer.status, answer.headers[TTL]) == (200, life)
    return {"x-aws-ec2-metadata-token": answer.body.decode()}


def test_the_path_to_credentials(lab: Lab) -> None:
    headers = token(lab)
    for path in (ROLE, ROLE.rstrip("/"), "/" + ROLE):
        listing = send(lab.url + path, headers=headers)
        assert (listing.status, listing.body) == (200, b"Instance")
    document = json.loads(send(f"{lab.url}{ROLE}Instance", headers=headers).body)
    assert sorted(document) == [
        "AccessKeyId", "Code", "Expiration", "LastUpdated", "SecretAccessKey", "Token", "Type",
    ]  # fmt: skip
    assert (document["Code"], document["Type"]) == ("Success", "AWS-HMAC")
    datetime.strptime(document["Expiration"], "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007
    again = json.loads(send(f"{lab.url}{ROLE}Instance", headers=headers).body)
    assert again == document, "one set until a new one is due"
    identity = json.loads(send(f"{lab.url}/latest/dynamic/instance-identity/document", headers=headers).body)
    assert (identity["region"], identity["accountId"]) == ("us-east-1", lab.account)


def test_without_a_good_token(lab: Lab) -> None:
    assert send(lab.url + ROLE).status == 401
    assert send(lab.url + ROLE, headers={"x-aws-ec2-metadata-token": "wrong"}).status == 401
    headers = token(lab, "60")
    lab.advance(61)
    assert send(lab.url + ROLE, headers=headers).status == 401
    lab.set_imds(v1=True)
    assert send(lab.url + ROLE).status == 200


def test_bad_requests_for_a_token(lab: Lab) -> None:
    url = f"{lab.url}/latest/api/token"
    assert [send(url, "PUT", headers=h).status for h in ({}, {TTL: "0"}, {TTL: "21601"}, {TTL: "x"})] == [400] * 4
    assert send(url, "PUT", headers={TTL: "60", "X-Forwarded-For": "10.0.0.1"}).status == 403


def test_an_instance_without_a_role_and_one_without_metadata(lab: Lab) -> None:
    headers = token(lab)
    lab.set_imds(role_attached=False)
    assert send(lab.url + ROLE, headers=headers).status == 404
    lab.set_imds(enabled=False)
    assert send(f"{lab.url}/latest/api/token", "PUT", headers={TTL: "60"}).status == 403


def test_a_new_set_comes_before_the_old_one_ends_unless_it_is_stale() -> None:
    with Lab(lifetime=timedelta(seconds=1000)) as lab:
        headers = token(lab)

        def key() -> tuple[str, datetime]:
            found = json.loads(send(f"{lab.url}{ROLE}Instance", headers=headers).body)
            return found["AccessKeyId"], datetime.fromisoformat(found["Expiration"])

        first, _ = key()
        lab.advance(700)
        assert key()[0] == first
        lab.advance(100)
        second, _ = key()
        assert second != first
        lab.set_imds(stale=True)
        lab.advance(2000)
        stale, end = key()
        assert stale == second
        assert end < lab.clock.now()


def test_the_container_endpoint(lab: Lab) -> None:
    assert send(lab.container_url).status == 400
    assert send(lab.container_url, headers={"Authorization": "wrong"}).status == 403
    answer = send(lab.container_url, headers={"Authorization": lab.container_token})
    document = json.loads(answer.body)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId"} <= set(document)


def fetched(lab: Lab, home: Path, **which: bool) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    program = [sys.executable, "-c", FETCH]
    environment = kept | lab.environment(home, **which)
    return subprocess.run(
        program, env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()


def test_botocore_fetches_from_both(lab: Lab, tmp_path: Path) -> None:
    method, key = fetched(lab, tmp_path, imds=True)
    assert method == "iam-role"
    assert lab.state.sessions[key].kind == "imds"
    assert lab.count("imds", "PutToken", outcome="ok") == 1
    method, key = fetched(lab, tmp_path, imds=True, container=True)
    assert method == "container-role"
    assert lab.state.sessions[key].kind == "container"
    assert lab.count("imds") == 3, "PUT token, the role's name, the role: and nothing more for the second"
