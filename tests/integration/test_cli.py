"""The command line as a person and as a program use it: outcomes, exit codes, one JSON object, and what mends what."""

import ctypes
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A5
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

import runtime
from inference.types import DiagnosisOptions
from retrieval.encoders import encoder_card, load_image_encoder, load_text_encoder
from retrieval.index import BUILDING
from retrieval.protocols import ImageEncoder, TextEncoder
from retrieval.search import Encoders
from retrieval.types import EncoderCard
from runtime import printing
from runtime.cli import main
from runtime.service import Service

PROJECT = Path(runtime.__file__).parent.parent
RARE = "zyxomethasone"  # a word that no other text has

Draw = Callable[[str, int], bytes]


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`dermacite --home HOME`, run in this process with encoders that are loaded already."""

    home: Path

    def __call__(self, *arguments: str | Path, home: Path | None = None) -> Result:
        given = ["--home", str(home or self.home), *map(str, arguments)]
        return CliRunner().invoke(main, given, catch_exceptions=False, prog_name="dermacite")

    def json(self, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
        """What the command prints with --json: exactly one object on stdout."""
        result = self(*arguments, "--json")
        assert result.exit_code == code, result.output
        read = json.loads(result.stdout)
        assert isinstance(read, dict)
        return read


@pytest.fixture
def command(
    sample_service: Service, encoders: Encoders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """On a copy of the sample: 12 cases of 3 labels and a guideline of 3 pages."""

    def text_encoder(card: EncoderCard, folder: Path | None = None) -> TextEncoder:
        return encoders.captions if card == encoders.captions.card else load_text_encoder(card, folder)

    def image_encoder(card: EncoderCard, folder: Path | None = None) -> ImageEncoder:
        return encoders.pictures if card == encoders.pictures.card else load_image_encoder(card, folder)

    monkeypatch.setattr("runtime.service.load_text_encoder", text_encoder)
    monkeypatch.setattr("runtime.service.load_image_encoder", image_encoder)
    for name in os.environ:
        if name.startswith("DERMACITE_"):
            monkeypatch.delenv(name)
    shutil.copytree(sample_service.home.root, tmp_path / "home", symlinks=True)
    return CommandLine(tmp_path / "home")


def pdf(*pages: str | None) -> bytes:
    """One page per text; None is a page that holds only a picture."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A5, invariant=True)
    for text in pages:
        if text is None:
            canvas.drawImage(ImageReader(Image.new("RGB", (60, 60), "brown")), 50, 200, 200, 200)
        words = (text or "").split()
        for line, start in enumerate(range(0, len(words), 8)):
            canvas.drawString(40, 540 - 14 * line, " ".join(words[start : start + 8]))
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def encrypted(data: bytes) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt("secret", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def png(grey: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((128, 128, 3), grey, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def written(file: Path, data: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


# --- the command line itself -------------------------------------------------------------------------------------------

COMMANDS = (
    (), ("ingest",), ("ingest", "documents"), ("ingest", "cases"), ("documents",), ("documents", "list"),
    ("documents", "show"), ("documents", "delete"), ("reindex",), ("search",), ("diagnose",), ("serve",), ("doctor",),
    ("check",), ("indexes",), ("evaluate",), ("ablate",), ("models",), ("export",), ("import",), ("archive",),
    ("archive", "verify"), ("models", "list"), ("models", "show"), ("models", "command"), ("labels",), ("labels", "parse"),
    ("datasets",), ("datasets", "list"), ("datasets", "show"), ("datasets", "retire"), ("datasets", "restore"),
    ("datasets", "delete"), ("datasets", "report"), ("cases",), ("cases", "delete"), ("coverage",), ("audit",),
    ("documents", "approve"), ("documents", "describe"), ("documents", "diff"), ("documents", "passages"),
    ("documents", "retire"), ("jobs",), ("jobs", "list"), ("jobs", "show"), ("jobs", "run"), ("jobs", "cancel"),
    ("jobs", "retry"), ("keys",), ("keys", "create"), ("keys", "list"), ("keys", "revoke"),
)  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(name: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_every_command_is_in_the_list_above() -> None:
    import click

    found = {()}
    for name, one in main.commands.items():
        found.add((name,))  # type: ignore[arg-type]
        found.update((name, inner) for inner in (one.commands if isinstance(one, click.Group) else ()))  # type: ignore[misc]
    assert found == set(COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"], ["ingest", "documents"], ["ingest", "documents", "/nowhere/at/all.pdf"], ["search", "x", "-k", "51"],
        ["search"], ["diagnose"], ["diagnose", "/nowhere.png"], ["--configuration", "mine", "doctor"],
        ["documents", "show"], ["serve", "--port", "70000"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_ends_with_2_and_an_empty_stdout(command: CommandLine, arguments: list[str]) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage:" in result.stderr


def test_an_error_is_one_sentence_on_stderr_and_one_object_for_a_program(command: CommandLine) -> None:
    result = command("documents", "show", "d-nowhere")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Refused: no such document. List them: dermacite documents list\n"
    error = command.json("documents", "show", "d-nowhere", code=1)["error"]
    assert error == {"reason": "not_found", "message": "no such document. List them: dermacite documents list"}


def test_a_new_home_is_made_and_says_what_to_do_next(command: CommandLine, tmp_path: Path) -> None:
    result = command("documents", "list", home=tmp_path / "deep" / "new")
    assert result.exit_code == 0
    assert "dermacite ingest documents" in result.stdout


# --- documents in ------------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "guidelines"
    good = pdf(f"Give {RARE} 5 mg twice daily for hidradenitis.", None)
    written(folder / "good.pdf", good)
    written(folder / "deep" / "ENCRYPTED.PDF", encrypted(good))
    written(folder / "image-only.pdf", pdf(None, None))
    written(folder / "broken.pdf", good[:500])
    written(folder / "empty.pdf", b"")
    written(folder / "notes.txt", b"not looked at")
    line = {"file": "good.pdf", "title": "Care of hidradenitis", "licence": "CC0-1.0"}
    (folder / "documents.jsonl").write_text(json.dumps(line))
    return folder


def test_one_bad_file_never_stops_the_others(command: CommandLine, mixed_folder: Path) -> None:
    answer = command.json("ingest", "documents", mixed_folder, code=1)
    by_name = {Path(one["file"]).name: one for one in answer["outcomes"]}
    assert {name: (one["state"], one["reason"]) for name, one in by_name.items()} == {
        "good.pdf": ("added", None), "ENCRYPTED.PDF": ("refused", "encrypted"), "broken.pdf": ("refused", "broken_pdf"),
        "image-only.pdf": ("refused", "image_only"), "empty.pdf": ("refused", "empty_file"),
    }  # fmt: skip
    assert answer["totals"]["refused"] == 4
    assert any(warning.startswith("page 2:") for warning in by_name["good.pdf"]["warnings"])
    assert by_name["image-only.pdf"]["page"] == 1
    found = command.json("search", f"{RARE} for hidradenitis")["passages"]
    assert found[0]["title"] == "Care of hidradenitis"
    assert RARE in found[0]["text"]


def test_a_person_reads_file_page_and_reason_of_every_refusal(command: CommandLine, mixed_folder: Path) -> None:
    result = command("ingest", "documents", mixed_folder)
    assert result.exit_code == 1
    refused = [line for line in result.stdout.splitlines() if line.startswith("refused")]
    assert len(refused) == 4
    (image_only,) = (line for line in refused if "image-only.pdf" in line)
    assert ", page 1: No page has text" in image_only
    assert image_only.endswith("[image_only]")
    assert result.stdout.splitlines()[-1].startswith("1 added, 0 unchanged, 0 replaced, 4 refused")


def test_the_same_files_again_are_unchanged(command: CommandLine, mixed_folder: Path) -> None:
    first = command.json("ingest", "documents", mixed_folder / "good.pdf")
    second = command.json("ingest", "documents", mixed_folder / "good.pdf", mixed_folder / "good.pdf")
    assert [one["state"] for one in second["outcomes"]] == ["unchanged", "unchanged"]
    assert {one["id"] for one in second["outcomes"]} == {first["outcomes"][0]["id"]}


def test_a_misspelt_key_in_the_list_is_refused_before_anything_is_read(
    command: CommandLine, mixed_folder: Path
) -> None:
    (mixed_folder / "documents.jsonl").write_text('{"file": "good.pdf", "title": "A", "license": "MIT"}')
    before = command.json("documents", "list")
    error = command.json("ingest", "documents", mixed_folder, code=1)["error"]
    assert error["reason"] == "bad_sources"
    assert "line 1: unknown keys license" in error["message"]
    assert command.json("documents", "list") == before


# --- cases in ----------------------------------------------------------------------------------------------------------


def manifest_csv(folder: Path, draw: Draw) -> str:
    written(folder / "a.png", draw("nevus", 20))
    written(folder / "b.png", draw("acne", 20))
    (folder / "manifest.csv").write_text("picture,label,caption\na.png,nevus,brown macule\nb.png,acne,papules\n")
    return "manifest"


def manifest_jsonl(folder: Path, draw: Draw) -> str:
    written(folder / "a.png", draw("nevus", 21))
    written(folder / "b.png", draw("acne", 21))
    rows = [{"image": "a.png", "label": "nevus", "license": "CC0-1.0"}, {"image": "b.png", "label": "acne"}]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return "manifest"


def class_folders(folder: Path, draw: Draw) -> str:
    written(folder / "nevus" / "1.png", draw("nevus", 22))
    written(folder / "acne" / "1.png", draw("acne", 22))
    return "manifest"


def skincap(folder: Path, draw: Draw) -> str:
    written(folder / "skincap" / "1.png", draw("nevus", 23))
    written(folder / "skincap" / "2.png", draw("acne", 23))
    header = "id,skincap_file_path,disease,caption_zh_polish_en,fitzpatrick_scale,source,Do not consider this image"
    rows = ("1,1.png,nevus,A brown macule.,3,fitzpatrick17k,", "2,2.png,acne,Papules.,-1,ddi,0")
    (folder / "skincap_v240623.csv").write_text("\n".join((header, *rows)))
    return "fitzpatrick17k"


@pytest.mark.parametrize("layout", [manifest_csv, manifest_jsonl, class_folders, skincap])
def test_every_layout_of_cases_is_taken_in(
    command: CommandLine, tmp_path: Path, draw: Draw, layout: Callable[[Path, Draw], str]
) -> None:
    folder = tmp_path / "manifest"
    folder.mkdir()
    title = layout(folder, draw)
    answer = command.json("ingest", "cases", folder)
    assert [one["state"] for one in answer["outcomes"]] == ["added", "added"]
    assert answer["totals"]["cases"] == 2
    again = command.json("ingest", "cases", folder)
    assert [one["state"] for one in again["outcomes"]] == ["unchanged", "unchanged"]
    picture = next(file for file in sorted(folder.rglob("*.png")) if file.is_file())
    (nearest, *_) = command.json("search", "", "--image", picture)["cases"]
    assert nearest["title"] == title
    assert nearest["id"] in {one["id"] for one in answer["outcomes"]}
    assert nearest["scores"]["picture"] == pytest.approx(1, abs=1e-4)


def test_a_collection_has_the_name_it_is_given_and_bad_rows_are_named(
    command: CommandLine, tmp_path: Path, draw: Draw
) -> None:
    written(tmp_path / "set" / "good.png", draw("acne", 30))
    written(tmp_path / "set" / "bad.png", b"no picture")
    (tmp_path / "set" / "manifest.csv").write_text("picture,label\ngood.png,acne\nbad.png,acne\ngone.png,acne\n")
    answer = command.json("ingest", "cases", tmp_path / "set", "--dataset", "mine")
    assert [(one["file"], one["state"], one["reason"]) for one in answer["outcomes"]] == [
        ("good.png", "added", None), ("bad.png", "refused", "not_a_picture"), ("gone.png", "refused", "picture_missing"),
    ]  # fmt: skip
    assert "row 3" in answer["outcomes"][1]["message"]
    (nearest, *_) = command.json("search", "", "--image", tmp_path / "set" / "good.png")["cases"]
    assert nearest["title"] == "mine"


def test_when_no_row_could_be_used_the_exit_code_says_so(command: CommandLine, tmp_path: Path) -> None:
    written(tmp_path / "set" / "bad.png", b"no picture")
    (tmp_path / "set" / "manifest.csv").write_text("picture,label\nbad.png,acne\n")
    result = command("ingest", "cases", tmp_path / "set")
    assert result.exit_code == 1
    assert "refused    bad.png: row 2:" in result.stdout


def test_a_folder_without_cases_is_refused_with_what_is_understood(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    error = command.json("ingest", "cases", tmp_path / "nothing", code=1)["error"]
    assert error["reason"] == "no_cases_found"
    assert "manifest.csv" in error["message"]


# --- asking ------------------------------------------------------------------------------------------------------------


def test_a_diagnosis_is_given_with_cited_evidence(command: CommandLine, tmp_path: Path, draw: Draw) -> None:
    picture = written(tmp_path / "query.png", draw("psoriasis", 9))
    answer = command.json("diagnose", picture, "--note", "thick silvery scale on both elbows", "--age", "40")
    assert answer["outcome"] == "diagnosis"
    assert answer["candidates"][0]["label"] == "psoriasis"
    assert answer["citations"]["verified"] == answer["citations"]["total"] > 0
    keys = {item["key"] for item in answer["ledger"]}
    assert {citation["evidence"] for one in answer["report"] for citation in one["citations"]} <= keys
    text = command("diagnose", picture, "--note", "thick silvery scale on both elbows").stdout
    assert text.startswith("Diagnosis (ranked)\n  1. psoriasis")
    assert "never a decision" in text or "not a diagnosis" in text


@pytest.mark.parametrize(("grey", "said"), [(0, "too dark"), (255, "overexposed"), (128, "without contrast")])
def test_a_picture_that_shows_nothing_is_declined(command: CommandLine, tmp_path: Path, grey: int, said: str) -> None:
    answer = command.json("diagnose", written(tmp_path / "query.png", png(grey)))
    assert (answer["outcome"], answer["reason"]) == ("abstention", "picture_unusable")
    assert said in answer["explanation"]


@pytest.mark.parametrize("empty", [True, False])
def test_without_cases_there_is_no_diagnosis(command: CommandLine, tmp_path: Path, draw: Draw, empty: bool) -> None:
    picture = written(tmp_path / "query.png", draw("psoriasis", 9))
    fresh = CommandLine(tmp_path / "fresh") if empty else command
    answer = fresh.json("diagnose", picture, *(() if empty else ("--no-cases",)))
    assert (answer["outcome"], answer["reason"]) == ("abstention", "no_reference_cases")
    result = fresh("diagnose", picture, *(() if empty else ("--no-cases",)))
    assert result.stdout.startswith("No diagnosis (no_reference_cases)")


def test_switches_reach_the_answer(command: CommandLine, tmp_path: Path, draw: Draw) -> None:
    picture = written(tmp_path / "query.png", draw("psoriasis", 0))
    answer = command.json("diagnose", picture, "--no-passages", "--no-leak-guard", "-k", "2", "--alpha", "1")
    assert {item["kind"] for item in answer["ledger"]} == {"case"}
    assert any("leak guard was switched off" in warning for warning in answer["warnings"])
    asked = DiagnosisOptions(k=2, alpha=1.0, passages=False, leak_guard=False)
    assert answer["trace"]["configuration"]["options"] == json.loads(printing.as_json(asked))


def test_the_picture_at_fault_is_named_by_its_number(command: CommandLine, tmp_path: Path, draw: Draw) -> None:
    good = written(tmp_path / "good.png", draw("acne", 9))
    bad = written(tmp_path / "bad.png", draw("acne", 9)[:99])
    error = command.json("diagnose", good, bad, code=1)["error"]
    assert error["reason"] == "truncated"
    assert error["message"].startswith("picture 2: ")
    assert command.json("diagnose", *[good] * 5, code=1)["error"]["reason"] == "consultation_refused"


def test_a_counterfactual_says_what_the_answer_depends_on(command: CommandLine, tmp_path: Path, draw: Draw) -> None:
    picture = written(tmp_path / "query.png", draw("psoriasis", 9))
    asked = ("diagnose", picture, "--note", "plaque with silvery scale", "--counterfactual", "--shuffles", "2")
    found = command.json(*asked)
    ledger = {item["key"]: item for item in found["answer"]["ledger"]}
    assert [item["key"] for item in found["items"]] == list(ledger)
    assert len(found["shuffled"]) == 2
    assert found["depends_on_labels"] is True
    assert not found["again"]["changed"]
    assert {"passage"} < {item["kind"] for item in ledger.values()}
    assert {ledger[key]["kind"] for key in found["depends_on"]} <= {"case"}  # guidelines have no vote
    assert found["cited_not_used"]
    told = command(*asked).stdout
    assert "Diagnosis (ranked)" in told
    assert f"Counterfactuals ({found['runs']} runs; the answer: psoriasis" in told
    assert "depends on the labels of the cases: yes" in told
    assert f"depends on: {', '.join(found['depends_on']) or 'nothing'}" in told


def test_what_was_left_out_for_want_of_runs_is_said(command: CommandLine, tmp_path: Path, draw: Draw) -> None:
    picture = written(tmp_path / "query.png", draw("acne", 9))
    told = command("diagnose", picture, "--counterfactual", "--items", "1", "--shuffles", "0").stdout
    assert "not tested, for want of runs: E" in told
    assert "depends on the labels" not in told


def test_options_of_a_counterfactual_alone_are_refused(command: CommandLine, tmp_path: Path, draw: Draw) -> None:
    picture = written(tmp_path / "query.png", draw("acne", 9))
    result = command("diagnose", picture, "--items", "3", "--shuffles", "1")
    assert result.exit_code == 2
    assert "--items and --shuffles: only with --counterfactual" in result.stderr
    way_around = ("--counterfactual", "--on-engine-failure", "abstain")
    assert command.json("diagnose", picture, *way_around, code=1)["error"]["reason"] == "consultation_refused"


def test_a_diagnosis_explains_its_searches(command: CommandLine, tmp_path: Path, draw: Draw) -> None:
    picture = written(tmp_path / "query.png", draw("psoriasis", 9))
    told = command("diagnose", picture, "--note", "flaky patches", "--fusion", "rrf", "--explain").stdout
    assert "How the passages for the note were found" in told
    assert "rrf: ranks of both legs" in told
    assert "(for “flaky”, " in told


def test_a_search_explains_itself_to_people_and_programs(command: CommandLine) -> None:
    told = command("search", "flaky patches with itching", "--explain")
    assert told.exit_code == 0, told.output
    for expected in (
        "How the passages were found",
        "adaptive: ",
        "scaly",
        "for “flaky”, lesion",
        "cosine 0.2",
        "dropped",
    ):
        assert expected in told.output
    assert "How the passages" not in command("search", "flaky patches").output
    read = command.json("search", "flaky patches with itching")["explanations"]
    assert set(read) == {"passages", "cases"}
    assert read["passages"]["shares"]["semantic"] >= 0.6
    assert [one["phrase"] for one in read["passages"]["expansions"]] == ["flaky", "itch"]


def test_filters_leave_only_what_passes_and_say_what_is_unknown(
    command: CommandLine, tmp_path: Path, draw: Draw
) -> None:
    answer = command.json(
        "search", "border of a plaque", "--filter", "label=nevus", "--filter", "label=psoriasiss",
        "--filter", "effective_to=2024-01-30",
    )  # fmt: skip
    assert {item["label"] for item in answer["cases"]} == {"nevus"}
    assert answer["passages"] == []
    assert "no reference case has label “psoriasiss”; nearest: psoriasis" in answer["warnings"]
    assert "no passage passes the filters: effective_to=2024-01-30" in answer["warnings"]
    answer = command.json("search", "plaque", "--fusion", "rrf")
    assert answer["explanations"]["passages"]["fusion"] == "rrf"
    found = command.json("search", "border of a plaque", "--filter", "language=en")
    assert found["passages"]
    assert not command.json("search", "border of a plaque", "--filter", "language=de")["passages"]
    picture = written(tmp_path / "query.png", draw("acne", 9))
    filtered = command.json("diagnose", picture, "--filter", "label=acne", "--filter", "label=nevus")
    assert {item["label"] for item in filtered["ledger"] if item["kind"] == "case"} <= {"acne", "nevus"}
    assert filtered["trace"]["configuration"]["options"]["filters"]["label"] == ["acne", "nevus"]


def test_a_search_shows_legs_to_people_and_programs(command: CommandLine) -> None:
    answer = command.json("search", "excise a nevus with a margin of 2 mm", "-k", "2")
    assert len(answer["cases"]) == 2
    best = answer["passages"][0]
    assert best["first_page"] == 2
    assert set(best["scores"]) == set(best["ranks"])
    text = command("search", "excise a nevus with a margin of 2 mm").stdout
    assert text.startswith("Guideline passages\n  1. ")
    assert "A sample guideline, page 2" in text
    assert command.json("search", "  ", code=1)["error"]["reason"] == "consultation_refused"


# --- documents kept, deleted, indexed anew -----------------------------------------------------------------------------


def test_documents_are_listed_and_shown(command: CommandLine) -> None:
    (document,) = command.json("documents", "list")["documents"]
    assert document["source"]["title"] == "A sample guideline"
    assert document["version"]["state"] == "live"
    shown = command.json("documents", "show", document["id"])
    assert [page["number"] for page in shown["pages"]] == [1, 2, 3]
    text = command("documents", "show", document["id"]).stdout
    assert f"{document['id']}  A sample guideline" in text
    assert "page 3: text" in text
    assert document["id"] in command("documents", "list").stdout


def traces_of(home: Path, word: str) -> list[str]:
    """Files below `home` that still hold a word, as it is."""
    files = (file for file in home.rglob("*") if file.is_file())
    return [file.relative_to(home).as_posix() for file in files if word.encode() in file.read_bytes()]


def test_a_deleted_document_is_gone_everywhere_and_the_receipt_says_so(
    command: CommandLine, mixed_folder: Path, sample_service: Service
) -> None:
    (added,) = command.json("ingest", "documents", mixed_folder / "good.pdf")["outcomes"]
    command.json("reindex")
    other = written(command.home / "indexes" / "of-other-encoders" / "g1" / "passages.json", b"[]").parent.parent
    assert traces_of(command.home, RARE)
    before = EmbeddingKeys.of(command.home)

    receipt = command.json("documents", "delete", added["id"])

    assert receipt["document_id"] == added["id"]
    assert receipt["passages"] == added["passages"] > 0
    assert set(receipt["absent_from"]) == {"registry", "vectors", "index", "lexical", "caches", "files", "disk"}
    assert added["id"] not in {one["id"] for one in command.json("documents", "list")["documents"]}
    assert all(RARE not in one["text"] for one in command.json("search", f"{RARE} hidradenitis")["passages"])
    [version] = receipt["versions"]
    assert not (command.home / "blobs" / version[:2] / version).exists()
    assert len(before) - len(EmbeddingKeys.of(command.home)) == receipt["passages"]
    assert not other.exists()
    assert traces_of(command.home, RARE) == []
    assert command.json("doctor")["healthy"] is True
    assert command.json("documents", "delete", added["id"], code=1)["error"]["reason"] == "not_found"


class EmbeddingKeys:
    """What a home remembers vectors of."""

    @staticmethod
    def of(home: Path) -> frozenset[str]:
        from retrieval.embeddings import EmbeddingStore

        return EmbeddingStore(home / "embeddings.sqlite3").keys()


def test_a_person_reads_the_receipt(command: CommandLine) -> None:
    (document,) = command.json("documents", "list")["documents"]
    result = command("documents", "delete", document["id"])
    assert result.stdout.splitlines() == [
        f"deleted {document['id']}: {document['version']['passage_count']} passages",
        "absent from: registry, vectors, index, lexical, caches, files, disk",
    ]


def test_reindex_switches_to_a_new_generation_and_encodes_nothing_again(command: CommandLine) -> None:
    (index,) = (command.home / "indexes").iterdir()
    before = (index / "current").readlink()
    answer = command.json("reindex")
    assert answer["generation"] == str((index / "current").readlink()) != str(before)
    assert answer["encoded"] == {}
    assert [one.name for one in index.iterdir() if one.is_dir() and not one.is_symlink()] == [answer["generation"]]


def test_a_home_by_a_relative_path_and_a_link_keeps_its_index(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("home")
    assert command("reindex", home=Path("link")).exit_code == 0
    (index,) = (command.home / "indexes").iterdir()
    assert (index / "current" / "manifest.json").is_file()
    assert command("doctor", home=Path("link")).exit_code == 0


# --- the doctor --------------------------------------------------------------------------------------------------------


def test_a_healthy_home_is_said_to_be_healthy(command: CommandLine) -> None:
    answer = command.json("doctor")
    assert answer["healthy"] is True
    assert {check["name"] for check in answer["checks"]} == {
        "registry", "stored files", "leftovers", "jobs", "encoders", "vectors", "index", "chroma", "leg: picture",
        "leg: caption meaning",
        "leg: caption words", "leg: passage meaning", "leg: passage words",
    }  # fmt: skip
    text = command("doctor").stdout
    assert text.splitlines()[-1] == "healthy"
    assert "BAD" not in text


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def a_blob(home: Path) -> None:
    flip(next(file for file in sorted((home / "blobs").rglob("*")) if file.is_file()))


def a_missing_blob(home: Path) -> None:
    next(file for file in sorted((home / "blobs").rglob("*")) if file.is_file()).unlink()


def an_array(home: Path) -> None:
    flip(next((home / "indexes").glob("*/current/pictures.npy")))


def a_short_array(home: Path) -> None:
    next((home / "indexes").glob("*/current/passages.npy")).write_bytes(b"\x93NUMPY")


def the_manifest(home: Path) -> None:
    next((home / "indexes").glob("*/current/manifest.json")).unlink()


def the_calibration(home: Path) -> None:
    next((home / "indexes").glob("*/current/calibration.json")).write_text("{}")


def the_words(home: Path) -> None:
    next((home / "indexes").glob("*/current/captions.bm25/vocab.index.json")).unlink()


def the_generation(home: Path) -> None:
    current = next((home / "indexes").glob("*/current"))
    shutil.rmtree(current.resolve())


def the_vectors(home: Path) -> None:
    for file in home.glob("embeddings.sqlite3*"):
        file.unlink()


@pytest.mark.parametrize(
    ("damage", "bad"),
    [
        (a_blob, "stored files"), (a_missing_blob, "stored files"), (an_array, "index"), (a_short_array, "index"),
        (the_manifest, "index"), (the_calibration, "index"), (the_words, "index"), (the_generation, "index"),
        (the_vectors, "vectors"),
    ],
)  # fmt: skip
def test_damage_is_found_and_named_with_what_mends_it(
    command: CommandLine, damage: Callable[[Path], None], bad: str
) -> None:
    damage(command.home)
    answer = command.json("doctor", code=1)
    assert answer["healthy"] is False
    found = {check["name"]: check for check in answer["checks"] if not check["healthy"]}
    mend = "restore from a backup" if bad == "stored files" else "dermacite reindex"
    assert mend in f"{found[bad]['detail']} {found[bad]['mend']}"


def test_reindex_mends_every_damage_to_what_is_derived(command: CommandLine) -> None:
    for damage in (the_calibration, a_short_array, the_manifest, the_vectors):
        damage(command.home)
    assert command("reindex").exit_code == 0
    assert command.json("doctor")["healthy"] is True
    the_generation(command.home)
    assert command("reindex").exit_code == 0
    assert command.json("doctor")["healthy"] is True


def test_leftovers_are_reported_are_no_fault_and_reindex_removes_them(command: CommandLine) -> None:
    (index,) = (command.home / "indexes").iterdir()
    left = [
        written(index / f"{BUILDING}1" / "pictures.npy", b"half").parent,
        written(command.home / "blobs" / "00" / ("0" * 64), b"nothing points here"),
        written(command.home / "blobs" / "00" / ".aside-1", b"half of a document"),
    ]
    (index / ".current-1").symlink_to("nowhere")
    answer = command.json("doctor")
    (check,) = (check for check in answer["checks"] if check["name"] == "leftovers")
    assert answer["healthy"] is True
    assert check["detail"].startswith("2 unreferenced files and 1 unfinished builds")
    assert command(*check["mend"].split()[1:]).exit_code == 0
    assert [path for path in left if path.exists()] == []
    assert not (index / ".current-1").is_symlink()
    (check,) = (check for check in command.json("doctor")["checks"] if check["name"] == "leftovers")
    assert check["detail"] == "none"


# --- other configurations and homes ------------------------------------------------------------------------------------


def test_a_missing_model_is_named_with_the_command_that_gets_it(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    card = encoder_card("siglip-base-512")
    result = command("--configuration", "clinical", "search", "psoriasis")
    assert result.exit_code == 1
    assert f"Get it: hf download {card.model} --revision {card.revision}" in result.stderr
    doctor = command("--configuration", "clinical", "doctor")
    assert doctor.exit_code == 1
    assert (
        f"BAD encoders: encoder {card.name} is not on this machine. Get it: hf download {card.model}" in doctor.stdout
    )


def test_a_served_model_that_cannot_be_reached_is_refused_with_what_to_set(
    command: CommandLine, tmp_path: Path, draw: Draw
) -> None:
    picture = written(tmp_path / "query.png", draw("acne", 9))
    (command.home / "settings.toml").write_text('classifier = "hikari-sirius"')
    told = command("diagnose", picture)
    assert told.exit_code == 1
    assert "[models.hikari-sirius] url =" in told.stderr
    nobody = 'classifier = "hikari-sirius"\n[models.hikari-sirius]\nurl = "http://127.0.0.1:9/v1"'
    (command.home / "settings.toml").write_text(nobody)
    error = command.json("diagnose", picture, code=1)["error"]
    assert error["reason"] == "engine_unreachable"
    assert "inference server runs" in error["message"]
    answer = command.json("diagnose", picture, "--on-engine-failure", "exemplar")
    assert any("embedded way answers instead" in warning for warning in answer["warnings"])
    checks = command.json("doctor", code=1)["checks"]
    assert [check["healthy"] for check in checks if check["name"] == "model: hikari-sirius"] == [False]


def test_wrong_settings_are_refused_by_every_command(command: CommandLine) -> None:
    (command.home / "settings.toml").write_text("alhpa = 0.5")
    for arguments in (("documents", "list"), ("search", "x"), ("doctor",), ("reindex",)):
        assert "alhpa" in command.json(*arguments, code=1)["error"]["message"]


def test_a_home_that_is_a_file_is_refused(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "file", b"not a folder")
    assert command("documents", "list", home=file).exit_code == 2
    monkeypatch.setenv("DERMACITE_HOME", str(file))
    result = CliRunner().invoke(main, ["documents", "list"], catch_exceptions=False)
    assert result.exit_code == 1
    assert "dermacite --home DIR" in result.stderr


def _obey_permissions() -> None:
    """Run in a child: the superuser, too, then may only write what the permissions allow."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2, 3):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; refused, and not needed, for everybody else


@pytest.mark.parametrize("arguments", [("documents", "list"), ("reindex",)], ids=" ".join)
def test_a_read_only_home_is_refused_in_one_sentence(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o555)
    result = subprocess.run(
        [sys.executable, "-m", "runtime", "--home", str(home), *arguments],
        capture_output=True, text=True, check=False, cwd=PROJECT, preexec_fn=_obey_permissions,
    )  # fmt: skip
    home.chmod(0o755)
    assert result.returncode == 1
    assert result.stderr.startswith("Refused: ")
    assert "permissions" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(home.iterdir()) == []


# --- the real process --------------------------------------------------------------------------------------------------


def test_a_real_process_prints_one_object_and_nothing_else(command: CommandLine, tmp_path: Path, draw: Draw) -> None:
    picture = written(tmp_path / "query.png", draw("psoriasis", 9))
    script = Path(sys.executable).with_name("dermacite")
    result = subprocess.run(
        [script, "--home", command.home, "diagnose", picture, "--note", "silvery scale", "--json"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(result.stdout)["outcome"] == "diagnosis"
    assert result.stderr == ""


def test_a_real_process_ends_with_the_exit_code_of_its_outcome(command: CommandLine, tmp_path: Path) -> None:
    bad = written(tmp_path / "bad.pdf", b"no guideline")
    for arguments, code in ((("documents", "list"), 0), (("ingest", "documents", str(bad)), 1), (("nonsense",), 2)):
        result = subprocess.run(
            [sys.executable, "-m", "runtime", "--home", command.home, *arguments],
            capture_output=True, text=True, check=False, cwd=PROJECT,
        )  # fmt: skip
        assert result.returncode == code, result.stderr
        assert "Traceback" not in result.stderr
