"""What people do on the page on which they ask."""

import json
from typing import Any

from playwright.sync_api import FilePayload, Locator, Page

from tests.browser.serving import SAMPLE

CONSULTATIONS = SAMPLE / "consultations"


def consultation(number: int = 0) -> dict[str, Any]:
    """One of the sample's, with the path of its picture under `file`."""
    line = (CONSULTATIONS / "consultations.jsonl").read_text("utf-8").splitlines()[number]
    found: dict[str, Any] = json.loads(line)
    return {**found, "file": CONSULTATIONS / found["picture"]}


def choose(page: Page, *files: FilePayload) -> None:
    """Files by the button, as a person chooses them."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").click()
    chooser.value.set_files(list(files))


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


def tab_to(page: Page, wanted: Locator, most: int = 120) -> None:
    """Presses Tab until something has the focus; every stop on the way must be seen to have it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring != "none", page.evaluate("document.activeElement.outerHTML")
        if wanted.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError(f"Tab never reaches {wanted}")
