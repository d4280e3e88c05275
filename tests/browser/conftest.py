"""One browser for all tests here: Debian's Chromium, driven by Playwright. Nothing is ever downloaded.

They have a process of their own (`make browser`): Playwright keeps an event loop running in the thread that started it.
Every page is watched: it may ask this machine only, must not complain, must not jump, and must be usable by everybody (axe).
"""

import csv
import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from runtime.cli.ingesting import uploads_of
from runtime.curation import Curator
from runtime.service import open_service
from runtime.settings import load_settings
from tests.browser.serving import SAMPLE, Server, serving
from tests.browser.watching import Watched

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
MISSING = (
    "These tests need a browser. On Debian: apt-get install chromium. Elsewhere name one: CHROMIUM=/path/to/chromium"
)

Open = Callable[..., Watched]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if found is None:
        pytest.fail(MISSING)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, headless=True, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens a page of a server and watches it; at the end nothing may have gone wrong on it."""
    opened: list[tuple[BrowserContext, Watched]] = []

    def open_(url: str, *, size: str = "desktop", scheme: str = "light", **more: object) -> Watched:
        width, height = SIZES[size]
        phone = size == "phone"
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=phone, is_mobile=phone, **more  # type: ignore[arg-type]
        )  # fmt: skip
        context.set_default_timeout(60_000)
        watched = Watched(context.new_page(), url, f"{size}-{scheme}")
        opened.append((context, watched))
        watched.page.goto(url)
        return watched

    yield open_
    for context, watched in opened:
        watched.judge()
        context.close()


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the whole sample corpus. Never write to it: copy it."""
    home = tmp_path_factory.mktemp("corpus") / "home"
    service = open_service(home, load_settings(home, configuration="embedded"))
    curator = Curator(service)
    curator.ingest_cases(SAMPLE / "cases", "sample")
    curator.ingest_documents(uploads_of(SAMPLE))
    service.close()
    return home


@pytest.fixture
def changed_home(sample_home: Path, tmp_path: Path) -> Path:
    """A copy in which the guideline on psoriasis has expired and a case of psoriasis must not be shown."""
    home = Path(shutil.copytree(sample_home, tmp_path / "home", symlinks=True))
    service = open_service(home, load_settings(home, configuration="embedded"))
    curator = Curator(service)
    for document in service.registry.documents():
        if document.source.title.startswith("Psoriasis"):
            curator.describe(document.version.id, replace(document.source, expires="2001-01-31"))
    curator.ingest_cases(_withheld(tmp_path / "withheld"), "withheld")
    service.close()
    return home


def _withheld(folder: Path) -> Path:
    """A case that looks like one of the sample's, under a licence that forbids showing it."""
    folder.mkdir()
    with Image.open(SAMPLE / "cases" / "pictures" / "s001.jpg") as picture:
        picture.rotate(180).crop((30, 30, picture.width - 60, picture.height - 50)).save(folder / "one.png")
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["picture", "label", "caption", "subject", "lesion", "licence"])
        rows.writerow(["one.png", "psoriasis", "A plaque.", "withheld", "withheld", "all-rights-reserved"])
    return folder


@pytest.fixture(scope="session")
def flat() -> bytes:
    """A picture of nothing, as PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300), (150, 120, 110)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def server(sample_home: Path) -> Iterator[Server]:
    """A ready server on the sample corpus."""
    with serving(sample_home) as started:
        yield started


@pytest.fixture(scope="module")
def own_server(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ready server on a copy of the sample corpus, which the tests of one module change."""
    home = tmp_path_factory.mktemp("own") / "home"
    shutil.copytree(sample_home, home, symlinks=True)
    with serving(home) as started:
        yield started
