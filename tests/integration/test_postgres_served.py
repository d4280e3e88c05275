"""Servers that share a registry on a real PostgreSQL: what they count together, and what they say while it is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from retrieval.search import Encoders
from runtime.errors import SettingsRefused
from runtime.keys import Role
from runtime.service import open_service
from runtime.settings import load_settings
from tests.postgres_server import PASSWORD, PostgresServer

HERE = "http://127.0.0.1:8000"


@contextmanager
def served(home: Path, encoders: Encoders, url: str, **given: Any) -> Iterator[TestClient[Litestar]]:
    service = open_service(home, load_settings(home, registry_url=url, registry_connections=4, **given), encoders)
    with TestClient(create_app(service), base_url=HERE) as client:
        yield client


def test_two_servers_count_the_requests_of_a_key_together_and_both_see_it_revoked(
    postgres_server: PostgresServer, encoders: Encoders, tmp_path: Path
) -> None:
    url = postgres_server.fresh()
    admin = open_service(tmp_path / "a", load_settings(tmp_path / "a", registry_url=url), encoders)
    keys = {name: admin.keys.create(name, Role.READER, 1, "me") for name in ("one", "other")}
    one, other = ({"Authorization": f"Bearer {keys[name][0]}"} for name in keys)
    with (
        served(tmp_path / "a", encoders, url, requests_per_minute=4) as first,
        served(tmp_path / "b", encoders, url, requests_per_minute=4) as second,
    ):
        statuses = [client.get("/v1/documents", headers=one).status_code for client in (first, second) * 3]
        assert statuses == [200, 200, 200, 200, 429, 429]
        assert int(first.get("/v1/documents", headers=one).headers["retry-after"]) >= 1
        assert second.get("/v1/documents", headers=other).status_code == 200
        admin.registry.keys.revoke(keys["other"][1].id, "me")
        assert [client.get("/v1/documents", headers=other).status_code for client in (first, second)] == [401, 401]
    admin.close()


def test_a_server_says_that_its_registry_is_away_and_serves_again_once_it_is_back(
    own_postgres: PostgresServer, encoders: Encoders, tmp_path: Path
) -> None:
    with served(tmp_path / "home", encoders, own_postgres.fresh()) as client:
        while "warming up" in (before := client.get("/health/ready").json()["problem"]):
            pass
        assert "no reference cases yet" in before
        assert client.get("/v1/documents").status_code == 200
        own_postgres.stop()
        refused = client.get("/v1/documents")
        assert (refused.status_code, refused.json()["reason"]) == (503, "storage_failed")
        away = client.get("/health/ready")
        assert away.status_code == 503
        assert "the PostgreSQL server of the registry cannot be used" in away.text
        assert client.get("/health/live").status_code == 200
        for text in (refused.text, away.text):
            assert PASSWORD not in text
            assert str(own_postgres.port) not in text
        own_postgres.start()
        assert client.get("/v1/documents").status_code == 200
        assert client.get("/health/ready").json()["problem"] == before


@pytest.mark.parametrize("url", ["mysql://u:a-secret@host/d", "a-secret", "postgresql://u:a-secret@host:x y/d"])
def test_an_address_that_is_none_is_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=r"registry_url: .*must be postgresql://USER@HOST") as refused:
        load_settings(tmp_path, registry_url=url)
    assert "a-secret" not in str(refused.value)
