"""Asking in a real browser: by mouse, by keyboard alone, on a phone, in the light and in the dark; and when things fail."""

import io
import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.browser.asking import ask_by_mouse, choose, chooser_of, consultation, outcome, payload, tab_to
from tests.browser.conftest import Open
from tests.browser.serving import Server, serving

LOOKS = [("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark")]
NOTICE = "not a diagnosis"


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_from_a_picture_to_its_evidence(server: Server, open_page: Open, size: str, scheme: str) -> None:
    watched = open_page(server.url, size=size, scheme=scheme)
    page = watched.page
    expect(page.locator(".notice")).to_contain_text(NOTICE)
    watched.settle("consult-empty")
    ask_by_mouse(page, consultation())
    assert outcome(page).get_attribute("data-outcome") == "diagnosis"
    expect(page.locator(".candidates .first")).to_contain_text("psoriasis")
    expect(page.locator("#steps li")).to_have_count(5)
    assert page.locator("#steps li:not([data-state=done])").count() == 0
    expect(page.locator(".report .source .badge").first).to_have_text("supported")
    watched.settle("consult-answer")
    a_passage_opens_on_its_page(page)
    watched.settle("consult-guideline", whole=False)
    page.keyboard.press("Escape")
    a_case_opens_beside_the_picture(page)
    watched.settle("consult-case", whole=False)
    expect(page.locator(".notice")).to_be_visible()


def a_passage_opens_on_its_page(page: Page) -> None:
    statement = page.locator(".statement", has=page.locator(".source", has_text=", page "))
    quote = statement.first.locator("p").first.inner_text().split("”")[0].lstrip("“")
    statement.first.locator(".mark").first.click()
    sheet = page.locator("#evidence .sheet")
    sheet.wait_for()
    assert sheet.locator("img").evaluate("(one) => one.naturalWidth") > 500
    frame = sheet.bounding_box()
    assert frame is not None
    for mark in sheet.locator(".place.strong").all():
        box = mark.bounding_box()
        assert box is not None
        assert frame["x"] <= box["x"] <= box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
        assert frame["y"] <= box["y"] <= box["y"] + box["height"] <= frame["y"] + frame["height"] + 1
    assert sheet.locator(".place.strong").count() > 0
    expect(page.locator("#evidence blockquote").filter(has_text=quote)).to_be_visible()
    page.get_by_text("Text of this page").click()
    marked = page.locator("#evidence .page-text mark").all_inner_texts()
    assert quote.split()[0] in " ".join(marked)


def a_case_opens_beside_the_picture(page: Page) -> None:
    page.locator(".candidates .first .mark").first.click()
    pictures = page.locator("#evidence .beside img")
    expect(pictures).to_have_count(2)
    assert all(one.evaluate("(image) => image.complete && image.naturalWidth > 0") for one in pictures.all())
    page.get_by_text("Why this evidence").click()
    expect(page.locator(".why tbody th").first).to_have_text("picture")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_everything_by_keyboard_alone(server: Server, open_page: Open, size: str) -> None:
    page = open_page(server.url, size=size).page
    asked = consultation(1)
    tab_to(page, page.get_by_role("button", name="Choose pictures"))
    chooser_of(page, lambda: page.keyboard.press("Enter")).set_files(asked["file"])
    tab_to(page, page.get_by_label("Note", exact=True))
    page.keyboard.type(asked["note"])
    tab_to(page, page.get_by_label("Age", exact=True))
    page.keyboard.type(str(asked["age"]))
    tab_to(page, page.get_by_role("button", name="Ask", exact=True))
    page.keyboard.press("Enter")
    outcome(page)
    mark = page.locator(".report .mark").first
    tab_to(page, mark)
    page.keyboard.press("Enter")
    expect(page.locator("#evidence-title")).to_be_focused()
    tab_to(page, page.locator("#evidence .why summary"))
    page.keyboard.press("Enter")
    expect(page.locator("#evidence .why table")).to_be_visible()
    page.keyboard.press("Escape")
    expect(mark).to_be_focused()


