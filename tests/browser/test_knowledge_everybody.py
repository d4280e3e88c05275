"""The pages of the knowledge base without a mouse, on a phone, in the light and in the dark."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from runtime.keys import Role
from runtime.service import Service
from tests.browser.asking import chooser_of, tab_to
from tests.browser.conftest import Open
from tests.browser.curating import ended, pdf, proven
from tests.browser.serving import Server, serving_here
from tests.browser.watching import Watched

LOOKS = [("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark")]


def test_the_main_way_needs_no_mouse(own_server: Server, open_page: Open) -> None:
    page = open_page(f"{own_server.url}/knowledge").page
    tab_to(page, page.get_by_role("link", name="Upload", exact=True))
    page.keyboard.press("Enter")
    chooser_button = page.get_by_label("PDF files")
    expect(chooser_button).to_be_visible()
    tab_to(page, chooser_button)
    chooser_of(page, lambda: page.keyboard.press("Enter")).set_files(
        [pdf("keys.pdf", "Cellulitis: offer flucloxacillin 500 mg four times daily.", "Cellulitis")]
    )
    tab_to(page, page.get_by_label("Take them in as drafts"))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Upload", exact=True))
    page.keyboard.press("Enter")
    ended(page, 1)
    tab_to(page, page.get_by_role("link", name="Open the guideline"))
    page.keyboard.press("Enter")
    approve = page.get_by_role("button", name="Approve version 1")
    expect(approve).to_be_visible()
    tab_to(page, approve)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Put in force")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("is in force.")).to_be_visible()
    # The button is gone; the focus is where the message is, not lost.
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Delete the guideline")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    proven(page)


ADDRESSES = {
    "documents": "/knowledge", "upload": "/knowledge/upload", "search-empty": "/knowledge/search",
    "datasets-list": "/knowledge/datasets", "coverage": "/knowledge/coverage", "jobs": "/knowledge/jobs",
    "audit-log": "/knowledge/audit", "not-there": "/knowledge/documents/d-nowhere",
}  # fmt: skip


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_every_page_is_usable_by_everybody(server: Server, open_page: Open, size: str, scheme: str) -> None:
    for state, address in ADDRESSES.items():
        watched = open_page(server.url + address, size=size, scheme=scheme)
        watched.expected = {404}
        quiet(watched)
        watched.settle(state)
        assert not overflows(watched.page), state
    [document, *_] = httpx.get(f"{server.url}/v1/documents").json()["documents"]
    for state, address in {
        "guideline": f"documents/{document['id']}", "guideline-pages": f"versions/{document['version']['id']}",
        "dataset-report": "datasets/sample",
    }.items():  # fmt: skip
        watched = open_page(f"{server.url}/knowledge/{address}", size=size, scheme=scheme)
        quiet(watched)
        watched.settle(state)
        assert not overflows(watched.page), state


def quiet(watched: Watched) -> None:
    """Wait until everything has come."""
    watched.page.wait_for_load_state("networkidle")
    expect(watched.page.locator("[aria-busy]")).to_have_count(0)


def overflows(page: Page) -> bool:
    """Whether the page itself scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def test_who_may_only_read_sees_what_he_cannot_do_and_why(own_service: Service, open_page: Open) -> None:
    key, _ = own_service.keys.create("dr.lind", Role.READER, 30, "tests")
    [document] = own_service.registry.documents()
    with serving_here(own_service) as url:
        watched = open_page(f"{url}/knowledge/documents/{document.id}")
        page = watched.page
        page.get_by_label("Your key").fill(key)  # sent to sign in first
        page.keyboard.press("Enter")
        expect(page.locator(".visitor")).to_contain_text("dr.lind (reader)")
        expect(page).to_have_url(f"{url}/knowledge/documents/{document.id}")  # and brought back
        delete = page.get_by_role("button", name="Delete version 1")
        expect(delete).to_be_disabled()
        expect(delete).to_have_attribute("title", "Needs the role curator; yours is reader.")
        expect(page.get_by_text("Changing the knowledge base needs the role curator.")).to_be_visible()
        parts = page.get_by_role("navigation", name="Knowledge base").get_by_role("link")
        assert parts.all_inner_texts() == ["Documents", "Search test"]
        expect(page.get_by_role("link", name="Upload a new version")).to_have_count(0)
        watched.settle("document-reader")
        watched.expected |= {403}
        page.goto(f"{url}/knowledge/audit")
        expect(page.get_by_text("This needs the role curator; this key has the role reader.")).to_be_visible()
        watched.settle("role-too-low")
        page.goto(f"{url}/knowledge/documents/{document.id}")
        page.get_by_role("link", name="Pages and passages").click()
        expect(page.get_by_role("button", name=re.compile("potent topical corticosteroid"))).to_be_visible()


def test_a_curator_who_signed_in_changes_what_is_known(own_service: Service, open_page: Open) -> None:
    key, _ = own_service.keys.create("dr.weber", Role.CURATOR, 30, "tests")
    [document] = own_service.registry.documents()
    with serving_here(own_service) as url:
        page = open_page(f"{url}/knowledge").page
        page.get_by_label("Your key").fill(key)
        page.keyboard.press("Enter")
        expect(page.locator(".visitor")).to_contain_text("dr.weber (curator)")
        page.goto(f"{url}/knowledge/documents/{document.id}")
        page.get_by_role("button", name="Retire version 1").click()  # sends the token of the page, else it were refused
        page.get_by_role("button", name="Take out of use").click()
        expect(page.get_by_role("button", name="Bring back version 1")).to_be_visible()
        page.goto(f"{url}/knowledge/audit")
        expect(page.get_by_role("row", name=re.compile("retire")).first).to_contain_text("dr.weber")
