"""What curators do on the pages of the knowledge base."""

import re

import httpx
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.serving import Server
from tests.sample import guideline

expect.set_options(timeout=60_000)  # a busy machine is no failure

PLACES = {"registry", "vectors", "index", "lexical", "caches", "files", "disk"}


def pdf(name: str, text: str, heading: str = "Scabies") -> FilePayload:
    return {"name": name, "mimeType": "application/pdf", "buffer": guideline(((heading, text),))}


def broken(name: str) -> FilePayload:
    return {"name": name, "mimeType": "application/pdf", "buffer": b"%PDF-1.7 and then nothing that is one"}


def sent(server: Server, file: FilePayload, **form: str) -> dict[str, str]:
    """What became of a file that was sent as programs do."""
    answer = httpx.post(
        f"{server.url}/v1/documents", files={"files": (file["name"], file["buffer"])}, data=form, timeout=120
    )
    assert answer.status_code == 201, answer.text
    [outcome] = answer.json()["outcomes"]
    return dict(outcome)


def upload(page: Page, *files: FilePayload) -> Locator:
    """Choose files, send them, and wait for the job's end; the list of outcomes."""
    page.get_by_label("PDF files").set_input_files(list(files))
    page.get_by_role("button", name="Upload", exact=True).click()
    ended(page, len(files))
    return page.locator(".outcomes > li")


def ended(page: Page, files: int) -> None:
    expect(page.get_by_text(f"{files} of {files} file")).to_be_visible()
    expect(page.locator("#job .facts").get_by_text(re.compile("^(done|failed|cancelled)$"))).to_be_visible()


def confirm(page: Page, words: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=words).click()


def proven(page: Page) -> None:
    """A receipt that names every place where absence was looked for."""
    receipt = page.get_by_role("region", name="Deleted: receipt")
    expect(receipt).to_be_focused()
    assert set(receipt.locator(".places code").all_inner_texts()) == PLACES
