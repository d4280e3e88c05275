"""What a curator reads in the browser: pages with their passages, searches, the report on a dataset, the audit log."""

import re
from collections.abc import Callable

import httpx
from playwright.sync_api import FilePayload, expect

from tests.browser.conftest import Open
from tests.browser.curating import confirm, pdf, proven, sent
from tests.browser.serving import Server
from tests.sample import PAGES, guideline

# --- pages, searches ------------------------------------------------------------------------------------------------------


def test_passages_lie_over_the_picture_of_their_page(own_server: Server, open_page: Open) -> None:
    file: FilePayload = {"name": "three.pdf", "mimeType": "application/pdf", "buffer": guideline(PAGES)}
    version = sent(own_server, file)["version"]
    watched = open_page(f"{own_server.url}/knowledge/versions/{version}")
    page = watched.page
    passage = page.get_by_role("button", name=re.compile("potent topical corticosteroid"))
    expect(passage).to_be_visible()
    expect(page.get_by_role("img", name="Page 1 as it is printed")).to_be_visible()
    passage.click()
    expect(passage).to_have_attribute("aria-pressed", "true")
    # Where the words are printed: a heading at the top of the page, its paragraph below, both within its left half.
    sheet = page.locator("#sheet svg").bounding_box()
    marks = [one.bounding_box() for one in page.locator("g.passage.chosen rect").all()]
    assert sheet is not None
    assert marks
    for mark in marks:
        assert mark is not None
        assert sheet["x"] < mark["x"] < sheet["x"] + sheet["width"] / 4
        assert sheet["y"] < mark["y"] < sheet["y"] + sheet["height"] / 4
    watched.settle("pages")

    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_role("button", name=re.compile("margin of 2 mm"))).to_be_visible()
    assert "page=2" in page.url
    page.get_by_label("Page", exact=True).fill("3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=re.compile("adapalene 0.1%"))).to_be_visible()
    expect(page.get_by_role("button", name="Next page")).to_be_disabled()
    page.reload()
    expect(page.get_by_role("button", name=re.compile("adapalene 0.1%"))).to_be_visible()


def test_a_search_shows_each_legs_share_and_its_hits_open_their_page(server: Server, open_page: Open) -> None:
    watched = open_page(f"{server.url}/knowledge/search")
    page = watched.page
    page.get_by_role("button", name="Search", exact=True).click()
    assert (
        page.get_by_label("Words", exact=True)
        .evaluate("one => one.validationMessage")
        .startswith("Say what to search for")
    )
    page.get_by_label("Words", exact=True).fill("flaky plaques of psoriasis")
    page.get_by_label("Results of each kind").fill("3")
    page.get_by_role("button", name="Search", exact=True).click()
    hits = page.locator("section:has(h2:text('Passages')) .hits > li")
    expect(hits).to_have_count(3)
    expect(hits.first.get_by_role("table")).to_contain_text("semantic")
    page.get_by_text("How the passages were found").click()
    expect(page.get_by_text("adaptive: ").first).to_be_visible()
    expect(page.get_by_text("for “flaky”").first).to_be_visible()
    watched.settle("search")
    hits.first.get_by_role("link").click()
    expect(page.locator("g.quote rect").first).to_be_visible()

    page.goto(f"{server.url}/knowledge/search")
    page.get_by_label("Words", exact=True).fill("psoriasis")
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Jurisdiction").fill("nowhere; nor here")
    page.get_by_label("Label").fill("psoriasis")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("Nothing was found.")).to_have_count(1)


def test_a_picture_finds_cases_like_it(server: Server, open_page: Open, draw: Callable[[str, int], bytes]) -> None:
    page = open_page(f"{server.url}/knowledge/search").page
    picture: FilePayload = {"name": "mole.png", "mimeType": "image/png", "buffer": draw("nevus", 9)}
    page.get_by_label("Picture", exact=True).set_input_files([picture])
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("heading", name="Cases like the picture")).to_be_visible()
    shown = page.locator(".hits img").first
    expect(shown).to_be_visible()
    page.wait_for_function("() => document.querySelector('.hits img').naturalWidth > 0")


# --- datasets, jobs, audit ------------------------------------------------------------------------------------------------


def test_a_dataset_is_reported_retired_restored_and_deleted(own_server: Server, open_page: Open) -> None:
    watched = open_page(f"{own_server.url}/knowledge/datasets")
    page = watched.page
    watched.settle("datasets")
    page.get_by_role("link", name="sample").click()
    expect(page.get_by_role("region", name="Cases by label and skin tone").get_by_role("row").first).to_be_visible()
    expect(page.get_by_role("table", name="Licences and their terms")).to_contain_text("Apache-2.0")
    watched.settle("dataset")
    page.get_by_role("button", name="Retire").click()
    confirm(page, "Retire")
    expect(page.get_by_text("The dataset sample is retired.")).to_be_visible()
    page.get_by_role("button", name="Restore").click()
    confirm(page, "Restore")
    expect(page.get_by_text("The dataset sample is in use again.")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text("All 85 cases go for good")
    confirm(page, "Delete sample")
    proven(page)
    assert httpx.get(f"{own_server.url}/v1/datasets").json() == {"datasets": []}


def test_the_audit_log_is_narrowed(own_server: Server, open_page: Open) -> None:
    added = sent(own_server, pdf("log.pdf", "Urticaria: offer cetirizine 10 mg daily.", "Urticaria"))
    httpx.post(f"{own_server.url}/v1/versions/{added['version']}/retire")
    watched = open_page(f"{own_server.url}/knowledge/audit?item={added['version']}")
    page = watched.page
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    assert [text.split()[0] for text in rows.locator("td:nth-child(3)").all_inner_texts()] == ["retire", "add"]
    watched.settle("audit")
    page.get_by_label("Did").select_option("add")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="All").click()
    expect(rows.nth(3)).to_be_visible()
