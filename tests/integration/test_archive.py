"""A knowledge base exported and imported elsewhere is the same knowledge base: every answer, to the byte."""

import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from knowledge.types import Source
from retrieval.protocols import ImageEncoder, TextEncoder
from retrieval.search import Encoders
from retrieval.types import EncoderCard
from runtime.cli import main
from runtime.curation import Curator
from runtime.jobs import Upload
from runtime.service import open_service
from runtime.settings import load_settings

SAMPLE = Path(__file__).parents[2] / "corpora" / "sample"
TOPICS = (
    "psoriasis", "acne", "rosacea", "scabies", "melanoma", "vitiligo", "urticaria", "impetigo", "tinea", "eczema",
    "pemphigus", "lichen planus", "alopecia areata", "cellulitis", "herpes zoster", "warts", "keloid", "melasma",
    "actinic keratosis", "hidradenitis",
)  # fmt: skip
DELETED, RETIRED, SUPERSEDED = TOPICS[:4], TOPICS[4:7], TOPICS[7:9]

Make = Callable[[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Homes:
    """One knowledge base, its archive, and where it was taken in. `export` and `taken` are what the commands said."""

    first: Path
    archive: Path
    second: Path
    export: dict[str, Any]
    taken: dict[str, Any]


def dermacite(home: Path, *arguments: str | Path) -> str:
    """What the command line prints."""
    result = CliRunner().invoke(main, ["--home", str(home), *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def text_of(topic: str, edition: int) -> str:
    return (
        f"Edition {edition} on {topic}: offer treatment {topic} number {edition} once daily for {len(topic)} weeks, and "
        f"review {topic} after {edition * 3} months with a picture of the skin."
    )


@pytest.fixture(scope="module")
def loaded(encoders: Encoders) -> Iterator[None]:
    """The command line with encoders that are loaded already."""
    by_name = {one.card.name: one for one in (encoders.captions, encoders.pictures)}

    def text_encoder(card: EncoderCard, _folder: Path | None = None) -> TextEncoder:
        return by_name[card.name]  # type: ignore[return-value]

    def image_encoder(card: EncoderCard, _folder: Path | None = None) -> ImageEncoder:
        return by_name[card.name]  # type: ignore[return-value]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runtime.service.load_text_encoder", text_encoder)
        patch.setattr("runtime.service.load_image_encoder", image_encoder)
        for name in os.environ:
            if name.startswith("DERMACITE_"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory, encoders: Encoders, loaded: None, make_guideline: Make) -> Homes:
    """Twenty documents in, two superseded, three retired, four deleted; exported, and imported elsewhere."""
    folder = tmp_path_factory.mktemp("archive")
    first, second = folder / "first", folder / "deeper" / "second"
    service = open_service(first, load_settings(first), encoders)
    curator = Curator(service, actor="curator")
    curator.ingest_cases(SAMPLE / "cases", "sample")
    uploads = [
        Upload(f"{topic}.pdf", lambda topic=topic: make_guideline(topic, text_of(topic, 1)),  # type: ignore[misc]
               Source(f"On {topic}", publisher="Dermacite tests", jurisdiction=("GB", "DE")[number % 2]))
        for number, topic in enumerate(TOPICS)
    ]  # fmt: skip
    ids = {}
    for topic, outcome in zip(TOPICS, curator.ingest_documents(uploads), strict=True):
        ids[topic] = service.registry.document(str(outcome.id)).id
    for topic in SUPERSEDED:
        second_edition = Upload("second.pdf", lambda topic=topic: make_guideline(topic, text_of(topic, 2)))  # type: ignore[misc]
        curator.ingest_documents([second_edition], document_id=ids[topic])
    for topic in RETIRED:
        curator.retire(service.registry.document(ids[topic]).version.id)
    for topic in DELETED:
        curator.delete_document(ids[topic])
    service.close()
    archive = folder / "knowledge.tar"
    export = json.loads(dermacite(first, "export", archive, "--json"))
    taken = json.loads(dermacite(second, "import", archive, "--json"))
    return Homes(first, archive, second, export, taken)


def without_timings(printed: str) -> str:
    """Of one JSON object, and of nothing else: every other byte is compared."""
    told, number = re.subn(r'"timings_ms": \{[^}]*\}', '"timings_ms": {}', printed)
    assert number <= 1
    return told


def test_what_was_taken_in_is_what_was_exported(homes: Homes) -> None:
    assert homes.taken["warnings"] == []
    assert homes.taken["sha256"] == homes.export["sha256"]
    counts = homes.taken["counts"]
    assert (counts["documents"], counts["versions"]) == (16, 18)
    assert homes.taken["index"] is not None


@pytest.mark.parametrize(
    "arguments",
    [
        ("documents", "list"),
        ("indexes",),
        ("doctor",),
        ("search", "treatment of psoriasis"),
        ("search", "review tinea after months", "-k", "12", "--explain"),
        ("search", "acne papules", "--image", SAMPLE / "consultations" / "c3.jpg"),
        ("search", "melanoma treatment", "--filter", "standing=retired"),
        ("search", "impetigo", "--filter", "standing=superseded"),
        ("search", "treatment once daily", "-k", "20", "--filter", "standing=in_force", "--filter", "standing=retired",
         "--filter", "standing=superseded"),
        ("search", "treatment", "--filter", "jurisdiction=GB"),
        ("diagnose", SAMPLE / "consultations" / "c1.jpg", "--note", "red patches with white flakes on my knee", "--age", "41"),
        ("diagnose", SAMPLE / "consultations" / "c2.jpg", "--note", "round brown spot on the back", "--leak-report"),
        ("diagnose", SAMPLE / "consultations" / "c3.jpg", "--note", "blackheads", "--filter", "standing=retired"),
        ("diagnose", SAMPLE / "consultations" / "c4.jpg"),
    ],
    ids=lambda arguments: " ".join(getattr(one, "name", one) for one in arguments),
)  # fmt: skip
def test_every_answer_is_the_same_to_the_byte(homes: Homes, arguments: tuple[str | Path, ...]) -> None:
    first, second = (without_timings(dermacite(home, *arguments, "--json")) for home in (homes.first, homes.second))
    assert second == first
    assert len(first) > 100
    assert str(homes.first) not in first


def test_the_answers_compared_above_are_not_empty(homes: Homes) -> None:
    """Each standing is found in the second home where it is asked for, and nothing of what was deleted."""
    for standing, topics in (("retired", RETIRED), ("superseded", SUPERSEDED)):
        found = json.loads(
            dermacite(homes.second, "search", f"{topics[0]} treatment", "--filter", f"standing={standing}", "--json")
        )
        assert any(topics[0] in one["text"] for one in found["passages"])
    everything = homes.archive.read_bytes()
    for topic in DELETED:
        assert text_of(topic, 1)[:60].encode() not in everything
    assert text_of(TOPICS[-1], 1)[:60].encode() in everything
    diagnosis = json.loads(
        dermacite(homes.second, "diagnose", SAMPLE / "consultations" / "c1.jpg", "--note", "white flakes", "--json")
    )
    assert diagnosis["ledger"]


def test_every_document_shows_the_same_pages(homes: Homes) -> None:
    listed = json.loads(dermacite(homes.first, "documents", "list", "--json"))["documents"]
    assert len(listed) == 16
    for document in listed:
        shown = [dermacite(home, "documents", "show", document["id"], "--json") for home in (homes.first, homes.second)]
        assert shown[0] == shown[1]


def test_the_same_state_gives_the_same_archive_wherever_it_is(homes: Homes, tmp_path: Path) -> None:
    """Also after exports and imports were written into the audit, and after every answer above."""
    for number, home in enumerate((homes.first, homes.second)):
        again = tmp_path / f"{number}.tar"
        dermacite(home, "export", again)
        assert again.read_bytes() == homes.archive.read_bytes()


def test_an_archive_is_a_tar_file_that_names_no_folder_of_the_machine(homes: Homes, tmp_path: Path) -> None:
    with tarfile.open(homes.archive) as tar:
        names = tar.getnames()
        first = tar.extractfile("manifest.json")
        assert first is not None
        manifest = first.read()
    assert names[0] == "manifest.json"
    assert str(homes.first).encode() not in manifest
    assert [one["name"] for one in json.loads(manifest)["members"]] == names[1:-1]


def test_deeds_are_in_the_audit_of_each_home(homes: Homes) -> None:
    for home, action in ((homes.first, "export"), (homes.second, "import")):
        service = open_service(home, load_settings(home))
        deeds = [one for one in service.registry.audit.entries() if one.kind == "archive" and one.action == action]
        others = [one.action for one in service.registry.audit.entries() if one.kind == "version"]
        service.close()
        assert deeds[0].item == homes.export["sha256"]
        assert (others.count("retire"), others.count("delete"), others.count("supersede")) == (3, 4, 2)


def test_archives_are_verified_without_an_import(homes: Homes, tmp_path: Path) -> None:
    told = json.loads(dermacite(tmp_path / "nowhere", "archive", "verify", homes.archive, "--json"))
    assert (told["sha256"], told["warnings"]) == (homes.export["sha256"], [])
    assert not (tmp_path / "nowhere").exists()
