"""What every test shares: no network, no deadlines, golden files.

Golden files are renewed with `pytest tests/golden --renew-golden`; read the difference before you keep it.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub

import pytest
from hypothesis import settings

from tests.fakes import Corpus, fill

pytest_plugins = ["tests.sample", "tests.chroma_server"]

GOLDEN = Path(__file__).parent / "golden"

# A busy machine is no failure.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

MatchesGolden = Callable[[str, Any], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew-golden", action="store_true", help="write tests/golden/*.json anew instead of comparing")


@pytest.fixture
def matches_golden(request: pytest.FixtureRequest) -> MatchesGolden:
    """Compares a value that JSON can hold with `tests/golden/NAME.json`."""

    def check(name: str, value: Any) -> None:
        file = GOLDEN / f"{name}.json"
        if request.config.getoption("--renew-golden"):
            file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        assert json.loads(json.dumps(value)) == json.loads(file.read_text("utf-8"))

    return check


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
