"""Other encoders are built beside those that serve, proven, and only then switched to; and back."""

import json
import runpy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from retrieval.listing import index_sets
from retrieval.search import Encoders
from retrieval.vectors import ChromaVectors
from runtime.curation import Curator
from runtime.doctor import examine
from runtime.errors import BuildFailed, EncodersSwitched, NothingToRollBack, SettingsRefused
from runtime.service import Service
from runtime.settings import EncoderChoice, load_settings
from runtime.switching import ENCODERS_FILE, Switched
from tests.chroma_server import ChromaServer

open_light: Callable[..., Service] = runpy.run_path(str(Path(__file__).with_name("light_process.py")))["open_light"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with twelve cases under the embedded encoders. Never write to it."""
    folder = tmp_path_factory.mktemp("cases")
    rows = []
    for number in range(12):
        grey = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(grey).save(folder / f"{number}.png")
        rows.append({"picture": f"{number}.png", "label": "acne", "caption": f"papule number {number}"})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    home = tmp_path_factory.mktemp("switching") / "home"
    service = open_light(home)
    Curator(service).ingest_cases(folder, None)
    service.close()
    return home


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "home", symlinks=True))


@pytest.fixture
def other(tmp_path: Path) -> EncoderChoice:
    """The card of the embedded text encoder with other weights: another fingerprint."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"other weights")
    return EncoderChoice(card="minilm", folder=folder)


@pytest.fixture
def service(home: Path) -> Iterator[Service]:
    service = open_light(home)
    yield service
    service.close()


def reopened(home: Path) -> Service:
    return open_light(home)


def test_a_switch_leaves_the_earlier_index_as_it_is_and_can_be_taken_back(
    service: Service, home: Path, other: EncoderChoice
) -> None:
    before = service.index.current()
    Curator(service).reindex_with({"captions": other})
    after = reopened(home)
    assert after.settings.captions == other
    assert after.index.current() not in (None, before)
    assert service.index.current() == before
    assert len(service.reader.view().cases.ids) == len(after.reader.view().cases.ids) == 12
    assert [one.serves for one in index_sets(home / "indexes", after.index.folder)].count(True) == 1
    Curator(after).roll_back()
    back = reopened(home)
    assert back.settings.captions == EncoderChoice(card="minilm")
    assert back.index.current() == before, "an index that still stood was built anew"
    Curator(back).roll_back()
    assert reopened(home).settings.captions == other


def test_a_process_from_before_the_switch_answers_on_and_writes_no_more(service: Service, other: EncoderChoice) -> None:
    Curator(service).reindex_with({"captions": other})
    assert len(service.reader.view().cases.ids) == 12
    with pytest.raises(EncodersSwitched, match="Restart"):
        Curator(service).reindex()


def test_a_leg_that_does_not_recognise_what_it_knows_is_not_switched_to(
    service: Service, home: Path, other: EncoderChoice
) -> None:
    loads = type(service)._load_encoders

    def dead(self: Service) -> Encoders:
        encoders = loads(self)
        encode = encoders.captions.encode_documents
        calls = iter(range(99))
        # Another vector every time: what is stored is not what is asked for.
        encoders.captions.encode_documents = lambda texts: np.roll(encode(texts), next(calls), axis=1)  # type: ignore[method-assign]
        return encoders

    before = service.index.current()
    with mock.patch.object(type(service), "_load_encoders", dead), pytest.raises(BuildFailed, match="caption meaning"):
        Curator(service).reindex_with({"captions": other})
    assert not (home / ENCODERS_FILE).exists()
    assert reopened(home).index.current() == before


def test_where_settings_name_the_encoder_the_lines_to_write_are_given(
    service: Service, home: Path, other: EncoderChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "settings.toml").write_text('[captions]\ncard = "minilm"')
    with pytest.raises(SettingsRefused, match=r'settings\.toml(.|\n)*\[captions\]\ncard = "minilm"\nfolder = '):
        Curator(service).reindex_with({"captions": other})
    (home / "settings.toml").unlink()
    monkeypatch.setenv("DERMACITE_CAPTIONS__CARD", "minilm")
    with pytest.raises(SettingsRefused, match="DERMACITE_CAPTIONS"):
        Curator(service).reindex_with({"captions": other})


def test_what_was_switched_to_beats_the_named_configuration_and_nothing_else(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Switched().to({"passages": {"card": "pubmedbert", "folder": "/weights"}}).write(home)
    assert load_settings(home).passages == EncoderChoice(card="pubmedbert", folder=Path("/weights"))
    monkeypatch.setenv("DERMACITE_PASSAGES__CARD", "bge-m3")
    assert load_settings(home).passages == EncoderChoice(card="bge-m3")


def test_a_choice_that_cannot_be_read_is_refused(home: Path) -> None:
    for text in ("{", '{"serving": {"noses": {}}}', "[]", '{"serving": 1}'):
        (home / ENCODERS_FILE).write_text(text)
        with pytest.raises(SettingsRefused, match=ENCODERS_FILE):
            load_settings(home)


def test_without_a_switch_there_is_nothing_to_return_to(service: Service) -> None:
    with pytest.raises(NothingToRollBack):
        Curator(service).roll_back()


# --- a Chroma server ---------------------------------------------------------------------------------------------------


def test_a_server_that_dies_costs_speed_and_is_told(home: Path, tmp_path: Path) -> None:
    server = ChromaServer(tmp_path / "chroma")
    try:
        service = open_light(home, load_settings(home, chroma_url=server.url, exact_below=0))
        final = Curator(service).reindex()
        assert not (final / "chroma").exists()
        assert {one.name: one.healthy for one in examine(service)}["chroma"]
        vectors = service.reader.view().cases.pictures
        query = vectors.take(np.array([3]))[0]
        expected = [rows.tolist() for rows in vectors.search(query, 5)]
        assert vectors.degraded is None
    finally:
        server.stop()
    assert [rows.tolist() for rows in vectors.search(query, 5)] == expected
    assert "searches are exact" in str(vectors.degraded)
    assert isinstance(vectors._base, ChromaVectors)
    bad = {one.name: one.detail for one in examine(service) if not one.healthy}
    assert "Chroma server" in bad["chroma"]
    with pytest.raises(BuildFailed, match="old one still serves"):
        Curator(service).reindex()
    assert service.index.current() == final


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:8000", "http://chroma.example:8000", "ftp://127.0.0.1", "http://a:b@127.0.0.1", "https://"]
)
def test_only_loopback_or_https_is_taken(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsRefused, match="no authentication"):
        load_settings(tmp_path, chroma_url=url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "http://localhost:1", "http://[::1]:9", "https://chroma.example"]
)
def test_loopback_and_https_are_taken(tmp_path: Path, url: str) -> None:
    assert load_settings(tmp_path, chroma_url=url).chroma_url == url.rstrip("/")
