"""The corpus that the tests of this folder read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import Corpus


@pytest.fixture(scope="module")
def shared(built_home: Path) -> Iterator[Corpus]:
    """Read only."""
    corpus = Corpus(built_home)
    yield corpus
    corpus.close()
