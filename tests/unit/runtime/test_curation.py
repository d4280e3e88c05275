"""What curators do to drafts whose vectors the serving encoders never made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import runtime.curation
from knowledge.types import Outcome, VersionState
from retrieval.embeddings import text_key
from runtime.curation import Curator
from runtime.errors import BuildFailed
from runtime.jobs import Upload
from runtime.writing import Writer
from tests.integration.killing import KilledService, digest_of, opened

TEXT = "Offer imiquimod for actinic keratosis of the forehead."


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KilledService]:
    """With a draft that has no vectors, as after a switch of encoders; without indexes."""
    monkeypatch.setattr(Writer, "merge_if_due", lambda self: None)
    one = opened(tmp_path / "home")
    [outcome] = Curator(one).ingest_documents([Upload("a.pdf", TEXT.encode)], draft=True)
    assert (outcome.state, outcome.version_state) == (Outcome.ADDED, VersionState.DRAFT)
    one.embeddings.delete([text_key(TEXT)])
    yield one
    one.close()


def test_a_draft_without_vectors_gets_them_before_it_is_seen(service: KilledService) -> None:
    Curator(service).approve(digest_of(TEXT))
    assert [one.text for one in service.lookup.search(TEXT).passages] == [TEXT]


def test_a_reindex_makes_the_vectors_of_drafts_and_keeps_them(
    service: KilledService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_build(_service: KilledService) -> Path:
        raise BuildFailed("not here")

    monkeypatch.setattr(runtime.curation, "build_in_child", no_build)
    with pytest.raises(BuildFailed):
        Curator(service).reindex()
    assert service.embeddings.keys() == {text_key(TEXT)}
