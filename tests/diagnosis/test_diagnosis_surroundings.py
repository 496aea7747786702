"""What data cannot set up: another process's environment, an https server that nobody trusts, a proxy that answers for AWS."""

from __future__ import annotations

import http.server
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scenario_stage import Stage, run_here

from unexpire.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


def report(here: Stage, *arguments: str) -> tuple[int, dict[str, Any]]:
    code, out, err = run_here(here, "diagnose", "--json", *arguments)
    assert not [secret for secret in here.lab.secrets() if secret in out + err]
    return code, json.loads(out)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows another process's environment")
def test_a_running_process_with_dead_keys(lab: Lab, tmp_path: Path) -> None:
    here = Stage(lab, tmp_path, {"sessions": {"dead": {"seconds": -60}}})
    dead = here.sessions["dead"]
    theirs = here.variables | {
        "AWS_ACCESS_KEY_ID": dead.access_key_id,
        "AWS_SECRET_ACCESS_KEY": dead.secret_access_key,
        "AWS_SESSION_TOKEN": dead.session_token or "",
        "AWS_PROFILE": "role",
    }
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; print('on', flush=True); sys.stdin.read()"],
        env=theirs,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        here.variables["AWS_PROFILE"] = "static"
        code, found = report(here, "--pid", str(other.pid))
    assert (code, found["root_cause"], found["environment"]["pid"]) == (3, "shadowed-source", other.pid)
    assert found["findings"][0]["remedy"]["now"] == [f"kill {other.pid}"]
    assert report(here)[0] == 0


def test_a_process_that_is_not_there(lab: Lab, tmp_path: Path) -> None:
    code, _, err = run_here(Stage(lab, tmp_path, {}), "diagnose", "--pid", "999999999")
    assert code == 10
    assert err.startswith("unexpire: ")


class _Page(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(407)
        self.end_headers()
        self.wfile.write(b"<html>log in to the proxy</html>")

    do_GET = do_PUT = do_POST

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


def _serve(certificate: Path | None = None) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda request, address: None  # type: ignore[method-assign,misc,assignment]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    yield from _serve(file)


@pytest.fixture
def proxy() -> Iterator[int]:
    yield from _serve()


def test_a_certificate_that_nobody_signed(lab: Lab, tmp_path: Path, untrusted: int) -> None:
    here = Stage(lab, tmp_path, {"env": {"AWS_ENDPOINT_URL": f"https://localhost:{untrusted}"}})
    code, found = report(here, "--profile", "static")
    assert (code, found["root_cause"], found["verdict"]) == (9, "endpoint-unreachable", "unreachable")
    assert found["environment"]["reach"]["stage"] == "tls"
    assert "AWS_CA_BUNDLE" in found["findings"][0]["remedy"]["now"][0]


def test_a_proxy_that_answers_itself(lab: Lab, tmp_path: Path, proxy: int) -> None:
    env = {"NO_PROXY": "", "no_proxy": "", "HTTP_PROXY": f"http://user:hunter2secret@127.0.0.1:{proxy}"}
    here = Stage(lab, tmp_path, {"env": env})
    code, found = report(here, "--profile", "static")
    assert (code, found["root_cause"]) == (9, "endpoint-unreachable")
    assert found["environment"]["reach"]["proxy"] == f"127.0.0.1:{proxy}"
    assert "hunter2secret" not in json.dumps(found)


def test_loopback_is_no_vpc_endpoint(lab: Lab, tmp_path: Path) -> None:
    here = Stage(lab, tmp_path, {"env": {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}})
    _, found = report(here, "--profile", "static")
    assert "VPC" not in json.dumps(found)
