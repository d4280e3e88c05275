"""Reports of small runs written by hand: what stands in them, what must not, and that the same records give the same bytes."""

import io
import json
import random
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from evaluation.cli import evaluate
from evaluation.errors import ReportRefused
from evaluation.records import CaseRecord, EvidenceRecord, Result, line_of
from evaluation.report import without_timings, write_report
from evaluation.report.markdown import escaped
from tests.drawing import scene

SCRIPT = '<script>alert("x")</script>'
VOID = {"meta", "img", "link", "br"}


def record(arm: str, case: str, label: str, said: str | None, sure: float = 0.8, **more: Any) -> CaseRecord:
    result = Result.CORRECT if said == label else Result.WRONG
    shares = ((said, sure), ("other", round(1 - sure, 3))) if said else ()
    return CaseRecord(**{
        "case": case, "arm": arm, "seed": 0, "label": label, "result": result, "first": said, "probabilities": shares, **more,
    })  # fmt: skip


def run_of(folder: Path, records: Sequence[CaseRecord], plan: str = "", **files: Any) -> Path:
    folder.mkdir()
    (folder / "cases.jsonl").write_text("".join(map(line_of, records)), "utf-8")
    if plan:
        (folder / "plan.toml").write_text(plan, "utf-8")
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value), "utf-8")
    return folder


THREE = [
    record("hybrid", "c1", "acne", "acne", 0.9, body_site="face", timings_ms={"total": 12.0}),
    record("hybrid", "c2", SCRIPT, "acne", 0.95, evidence=(EvidenceRecord("e", "case", 1, 0.9, {}, SCRIPT),)),
    record("hybrid", "c3", "acne", None, result=Result.ABSTAINED, reason="low_similarity <b>"),
    record("off", "c1", "acne", SCRIPT, 0.6, body_site="face", prompt_hashes=("ab" * 32,)),
    record("off", "c2", SCRIPT, None, result=Result.UNPARSED, reason="unparsed"),
    record("off", "c3", "acne", None, result=Result.FAILED, reason="engine_timeout"),
]
PLAN = """name = "a | b <script>"
baseline = "hybrid"
[[arms]]
name = "off"
alpha = 0.0
[[arms]]
name = "hybrid"
alpha = 0.5
[[arms]]
name = "empty"
"""
RUN = {
    "command": "dermacite ablate x.toml",
    "arms": {"off": {"control": "none"}},
    "started_at": "T",
    "new": {"deep": [SCRIPT]},
}
LEAKS = {"answers_with_kin_among_evidence": 0, "pairs": [{"case": "c1", "of": SCRIPT}]}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "three"
    run_of(folder, THREE, PLAN, run=RUN, leaks=LEAKS)
    write_report(folder)
    return folder


