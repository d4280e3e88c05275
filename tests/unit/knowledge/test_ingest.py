"""From files to visible evidence: prepared before it is visible, all or nothing, and the same bytes only once."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A5
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from knowledge import document_ingest
from knowledge.blobs import LocalBlobs
from knowledge.case_ingest import CASE_BATCH, CaseIngest
from knowledge.document_ingest import DocumentIngest
from knowledge.errors import CasesRefused
from knowledge.pdf import PdfExtractor
from knowledge.pictures import Picture, PictureLimits
from knowledge.preparation import Preparation
from knowledge.registry import Registry
from knowledge.types import FileOutcome, Outcome, ReferenceCase, Source

SENTENCE = "Offer a potent topical corticosteroid once daily for up to 4 weeks for plaques with silvery scale."


class NoSpaceLeft(Exception):
    """What a preparation raises here."""


@dataclass
class Desk:
    """A registry, a blob store and an ingest whose preparations are counted, and fail on demand."""

    registry: Registry
    blobs: LocalBlobs
    extractor: PdfExtractor
    passages: list[str] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    visible_while_preparing: list[int] = field(default_factory=list)
    fail: bool = False

    @property
    def _preparation(self) -> Preparation:
        return Preparation(lambda text: len(text.split()), self._passages, self._cases)

    @property
    def documents(self) -> DocumentIngest:
        return DocumentIngest(self.registry, self.blobs, self.extractor, self._preparation)

    @property
    def collections(self) -> CaseIngest:
        return CaseIngest(self.registry, self.blobs, self._preparation, PictureLimits(pixels=1_000_000))

    def _passages(self, texts: Sequence[str]) -> None:
        self._look()
        self.passages.extend(texts)

    def _cases(self, cases: Sequence[tuple[ReferenceCase, Picture]]) -> None:
        self._look()
        self.batches.append([case.id for case, _ in cases])

    def _look(self) -> None:
        self.visible_while_preparing.append(self.registry.corpus_generation())
        if self.fail:
            raise NoSpaceLeft

    @property
    def prepared_cases(self) -> int:
        return sum(map(len, self.batches))


@pytest.fixture(scope="module")
def extractor() -> Iterator[PdfExtractor]:
    with PdfExtractor() as shared:
        yield shared


@pytest.fixture
def desk(tmp_path: Path, extractor: PdfExtractor) -> Iterator[Desk]:
    registry = Registry.in_folder(tmp_path / "home")
    yield Desk(registry, LocalBlobs(tmp_path / "home" / "blobs"), extractor)
    registry.close()


def pdf(*pages: str | None) -> bytes:
    """One page per text; None is a page that holds only a picture."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A5, invariant=True)
    for text in pages:
        if text is None:
            canvas.drawImage(ImageReader(Image.new("RGB", (60, 60), "brown")), 50, 200, 200, 200)
        for line, start in enumerate(range(0, len((text or "").split()), 8)):
            canvas.drawString(40, 540 - 14 * line, " ".join((text or "").split()[start : start + 8]))
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def encrypted(data: bytes) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt("secret", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def picture(number: int, side: int = 64) -> bytes:
    image = Image.new("RGB", (side, side), (200, 160, 140))
    ImageDraw.Draw(image).ellipse((5 + number % 20, 5, 40, 40), fill=(150, 40 + number, 50))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def collection(folder: Path, rows: Sequence[dict[str, str]], pictures: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in pictures.items():
        (folder / name).write_bytes(data)
    (folder / "manifest.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def simple(folder: Path, count: int, caption: str = "red plaque") -> Path:
    names = [f"{number:03}.png" for number in range(count)]
    rows = [{"picture": name, "label": "psoriasis", "caption": caption} for name in names]
    return collection(folder, rows, {name: picture(at) for at, name in enumerate(names)})


def states(outcomes: Sequence[FileOutcome]) -> list[str]:
    return [one.state.value for one in outcomes]


# --- documents ---------------------------------------------------------------------------------------------------------


def test_a_document_is_prepared_before_it_is_visible(desk: Desk) -> None:
    outcome = desk.documents.document(pdf(SENTENCE), "psoriasis.pdf", Source("Psoriasis"))
    assert (outcome.state, outcome.file, outcome.pages) == (Outcome.ADDED, "psoriasis.pdf", 1)
    assert desk.visible_while_preparing == [0]
    assert desk.passages == desk.registry.texts_of_version(desk.registry.document(str(outcome.id)).version.id)
    assert SENTENCE in " ".join(" ".join(desk.passages).split())
    assert desk.registry.counts() == {"documents": 1, "passages": outcome.passages, "cases": 0}
    assert set(desk.blobs.digests()) == desk.registry.blobs_in_use()


def test_when_its_preparation_fails_nothing_is_visible_and_a_second_try_completes(desk: Desk) -> None:
    desk.fail = True
    with pytest.raises(NoSpaceLeft):
        desk.documents.document(pdf(SENTENCE), "psoriasis.pdf")
    assert (desk.registry.counts()["documents"], desk.registry.corpus_generation()) == (0, 0)
    desk.fail = False
    assert desk.documents.document(pdf(SENTENCE), "psoriasis.pdf").state is Outcome.ADDED


def test_a_document_whose_cutting_takes_too_long_is_refused_whole(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**6, 1 + int(desk.extractor.limits.seconds)))
    monkeypatch.setattr(document_ingest, "monotonic", lambda: float(next(clock)))
    outcome = desk.documents.document(pdf(SENTENCE), "psoriasis.pdf")
    assert (outcome.state, outcome.reason) == (Outcome.REFUSED, "timed_out")
    assert (desk.registry.counts()["documents"], desk.registry.corpus_generation()) == (0, 0)
    assert not set(desk.blobs.digests())


def test_the_same_bytes_under_another_name_are_unchanged_and_not_prepared_again(desk: Desk) -> None:
    first = desk.documents.document(pdf(SENTENCE), "a.pdf")
    second = desk.documents.document(pdf(SENTENCE), "b.pdf")
    assert (second.state, second.file, second.id) == (Outcome.UNCHANGED, "b.pdf", first.id)
    assert (second.pages, second.passages) == (first.pages, first.passages)
    assert desk.visible_while_preparing == [0]
    assert desk.registry.corpus_generation() == 1


def test_without_a_source_the_title_is_the_files_name(desk: Desk) -> None:
    outcome = desk.documents.document(pdf(SENTENCE), "folder/Care of skin.pdf")
    assert desk.registry.document(str(outcome.id)).source.title == "Care of skin"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty_file"),
        (b"GIF89a is no guideline", "not_a_pdf"),
        (pdf(SENTENCE)[:400], "broken_pdf"),
        (encrypted(pdf(SENTENCE)), "encrypted"),
        (pdf(None, None), "image_only"),
        (pdf(""), "no_text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refused_file_says_why_and_leaves_nothing(desk: Desk, data: bytes, reason: str) -> None:
    outcome = desk.documents.document(data, "bad.pdf")
    assert (outcome.state, outcome.reason, outcome.file) == (Outcome.REFUSED, reason, "bad.pdf")
    assert outcome.message
    assert "bad.pdf" not in outcome.message
    assert list(desk.blobs.digests()) == []
    assert desk.registry.corpus_generation() == 0
    assert desk.passages == []


def test_pages_without_text_are_named_and_the_others_are_in(desk: Desk) -> None:
    outcome = desk.documents.document(pdf(SENTENCE, None, "Excise with a margin of 2 mm.", None), "mixed.pdf")
    assert outcome.state is Outcome.ADDED
    lost = [warning for warning in outcome.warnings if warning.startswith("page ")]
    assert [warning.partition(":")[0] for warning in lost] == ["page 2", "page 4"]
    pages = desk.registry.pages(desk.registry.document(str(outcome.id)).version.id)
    assert [page.state.value for page in pages] == ["text", "image_only", "text", "image_only"]


# --- cases -------------------------------------------------------------------------------------------------------------


def test_rows_are_reported_in_their_order_with_their_number_and_reason(desk: Desk, tmp_path: Path) -> None:
    rows = [
        {"picture": "good.png", "label": "psoriasis", "caption": "red plaque"},
        {"picture": "broken.png", "label": "psoriasis"},
        {"picture": "absent.png", "label": "psoriasis"},
        {"picture": "tiny.png", "label": "nevus"},
        {"picture": "text.png", "label": "nevus"},
        {"picture": "also-good.png", "label": "nevus"},
    ]
    pictures = {
        "good.png": picture(1), "broken.png": picture(2)[:120], "tiny.png": picture(3, side=8), "text.png": b"no picture",
        "also-good.png": picture(4),
    }  # fmt: skip
    outcomes = desk.collections.cases(collection(tmp_path / "set", rows, pictures))
    assert [one.file for one in outcomes] == [row["picture"] for row in rows]
    assert states(outcomes) == ["added", "refused", "refused", "refused", "refused", "added"]
    assert [one.reason for one in outcomes[1:5]] == ["truncated", "picture_missing", "too_small", "not_a_picture"]
    assert [str(one.message).partition(":")[0] for one in outcomes[1:5]] == ["row 2", "row 3", "row 4", "row 5"]
    assert [one.cases for one in outcomes] == [1, 0, 0, 0, 0, 1]
    assert desk.registry.counts()["cases"] == 2


def test_all_batches_of_a_collection_become_visible_in_one_step(desk: Desk, tmp_path: Path) -> None:
    count = 2 * CASE_BATCH + 3
    seen: list[tuple[int, int]] = []
    outcomes = desk.collections.cases(
        simple(tmp_path / "set", count), progress=lambda done, of: seen.append((done, of))
    )
    assert states(outcomes) == ["added"] * count
    assert desk.visible_while_preparing == [0, 0, 0]
    assert [len(batch) for batch in desk.batches] == [CASE_BATCH, CASE_BATCH, 3]
    assert (desk.registry.corpus_generation(), desk.registry.counts()["cases"]) == (1, count)
    assert seen == [(done, count) for done in range(1, count + 1)]


def test_when_preparing_cases_fails_not_one_is_visible(desk: Desk, tmp_path: Path) -> None:
    desk.fail = True
    with pytest.raises(NoSpaceLeft):
        desk.collections.cases(simple(tmp_path / "set", 3))
    assert (desk.registry.counts()["cases"], desk.registry.corpus_generation()) == (0, 0)


def test_the_stored_picture_is_the_admitted_one_and_its_case_says_everything(desk: Desk, tmp_path: Path) -> None:
    row = {
        "picture": "a.png", "label": "Lichen-Planus", "caption": "violaceous papules", "group": "g", "subject": "P1",
        "lesion": "L1", "split": "test", "skin_tone": "3", "licence": "CC0-1.0", "source": "us",
    }  # fmt: skip
    (outcome,) = desk.collections.cases(collection(tmp_path / "set", [row], {"a.png": picture(1)}), dataset="named")
    case = desk.registry.case(str(outcome.id))
    assert (case.dataset, case.label, case.caption) == ("named", "lichen planus", "violaceous papules")
    assert (case.group, case.subject, case.lesion, case.split) == ("g", "P1", "L1", "test")
    assert (case.skin_tone, case.licence, case.source) == ("3", "CC0-1.0", "us")
    stored = Image.open(io.BytesIO(desk.blobs.get(case.picture))).convert("RGB")
    assert stored.tobytes() == Image.open(io.BytesIO(picture(1))).convert("RGB").tobytes()


def test_the_same_collection_again_is_a_no_op_that_decodes_nothing(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = simple(tmp_path / "set", 5)
    first = desk.collections.cases(folder)

    def refuse(*_: object) -> Picture:
        raise AssertionError("a known picture was decoded again")

    monkeypatch.setattr("knowledge.case_ingest.admit_picture", refuse)
    second = desk.collections.cases(folder)
    assert states(second) == ["unchanged"] * 5
    assert [one.id for one in second] == [one.id for one in first]
    assert desk.prepared_cases == 5
    assert desk.registry.corpus_generation() == 1


def test_another_caption_replaces_the_case_and_buries_the_old_id(desk: Desk, tmp_path: Path) -> None:
    (old,) = desk.collections.cases(simple(tmp_path / "set", 1))
    (new,) = desk.collections.cases(simple(tmp_path / "set", 1, caption="blue plaque"))
    assert (new.state, desk.registry.counts()["cases"]) == (Outcome.REPLACED, 1)
    assert desk.registry.tombstones(1) == {old.id}
    assert desk.registry.case(str(new.id)).caption == "blue plaque"


def test_copies_of_one_picture_are_one_case_and_the_first_row_stays(desk: Desk, tmp_path: Path) -> None:
    names = ("a.png", "same.png", "other.png")
    rows = [{"picture": name, "label": "psoriasis", "caption": "red"} for name in names]
    rows[2]["caption"] = "blue"
    folder = collection(tmp_path / "set", rows, dict.fromkeys(names, picture(1)))
    first = desk.collections.cases(folder)
    assert [(one.state.value, one.reason) for one in first] == [
        ("added", None), ("refused", "duplicate_row"), ("refused", "conflicting_row"),
    ]  # fmt: skip
    assert all("row 1" in str(one.message).lower() for one in first[1:])
    assert states(desk.collections.cases(folder)) == ["unchanged", "refused", "refused"]
    assert (desk.registry.counts()["cases"], desk.registry.corpus_generation()) == (1, 1)


def test_pictures_in_class_folders_are_reported_with_their_folder(desk: Desk, tmp_path: Path) -> None:
    for at, label in enumerate(("acne", "nevus")):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "1.png").write_bytes(picture(at))
    (tmp_path / "set" / "nevus" / "2.png").write_bytes(b"broken")
    outcomes = desk.collections.cases(tmp_path / "set")
    assert [(one.file, one.state.value) for one in outcomes] == [
        ("acne/1.png", "added"), ("nevus/1.png", "added"), ("nevus/2.png", "refused"),
    ]  # fmt: skip


def test_a_folder_without_cases_is_refused_as_a_whole(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(CasesRefused) as refused:
        desk.collections.cases(tmp_path)
    assert refused.value.reason == "no_cases_found"
