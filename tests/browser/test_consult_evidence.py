"""Evidence that must not be taken as it is: a guideline that has expired, a picture that its licence forbids to show."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.asking import ask_by_mouse, consultation, outcome
from tests.browser.conftest import Open
from tests.browser.serving import Server, serving


@pytest.fixture
def changed(changed_home: Path) -> Iterator[Server]:
    with serving(changed_home) as started:
        yield started


def test_what_is_expired_or_withheld_says_so(changed: Server, open_page: Open) -> None:
    watched = open_page(changed.url)
    page = watched.page
    ask_by_mouse(page, consultation())
    outcome(page)
    assert page.locator(".ledger .badge.bad").count() == 0  # only what is in force is found, unless it is asked for
    page.get_by_text("Researcher's view").click()
    page.get_by_label("expired", exact=True).check()
    page.get_by_label("Cases shown (K)").fill("20")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".asked")).to_contain_text("2 options switched")
    expired = page.locator(".ledger .entry", has=page.locator(".badge.bad", has_text="expired"))
    expired.first.click()
    expect(page.locator("#evidence [data-standing=expired]")).to_contain_text("no longer in force")
    page.locator("#evidence .sheet").wait_for()
    watched.settle("consult-expired", whole=False)
    page.keyboard.press("Escape")
    expect(page.locator(".report .badge.bad", has_text="expired").first).to_be_visible()
    page.locator(".ledger .entry", has_text="forbids showing it").click()
    expect(page.locator("#evidence .beside .told")).to_contain_text("does not allow showing it")
    expect(page.locator("#evidence .beside img")).to_have_count(1)
    watched.settle("consult-withheld", whole=False)
