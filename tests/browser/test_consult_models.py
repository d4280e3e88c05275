"""Served models on the page: dead ones, slow ones, and ones that contradict the reference cases."""

import socket
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
from playwright.sync_api import expect

from inference.admission import ServedModels
from runtime.service import Service
from tests.browser.asking import ask_by_mouse, choose, consultation, outcome, payload
from tests.browser.conftest import Open
from tests.browser.serving import serving, serving_here
from tests.fakes import FakeEngine, naming, served

TEXT = "A red plaque with silvery scale. Psoriasis is likely."


@pytest.fixture
def dead_home(sample_home: Path, tmp_path: Path) -> Path:
    """A copy whose classifier is served at an address where nobody listens."""
    home = Path(copytree(sample_home, tmp_path / "home", symlinks=True))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    (home / "settings.toml").write_text(
        f'classifier = "hikari-sirius"\n[models.hikari-sirius]\nurl = "http://127.0.0.1:{port}/v1"\n', "utf-8"
    )
    return home


def models(says: str, delay: float = 0.0) -> ServedModels:
    return ServedModels(
        served("hikari-subaru", FakeEngine(naming("Inflammatory"), {"Inflammatory": 0.9})),
        served("hikari-sirius", FakeEngine(naming(says), {says: 0.95}, delay=delay)),
        served("hikari-vega", FakeEngine(TEXT)),
    )


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_a_dead_engine_is_said_and_the_cases_may_answer(
    dead_home: Path, open_page: Open, size: str, scheme: str
) -> None:
    with serving(dead_home, ready=False) as server:
        watched = open_page(server.url, size=size, scheme=scheme)
        watched.expected = {503}
        page = watched.page
        expect(page.locator("[data-reason=not_ready]")).to_contain_text("hikari-sirius")
        watched.settle("consult-not-ready")
        ask_by_mouse(page, consultation())
        problem = page.locator("#answer .problem")
        expect(problem).to_contain_text("The inference server cannot be reached")
        expect(problem).to_have_attribute("data-reason", "engine_unreachable")
        watched.settle("consult-dead-engine")
        page.get_by_text("Researcher's view").click()
        page.get_by_label("If a model fails").select_option("exemplar")
        page.get_by_role("button", name="Ask", exact=True).click()
        assert outcome(page).get_attribute("data-outcome") == "diagnosis"
        expect(page.locator("#answer .told")).to_contain_text("the embedded way answers instead")
        watched.settle("consult-degraded")


def test_a_contradiction_is_no_diagnosis_and_every_voice_is_shown(
    own_service: Service, draw: Callable[[str, int], bytes], open_page: Open
) -> None:
    with serving_here(own_service, models("psoriasis")) as url:
        watched = open_page(url)
        page = watched.page
        choose(page, payload(draw("nevus", 9)))
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(outcome(page).locator(".badge")).to_have_text("the voices contradict each other")
        rows = page.locator("[aria-labelledby=voices-title] tr")
        expect(rows.nth(0)).to_contain_text("nevus")
        expect(rows.nth(1)).to_contain_text("psoriasis")
        expect(rows.nth(2)).to_contain_text("Inflammatory")
        watched.settle("consult-conflict")


def test_a_model_s_text_stands_with_what_the_evidence_says_of_it(
    own_service: Service, draw: Callable[[str, int], bytes], open_page: Open
) -> None:
    with serving_here(own_service, models("psoriasis")) as url:
        watched = open_page(url, scheme="dark")
        page = watched.page
        choose(page, payload(draw("psoriasis", 9)))
        page.get_by_role("button", name="Ask", exact=True).click()
        outcome(page)
        written = page.locator("[aria-labelledby=narrative-title]")
        expect(written.locator(".statement")).to_have_count(2)
        expect(written).to_contain_text("It was told")
        expect(page.locator("#steps")).to_contain_text("9 words")
        watched.settle("consult-narrative")


def test_a_question_is_stopped(own_service: Service, draw: Callable[[str, int], bytes], open_page: Open) -> None:
    with serving_here(own_service, models("psoriasis", delay=600), ready=False) as url:
        watched = open_page(url)
        watched.expected, watched.cut_off = {503}, True  # it is never ready: its model does not answer in time
        page = watched.page
        choose(page, payload(draw("psoriasis", 9)))
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("#steps [aria-current=step]")).to_have_count(1)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#answer")).to_contain_text("Stopped. Nothing was answered.")
        expect(page.get_by_role("button", name="Ask", exact=True)).not_to_have_attribute("aria-disabled", "true")