def test_pictures_are_pasted_and_dropped_and_taken_away(
    server: Server, open_page: Open, flat: bytes, tmp_path: Path
) -> None:
    page = open_page(server.url, permissions=["clipboard-read", "clipboard-write"]).page
    page.evaluate(
        """async (bytes) => {
          const blob = new Blob([new Uint8Array(bytes)], { type: "image/png" });
          await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        list(flat),
    )
    page.keyboard.press("Control+V")
    pictures = page.locator("#thumbnails li:not(.slot)")
    expect(pictures).to_have_count(1)
    drop(page, tmp_path, flat, 4)
    expect(pictures).to_have_count(4)
    expect(page.locator("#pictures-told")).to_contain_text("room for 4 pictures")
    page.get_by_role("button", name="Remove picture 2").click()
    expect(pictures).to_have_count(3)
    expect(page.get_by_role("button", name="Remove picture 1")).to_be_focused()


def drop(page: Page, folder: Path, data: bytes, number: int) -> None:
    """Files from outside the browser, let fall on the frame for pictures."""
    files = [folder / f"{one}.png" for one in range(number)]
    for file in files:
        file.write_bytes(data)
    box = page.locator("#drop").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    held = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + 20, "y": box["y"] + 20}
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": held})


def test_asking_without_a_picture_says_what_is_missing(server: Server, open_page: Open) -> None:
    page = open_page(server.url).page
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#pictures-told")).to_contain_text("Add at least one picture")
    expect(page.get_by_role("button", name="Choose pictures")).to_be_focused()


@pytest.mark.parametrize(("size", "scheme"), LOOKS[:1] + LOOKS[3:])
def test_a_bad_file_is_named_by_its_number(server: Server, open_page: Open, size: str, scheme: str) -> None:
    watched = open_page(server.url, size=size, scheme=scheme)
    watched.expected = {415}
    page = watched.page
    choose(page, payload(consultation()["file"].read_bytes()), payload(b"these are no pixels"))
    page.get_by_role("button", name="Ask", exact=True).click()
    problem = page.locator("#answer .problem")
    expect(problem).to_contain_text("Picture 2: The file is not a picture")
    assert "Example" not in page.locator("body").inner_text()
    expect(page.locator("#thumbnails .bad")).to_have_count(1)
    watched.settle("consult-bad-file")
    page.get_by_role("button", name="Remove picture 2").click()
    page.get_by_role("button", name="Ask", exact=True).click()
    outcome(page)


def test_a_picture_that_shows_nothing_is_declined_with_what_would_help(
    server: Server, open_page: Open, flat: bytes
) -> None:
    watched = open_page(server.url)
    page = watched.page
    choose(page, payload(flat))
    page.get_by_role("button", name="Ask", exact=True).click()
    assert outcome(page).get_attribute("data-outcome") == "abstention"
    expect(outcome(page)).to_contain_text("Send a sharp, evenly lit photograph")
    watched.settle("consult-declined")


def test_what_is_switched_is_sent_and_said(server: Server, open_page: Open) -> None:
    watched = open_page(server.url)
    page = watched.page
    page.get_by_text("Researcher's view").click()
    page.get_by_label("Guideline passages").uncheck()
    page.get_by_label("Cases shown (K)").fill("2")
    page.get_by_label("Picture against note (alpha)").fill("1")
    expect(page.locator("#options-changed")).to_have_text("(3 switched)")
    ask_by_mouse(page, consultation())
    outcome(page)
    assert page.locator(".ledger li").count() == 2
    assert page.locator(".ledger .sheet-icon").count() == 0
    expect(page.locator(".asked")).to_contain_text("3 options switched")
    watched.settle("consult-options")
    page.get_by_role("button", name="As set up").click()
    expect(page.locator("#options-changed")).to_have_text("")


def test_an_answer_is_copied_saved_and_printed_with_its_notice(server: Server, open_page: Open) -> None:
    watched = open_page(server.url, permissions=["clipboard-read", "clipboard-write"])
    page = watched.page
    asked = consultation()
    ask_by_mouse(page, asked)
    outcome(page)
    page.get_by_role("button", name="Copy as text").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("Research use")
    assert "1. psoriasis" in text
    assert asked["note"] not in text
    with page.expect_download() as saved:
        page.get_by_role("button", name="FHIR").click()
    bundle = json.loads(saved.value.path().read_text("utf-8"))
    assert bundle["resourceType"] == "Bundle"
    assert saved.value.suggested_filename == f"dermacite-{bundle['id']}.json"
    page.emulate_media(media="print")
    expect(page.locator(".notice")).to_contain_text(NOTICE)
    expect(page.locator("#question")).to_be_hidden()
    expect(page.locator(".on-paper img")).to_be_visible()
    watched.settle("consult-print")
    sheets = PdfReader(io.BytesIO(page.pdf())).pages
    assert all(NOTICE in sheet.extract_text() for sheet in sheets)
    assert len(sheets) > 1


def test_a_service_that_went_away(sample_home: Path, open_page: Open) -> None:
    with serving(sample_home) as lone:
        watched = open_page(lone.url)
        page = watched.page
        choose(page, payload(consultation()["file"].read_bytes()))
        lone.kill()
        watched.cut_off = True
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("#answer .problem")).to_contain_text("does not answer")
        watched.settle("consult-gone")
