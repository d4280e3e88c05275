"""What every test shares: no network, no deadlines, golden files.

Golden files are renewed with `pytest tests/golden --renew-golden`; read the difference before you keep it.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers keep every core busy: a torch that also takes them all would only wait for itself. Before anything imports it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from tests.fakes import Corpus, fill
from tests.warm_builds import WarmBuilds

pytest_plugins = [
    "tests.sample", "tests.chroma_server", "tests.object_storage", "tests.postgres_server", "tests.vllm.fixtures",
]  # fmt: skip

GOLDEN = Path(__file__).parent / "golden"
VLLM = Path(__file__).parent / "vllm"
CLUSTER = Path(__file__).parent / "cluster"

# A busy machine is no failure.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

MatchesGolden = Callable[[str, Any], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew-golden", action="store_true", help="write tests/golden/*.json anew instead of comparing")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After pytest-randomly has shuffled: what needs vLLM servers and the cluster first, so that one worker starts them, once.

    A worker takes tests from the end of another's list (`--dist worksteal`), and the first in it are never taken. Tests of the
    cluster keep the order they are written in: what one takes in, a later one finds, and the last one deletes.
    """
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[int, str, int]:
    if VLLM in item.path.parents:
        return 0, "", 0
    if CLUSTER in item.path.parents:
        return 1, item.path.name, item.location[1] or 0
    return 2, "", 0


@pytest.fixture
def matches_golden(request: pytest.FixtureRequest) -> MatchesGolden:
    """Compares a value that JSON can hold with `tests/golden/NAME.json`."""

    def check(name: str, value: Any) -> None:
        file = GOLDEN / f"{name}.json"
        if request.config.getoption("--renew-golden"):
            file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        assert json.loads(json.dumps(value)) == json.loads(file.read_text("utf-8"))

    return check


@pytest.fixture(scope="session", autouse=True)
def warm_builds() -> Iterator[None]:
    """Index builds that this process asks for are forked instead of started."""
    with (
        WarmBuilds() as builds,
        mock.patch("runtime.building.subprocess", builds),
        mock.patch("tests.fakes.subprocess", builds),
    ):
        yield


@pytest.fixture(scope="session")
def built_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a filled corpus with one published generation. Never write to it."""
    home = tmp_path_factory.mktemp("built") / "home"
    corpus = Corpus(home)
    fill(corpus)
    corpus.index.publish(corpus.build())
    corpus.close()
    return home


@pytest.fixture
def built(built_home: Path, tmp_path: Path) -> Iterator[Corpus]:
    """A filled corpus with one published generation, for one test."""
    home = tmp_path / "built"
    shutil.copytree(built_home, home, symlinks=True)
    corpus = Corpus(home)
    yield corpus
    corpus.close()


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[Corpus]:
    """An empty corpus."""
    corpus = Corpus(tmp_path / "home")
    yield corpus
    corpus.close()
