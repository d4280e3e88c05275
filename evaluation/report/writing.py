"""From a run folder to report.html and report.md in it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from evaluation.errors import ReportRefused
from evaluation.measures.tools import Tools, tools_here
from evaluation.report.blocks import Section, Text
from evaluation.report.differences import differences
from evaluation.report.illustrations import figures
from evaluation.report.markdown import as_markdown
from evaluation.report.numbers import Advance, Numbers, numbers_of, steps_of
from evaluation.report.page import USE, as_html
from evaluation.report.parts import parts
from evaluation.report.provenance import configuration, leaks, varying
from evaluation.report.reading import Run, read_run
from evaluation.report.results import glossary, measures, outcomes, summary, timings
from evaluation.report.worst import Pictures, worst

HTML: Final = "report.html"
MARKDOWN: Final = "report.md"
VARIES: Final = "<!-- What follows differs from run to run. -->"

Watched = Callable[[str, int], AbstractContextManager[Advance]]  # see runtime.cli.group.bar


def _unwatched(_label: str, _steps: int) -> AbstractContextManager[Advance]:
    return nullcontext(lambda _done: None)


def write_report(
    run: Path, pictures: Pictures | None = None, tools: Tools | None = None, watched: Watched = _unwatched
) -> Path:
    """Write RUN/report.html and RUN/report.md, and return the former. Raises ReportRefused.

    `pictures` gives the file of a case, which is shown small where its licence (dataset.jsonl) allows. `tools` are what
    measures need besides records, by default those that come with this project: a measure whose tool is not there says so.
    The same records give the same bytes up to the section on timings, whatever the order of their lines: see
    `without_timings`. `watched` shows how far it is: the intervals of many arms take a while.
    """
    read = read_run(run)
    tools = tools_here([one for of_arm in read.records.values() for one in of_arm]) if tools is None else tools
    with watched("comparing", steps_of(read)) as advance:
        numbers = numbers_of(read, tools, advance)
    sections = _sections(read, numbers, pictures)
    use = Section("use", "Use", [Text(USE)])
    html, markdown = as_html(read.name, sections, VARIES), as_markdown(read.name, [use, *sections], VARIES)
    try:
        (run / MARKDOWN).write_text(markdown, "utf-8")
        (run / HTML).write_text(html, "utf-8")
    except OSError as error:
        raise ReportRefused(f"the report cannot be written into {run}: {error.strerror}") from error
    return run / HTML


def without_timings(report: str) -> str:
    """What of a report (either file) two runs with the same answers have in common: all but its last section."""
    return report.partition(VARIES)[0]


def _sections(run: Run, numbers: Numbers, pictures: Pictures | None) -> list[Section]:
    return [
        summary(run, numbers), outcomes(run), measures(run, numbers), differences(run, numbers), figures(run, numbers),
        parts(run, numbers), worst(run, pictures), leaks(run), configuration(run), glossary(numbers),
        timings(run, numbers, varying(run)),
    ]  # fmt: skip
