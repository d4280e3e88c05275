"""A report as one HTML file: it loads nothing, runs nothing, and every text of a run is escaped by the templates."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import markupsafe

from evaluation.report.blocks import Block, Cards, Code, Figures, Section, Table, Text

USE: Final = "For research. Not a diagnosis, and not for the care of anybody."
_HERE: Final = Path(__file__).parent
_MACROS: Final[Mapping[type[Block], str]] = {
    Text: "text", Code: "code", Table: "table", Figures: "figures", Cards: "cards",
}  # fmt: skip


def as_html(title: str, sections: Sequence[Section], before_last: str) -> str:
    """The whole file; `before_last` is a marker that stands before the last section."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    macros = environment.get_template("blocks.html.jinja").module

    def written(block: Block) -> markupsafe.Markup:
        return markupsafe.Markup(getattr(macros, _MACROS[type(block)])(block))  # noqa: S704 (escaped by the macro)

    return environment.get_template("page.html.jinja").render(
        title=title, sections=sections, before_last=before_last, written=written, use=USE,
        style=(_HERE / "page.css").read_text("utf-8"),
    )  # fmt: skip