class Page(HTMLParser):
    """The tags of a page, its ids, and whether every one that opens also closes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, Mapping[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[Mapping[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def html(run: Path) -> str:
    return (run / "report.html").read_text("utf-8")


def markdown(run: Path) -> str:
    return (run / "report.md").read_text("utf-8")


def test_a_page_is_whole_and_loads_and_runs_nothing(three: Path) -> None:
    page = Page(html(three))
    assert page.open == []
    ids = [one["id"] for _, one in page.tags if one.get("id")]
    assert len(ids) == len(set(ids))
    assert not page.all("script")
    assert not page.all("link")
    targets = [one.get("href") or one.get("xlink:href") for _, one in page.tags]
    assert {str(one).removeprefix("#") for one in targets if one} <= set(ids)
    assert not [name for _, one in page.tags for name in one if name.startswith("on")]
    (policy,) = [one["content"] for one in page.all("meta") if one.get("http-equiv")]
    assert str(policy).startswith("default-src 'none'")


def test_tables_and_figures_can_be_read_aloud(three: Path) -> None:
    page = Page(html(three))
    assert {one.get("scope") for one in page.all("th")} == {"col", "row"}
    assert len(page.all("caption")) == len(page.all("table")) > 5
    drawings = [one for one in page.all("div") if one.get("role") == "img"]
    assert len(drawings) == len(page.all("svg")) >= 4  # calibration of two arms, coverage, α, confusion of two
    assert all(one.get("aria-label") for one in drawings)


def test_every_text_is_escaped(three: Path) -> None:
    assert "&lt;script&gt;" in html(three)
    assert "<script" not in html(three)
    assert "low_similarity &lt;b&gt;" in html(three)
    assert "<script" not in markdown(three).replace(r"\<script", "")
    assert r"# a \| b \<script\>" in markdown(three)


@pytest.mark.parametrize("text", ["a|b", "<b>", "*x*", "`x`", "[a](b)", "a\nb", "&lt;", "$x$"])
def test_text_stays_text_in_markdown(text: str) -> None:
    written = escaped(text)
    assert "\n" not in written
    for place, sign in enumerate(written):
        if sign in "|<>*`[]&$":
            assert written[place - 1] == "\\"


def test_five_results_are_counted_apart(three: Path) -> None:
    text = markdown(three)
    assert "| hybrid | 3 | 1 (33 %) | 1 (33 %) | 0 (0 %) | 1 (33 %) | 0 (0 %) |" in text
    assert "| off | 3 | 0 (0 %) | 1 (33 %) | 1 (33 %) | 0 (0 %) | 1 (33 %) |" in text


def test_arms_are_compared_with_the_baseline_and_stand_in_the_order_of_the_plan(three: Path) -> None:
    text = markdown(three)
    assert "The arms are compared with hybrid." in text
    # Of three cases hybrid has one right and off none.
    assert "| off | 3 | 0 | 0.000" in text
    assert "| −0.333 \\[" in text
    assert text.index("| off | 3") < text.index("| hybrid | 3") < text.index("| empty | 0")
    assert "No difference to hybrid shown, which is not the same as none: off, empty." in text
    assert "Shown to be" not in text
    assert "| off | 3 | 0 | 1 | 1.000 | 1.000 | none |" in text  # McNemar: one case, that of hybrid


def test_what_is_missing_says_why_and_is_never_nought(three: Path) -> None:
    text = markdown(three)
    assert "| empty | 0 | 0 | – (1) | – |" in text
    assert "1. there are no records" in text
    reasons = text.partition("**Not measured**")[2].partition("\n\n##")[0]
    assert "BLEU 1, BLEU 2, BLEU 3, BLEU 4, ROUGE 1" in reasons
    assert "0.000" not in reasons


def test_parts_say_how_many_cases_they_have(three: Path) -> None:
    assert "| acne | 2 (few) | 0.000" in markdown(three)
    assert "By skin tone: not recorded for any case." in markdown(three)
    assert "| not recorded | 2 (few) |" in markdown(three)


def test_configuration_prompts_and_leaks_are_told(three: Path) -> None:
    above, below = markdown(three).split("<!-- What follows differs from run to run. -->")
    for one in ("dermacite ablate x.toml", "ab" * 32, "No answer had the case itself", "new.deep", "not a diagnosis"):
        assert one.casefold() in above.casefold()
    assert "started\\_at" in below
    assert "started" not in above


def test_the_same_records_give_the_same_bytes_in_any_order(three: Path, tmp_path: Path) -> None:
    shuffled = list(THREE) + THREE[:2]
    random.Random(1).shuffle(shuffled)
    other = run_of(tmp_path / "other", shuffled, PLAN, run=RUN, leaks=LEAKS)
    write_report(other)
    assert html(other) == html(three)
    assert markdown(other) == markdown(three)
    later = [CaseRecord(**{**_fields(one), "timings_ms": {"total": 99.0}}) for one in THREE]
    slow = run_of(tmp_path / "slow", later, PLAN, run={**RUN, "started_at": "U"}, leaks=LEAKS)
    write_report(slow)
    assert html(slow) != html(three)
    assert without_timings(html(slow)) == without_timings(html(three))


def _fields(one: CaseRecord) -> dict[str, Any]:
    return {name: getattr(one, name) for name in CaseRecord.__slots__}


def test_one_case_has_no_interval_and_a_bare_folder_is_enough(tmp_path: Path) -> None:
    run = run_of(tmp_path / "one", [record("only", "c1", "acne", "acne")])
    assert write_report(run) == run / "report.html"
    text = markdown(run)
    assert text.splitlines()[0] == "# one"
    assert "| only | 1 | 1 | 1.000 (1) | compared with |" in text
    assert "1. a single case: no interval" in text
    assert "There is one arm, and nothing to compare it with." in text
    assert "this run has no leaks.json" in text
    assert "No answer was wrong." in text


def test_nothing_asked_is_a_report_too(tmp_path: Path) -> None:
    run = run_of(tmp_path / "none", [], PLAN)
    write_report(run)
    assert "0 cases, 3 arms." in markdown(run)


def test_sixty_labels_have_a_list_of_mistakes_instead_of_a_matrix(tmp_path: Path) -> None:
    records = [record("a", f"c{n}", f"label {n}", f"label {n % 59}" if n else "label 59") for n in range(60)]
    run = run_of(tmp_path / "sixty", records)
    write_report(run)
    assert "No matrix of a: 60 labels, and more than 20 cannot be read." in html(run)
    assert "| label 0 | label 59 | 1 (100 %) |" in markdown(run)
    assert "Confusion matrix" not in html(run)


def test_pictures_are_shown_only_where_the_licence_allows(tmp_path: Path) -> None:
    names = {"free": "CC0-1.0", "closed": "all rights reserved", "odd": None, "gone": "CC0-1.0", "broken": "CC0-1.0"}
    records = [record("a", case, "acne", "psoriasis") for case in (*names, "unknown")]
    run = run_of(tmp_path / "run", records)
    rows = (json.dumps({"id": case, "licence": licence}) + "\n" for case, licence in names.items())
    (run / "dataset.jsonl").write_text("".join(rows), "utf-8")
    written = io.BytesIO()
    Image.fromarray(scene(1)).save(written, "JPEG")
    asked: list[str] = []

    def pictures(case: str) -> bytes | None:
        asked.append(case)
        return {"gone": None, "broken": b"no picture"}.get(case, written.getvalue())

    write_report(run, pictures)
    assert sorted(asked) == ["broken", "free", "gone", "odd"]
    sources = {one["alt"]: str(one["src"]) for one in Page(html(run)).all("img")}
    assert set(sources) == {"Picture of case free, labelled acne", "Picture of case odd, labelled acne"}
    assert all(one.startswith("data:image/jpeg;base64,") for one in sources.values())
    for one in (
        "its licence forbids",
        "licence not known: do not pass",
        "is not there",
        "could not be read",
        "not recorded in",
    ):
        assert one in html(run)


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("cases.jsonl", "{}\n", "holds something that is no record"),
        ("plan.toml", "[", "cannot be read as TOML"),
        ("run.json", "{", "cannot be read as JSON"),
        ("dataset.jsonl", "{", "not one JSON object a line"),
    ],
)
def test_a_damaged_folder_is_refused_with_the_file(tmp_path: Path, file: str, text: str, why: str) -> None:
    run = run_of(tmp_path / "run", THREE)
    (run / file).write_text(text, "utf-8")
    with pytest.raises(ReportRefused, match=rf"{file}.* {why}|{why}"):
        write_report(run)


def test_two_results_of_one_case_are_refused(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", [THREE[0], record("hybrid", "c1", "acne", "psoriasis")])
    with pytest.raises(ReportRefused, match="two different results of arm 'hybrid' with seed 0 for case c1"):
        write_report(run)


def test_the_command_says_what_it_wrote_and_refuses_a_folder_that_is_no_run(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", THREE[:1])
    home = ["--home", str(tmp_path / "home"), "report"]
    said = CliRunner().invoke(evaluate, [*home, str(run), "--json"])
    assert json.loads(said.stdout) == {"html": str(run / "report.html"), "markdown": str(run / "report.md")}
    (tmp_path / "empty").mkdir()
    refused = CliRunner().invoke(evaluate, [*home, str(tmp_path / "empty")])
    assert refused.exit_code == 1
    assert "name the folder of a run" in refused.stderr
    assert "--pictures DIR" in CliRunner().invoke(evaluate, [*home, "--help"]).output
