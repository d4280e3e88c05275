"""PDFs made to hurt: bounded in time and memory, a clear outcome each, and afterwards the same reader reads on."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knowledge.chunking import cut_passages
from knowledge.errors import DocumentRefused
from knowledge.pdf import PdfExtractor, PdfLimits
from knowledge.pdf import extractor as extractor_module
from knowledge.pdf.channel import Child
from knowledge.types import ExtractedText, PageState
from tests import hostile
from tests.hostile import GOOD, SECRET, document, flate, font_with, nested, show

# A busy machine is no hostile file: what is tried here must end by itself, long before these seconds do.
LIMITS = PdfLimits(seconds=240, seconds_per_page=60, memory_bytes=1_000_000_000)
CLEAR = {
    "empty_file", "not_a_pdf", "encrypted", "broken_pdf", "too_many_pages", "too_large", "timed_out", "parser_died",
    "image_only", "no_text", "garbage_text",
}  # fmt: skip
Read = Callable[[bytes], ExtractedText | DocumentRefused]


@pytest.fixture(scope="module")
def extractor() -> Iterator[PdfExtractor]:
    before = children()
    with PdfExtractor(LIMITS) as shared:
        yield shared
    assert not children() - before


@pytest.fixture
def read(extractor: PdfExtractor, tmp_path: Path) -> Iterator[Read]:
    yield from reader(extractor, tmp_path)


@pytest.fixture
def read_letters(tmp_path: Path) -> Iterator[Read]:
    """Without text recognition, which would take minutes for hundreds of damaged files."""
    with PdfExtractor(replace(LIMITS, ocr_pages=0)) as own:
        yield from reader(own, tmp_path)


def reader(extractor: PdfExtractor, tmp_path: Path) -> Iterator[Read]:
    """What became of a file. However it ended, the same reader reads a sound file afterwards."""

    def outcome(data: bytes) -> ExtractedText | DocumentRefused:
        path = tmp_path / "file.pdf"
        path.write_bytes(data)
        found: ExtractedText | DocumentRefused
        try:
            found = extractor.extract(path)
        except DocumentRefused as refused:
            found = refused
        assert isinstance(found, ExtractedText) or found.reason in CLEAR
        return found

    yield outcome
    after = outcome(document(show(GOOD)))
    assert isinstance(after, ExtractedText)
    assert after.text == GOOD
    assert peak_megabytes() < LIMITS.memory_bytes / 1e6


def children() -> set[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


def peak_megabytes(others: Iterable[int] = ()) -> float:
    """The most memory that a child of this process has held, without the `others`."""
    found = [0.0]
    for pid in children().difference(others):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        found += [int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")]
    return max(found)


def lost(outcome: ExtractedText | DocumentRefused) -> list[str | None]:
    """Why the pages beside the sound first one have no text; the first must have survived."""
    assert isinstance(outcome, ExtractedText), outcome
    first = outcome.pages[0]
    assert outcome.text[first.start : first.end] == GOOD
    return [page.reason or page.state.value for page in outcome.pages[1:] if page.state is not PageState.TEXT]


# What swells or turns in a circle


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (hostile.page_bomb, "too_many_pages"),
        (lambda: hostile.page_bomb(4), "too_many_pages"),
        (hostile.deep_page_tree, "broken_pdf"),
        (hostile.cyclic_page_tree, "broken_pdf"),
        (hostile.nested_object, "broken_pdf"),
        (hostile.object_stream_bomb, "broken_pdf"),
        (hostile.claimed_size, "broken_pdf"),
        (lambda: hostile.hybrid(b"-5"), "broken_pdf"),
        (lambda: hostile.xref_stream(b"/Size 10 /W [1 2000000000 1]"), "broken_pdf"),
        (lambda: hostile.boxed(b"[nan nan nan nan]"), "broken_pdf"),
        (lambda: hostile.boxed(b"[0 0 1e30 1e30]"), "broken_pdf"),
    ],
)
def test_what_cannot_be_a_document_is_refused(read: Read, make: Callable[[], bytes], reason: str) -> None:
    outcome = read(make())
    assert isinstance(outcome, DocumentRefused)
    assert outcome.reason == reason


def test_a_page_that_inherits_from_itself_is_read_as_printed_or_not_at_all(read: Read, tmp_path: Path) -> None:
    # Without its font its letters are unknown to pypdf; PDFium draws them, and recognition reads the drawing.
    outcome = read(hostile.cyclic_parent())
    assert isinstance(outcome, ExtractedText)
    assert (outcome.text, outcome.pages[0].state) == (GOOD, PageState.OCR)
    path = tmp_path / "itself.pdf"
    path.write_bytes(hostile.cyclic_parent())
    with PdfExtractor(PdfLimits(ocr_pages=0)) as without, pytest.raises(DocumentRefused) as caught:
        without.extract(path)
    assert caught.value.reason == "garbage_text"


class _NoTimeToCompose(Child):
    """A child whose time is over when the text is to be put together."""

    composing = False

    def send(self, request: dict[str, Any]) -> None:
        self.composing = request["op"] == "compose"
        super().send(request)

    def receive(self, deadline: float) -> dict[str, Any]:
        return super().receive(0.0 if self.composing else deadline)


def test_putting_the_text_together_has_the_same_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.pdf"
    path.write_bytes(document(show(GOOD)))
    with PdfExtractor(LIMITS) as own:
        monkeypatch.setattr(extractor_module, "Child", _NoTimeToCompose)
        with pytest.raises(DocumentRefused) as caught:
            own.extract(path)
        monkeypatch.undo()
        assert caught.value.reason == "timed_out"
        assert own.extract(path).text == GOOD


def test_a_page_bomb_is_told_both_numbers(read: Read) -> None:
    assert str(read(hostile.page_bomb())) == "The PDF has 1000000 pages; the limit is 2000. Split it."


WIDE = b"/Subtype /Type0 /Encoding /Identity-H /BaseFont /X /DescendantFonts [11 0 R]"
SIMPLE = b"/Subtype /Type1 /BaseFont /X "


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: hostile.flate_bomb(), "limit_reached"),
        (lambda: hostile.flate_bomb(times=10), "limit_reached"),
        (lambda: hostile.flate_bomb(1_000_000, times=50), "limit_reached"),
        (hostile.many_contents, "limit_reached"),
        (hostile.fragments, "limit_reached"),
        (hostile.cyclic_length, "broken_page (AttributeError)"),
        (hostile.cyclic_contents, "broken_page (AttributeError)"),
        (lambda: nested(b"[", b"]"), "nested_too_deep"),
        (lambda: nested(b"/a <<", b">>", 20_000), "broken_page"),
        (lambda: nested(b"BI ", b""), "broken_page"),
        (lambda: nested(b"q ", b"Q "), "empty"),
        (lambda: nested(b"(", b")"), "empty"),
        (lambda: document(show(GOOD), b"BI /W 9 /H 9 /BPC 8 /CS /RGB ID " + b"x" * 1_000_000), "broken_page"),
        (hostile.picture_bomb, "ocr_page_not_drawn"),
        (lambda: document(show(GOOD), b"BT /F1 9 Tf 12 TL " + b"(a) ' " * 21_000 + b"ET"), "limit_reached"),
        (lambda: font_with(SIMPLE + b"/ToUnicode 11 0 R", hostile.wide_range_cmap()), "limit_reached"),
        (lambda: font_with(SIMPLE + b"/ToUnicode 11 0 R", flate(b" " * 100_000_000)), "limit_reached"),
        (lambda: font_with(WIDE, b"<< /W [%s] >>" % (b"0 2000000000 500 " * 9_000)), "limit_reached"),
        (lambda: font_with(SIMPLE + b"/FirstChar 0 /Widths [%s]" % (b"500 " * 99_000)), "limit_reached"),
    ],
)
def test_a_page_that_swells_is_lost_alone(read: Read, data: Callable[[], bytes], reason: str) -> None:
    outcome = read(data())
    assert lost(outcome) == [reason]
    assert isinstance(outcome, ExtractedText)
    assert reason == "empty" or "1 of 2 pages" in outcome.warnings[0]


@pytest.mark.parametrize(
    "data",
    [
        hostile.cyclic_outline(),
        hostile.previous_loop(),
        hostile.hybrid(),
        hostile.hybrid(b"9999999999"),
        hostile.xref_stream(b"/Size 2000000000 /W [0 0 0]"),
        hostile.xref_stream(b"/Size 10 /W [1 4 1] /Index [0 2000000000]"),
        *(hostile.boxed(box) for box in (b"[0 0 -5 -5]", b"[0 0 0 0]", b"[]", b"[0 0 %s 9]" % (b"9" * 40), b"[/a 9]")),
        font_with(SIMPLE + b"/Encoding 10 0 R"),
        font_with(SIMPLE + b"/Encoding << /Differences [2000000000 /A -5 /B %s] >>" % (b"/C " * 20_000)),
        font_with(SIMPLE + b"/ToUnicode 10 0 R"),
        font_with(SIMPLE + b"/FirstChar -2000000000 /LastChar 2000000000 /Widths [500]"),
        font_with(WIDE, b"<< /W [0 11 0 R] >>"),
        font_with(WIDE, b"<< /Subtype /Type0 /DescendantFonts [10 0 R] >>"),
        document(show(GOOD), junk=b"junk\n" * 200),
    ],
)
def test_what_only_looks_impossible_is_read(read: Read, data: bytes) -> None:
    assert lost(read(data)) == []


@pytest.mark.parametrize(("make", "said"), [(hostile.cyclic_forms, "cyclic"), (hostile.form_bomb, "invocations")])
def test_forms_that_draw_each_other_end_and_it_is_said(read: Read, make: Callable[[], bytes], said: str) -> None:
    outcome = read(make())
    assert isinstance(outcome, ExtractedText)
    assert outcome.text.startswith(GOOD)
    assert said in outcome.warnings[-1]


def test_words_that_one_parser_overlooks_are_reported_missing(read: Read) -> None:
    data = document(show(GOOD), show("Never on broken skin."), show("For two weeks."))
    at = data.index(b"/MediaBox", data.index(b"Never"))
    outcome = read(data[:at] + data[at:].replace(b"[0 0 595 842]", b"[0 0 1e2 1e2]", 1))
    assert isinstance(outcome, ExtractedText)
    assert [(page.state, page.reason) for page in outcome.pages][1] == (PageState.FAILED, "text_not_read")
    assert "1 of 3 pages could not be read and are missing: 2" in outcome.warnings[0]


# What acts


def test_scripts_programs_and_attachments_are_inert(read: Read, tmp_path: Path) -> None:
    outcome = read(hostile.active(str(tmp_path / "canary")))
    assert isinstance(outcome, ExtractedText)
    assert (outcome.text, outcome.title, outcome.warnings) == (GOOD, None, ())
    assert SECRET not in repr(outcome)
    assert not (tmp_path / "canary").exists()


# Many pages, columns and rows


def test_five_thousand_pages_are_refused_or_read_whole_as_the_limit_says(read: Read, tmp_path: Path) -> None:
    data = hostile.many_pages()
    assert str(read(data)) == "The PDF has 5000 pages; the limit is 2000. Split it."
    path = tmp_path / "long.pdf"
    path.write_bytes(data)
    before = children()
    with PdfExtractor(PdfLimits(pages=5_000)) as patient:
        found = patient.extract(path)
        assert 0 < peak_megabytes(before) < 300
    assert (len(found.pages), {page.state for page in found.pages}) == (5_000, {PageState.TEXT})
    assert found.text.endswith(f"Page 5000. {GOOD}")


def test_two_thousand_columns_are_read_cell_by_cell(read: Read) -> None:
    outcome = read(hostile.columns(2_000, 3))
    assert isinstance(outcome, ExtractedText)
    second = outcome.text[outcome.pages[1].start : outcome.pages[1].end]
    assert second.split() == [f"c{column}" for column in range(2_000)] * 3


def test_lines_without_end_are_joined_in_time(read: Read) -> None:
    # Of each page its own: what two pages have in the same place is taken for a running header.
    lines = (
        b"(many words of one endless sentence that is never finish-) ' ",
        b"(an endless list without full stop and com-) ' ",
    )
    outcome = read(document(*[b"BT /F1 9 Tf 9 TL 50 800 Td " + line * 9_000 + b"ET" for line in lines]))
    assert isinstance(outcome, ExtractedText)
    assert outcome.text.count("endless") == 18_000
    passages = cut_passages(outcome, lambda text: len(text.split()))
    assert sum(passage.text.count("endless") for passage in passages) == 18_000


def test_a_word_of_a_million_letters_is_cut(read: Read) -> None:
    outcome = read(document(b"BT /F1 1 Tf 50 700 Td (%s) Tj ET" % (b"dermatitis" * 100_000)))
    assert isinstance(outcome, ExtractedText)
    passages = cut_passages(outcome, lambda text: len(text.split()))  # one token, as a tokenizer says of a word unknown
    assert sum(len(passage.text) for passage in passages) == 1_000_000
    assert max(len(passage.text) for passage in passages) <= 200 * 51


# Damage


def test_a_sound_file_cut_anywhere_is_read_in_part_or_refused(read_letters: Read) -> None:
    whole = hostile.sound()
    sound = read_letters(whole)
    assert isinstance(sound, ExtractedText)
    outcomes: Counter[str] = Counter()
    for cut in hostile.cuts(whole):
        outcome = read_letters(cut)
        outcomes[outcome.reason if isinstance(outcome, DocumentRefused) else "read"] += 1
        if isinstance(outcome, ExtractedText):
            assert len(outcome.text) == len(sound.text) or outcome.warnings
    assert outcomes.keys() <= {"read", "broken_pdf"}
    assert outcomes["broken_pdf"] > len(whole) // 2_000


def test_noise_gives_a_clear_outcome_and_no_silent_loss(read_letters: Read) -> None:
    whole = hostile.sound(2)
    sound = read_letters(whole)
    assert isinstance(sound, ExtractedText)
    read_on = 0
    for seed in range(150):
        outcome = read_letters(hostile.mutated(whole, seed))
        if isinstance(outcome, ExtractedText):
            read_on += 1
            assert 2 * len(outcome.text) > len(sound.text) or outcome.warnings
    assert read_on > 20


# Texts


@pytest.mark.parametrize(
    "codes", ["D83D", "DE00", "0000", "202E", "2066", "FEFF", "0007", "FFFF", "D83D0041DE00", "E00A"]
)
def test_characters_that_are_none_never_leave_the_reader(read: Read, codes: str) -> None:
    table = hostile.cmap(b"1 beginbfchar\n<41> <%s>\nendbfchar" % codes.encode())
    content = b"BT /F2 10 Tf 50 700 Td (AB) Tj ET"
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 11 0 R >>"
    title = b"/Info << /Title <FEFF%s00410042> >>" % codes.encode()
    outcome = read(document(show(GOOD), content, fonts=b"/F2 10 0 R", more=[font, table], trailer=title))
    assert isinstance(outcome, ExtractedText)
    for text in (outcome.text, outcome.title or ""):
        text.encode()
        assert not set(text) & set("\0\x07\u202e\u2066\ufeff\uffff")


def test_a_title_of_a_million_characters_is_shortened(read: Read) -> None:
    outcome = read(document(show(GOOD), trailer=b"/Info << /Title (%s) >>" % (b"long \\007title " * 80_000)))
    assert isinstance(outcome, ExtractedText)
    assert outcome.title is not None
    assert outcome.title.startswith("long title long")
    assert len(outcome.title) <= 300


@pytest.mark.parametrize("name", ["a.txt", "a\nb.pdf", "\u202efdp.exe", "a" * 250, "no extension", "a\udcff.pdf"])
def test_the_name_of_a_file_says_nothing(extractor: PdfExtractor, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(document(show(GOOD)))
    assert extractor.extract(path).text == GOOD
    for other in (b"PK\x03\x04" + bytes(60), b"<!doctype html>", b"\x89PNG\r\n\x1a\n", b"\x7fELF\2\1\1"):
        path.write_bytes(other)
        with pytest.raises(DocumentRefused) as caught:
            extractor.extract(path)
        assert caught.value.reason == "not_a_pdf"


def test_a_name_that_no_file_can_have_is_unreadable(extractor: PdfExtractor, tmp_path: Path) -> None:
    for name in ("a\0b.pdf", "a" * 5_000):
        with pytest.raises(DocumentRefused) as caught:
            extractor.extract(tmp_path / name)
        assert caught.value.reason == "unreadable"


@pytest.mark.parametrize("box", [b"[0 0 1000000 1000000]", b"[0 0 -5 -5]", b"[0 0 0 0]", b"[]", b"[nan nan nan nan]"])
def test_a_page_of_an_impossible_size_is_drawn_small_or_refused(
    extractor: PdfExtractor, tmp_path: Path, box: bytes
) -> None:
    path = tmp_path / "file.pdf"
    path.write_bytes(hostile.boxed(box))
    try:
        drawn = extractor.render(path, 1, max_pixels=10_000)
    except DocumentRefused as refused:
        drawn = refused.reason.encode()
    assert drawn.startswith((b"\x89PNG", b"broken_pdf"))
