"""Keys and sessions on the pages: in, what a role may do, out, and a session that ends meanwhile."""

import pytest
from playwright.sync_api import Page, expect

from runtime.keys import Role
from runtime.service import Service
from tests.browser.asking import choose, outcome, payload
from tests.browser.conftest import Open
from tests.browser.serving import serving_here
from tests.sample import drawn

NAME = "dr.weber"


def made(service: Service, role: Role) -> tuple[str, str]:
    """A key and its id."""
    text, key = service.keys.create(NAME, role, 30, "tests")
    return text, key.id


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("Your key").fill(key)
    page.keyboard.press("Enter")
    page.locator("#question").wait_for()


def ask(page: Page) -> None:
    page.get_by_role("button", name="Ask", exact=True).click()


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_a_reader_signs_in_asks_and_leaves(own_service: Service, open_page: Open, size: str, scheme: str) -> None:
    key, _ = made(own_service, Role.READER)
    with serving_here(own_service) as url:
        watched = open_page(url, size=size, scheme=scheme)
        watched.expected = {401, 503}  # 503: while it is warming up
        page = watched.page
        expect(page).to_have_url(f"{url}/sign-in")
        expect(page.get_by_label("Your key")).to_be_focused()
        watched.settle("sign-in")
        page.get_by_label("Your key").fill("dmc_wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#refused .problem")).to_be_visible()
        watched.settle("sign-in-refused")
        sign_in(page, key)
        expect(page.locator(".visitor")).to_contain_text(f"{NAME} (reader)")
        assert page.get_by_text("Researcher's view").count() == 0
        choose(page, payload(drawn("nevus", 9)))
        page.get_by_text("Options").click()
        page.get_by_label("Cases shown (K)").fill("1")
        ask(page)
        outcome(page)
        page.locator(".report .mark, .ledger .entry").first.click()
        expect(page.locator("#evidence .beside img, #evidence .sheet img").first).to_be_visible()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{url}/sign-in")
        page.goto(url)
        expect(page).to_have_url(f"{url}/sign-in")


def test_a_session_that_ends_meanwhile_leads_back_to_the_door(own_service: Service, open_page: Open) -> None:
    key, key_id = made(own_service, Role.RESEARCHER)
    made(own_service, Role.ADMIN)
    with serving_here(own_service) as url:
        watched = open_page(url)
        watched.expected = {401, 503}  # 503: while it is warming up
        page = watched.page
        sign_in(page, key)
        expect(page.get_by_text("Researcher's view")).to_be_visible()
        choose(page, payload(drawn("nevus", 9)))
        own_service.keys.revoke(key_id, "tests")
        ask(page)
        expect(page.locator("#answer .problem")).to_contain_text("Your session has ended")
        page.get_by_role("link", name="Sign in again").click()
        expect(page).to_have_url(f"{url}/sign-in?next=%2F")


def test_where_no_key_is_needed_nobody_is_asked_for_one(own_service: Service, open_page: Open) -> None:
    with serving_here(own_service) as url:
        page = open_page(f"{url}/sign-in").page
        expect(page).to_have_url(f"{url}/")
        assert page.get_by_role("button", name="Sign out").count() == 0
