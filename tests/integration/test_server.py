"""A real server in a process of its own, as the command line starts it."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runtime.keys import Role
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests.served_process import Server, serving, started


@pytest.fixture
def server(own_service: Service) -> Iterator[Server]:
    with serving(own_service.home.root) as server:
        yield server


def test_a_server_answers_and_ends_when_told(server: Server, draw: object) -> None:
    picture = draw("nevus", 9)  # type: ignore[operator]
    with httpx.Client(base_url=server.url, timeout=240) as client:
        assert client.get("/health/live").status_code == 200
        server.wait_until_ready()
        files = {"images": ("Ms Example.png", picture)}
        answer = client.post("/v1/diagnoses?who=Ms+Example", files=files, data={"request": '{"note": "Ms Example"}'})
        assert answer.json()["candidates"][0]["label"] == "nevus"
        assert client.get("/v1/documents", headers={"Host": "evil.example"}).status_code == 421
        assert "server" not in answer.headers
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    assert "Example" not in "".join(server.lines)


def test_a_running_request_is_finished(server: Server) -> None:
    server.wait_until_ready()
    url = httpx.URL(server.url)
    body = b'{"text": "silvery scale"}'
    head = f"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((str(url.host), url.port or 80), timeout=240) as connection:
        connection.sendall(head.encode() + body[:5])
        time.sleep(0.3)  # the request has begun
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)  # the server has been told to end
        connection.sendall(body[5:])
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert server.process.wait(20) == 0


PUBLIC = 'public_url = "https://derm.example"\n'


def refusal(home: Path, *arguments: str) -> str:
    """What a server says that does not start."""
    with started("--home", str(home), *arguments) as process:
        printed, told = process.communicate(timeout=240)
    assert (process.returncode, printed) == (1, "")
    assert "Traceback" not in told
    return told


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org"])
def test_other_machines_are_not_served_in_the_clear(tmp_path: Path, host: str) -> None:
    service = open_service(tmp_path, load_settings(tmp_path))
    service.keys.create("dr.weber", Role.ADMIN, 1, "me")
    service.close()
    told = refusal(tmp_path, "--host", host)
    assert f"others can reach {host}, and keys would cross the network in the clear" in told
    assert 'public_url = "https://..."' in told
    assert "ssh -L" in told


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
@pytest.mark.parametrize("had_one", [False, True])
def test_nobody_is_served_without_keys_behind_a_proxy(tmp_path: Path, host: str, had_one: bool) -> None:
    (tmp_path / "settings.toml").write_text(PUBLIC)
    if had_one:
        service = open_service(tmp_path, load_settings(tmp_path))
        service.keys.revoke(service.keys.create("dr.weber", Role.ADMIN, 1, "me")[1].id, "me")
        service.close()
    told = refusal(tmp_path, "--host", host)
    assert "dermacite keys create --name NAME --role admin" in told
    assert ("ssh -L" in told) is (host == "0.0.0.0")


def test_with_keys_and_tls_in_front_other_machines_are_served(own_service: Service) -> None:
    home = own_service.home.root
    (home / "settings.toml").write_text(PUBLIC)
    text, _ = own_service.keys.create("dr.weber", Role.READER, 1, "me")
    with (
        serving(home, "--host", "0.0.0.0") as server,
        httpx.Client(base_url=server.url, headers={"Host": "derm.example"}, timeout=240) as client,
    ):
        assert client.get("/v1/documents").status_code == 401
        answer = client.get("/v1/documents", headers={"Authorization": f"Bearer {text}"})
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert client.get("/v1/documents", headers={"Host": "192.168.1.5"}).status_code == 421
    assert text not in "".join(server.lines)
