"""A small knowledge base, made once a session: 12 drawn pictures of 3 labels with captions, and a guideline of 3 pages.

`sample_service` is shared: read from it, never write to it and never close it. `own_service` is a copy for one test.
"""

import csv
import io
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from reportlab.lib.pagesizes import A5
from reportlab.pdfgen.canvas import Canvas

from knowledge.types import Source
from retrieval.search import Encoders
from runtime.curation import Curator
from runtime.jobs import Upload
from runtime.service import Service, open_service
from runtime.settings import load_settings

CAPTIONS = {
    "psoriasis": "Well demarcated erythematous plaque with thick silvery scale on the elbow.",
    "nevus": "Small uniform brown macule with a regular border on the trunk.",
    "acne": "Several inflamed papules and pustules with comedones on the cheek.",
}
PAGES = (
    ("Psoriasis", "Offer a potent topical corticosteroid once daily for up to 4 weeks for plaques with silvery scale."),
    ("Melanocytic nevus", "Excise a nevus with a margin of 2 mm when its border or its colour has changed."),
    ("Acne", "Offer adapalene 0.1% with benzoyl peroxide 2.5% for papules, pustules and comedones of the face."),
)
SOURCE = Source("A sample guideline", publisher="Dermacite tests", licence="CC0-1.0", effective="2024-01-31")

Draw = Callable[[str, int], bytes]


def drawn(label: str, number: int) -> bytes:
    """A picture of a label as PNG; the same number gives the same bytes."""
    rng = np.random.default_rng([sorted(CAPTIONS).index(label), number])
    skin = np.clip(rng.normal((214, 172, 148), 9, (128, 128, 3)), 0, 255).astype(np.uint8)
    image = Image.fromarray(skin).filter(ImageFilter.GaussianBlur(0.7))
    pen = ImageDraw.Draw(image)
    x, y = (int(place) for place in rng.integers(44, 84, 2))
    if label == "psoriasis":
        pen.ellipse((x - 40, y - 30, x + 40, y + 30), fill=(188, 70, 66))
        for _ in range(60):
            left, top = (int(place) for place in rng.normal((x, y), 14))
            pen.line((left, top, left + 7, top + 2), fill=(240, 236, 232), width=2)
    elif label == "nevus":
        pen.ellipse((x - 12, y - 12, x + 12, y + 12), fill=(84, 52, 36))
    else:
        for _ in range(14):
            left, top = (int(place) for place in rng.integers(10, 112, 2))
            pen.ellipse((left, top, left + 8, top + 8), fill=(206, 62, 70))
            pen.ellipse((left + 3, top + 3, left + 5, top + 5), fill=(250, 232, 170))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def guideline(pages: tuple[tuple[str, str], ...] = PAGES) -> bytes:
    """A PDF with a heading and a paragraph on each page; the same pages give the same bytes."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A5, invariant=True)
    for heading, text in pages:
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(40, 540, heading)
        lines = canvas.beginText(40, 510)
        lines.setFont("Helvetica", 10)
        words = text.split()
        for start in range(0, len(words), 9):
            lines.textLine(" ".join(words[start : start + 9]))
        canvas.drawText(lines)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def write_cases(folder: Path, each: int = 4, captions: Mapping[str, str] = CAPTIONS) -> Path:
    """The sample's cases as a folder with a manifest; `captions` by label."""
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["picture", "label", "caption", "subject", "licence"])
        for label, caption in captions.items():
            for number in range(each):
                name = f"{label}-{number}.png"
                (folder / name).write_bytes(drawn(label, number))
                table.writerow([name, label, caption, f"{label}-{number}", "CC0-1.0"])
    return folder


def fill(service: Service, cases: Path) -> None:
    """Take the sample in; its cases are written into the folder."""
    curator = Curator(service)
    curator.ingest_cases(write_cases(cases), "sample")
    curator.ingest_documents([Upload("sample.pdf", guideline, SOURCE)])


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Draws a picture of one of the sample's labels; numbers from 4 on are not in the knowledge base."""
    return drawn


@pytest.fixture(scope="session")
def make_guideline() -> Callable[[str, str], bytes]:
    """Makes a PDF of one page from a heading and a paragraph."""
    return lambda heading, text: guideline(((heading, text),))


@pytest.fixture(scope="session")
def sample_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The sample, ingested, with the embedded encoders."""
    folder = tmp_path_factory.mktemp("sample")
    home = folder / "home"
    service = open_service(home, load_settings(home, configuration="embedded"))
    fill(service, folder / "cases")
    yield service
    service.close()


@pytest.fixture(scope="session")
def encoders(sample_service: Service) -> Encoders:
    """The embedded encoders, loaded once."""
    return sample_service.encoders


@pytest.fixture
def own_service(sample_service: Service, encoders: Encoders, tmp_path: Path) -> Iterator[Service]:
    """A copy of the sample that a test may write to and close; it shares the loaded encoders."""
    service = copy_of(sample_service, tmp_path / "home", encoders)
    yield service
    service.close()


@pytest.fixture
def empty_service(encoders: Encoders, tmp_path: Path) -> Iterator[Service]:
    """A service without any knowledge; it shares the loaded encoders."""
    home = tmp_path / "empty"
    service = open_service(home, load_settings(home, configuration="embedded"), encoders)
    yield service
    service.close()


def copy_of(service: Service, home: Path, encoders: Encoders) -> Service:
    """A service of its own on a copy of another's home."""
    shutil.copytree(service.home.root, home, symlinks=True)
    return open_service(home, service.settings, encoders)
