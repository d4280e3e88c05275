"""What people do on the page on which they ask."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from playwright.sync_api import FileChooser, FilePayload, Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.serving import SAMPLE

CONSULTATIONS = SAMPLE / "consultations"
CHOOSER_MS = 15_000


def consultation(number: int = 0) -> dict[str, Any]:
    """One of the sample's, with the path of its picture under `file`."""
    line = (CONSULTATIONS / "consultations.jsonl").read_text("utf-8").splitlines()[number]
    found: dict[str, Any] = json.loads(line)
    return {**found, "file": CONSULTATIONS / found["picture"]}


def choose(page: Page, *files: FilePayload) -> None:
    """Files by the button, as a person chooses them."""
    chooser_of(page, page.get_by_role("button", name="Choose pictures").click).set_files(list(files))


def payload(data: bytes, name: str = "Ms Example.png", media_type: str = "image/png") -> FilePayload:
    """A file that a person chooses; its name is somebody's."""
    return {"name": name, "mimeType": media_type, "buffer": data}


def ask_by_mouse(page: Page, asked: dict[str, Any]) -> None:
    """Fills in a consultation of the sample and asks."""
    choose(page, payload(asked["file"].read_bytes(), media_type="image/jpeg"))
    page.get_by_label("Note", exact=True).fill(asked["note"])
    page.get_by_label("Age", exact=True).fill(str(asked["age"]))
    page.get_by_label("Sex", exact=True).select_option(asked["sex"])
    page.get_by_label("Body site", exact=True).fill(asked["body_site"])
    page.get_by_role("button", name="Ask", exact=True).click()


def outcome(page: Page) -> Locator:
    """The card with the diagnosis, or with the reason why there is none."""
    found = page.locator("[data-outcome]")
    found.wait_for()
    return found


def chooser_of(page: Page, press: Callable[[], None], tries: int = 4) -> FileChooser:
    """The dialog that `press` opens. On a busy machine Chromium without a screen sometimes opens none: press again."""
    for _ in range(tries - 1):
        with suppress(PlaywrightTimeout):
            return _chooser(page, press)
    return _chooser(page, press)


def _chooser(page: Page, press: Callable[[], None]) -> FileChooser:
    with page.expect_file_chooser(timeout=CHOOSER_MS) as chooser:
        press()
    return chooser.value


def tab_to(page: Page, wanted: Locator, most: int = 120) -> None:
    """Presses Tab until something has the focus; every stop on the way must be seen to have it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring != "none", page.evaluate("document.activeElement.outerHTML")
        if wanted.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError(f"Tab never reaches {wanted}")
